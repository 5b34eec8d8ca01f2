"""A model behind a URL: what is sent there, what is made of the answers, and every failure."""

import json
import logging
import shutil
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from index.build import build
from index.embed import SentenceEmbedder
from models.errors import ModelError
from rag import Chat
from rag.address import address_of
from rag.cli import footnote
from rag.first_word import CLEAR_WORD, odds, odds_of_text
from rag.generate import Piece, load_model
from rag.prompt import Message
from rag.remote import RemoteModel
from tests.fakes import ListSearch, WordEmbedder, document
from tests.scripted_server import (
    Reply,
    ScriptedServer,
    as_json,
    event,
    listing,
    scripted_server,
    streamed,
    word,
)
from ui.setup import missing

ASK: list[Message] = [{"role": "user", "content": "How heavy was the walrus?"}]
KEY = "the-keepers-own-key"
LIKELY = {"Yes": -0.2, " yes": -3.0, "No": -1.9, "Maybe": -6.0}


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FOOTNOTE_LLM_KEY", raising=False)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as one:
        yield one


def model_of(server: ScriptedServer, *replies: Reply, silence: float = 5.0) -> RemoteModel:
    """A named model, asked again at once, twice, of a server with those replies."""
    server.replies = list(replies)
    return RemoteModel(server.url, model="small", silence=silence, pauses=(0.01, 0.01))


def text_of(model: RemoteModel) -> str:
    return "".join(piece.text for piece in model(ASK, max_tokens=9))


def failure_of(model: RemoteModel) -> str:
    with pytest.raises(ModelError) as caught:
        list(model(ASK, max_tokens=9))
    return str(caught.value)


# What is sent, and what comes.


def test_an_answer_comes_in_pieces_that_say_how_likely_they_were(server: ScriptedServer) -> None:
    model = model_of(server, streamed("A", " ton", logprob=-0.25))
    assert list(model(ASK, max_tokens=9)) == [Piece("A", (-0.25,)), Piece(" ton", (-0.25,))]
    (request,) = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.body == {
        "model": "small", "messages": ASK, "temperature": 0, "max_tokens": 9, "stream": True,
        "logprobs": True, "top_logprobs": 1,
    }  # fmt: skip


