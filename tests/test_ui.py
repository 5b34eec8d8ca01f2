"""The page without a browser: how answers are followed, who may ask, where it listens."""

import asyncio
import http.client
import inspect
import itertools
import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from click.testing import CliRunner

from index.build import build
from index.library import Library
from models.errors import FootnoteError, ModelError
from models.paths import conversations_file
from rag.records import Event, Retrieved, Token
from tests.browser import Scripted, free_port, make_answer, make_citation, make_hit, tell
from tests.fakes import WordEmbedder, document
from ui.app import build_page
from ui.commands import chat, choose_port, examples_for
from ui.history import History
from ui.launch import launch
from ui.session import SECONDS_BETWEEN_DRAWINGS, UNEXPECTED, Session, answer, offered


def planes(question: str) -> Iterator[Event]:
    quote = make_citation(1, "Four planes came down.")
    return tell(
        make_answer(
            question,
            [("Four planes landed.", "supported", [quote])],
            hits=[make_hit("Four planes came down.")],
        )
    )


def asked(script: Any, question: str = "Who came?") -> Session:
    session = Session(Scripted(script))
    session.ask(question)
    return session


# Following an answer


def test_each_stage_and_each_checked_sentence_is_drawn() -> None:
    drawn = [(turn.stage, len(turn.checked)) for turn in answer(asked(planes), clock=lambda: 0.0)]
    assert drawn == [
        ("searching", 0),
        ("reading", 0),
        ("writing", 0),
        ("writing", 1),
        ("answered", 1),
    ]


def test_tokens_are_drawn_ten_to_twenty_times_a_second() -> None:
    now = 0.0

    def thousand_tokens(_question: str) -> Iterator[Event]:
        nonlocal now
        yield Retrieved(())
        for _ in range(1000):
            now += 0.01
            yield Token("word ")

    drawn = [now for _ in answer(asked(thousand_tokens), clock=lambda: now)]
    assert 10 * 10 < len(drawn) < 20 * 10
    gaps = [later - earlier for earlier, later in itertools.pairwise(drawn[3:-1])]
    assert min(gaps) >= SECONDS_BETWEEN_DRAWINGS - 1e-9


def test_an_error_of_ours_is_shown_in_its_own_words() -> None:
    def damaged(_question: str) -> Iterator[Event]:
        yield Retrieved(())
        raise ModelError("The model is damaged; run 'footnote models pull'.")

    *_, last = answer(asked(damaged))
    assert last.stage == "failed"
    assert last.problem == "The model is damaged; run 'footnote models pull'."
    assert last.question == "Who came?"


def test_any_other_error_is_one_sentence_here_and_whole_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(_question: str) -> Iterator[Event]:
        raise ZeroDivisionError("secret detail")

    with caplog.at_level(logging.ERROR):
        *_, last = answer(asked(broken))
    assert (last.stage, last.problem) == ("failed", UNEXPECTED)
    assert "secret detail" in caplog.text


class Endless:
    """A script without an end, which notes that it was closed."""

    is_closed = False

    def __call__(self, _question: str) -> Iterator[Event]:
        try:
            while True:
                yield Token("word ")
        finally:
            self.is_closed = True


def test_stop_ends_the_stream_and_keeps_what_is_written() -> None:
    script = Endless()
    session = asked(script)
    drawings = answer(session)
    assert [next(drawings).stage for _ in range(2)] == ["searching", "writing"]
    session.stopping.set()
    assert next(drawings).stage == "stopped"
    assert script.is_closed
    assert session.turns[0].text.startswith("word ")
    session.ask("And now?")
    assert not session.stopping.is_set()


def test_a_closed_tab_ends_the_stream() -> None:
    script = Endless()
    session = asked(script)
    drawings = answer(session)
    next(drawings)
    next(drawings)
    drawings.close()  # type: ignore[attr-defined]
    assert script.is_closed
    assert not session.is_busy


def test_a_stream_without_an_answer_is_over_too() -> None:
    *_, last = answer(asked(lambda _question: iter([Retrieved(())])))
    assert last.stage == "stopped"


