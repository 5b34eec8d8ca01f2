"""A real server of llama.cpp with the smallest model: what it writes is poor, its quotes stand."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from index.build import SHIPPED_CORPUS, build
from index.load import load_document
from models.errors import ModelError
from models.resolve import resolve_llm
from rag import Answer, Chat, Token
from rag.generate import LlamaCpp
from rag.prompt import Message, judge_messages
from rag.remote import RemoteModel
from tests.conftest import WEIGHTS
from tests.fakes import document, evidences_of
from tests.llama_server import LlamaServer, llama_server

pytestmark = pytest.mark.real

SKY: list[Message] = [{"role": "user", "content": "Write two sentences about the sky."}]

QUESTION = "How many Russian soldiers landed near Caracas?"


@pytest.fixture
def gguf(monkeypatch: pytest.MonkeyPatch) -> Path:
    with monkeypatch.context() as patch:
        patch.setenv("FOOTNOTE_HOME", str(WEIGHTS.parent))
        return resolve_llm("smollm2-135m")


@pytest.fixture
def server(gguf: Path, tmp_path: Path) -> Iterator[LlamaServer]:
    with llama_server(gguf, tmp_path / "server.log") as server:
        yield server


def assert_quotes_stand(answer: Answer) -> None:
    """Each quote is, word by word, at its place in its document."""
    for citation in answer.citations:
        cited = load_document(SHIPPED_CORPUS / citation.document, id=citation.document)
        assert cited.text[citation.start : citation.end] == citation.quote
        assert cited.sha256 == citation.sha256


def test_a_real_server_judges_and_writes_as_the_same_model_does_here(
    server: LlamaServer, gguf: Path
) -> None:
    remote, here = RemoteModel(server.url), LlamaCpp(gguf, context_tokens=2048)
    assert remote.name == here.name
    evidences = evidences_of(
        document("The planes carried 35 tons of cargo to Caracas. Some 99 soldiers were on board.")
    )
    questions = ("How many soldiers were on board?", "Who painted the Mona Lisa?")
    asked: list[list[Message]] = [
        *(judge_messages(one, evidences.in_context(evidences.items)) for one in questions),
        [{"role": "user", "content": "Repeat this word: Yes"}],
        [{"role": "user", "content": "Repeat this word: No"}],
    ]
    # The server reckons with a whole batch where we do with one token: not quite the same.
    for messages in asked:
        there, own = remote.yes(messages), here.yes(messages)
        assert there == pytest.approx(own, abs=1)
        assert there * own > 0 or abs(own) < 1

    there_written, own_written = (list(model(SKY, max_tokens=6)) for model in (remote, here))
    assert there_written[0].text == own_written[0].text
    (there_logprob,), (own_logprob,) = there_written[0].logprobs, own_written[0].logprobs
    assert there_logprob == pytest.approx(own_logprob, abs=0.2)


def test_whatever_a_real_server_writes_the_quotes_stand_and_it_may_die_and_come_back(
    server: LlamaServer, home_with_models: Path
) -> None:
    build(SHIPPED_CORPUS)
    chat = Chat.open(llm=server.url)
    answer = chat.ask(QUESTION)
    assert answer.model == "SmolLM2-135M-Instruct.Q4_1"
    assert answer.is_refusal == (not answer.citations)
    assert_quotes_stand(answer)

    events = chat.stream(QUESTION)
    assert next(event for event in events if isinstance(event, Token)).text
    server.kill()
    with pytest.raises(ModelError, match=f"{server.url}/v1 broke off before its answer was whole"):
        list(events)
    with pytest.raises(ModelError, match="does not answer: start it, or correct --llm"):
        chat.ask("Which officer was on the first plane?")
    server.start()
    again = chat.ask(QUESTION)
    assert again.hits == answer.hits
    assert_quotes_stand(again)