def test_nothing_else_is_sent_whatever_others_have_set(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = "http://127.0.0.1:9"
    for name, value in {
        "OPENAI_API_KEY": "another-s", "OPENAI_ADMIN_KEY": "another-s", "OPENAI_ORG_ID": "theirs",
        "OPENAI_PROJECT_ID": "theirs", "OPENAI_CUSTOM_HEADERS": "Authorization: theirs\nX-A: b",
        "OPENAI_BASE_URL": nobody, "HTTP_PROXY": nobody, "http_proxy": nobody, "ALL_PROXY": nobody,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert text_of(model_of(server, streamed("A", " ton"))) == "A ton"
    (request,) = server.requests
    assert sorted(request.headers) == [
        "accept", "accept-encoding", "connection", "content-length", "content-type", "host",
        "user-agent",
    ]  # fmt: skip
    assert request.headers["user-agent"] == "footnote"


def test_the_key_comes_from_its_own_variable(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTNOTE_LLM_KEY", f"{KEY}\n")
    text_of(model_of(server, streamed("A")))
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("key", ["two\nlines", "schlüssel"])
def test_a_key_that_none_can_be_is_not_repeated(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTNOTE_LLM_KEY", key)
    with pytest.raises(ModelError, match="FOOTNOTE_LLM_KEY holds more than a key") as caught:
        RemoteModel("http://127.0.0.1:9", model="small")
    assert key not in str(caught.value)


def test_the_address_keeps_its_user_and_query_and_does_not_show_them(
    server: ScriptedServer,
) -> None:
    server.replies = [word("Yes"), as_json({}, status=400)]
    place = server.url.removeprefix("http://")
    model = RemoteModel(f"http://desk:pass%20word@{place}?version=2&code=hidden", model="small")
    assert model.yes(ASK) == CLEAR_WORD
    (request,) = server.requests
    assert request.path == "/v1/chat/completions?version=2&code=hidden"
    assert request.headers["authorization"] == "Basic ZGVzazpwYXNzIHdvcmQ="  # desk:pass word
    said = failure_of(model)
    assert server.url in said
    assert not any(hidden in said for hidden in ("desk", "word", "code", "hidden", "?"))


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/v1"),
        ("https://[::1]:8443/llm/v1/", "https://[::1]:8443/llm/v1"),
        (" http://box/api ", "http://box/api"),
        ("http://desk:word@box:1/v1?a=b#c", "http://box:1/v1"),
    ],
)
def test_an_address_is_made_whole(given: str, url: str) -> None:
    assert str(address_of(given)) == address_of(given).url == url
    assert "word" not in repr(address_of(given))


@pytest.mark.parametrize(
    "given",
    [
        "",
        "127.0.0.1:8080",
        "ftp://box/v1",
        "http://",
        "http://box:port",
        "http://a b",
        "http:///v1",
    ],
)
def test_what_is_no_address_is_wrong_usage(given: str) -> None:
    result = CliRunner().invoke(footnote, ["ask", "Who?", "--llm", given])
    assert result.exit_code == 2
    assert "Invalid value for '--llm': A model's server has an http or https address" in (
        result.output
    )
    with pytest.raises(ModelError, match=r"such as http://127.0.0.1:8080/v1"):
        RemoteModel(given, model="small")


def test_a_host_that_cannot_be_is_one_sentence() -> None:
    with pytest.raises(ModelError, match="a name that none can have"):
        RemoteModel("http://☃/v1", model="small")


@pytest.mark.parametrize(
    ("listed", "name"),
    [
        ("Qwen/Qwen2.5-7B", "Qwen/Qwen2.5-7B"),
        ("/srv/models/small-q4.gguf", "small-q4"),
        (r"D:\models\small-q4.gguf", "small-q4"),
    ],
)
def test_the_first_model_that_is_listed_writes(
    server: ScriptedServer, listed: str, name: str
) -> None:
    server.replies = [listing(listed, "other"), streamed("A")]
    model = RemoteModel(server.url)
    assert model.name == name
    text_of(model)
    assert [request.path for request in server.requests] == ["/v1/models", "/v1/chat/completions"]
    assert server.requests[1].body["model"] == listed


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (listing(), "does not answer as an OpenAI-compatible one"),
        (as_json({"models": []}), "does not answer as an OpenAI-compatible one"),
        (Reply(["<p>Welcome</p>"], kind="text/html"), "does not answer as an OpenAI-compatible"),
        (Reply(["<p>None</p>"], 404, kind="text/html"), "has no list of models: correct --llm"),
        (as_json({}, status=401), "wants a key: set FOOTNOTE_LLM_KEY"),
    ],
)
def test_without_a_list_of_models_one_must_be_named(
    server: ScriptedServer, reply: Reply, said: str
) -> None:
    server.replies = [reply]
    with pytest.raises(ModelError, match=said):
        RemoteModel(server.url)


def test_closing_an_answer_ends_the_request(server: ScriptedServer) -> None:
    def endless() -> Iterator[str]:
        for _ in range(1000):
            yield event({"content": "on "}, -0.1)
            time.sleep(0.002)

    pieces = model_of(server, Reply(endless(), kind="text/event-stream"))(ASK, max_tokens=9)
    assert next(pieces).text == "on "
    pieces.close()
    assert server.was_left.wait(2)


def test_nothing_is_asked_to_read_ahead(server: ScriptedServer) -> None:
    model_of(server, word("Yes")).read(ASK, place="follow-up")
    assert server.requests == []


# Yes or no.


@pytest.mark.parametrize(
    ("likely", "expected"),
    [
        ({"Yes": -0.2, "No": -1.9}, 1.7),
        ({"No": -0.5, " yes": -2.5, "YES": -4.0}, -2.0),
        ({"Yes": -0.1, "Maybe": -4.0, "The": -6.0}, 5.9),  # No is at most as likely as “The”
        ({"\nno": -0.1, "Maybe": -4.0}, -3.9),
        ({"Maybe": -0.1, "The": -4.0}, 0.0),
        ({"Yes": 0.0, "No": -9999.0}, 20.0),
    ],
)
def test_the_odds_of_a_first_word(
    likely: dict[str, float], expected: float, server: ScriptedServer
) -> None:
    assert odds(likely) == pytest.approx(expected)
    assert model_of(server, word("Yes", likely)).yes(ASK) == pytest.approx(expected)
    (request,) = server.requests
    assert request.body == {
        "model": "small", "messages": ASK, "temperature": 0, "max_tokens": 1, "stream": True,
        "logprobs": True, "top_logprobs": 20,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Yes", 2.0), (" yes.", 2.0), ("**No**", -2.0), ("Nothing", 0.0), ("", 0.0), ("Maybe", 0.0)],
)
def test_without_probabilities_the_word_itself_counts(
    text: str, expected: float, server: ScriptedServer
) -> None:
    assert odds_of_text(text) == expected
    assert model_of(server, word(text)).yes(ASK) == expected
    assert (
        model_of(server, word(text, {text: -0.1})).yes(ASK) == expected
    )  # of one no ratio is known