def test_asking_again_keeps_the_old_answer_until_there_is_a_new_one() -> None:
    def fails_twice(question: str) -> Iterator[Event]:
        if "again" in question:
            yield Token("They")
            raise ModelError("The model is damaged.")
        yield from planes(question)

    session = asked(fails_twice)
    list(answer(session))
    old = session.turns[0]
    session.is_editing = True
    session.ask("Who came again?")
    assert session.to_keep == [old]
    *_, last = answer(session)
    assert last is old
    assert session.turns == [old]
    assert (old.stage, old.problem) == ("answered", "The model is damaged.")
    assert session.conversation.after is old.answer  # type: ignore[attr-defined]

    session.is_editing = True
    session.ask("Who else?")
    *_, last = answer(session)
    assert session.turns == [last]
    assert (last.question, last.stage) == ("Who else?", "answered")
    assert session.to_keep == [last]


def test_the_documents_of_a_question_are_those_chosen_when_it_was_asked() -> None:
    files = [document("Planes.", id_="a.md"), document("Ships.", id_="b.md")]
    session = Session(Scripted(planes, *files), chosen=["a.md"])
    session.ask("Who came?")
    session.chosen = ["b.md"]
    list(answer(session))
    assert session.conversation.chosen == ["a.md"]  # type: ignore[attr-defined]
    session.chosen = ["gone.md"]
    session.ask("Who came?")
    *_, last = answer(session)
    assert last.stage == "failed"
    assert last.problem.startswith("gone.md: not among the documents any more")
    session.chosen = []
    session.ask("Who came?")
    list(answer(session))
    assert session.conversation.chosen is None  # type: ignore[attr-defined]


# The page and its sessions


def page_of(chat: Scripted) -> Any:
    return build_page(
        chat,
        History(conversations_file(), name="default"),
        Library("default"),
        title="Footnote",
        examples=[],
    )


def events_of(page: Any) -> dict[str, Any]:
    """The functions behind the page's events, by name, as somebody at this machine calls them."""
    return {function.name: called(function.fn) for function in page.fns.values()}


def called(function: Any) -> Any:
    """With a request, if it wants one; of what comes bit by bit, all."""

    async def all_of(drawings: Any) -> list[Any]:
        return [drawing async for drawing in drawings]

    def call(*arguments: Any) -> Any:
        if "request" in inspect.signature(function).parameters:
            arguments = (*arguments, gr.Request())
        given = function(*arguments)
        return asyncio.run(all_of(given)) if inspect.isasyncgen(given) else given

    return call


def state_in(update: dict[Any, Any]) -> Session:
    [session] = [value for value in update.values() if isinstance(value, Session)]
    return session


def test_each_session_has_a_conversation_of_its_own() -> None:
    root = Scripted(planes)
    events = events_of(page_of(root))
    one = state_in(events["take_question"]("First?", None))
    two = state_in(events["take_question"]("Second?", None))
    list(events["draw_answer"](two))
    list(events["draw_answer"](one))
    assert [conversation.questions for conversation in root.handed_out] == [["First?"], ["Second?"]]
    assert root.questions == []
    assert [turn.question for turn in one.turns] == ["First?"]

    again = state_in(events["take_question"]("Third?", one))
    assert again is one
    assert [turn.number for turn in again.turns] == [1, 2]


def test_a_question_while_one_is_answered_waits_in_its_box() -> None:
    events = events_of(page_of(Scripted(planes)))
    session = state_in(events["take_question"]("First?", None))
    update = events["take_question"]("Second?", session)
    assert list(update.values()) == [session]
    assert [turn.question for turn in session.turns] == ["First?"]
    assert len(list(events["draw_answer"](session))) == 5
    assert list(events["draw_answer"](session)) == []  # of the second one: nothing to do


def test_a_question_that_still_waits_is_taken_back() -> None:
    events = events_of(page_of(Scripted(planes)))
    session = state_in(events["take_question"]("First?", None))
    events["stop"](session)
    assert session.turns[-1].stage == "stopped"
    assert not session.is_busy
    assert list(events["draw_answer"](session)) == []  # when its turn comes at last


