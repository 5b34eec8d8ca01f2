"""Footnote as tools: what the client that the protocol's authors publish gets of them.

Run as a program, this file serves the tools over stdio, for the test that starts it.
"""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult, TextContent
from openai import OpenAI
from starlette.types import Receive, Scope, Send

from index.records import Document, Section
from rag import REFUSAL, Chat
from rag.generate import Piece
from rag.line import Line
from rag.prompt import Message
from rag.wire import AnswerRecord
from serve.completions import router
from serve.desk import Desk
from serve.tools import MOST_CHARACTERS, run_stdio, tool_route, tool_server
from tests.fakes import ListSearch, ScriptedModel, document
from tests.serving import SlowModel, assert_stops, running
from ui.user import NOBODY, SCOPE_KEY, User

NEWS = replace(
    document(
        "Landing\n\nTwo military planes landed outside the capital on Saturday. The planes carried "
        "35 tons of cargo.",
        id_="news.md",
        title="Planes land",
    ),
    sections=(Section("heading", "Landing", 0, 105),),
)
TALKS = document("The foreign ministers met in Moscow on Sunday.", id_="talks.txt")
QUESTION = "How much cargo did the planes carry?"
ANSWER = "The planes carried 35 tons of cargo."
WITH_NOTES = f"{ANSWER} [1]\n\n[1] “{ANSWER}”\n    news.md, “Landing”"


def desk(model: ScriptedModel, *documents: Document, line: Line | None = None) -> Desk:
    search = ListSearch(*(documents or (NEWS, TALKS)))
    return Desk(Chat(search=search, generate=model), line=line)


def with_client(model: ScriptedModel, do: Callable[[Client], Awaitable[Any]]) -> Any:
    """What ``do`` gives, with a client in this process."""

    async def run() -> Any:
        async with Client(tool_server(desk(model), user=lambda: NOBODY)) as client:
            return await do(client)

    return asyncio.run(run())


def call(name: str, model: ScriptedModel | None = None, **arguments: object) -> CallToolResult:
    result = with_client(model or ScriptedModel(ANSWER), lambda it: it.call_tool(name, arguments))
    assert isinstance(result, CallToolResult)
    return result


def text(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def record(result: CallToolResult) -> dict[str, Any]:
    found = result.structured_content
    assert isinstance(found, dict)
    return found


def citations(of: dict[str, Any]) -> list[dict[str, Any]]:
    found = of["citations"]
    assert isinstance(found, list)
    return found


def test_the_tools_say_that_they_only_read() -> None:
    tools = with_client(ScriptedModel(), lambda client: client.list_tools()).tools
    assert [tool.name for tool in tools] == ["ask", "search", "read_passage"]
    for tool in tools:
        assert (tool.annotations.read_only_hint, tool.annotations.open_world_hint) == (True, False)
        assert tool.description
        assert "context" not in tool.input_schema["properties"]
    assert tools[0].input_schema["required"] == ["question"]
    assert set(tools[0].output_schema["properties"]) == set(AnswerRecord.model_fields)


def test_an_answer_is_a_text_with_notes_and_a_record() -> None:
    result = call("ask", question=QUESTION)
    assert text(result) == WITH_NOTES
    assert not result.is_error
    assert record(result)["text"] == ANSWER
    (citation,) = citations(record(result))
    assert (citation["document"], citation["start"], citation["quote"]) == ("news.md", 69, ANSWER)
    assert citation["sha256"] == NEWS.sha256


def test_a_refusal_is_the_constant_sentence() -> None:
    result = call("ask", ScriptedModel("Ninety elephants landed."), question=QUESTION)
    assert text(result) == REFUSAL
    assert record(result)["is_refusal"] is True


def test_documents_can_be_chosen() -> None:
    result = call("ask", question=QUESTION, documents=["talks.txt"])
    assert text(result) == REFUSAL
    result = call("search", query="planes", documents=["talks.txt"])
    assert {hit["passage"]["document"] for hit in record(result)["hits"]} == {"talks.txt"}


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("ask", {"question": " "}, "The question is empty: type what you want to know."),
        ("search", {"query": ""}, "The question is empty: type what you want to know."),
        (
            "read_passage",
            {"document": "../secret.txt", "start": 0, "end": 9},
            "There is no document “../secret.txt”: name one as “search” gives it.",
        ),
        (
            "read_passage",
            {"document": "talks.txt", "start": 46, "end": 50},
            "“talks.txt” has 46 characters: let “start” be before that, and before “end”.",
        ),
        (
            "read_passage",
            {"document": "talks.txt", "start": 5, "end": 5},
            "“talks.txt” has 46 characters: let “start” be before that, and before “end”.",
        ),
    ],
)
def test_a_failure_is_one_sentence(name: str, arguments: dict[str, object], message: str) -> None:
    result = call(name, ScriptedModel(), **arguments)
    assert result.is_error
    assert text(result) == message


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ask", {}),
        ("ask", {"question": 4}),
        ("search", {"query": "planes", "limit": 51}),
        ("search", {"query": "planes", "limit": 0}),
        ("read_passage", {"document": "talks.txt", "start": -1, "end": 4}),
    ],
)
def test_what_does_not_fit_the_schema_is_an_error(name: str, arguments: dict[str, object]) -> None:
    model = ScriptedModel(ANSWER)
    assert call(name, model, **arguments).is_error
    assert model.asked == []