# Servers that cannot tell how likely words are.


def test_an_answer_without_probabilities_counts_as_sure(server: ScriptedServer) -> None:
    model = model_of(server, streamed("A", " ton", logprob=None))
    assert list(model(ASK, max_tokens=9)) == [Piece("A", (0.0,)), Piece(" ton", (0.0,))]


def test_a_chat_does_not_ask_a_second_time_for_what_it_cannot_know_to_be_unsure(
    server: ScriptedServer,
) -> None:
    text = "The planes landed on Saturday. The planes carried 35 tons of cargo."
    written = streamed("The planes carried", " 35 tons of cargo.", logprob=None)
    server.choose = lambda request: word("Yes") if request.body["max_tokens"] == 1 else written
    chat = Chat(search=ListSearch(document(text)), generate=model_of(server))
    answer = chat.ask("How much cargo did the planes carry?")
    assert answer.text == "The planes carried 35 tons of cargo."
    (citation,) = answer.citations
    assert citation.quote == "The planes carried 35 tons of cargo."
    assert text[citation.start : citation.end] == citation.quote
    assert answer.model == "small"
    assert sum(request.body["max_tokens"] > 1 for request in server.requests) == 1


@pytest.mark.parametrize(
    "refusal",
    [
        as_json({"error": {"message": "logprobs is not supported, logits_all=False"}}, status=500),
        as_json({"detail": [{"loc": ["body", "top_logprobs"], "msg": "Extra inputs"}]}, status=422),
        Reply(['data: {"error": {"message": "no logprobs here"}}\n\n'], kind="text/event-stream"),
    ],
)
def test_a_server_that_refuses_to_tell_is_not_asked_for_it_again(
    server: ScriptedServer, refusal: Reply
) -> None:
    model = model_of(server, refusal, streamed("A", logprob=None), word("No"))
    assert text_of(model) == "A"
    assert model.yes(ASK) == -CLEAR_WORD
    assert ["logprobs" in request.body for request in server.requests] == [True, False, False]


def test_a_stream_that_just_ends_may_have_been_asked_for_too_much(server: ScriptedServer) -> None:
    cut, bare = streamed(finish=None, end="cut"), streamed("A", logprob=None)
    model = model_of(server, cut, bare, cut, bare, bare)
    assert [text_of(model), text_of(model), text_of(model)] == ["A", "A", "A"]
    asked = ["logprobs" in request.body for request in server.requests]
    assert asked == [True, False, True, False, False]  # the second time, for good


def test_who_told_before_is_asked_the_same_again(server: ScriptedServer) -> None:
    model = model_of(server, streamed("A"), streamed(finish=None, end="cut"), streamed("B"))
    assert [text_of(model), text_of(model)] == ["A", "B"]
    assert all("logprobs" in request.body for request in server.requests)


# Failures.