def test_of_many_documents_some_are_offered_and_the_chosen_ones() -> None:
    many = [document("It rained.", id_=f"{n:05}.txt") for n in range(1200)]
    chat = Scripted(planes, *many)
    assert offered(chat, ["01100.txt"])[-2:] == ["00999.txt", "01100.txt"]
    assert offered(chat, ["00001.txt"])[-1] == "00999.txt"


def test_examples_are_drawn_from_the_documents(tmp_path: Path) -> None:
    text = "On Monday the minister met Ann Lee. Then Ann Lee left."
    (tmp_path / "a.txt").write_text(text)
    build(tmp_path, embedder=WordEmbedder())
    assert examples_for("default", Scripted(planes, document(text, id_="a.txt"))) == [
        "Which documents are there?",
        "What do the documents say about Ann Lee?",
    ]


def test_an_empty_question_is_not_asked() -> None:
    events = events_of(page_of(Scripted(planes)))
    assert state_in(events["take_question"](" \n", None)).turns == []


@pytest.mark.parametrize(("typed", "is_back"), [("", True), ("Something new", False)])
def test_a_question_that_failed_comes_back_into_an_empty_box(typed: str, is_back: bool) -> None:
    def damaged(_question: str) -> Iterator[Event]:
        raise ModelError("The model is damaged.")

    events = events_of(page_of(Scripted(damaged)))
    session = state_in(events["take_question"]("Who came?", None))
    list(events["draw_answer"](session))
    assert ("Who came?" in events["settle"](typed, session, "").values()) == is_back


# The server


@pytest.mark.slow
@pytest.mark.parametrize("module", ["ui.app", "ui.setup", "ui.commands"])
def test_gradio_is_told_to_send_nothing_before_it_is_imported(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GRADIO_ANALYTICS_ENABLED")
    program = (
        f"import {module}; from gradio.analytics import analytics_enabled as is_on; print(is_on())"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "False"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    free = free_port()
    page = page_of(Scripted(planes))
    launch(page, host="127.0.0.1", port=free)
    yield free
    page.close(verbose=False)


def respond(
    port: int, *, method: str = "GET", path: str = "/", headers: dict[str, str]
) -> tuple[int, str, str]:
    """Status, content security policy and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        policy = response.getheader("Content-Security-Policy", "")
        return response.status, policy, response.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_the_page_answers_this_machine(port: int, host: str) -> None:
    status, policy, body = respond(port, headers={"Host": f"{host}:{port}"})
    assert status == 200
    assert "<title>" in body or "gradio" in body
    assert "default-src 'self'" in policy


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:80"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "127.0.0.1@evil.example"},
        {"Host": "[::1"},
        {"Host": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_page_answers_nobody_else(port: int, method: str, headers: dict[str, str]) -> None:
    here = {"Host": f"127.0.0.1:{port}"}
    for path in ("/", "/gradio_api/queue/join", "/gradio_api/upload"):
        status, _, body = respond(port, method=method, path=path, headers=here | headers)
        assert (status, body) == (403, "Footnote answers only this machine.")


def test_no_file_of_this_machine_is_served(port: int) -> None:
    here = {"Host": f"127.0.0.1:{port}"}
    for path in (__file__, "/etc/hostname", "../pyproject.toml"):
        status, _, _ = respond(port, path=f"/gradio_api/file={path}", headers=here)
        assert status in (403, 404)


# The command


def test_other_machines_are_not_served() -> None:
    result = CliRunner().invoke(chat, ["--host", "0.0.0.0"])  # noqa: S104 - that it is refused
    assert result.exit_code == 2
    assert "leave --host out, or give 127.0.0.1" in result.output


def test_a_port_that_was_asked_for_must_be_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        with pytest.raises(FootnoteError, match=f"^Port {number} of 127.0.0.1 is taken; leave"):
            choose_port("127.0.0.1", number)


def test_without_a_port_the_next_free_one_is_used() -> None:
    first = choose_port("127.0.0.1", None)
    with socket.create_server(("127.0.0.1", first)):
        assert choose_port("127.0.0.1", None) > first
    assert choose_port("127.0.0.1", first) == first