def test_a_search_names_the_places_of_its_passages() -> None:
    result = call("search", query="military planes", limit=1)
    (hit,) = record(result)["hits"]
    found = hit["passage"]
    assert found["document"] == "news.md"
    assert NEWS.text[found["start"] : found["end"]] == found["text"]
    assert (
        text(result)
        == f"news.md, characters {found['start']} to {found['end']}:\n" + (found["text"])
    )


def test_a_passage_is_read_at_its_place() -> None:
    result = call("read_passage", document="news.md", start=69, end=105)
    assert record(result) == {
        "id": "news.md",
        "title": "Planes land",
        "place": "“Landing”",
        "sha256": NEWS.sha256,
        "author": "",
        "date": "",
        "source": "",
        "start": 69,
        "end": 105,
        "characters": 105,
        "text": ANSWER,
    }
    assert text(result) == f"news.md, “Landing”, characters 69 to 105 of 105:\n{ANSWER}"


def test_no_more_of_a_document_is_read_at_once_than_a_model_can_take() -> None:
    long = document("word " * 10_000, id_="long.txt")

    async def run() -> CallToolResult:
        server = tool_server(desk(ScriptedModel(), long), user=lambda: NOBODY)
        async with Client(server) as client:
            return await client.call_tool(
                "read_passage", {"document": "long.txt", "start": 10, "end": 10**9}
            )

    excerpt = record(asyncio.run(run()))
    assert (excerpt["start"], excerpt["end"], excerpt["characters"]) == (10, 20_010, 50_000)
    assert len(excerpt["text"]) == MOST_CHARACTERS == 20_000


