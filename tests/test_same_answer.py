"""One question, asked in every way that there is: the same answer, with the same citations."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from typing import Any

import httpx
import openai
import pytest
from gradio_client import Client as GradioClient
from mcp import Client as ToolClient

from index.build import SHIPPED_CORPUS, build
from rag import Chat
from rag.wire import AnswerRecord, notes
from tests.browser import find_browser, free_port, open_browser
from tests.conftest import WEIGHTS

pytestmark = pytest.mark.real

QUESTION = "Which Russian military officer was on the first plane?"
REPOSITORY = Path(__file__).parents[1]
Citations = list[dict[str, Any]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with the models and the index of the briefings."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "models").symlink_to(WEIGHTS, target_is_directory=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOOTNOTE_HOME", str(folder))
        build(SHIPPED_CORPUS)
        yield folder


@pytest.fixture(scope="module")
def expected(home: Path) -> AnswerRecord:
    """What Python answers."""
    answer = Chat.open().ask(QUESTION)
    assert "Tonkoshkurov" in answer.text
    assert answer.citations
    return AnswerRecord.of(answer)


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    """Of ``footnote serve``, as a user starts it."""
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "rag", "serve", "--port", str(free_port())],
        stdout=subprocess.PIPE, text=True, cwd=REPOSITORY,
        env=os.environ | {"FOOTNOTE_HOME": str(home)},
    ) as process:  # fmt: skip
        late = Timer(300, process.kill)
        late.start()
        assert process.stdout
        found = (re.search(r"http://127\.0\.0\.1:\d+", line) for line in process.stdout)
        shown = next(filter(None, found), None)
        assert shown
        yield shown[0]
        process.terminate()
        process.wait(120)
        late.cancel()
    assert process.returncode == 0


def citations(record: AnswerRecord) -> Citations:
    return json.loads(record.model_dump_json())["citations"]  # type: ignore[no-any-return]


def test_on_the_command_line(home: Path, expected: AnswerRecord) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rag", "ask", QUESTION, "--json"],
        capture_output=True, text=True, check=True, cwd=REPOSITORY,
        env=os.environ | {"FOOTNOTE_HOME": str(home)},
    )  # fmt: skip
    assert json.loads(done.stdout)["citations"] == citations(expected)


def test_over_http(address: str, expected: AnswerRecord) -> None:
    asked = {"question": QUESTION}
    found = httpx.post(f"{address}/api/ask", json=asked, timeout=300).json()
    assert found["citations"] == citations(expected)
    assert found["text"] == expected.text


def test_as_events(address: str, expected: AnswerRecord) -> None:
    asked = {"question": QUESTION}
    with httpx.stream("POST", f"{address}/api/ask/stream", json=asked, timeout=300) as response:
        lines = list(response.iter_lines())
    names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    assert next(name for name in names if name != "waiting") == "retrieved"
    assert names[-1] == "done"
    assert "token" in names
    last = json.loads([line for line in lines if line.startswith("data: ")][-1][6:])
    assert last["citations"] == citations(expected)


def test_with_curl(address: str, expected: AnswerRecord) -> None:
    done = subprocess.run(
        ["curl", "--silent", "--fail", "--json", json.dumps({"question": QUESTION}),
         f"{address}/api/ask"],
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    assert json.loads(done.stdout)["citations"] == citations(expected)


def test_with_the_openai_client(home: Path, address: str, expected: AnswerRecord) -> None:
    client = openai.OpenAI(base_url=f"{address}/v1", api_key="none is needed")
    done = client.chat.completions.create(
        model="footnote", messages=[{"role": "user", "content": QUESTION}]
    )
    extra: Any = done.model_extra
    assert extra["footnote"]["citations"] == citations(expected)
    assert done.choices[0].message.content == notes(Chat.open().ask(QUESTION))


def test_with_the_tool_client(address: str, expected: AnswerRecord) -> None:
    async def call() -> Any:
        async with ToolClient(f"{address}/mcp") as client:
            return await client.call_tool("ask", {"question": QUESTION})

    done = asyncio.run(call())
    assert done.structured_content["citations"] == citations(expected)


def test_with_the_gradio_client(
    address: str, expected: AnswerRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # else it reports to its maker
    client = GradioClient(address, verbose=False, analytics_enabled=False)
    assert client.predict(QUESTION, api_name="/ask")["citations"] == citations(expected)


@pytest.mark.skipif(find_browser() is None, reason="no browser: install chromium")
def test_in_the_browser(address: str, expected: AnswerRecord, tmp_path: Path) -> None:
    executable = find_browser()
    assert executable
    with open_browser(executable, tmp_path / "profile") as context:
        page = context.new_page()
        page.goto(address)
        page.locator(".composer textarea").fill(QUESTION)
        page.locator(".composer textarea").press("Enter")
        page.locator(".timings").wait_for(timeout=300_000)
        marks = page.locator(".answer [data-quote]")
        shown = [marks.nth(at).get_attribute("data-quote") for at in range(marks.count())]
    assert list(dict.fromkeys(shown)) == [one.quote for one in expected.citations]