@pytest.mark.parametrize(
    ("status", "asked", "said"),
    [
        (400, 1, r"refuses the request \(HTTP 400\): its log says why; .* room for 6,144 tokens"),
        (404, 1, "has no model “small”: name one of its own with --model, or correct --llm"),
        (429, 3, r"has too much to do \(HTTP 429\): ask again later"),
        (500, 3, r"failed \(HTTP 500\): its log says why"),
        (503, 3, r"failed \(HTTP 503\): its log says why"),
        (307, 1, r"sends us elsewhere \(HTTP 307\): give --llm the address"),
    ],
)
def test_what_a_server_refuses_is_one_sentence(
    server: ScriptedServer, status: int, asked: int, said: str
) -> None:
    reply = as_json({}, status=status, location="/elsewhere")
    model = model_of(server, reply)
    with pytest.raises(ModelError, match=said):
        model.yes(ASK)
    assert len(server.requests) == asked
    assert failure_of(model).startswith(f"The model's server at {server.url} ")
    assert {request.path for request in server.requests} == {"/v1/chat/completions"}


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_is_wanted_or_refused(
    server: ScriptedServer, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = as_json({}, status=status)
    assert "wants a key: set FOOTNOTE_LLM_KEY." in failure_of(model_of(server, reply))
    monkeypatch.setenv("FOOTNOTE_LLM_KEY", KEY)
    assert "refuses the key: correct FOOTNOTE_LLM_KEY." in failure_of(model_of(server, reply))
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_a_key_or_question_that_the_server_repeats_is_not_shown(
    server: ScriptedServer,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("FOOTNOTE_LLM_KEY", KEY)
    said = {"error": {"message": f"Bearer {KEY} may not ask: {ASK[0]['content']}", "code": KEY}}
    model = model_of(server, as_json(said, status=status, x_request_id=KEY, x_key=KEY))
    for ask in (lambda: list(model(ASK, max_tokens=9)), lambda: model.yes(ASK)):
        with pytest.raises(ModelError) as caught:
            ask()
        shown = "".join(traceback.format_exception(caught.value)) + caplog.text
        assert KEY not in shown
        assert "walrus" not in shown


def test_no_server_is_one_sentence() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(ModelError, match=f"server at {url} does not answer: start it, or correct"):
        RemoteModel(url, pauses=())


@pytest.mark.skipif(not shutil.which("openssl"), reason="makes the certificate")
def test_only_who_is_trusted_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own.pem"
    made = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=own -addext".split()
    subprocess.run(
        [*made, "subjectAltName=IP:127.0.0.1", "-keyout", str(own), "-out", f"{own}.crt"],
        check=True,
        capture_output=True,
    )
    own.write_bytes(own.read_bytes() + Path(f"{own}.crt").read_bytes())
    with scripted_server(word("Yes"), certificate=own) as server:
        assert "has a certificate that is not trusted: set SSL_CERT_FILE" in failure_of(
            model_of(server, word("Yes"))
        )
        assert server.requests == []
        monkeypatch.setenv("SSL_CERT_FILE", f"{own}.crt")
        assert model_of(server, word("Yes")).yes(ASK) == CLEAR_WORD
        server.scheme = "http"
        assert "does not answer: " in failure_of(model_of(server, word("Yes")))


@pytest.mark.parametrize("passing", [429, 500, 502, 503])
def test_what_passes_is_asked_again(server: ScriptedServer, passing: int) -> None:
    trouble = as_json({}, status=passing, retry_after="0")
    model = model_of(server, trouble, trouble, streamed("A", " ton"))
    assert text_of(model) == "A ton"
    assert len(server.requests) == 3


def test_a_server_that_wants_long_pauses_is_not_waited_for(server: ScriptedServer) -> None:
    model = model_of(server, as_json({}, status=429, retry_after="60"))
    assert "has too much to do" in failure_of(model)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (streamed("A", " to", finish=None, end="cut"), "broke off before its answer was whole"),
        (streamed("A", " to", finish=None), "broke off before its answer was whole"),
        (Reply([event({"content": "A"}), event({"content": " to"}),
                'data: {"error": {"message": "no room", "code": 500}}\n\n'],
               kind="text/event-stream"), "failed while it answered: its log says why"),
        (Reply([event({"content": "A"}), event({"content": " to"}), "data: {broken\n\n"],
               kind="text/event-stream"), "does not answer as an OpenAI-compatible one"),
    ],
)  # fmt: skip
def test_what_breaks_off_is_no_answer_and_not_asked_again(
    server: ScriptedServer, reply: Reply, said: str
) -> None:
    pieces = model_of(server, reply)(ASK, max_tokens=9)
    assert [next(pieces).text, next(pieces).text] == ["A", " to"]
    with pytest.raises(ModelError, match=said):
        next(pieces)
    assert len(server.requests) == 1


def test_what_breaks_off_before_the_first_word_is_asked_again(server: ScriptedServer) -> None:
    cut = streamed(finish=None, end="cut")
    assert text_of(model_of(server, cut, cut, cut, streamed("A"))) == "A"
    server.requests.clear()
    assert "broke off before its answer was whole" in failure_of(model_of(server, cut))
    assert len(server.requests) == 4  # once without asking for probabilities


def test_an_answer_is_whole_once_the_server_says_so(server: ScriptedServer) -> None:
    reply = Reply(
        [event({"content": "A ton"}, -0.1, finish="length")], kind="text/event-stream", end="cut"
    )
    assert text_of(model_of(server, reply)) == "A ton"