def test_who_asks_for_it_is_told_how_far_the_answer_is() -> None:
    told: list[tuple[float, str | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        assert total is None
        told.append((progress, message))

    with_client(
        ScriptedModel(ANSWER),
        lambda it: it.call_tool("ask", {"question": QUESTION}, progress_callback=note),
    )
    assert told == [(1, "Reading"), (2, "Writing")]


def test_who_waits_is_told_how_many_come_before() -> None:
    told: list[str | None] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        assert (progress, total) == (len(told) + 1, None)
        told.append(message)

    async def both(client: Client) -> None:
        model.asked.clear()
        first = asyncio.ensure_future(client.call_tool("ask", {"question": QUESTION}))
        while not model.pieces_written:
            await asyncio.sleep(0.01)
        await client.call_tool("ask", {"question": QUESTION}, progress_callback=note)
        await first

    model = SlowModel("word " * 10, "word", ANSWER)
    with_client(model, both)
    assert told[0] == "Waiting: 1 before this, about 15 seconds"
    assert told[-2:] == ["Reading", "Writing"]


async def cancelled(client: Client, model: ScriptedModel) -> None:
    """Asks, and goes away when the model writes."""
    asking = asyncio.ensure_future(client.call_tool("ask", {"question": QUESTION}))
    while not model.pieces_written:
        await asyncio.sleep(0.01)
    asking.cancel()
    await asyncio.wait([asking])
    await asyncio.to_thread(assert_stops, model)


def test_cancelling_a_call_stops_the_model() -> None:
    model = SlowModel("word " * 200)
    with_client(model, lambda client: cancelled(client, model))


# Over HTTP


def application(one: Desk, user: User = NOBODY) -> Any:
    """The tools, and beside them the model of OpenAI's clients; all requests are ``user``'s."""
    server = tool_server(one, user=lambda: User("nobody of those who came"))

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        async with server.session_manager.run():
            yield

    app = FastAPI(lifespan=life)
    app.router.routes.append(tool_route(server, most_bytes=10_000))
    app.include_router(router(one, index_name="default"))

    async def let_in(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, SCOPE_KEY: user}, receive, send)

    return let_in


@pytest.mark.parametrize("mode", ["auto", "legacy"])  # the protocol of today, and that before
def test_the_same_citations_come_over_http_and_from_the_model_of_openai(mode: str) -> None:
    async def run(address: str) -> CallToolResult:
        async with Client(f"{address}/mcp", mode=mode) as client:
            assert (client.protocol_version == "2026-07-28") == (mode == "auto")
            return await client.call_tool("ask", {"question": QUESTION})

    one = desk(ScriptedModel(ANSWER, ANSWER))
    with running(application(one)) as address, OpenAI(base_url=f"{address}/v1", api_key="x") as ai:
        tool = asyncio.run(run(address))
        completion = ai.chat.completions.create(
            model="footnote", messages=[{"role": "user", "content": QUESTION}]
        )
    assert text(tool) == completion.choices[0].message.content == WITH_NOTES
    assert citations(record(tool)) == (completion.model_extra or {})["footnote"]["citations"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_call_over_http_is_that_of_its_requests_user(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    begin = Line.events

    def events(self: Line, who: str, start: Any) -> Any:
        asked.append(who)
        return begin(self, who, start)

    async def run(address: str) -> None:
        async with Client(f"{address}/mcp", mode=mode) as client:
            await client.call_tool("ask", {"question": QUESTION})

    monkeypatch.setattr(Line, "events", events)
    with running(application(desk(ScriptedModel(ANSWER)), User("desk-1"))) as address:
        asyncio.run(run(address))
    assert asked == ["desk-1"]


def test_cancelling_a_call_over_http_stops_the_model() -> None:
    async def run(address: str) -> None:
        async with Client(f"{address}/mcp") as client:
            await cancelled(client, model)

    model = SlowModel("word " * 200)
    with running(application(desk(model))) as address:
        asyncio.run(run(address))


@pytest.mark.parametrize("version", ["2026-07-28", "2025-11-25"])
def test_a_client_over_http_that_goes_away_stops_the_model(version: str) -> None:
    model = SlowModel("word " * 200)
    call = asking(version)
    with running(application(desk(model))) as address:
        with (
            pytest.raises(httpx.ReadTimeout),
            httpx.stream("POST", f"{address}/mcp", timeout=0.5, **call) as answer,  # type: ignore[arg-type]
        ):
            answer.read()
        assert_stops(model)


def test_only_posts_that_are_not_too_large_are_answered() -> None:
    with running(application(desk(ScriptedModel()))) as address:
        for method in ("GET", "DELETE", "PUT", "OPTIONS"):
            answer = httpx.request(method, f"{address}/mcp")
            assert answer.status_code == 405, method
        asked = asking("2026-07-28", question="word " * 3000)
        assert httpx.post(f"{address}/mcp", **asked).status_code == 413  # type: ignore[arg-type]


def asking(version: str, question: str = QUESTION) -> dict[str, object]:
    """A call as it goes over the wire."""
    about = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    return {
        "json": {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "ask", "arguments": {"question": question}, "_meta": about},
        },
        "headers": {
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": version,
            "Mcp-Method": "tools/call",
            "Mcp-Name": "ask",
        },
    }


# Over stdio


class NoisyModel(ScriptedModel):
    """Prints what it does, as a library might."""

    def __call__(self, messages: list[Message], *, max_tokens: int) -> Generator[Piece, None, None]:
        print("noise")
        for piece in super().__call__(messages, max_tokens=max_tokens):
            print('{"jsonrpc": "2.0"}', flush=True)
            yield piece


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_tools_answer_over_stdio(mode: str, tmp_path: Path) -> None:
    program = StdioServerParameters(
        command=sys.executable,
        args=["-m", "tests.test_tools"],
        cwd=Path(__file__).parents[1],
        env={"FOOTNOTE_HOME": str(tmp_path)},
    )

    async def run() -> tuple[CallToolResult, CallToolResult]:
        async with Client(program, mode=mode) as client:
            return (
                await client.call_tool("ask", {"question": QUESTION}),
                await client.call_tool("ask", {"question": ""}),
            )

    answer, failure = asyncio.run(run())
    assert text(answer) == WITH_NOTES
    here = call("ask", question=QUESTION)
    assert citations(record(answer)) == citations(record(here))
    assert failure.is_error


@pytest.mark.slow
@pytest.mark.parametrize("end", ["stdin ends", "Ctrl-C"])
def test_nothing_but_the_protocol_is_on_stdout(end: str, tmp_path: Path) -> None:
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.test_tools"],
        cwd=Path(__file__).parents[1],
        env={"FOOTNOTE_HOME": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with program:
        assert program.stdin
        assert program.stdout
        assert program.stderr
        program.stdin.write(json.dumps(asking("2026-07-28")["json"]).encode() + b"\nnoise\n")
        program.stdin.flush()
        out = program.stdout.readline()
        if end == "Ctrl-C":
            program.send_signal(signal.SIGINT)
            assert program.wait(5) == -signal.SIGINT
        else:
            program.stdin.close()
            assert program.wait(5) == 0
        out += program.stdout.read()
        errors = program.stderr.read()
    (answer,) = [json.loads(line) for line in out.splitlines()]
    assert answer["result"]["content"][0]["text"] == WITH_NOTES
    assert b"noise" in errors


if __name__ == "__main__":
    run_stdio(desk(NoisyModel(ANSWER, ANSWER)), user=lambda: NOBODY)
