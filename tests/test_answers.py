"""The real models over the real documents: right answers, right quotes, honest refusals.

The questions and what counts as right are in ``questions.json``, written before any answer
was seen. The same are asked over the shipped briefings and, where they are at hand, over
the texts that the briefings rest on.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from index.build import SHIPPED_CORPUS, build
from index.load import load_document
from index.search import Index
from rag import Answer, Chat
from rag.generate import InBackground, load_model
from tests.conftest import WEIGHTS

SOURCES = Path(__file__).resolve().parents[2] / "shared" / "corpus"
QUESTIONS = json.loads(Path(__file__).with_name("questions.json").read_text(encoding="utf-8"))

pytestmark = pytest.mark.real

RIGHT_AT_LEAST = 0.65
REFUSED_AT_LEAST = 0.7
"""Below these something has broken. The aims are 17 of 20 and 9 of 10; see docs/notes.md."""


@dataclass(frozen=True)
class Case:
    """A question, what is expected, and what came."""

    expected: dict[str, Any]
    answer: Answer

    @property
    def is_right(self) -> bool:
        """Refused where it should; else the answer is right and so is every quote."""
        if not self.expected["answer"]:
            return self.answer.is_refusal
        return (
            not self.answer.is_refusal
            and all(_matches(wanted, self.answer.text) for wanted in self.expected["answer"])
            and bool(self.answer.citations)
            and all(
                any(_matches(wanted, citation.quote) for wanted in self.expected["evidence"])
                for citation in self.answer.citations
            )
        )


def _matches(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None


@pytest.fixture(scope="module")
def model() -> InBackground:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOOTNOTE_HOME", str(WEIGHTS.parent))
        return load_model()


@pytest.fixture(scope="module", params=[SHIPPED_CORPUS, SOURCES], ids=["corpus", "sources"])
def folder(request: pytest.FixtureRequest) -> Path:
    path = request.param
    assert isinstance(path, Path)
    if not path.is_dir():
        pytest.skip(f"{path.name}: the texts that the briefings rest on are not at hand")
    return path


@pytest.fixture(scope="module")
def cases(
    folder: Path, model: InBackground, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Case]]:
    home = tmp_path_factory.mktemp("home")
    (home / "models").symlink_to(WEIGHTS, target_is_directory=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOOTNOTE_HOME", str(home))
        build(folder)
        index = Index.open()
        done = []
        for conversation in QUESTIONS["conversations"]:
            chat = Chat(search=index, generate=model)
            done += [Case(turn, chat.ask(turn["question"])) for turn in conversation["turns"]]
        yield done


def _report(cases: list[Case]) -> str:
    return "\n\n".join(
        f"{case.expected['kind']}: {case.expected['question']}\n{case.answer}" for case in cases
    )


def test_answers_are_right_and_every_quote_is_the_evidence(cases: list[Case]) -> None:
    answerable = [case for case in cases if case.expected["answer"]]
    wrong = [case for case in answerable if not case.is_right]
    assert len(answerable) >= 20
    print(f"{len(answerable) - len(wrong)} of {len(answerable)} right; not:\n{_report(wrong)}")
    assert len(answerable) - len(wrong) >= RIGHT_AT_LEAST * len(answerable), _report(wrong)


def test_what_the_documents_do_not_say_is_refused(cases: list[Case]) -> None:
    unanswerable = [case for case in cases if not case.expected["answer"]]
    wrong = [case for case in unanswerable if not case.is_right]
    assert len(unanswerable) >= 10
    print(
        f"{len(unanswerable) - len(wrong)} of {len(unanswerable)} refused; not:\n{_report(wrong)}"
    )
    assert len(unanswerable) - len(wrong) >= REFUSED_AT_LEAST * len(unanswerable), _report(wrong)


def test_quotes_stand_in_the_documents(cases: list[Case], folder: Path) -> None:
    citations = [citation for case in cases for citation in case.answer.citations]
    assert citations
    for citation in citations:
        source = load_document(folder / citation.document, id=citation.document)
        assert source.text[citation.start : citation.end] == citation.quote
        assert citation.sha256 == source.sha256
