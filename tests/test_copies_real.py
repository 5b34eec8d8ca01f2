"""Two copies of the real program, on one Milvus, one PostgreSQL and one server of llama.cpp.

Twenty ask at once, and one copy is killed. What a small model writes is poor: whatever it is, it is
whole, and its quotes stand in the documents; or it failed, and who asked was told.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from index.build import build
from models.paths import users_file
from models.resolve import resolve_llm
from rag.records import REFUSAL
from serve.accounts import Accounts
from tests.browser import free_port
from tests.copies import PORT, started
from tests.llama_server import llama_server
from tests.postgres import PASSWORD, postgres
from tests.readers import ask_while_one_is_killed, turns_of
from tests.slow_server import NAMES, report, said

pytest.importorskip("pymilvus", reason="the extra milvus is not installed")

pytestmark = pytest.mark.real

READERS = [f"desk-{number}" for number in range(20)]
QUESTIONS = 2
"""Of each reader."""

TEXTS = {f"{name}.txt": report(name, 100 + at).text for at, name in enumerate(NAMES)}
SAID = {said(name, 100 + at) for at, name in enumerate(NAMES)}


@contextmanager
def milvus_server(folder: Path) -> Iterator[str]:
    """The address of a Milvus that others reach; milvus-lite, in a process of its own."""
    port = free_port()
    command = [sys.executable, "-m", "milvus_lite.cmdline", "server", "--data-dir", str(folder)]
    with subprocess.Popen([*command, "--port", str(port)], stderr=subprocess.DEVNULL) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def is_answer(asked: str, record: dict[str, Any]) -> None:
    assert record["question"] == asked
    assert record["is_refusal"] == (record["text"] == REFUSAL) == (not record["citations"])
    for one in record["citations"]:
        assert one["quote"] == TEXTS[one["document"]][one["start"] : one["end"]]


def is_drawn(asked: str, shown: str) -> None:
    assert asked in shown
    assert 'aria-busy="true"' not in shown


def test_one_of_two_programs_is_killed_and_nothing_is_lost(
    home_with_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTNOTE_DATABASE_PASSWORD", PASSWORD)
    folder = tmp_path / "reports"
    folder.mkdir()
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    with ExitStack() as stack:
        store = stack.enter_context(milvus_server(tmp_path / "milvus"))
        place = stack.enter_context(postgres()).new_database()
        model = stack.enter_context(llama_server(resolve_llm("smollm2-135m"), tmp_path / "log"))
        build(folder, store=store)
        accounts = Accounts(users_file())
        for name in READERS:
            accounts.add(name, None)
        serve = ["-m", "rag", "serve", "--port", PORT, "--conversations", place]
        both = stack.enter_context(started([[*serve, "--store", store, "--llm", model.url]] * 2))
        on_page, by_api = ask_while_one_is_killed(
            both,
            [accounts.new_token(name) for name in READERS],
            QUESTIONS,
            after=8,
            seconds=(240, 300),
            on_page=is_drawn,
            of_api=is_answer,
        )
        kept = {name: turns_of(place, name) for name in READERS}

    readers = [*on_page, *by_api]
    assert {len(one.answered) for one in readers} == {QUESTIONS}
    assert {one.broken for at, one in enumerate(readers) if at % 2 == 1} == {0}
    assert all(sum(one.broken for one in some[::2]) >= 2 for some in (on_page, by_api))
    quotes: list[str] = []
    for name, one in zip(READERS, on_page, strict=False):
        assert {turn.question for turn in kept[name]} >= set(one.taken)
        answered = [turn for turn in kept[name] if turn.stage == "answered"]
        assert {turn.question for turn in answered} == set(one.answered)
        assert {turn.stage for turn in kept[name]} <= {"answered", "stopped"}
        for turn in answered:
            assert turn.answer
            assert turn.answer.is_refusal == (turn.text == REFUSAL)
            for citation in turn.answer.citations:
                text = TEXTS[citation.document]
                assert citation.quote == text[citation.start : citation.end]
                quotes.append(citation.quote)
    assert SAID & set(quotes)  # it did answer