@pytest.mark.parametrize("words", [(), ("A",)])
def test_a_silence_has_its_limit_and_is_not_asked_again(
    server: ScriptedServer, words: tuple[str, ...]
) -> None:
    model = model_of(server, streamed(*words, finish=None, end="silence"), silence=0.2)
    started = time.monotonic()
    assert "was silent for 0.2 seconds: see what it does" in failure_of(model)
    assert time.monotonic() - started < 1
    assert len(server.requests) == 1


def test_a_page_is_no_answer(server: ScriptedServer) -> None:
    model = model_of(server, Reply(["<!DOCTYPE html><p>Welcome</p>"], kind="text/html"))
    said = "does not answer as an OpenAI-compatible one does: correct --llm"
    assert said in failure_of(model)
    with pytest.raises(ModelError, match=said):
        model.yes(ASK)
    assert len(server.requests) == 2


def test_a_model_that_only_thinks_is_told_of(server: ScriptedServer) -> None:
    thoughts = [event({"reasoning_content": "Hm."}), event({}, finish="length")]
    model = model_of(server, Reply(thoughts, kind="text/event-stream"))
    assert "thinks and does not come to its answer" in failure_of(model)


def damaged(record: Any) -> Iterator[Any]:
    """``record`` with each of its parts, in turn, being something else."""
    yield from (None, 1, "x", [], {})
    if isinstance(record, dict):
        for name, part in record.items():
            yield from ({**record, name: other} for other in damaged(part))
            yield {key: value for key, value in record.items() if key != name}
    if isinstance(record, list):
        for at, part in enumerate(record):
            yield from ([*record[:at], other, *record[at + 1 :]] for other in damaged(part))


def test_whatever_a_server_says_is_an_answer_or_one_sentence(server: ScriptedServer) -> None:
    model = RemoteModel(server.url, model="small", pauses=())
    told = "does not answer as an OpenAI-compatible one"
    answers = failures = 0
    whole = event({"content": "A"}, -0.1, finish="stop")
    for record in damaged(json.loads(whole.removeprefix("data: "))):
        server.replies = [Reply([f"data: {json.dumps(record)}\n\n"], kind="text/event-stream")]
        try:
            for piece in model(ASK, max_tokens=9):
                answers += 1
                assert isinstance(piece.text, str)
                assert all(isinstance(logprob, float) for logprob in piece.logprobs)
        except ModelError as error:
            failures += 1
            assert told in str(error) or "broke off" in str(error)
    assert min(answers, failures) > 20
    (judged,) = word("Yes", LIKELY).parts
    for record in damaged(json.loads(judged.removeprefix("data: "))):
        server.replies = [Reply([f"data: {json.dumps(record)}\n\n"], kind="text/event-stream")]
        try:
            assert isinstance(model.yes(ASK), float)
        except ModelError as error:
            assert told in str(error) or "broke off" in str(error)
    for record in damaged(json.loads("".join(listing("small").parts))):
        server.replies = [as_json(record)]
        try:
            assert RemoteModel(server.url, pauses=()).name in ("small", "x")
        except ModelError as error:
            assert told in str(error)


# The program.


def test_no_model_of_this_machine_is_looked_for(server: ScriptedServer) -> None:
    server.replies = [word("Yes", LIKELY)]
    model = load_model("small", llm=server.url)
    assert model.name == "small"
    assert model.yes(ASK) == pytest.approx(1.7)
    embedder, index = missing("default", "small", llm=server.url)
    assert embedder.startswith("the model all-minilm-l6-v2: ")
    assert index.startswith("the index of the documents in ")


def test_a_question_is_for_the_server_that_is_named(tmp_path: Path, server: ScriptedServer) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "planes.txt").write_text("Two planes landed near the capital.")
    build(tmp_path / "texts", embedder=WordEmbedder(digest=SentenceEmbedder().digest))
    server.replies = [as_json({}, status=401)]
    result = CliRunner().invoke(footnote, ["ask", "What landed?", "--llm", server.url])
    assert isinstance(result.exception, ModelError)
    assert f"at {server.url} wants a key: set FOOTNOTE_LLM_KEY." in str(result.exception)


@pytest.mark.slow
def test_the_client_is_imported_only_for_a_server() -> None:
    code = (
        "import sys, rag.commands, ui.commands, rag.chat, ui.setup; print('openai' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"
