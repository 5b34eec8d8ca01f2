"""The logs are JSON, a line a record, and hold nobody's text unless it is asked for."""

import ast
import asyncio
import io
import json
import logging
import re
import sqlite3
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import gradio as gr
import httpx
import pytest
import uvicorn
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from models.errors import ModelError, QuestionError
from serve.logged import Logged
from serve.logs import NAMES, set_up
from serve.metrics import Metrics
from tests.browser import free_port
from tests.test_metrics import reading
from ui.user import SCOPE_KEY, User

SECRET = "Who betrayed the source?"
REPOSITORY = Path(__file__).parents[1]

own = logging.getLogger("serve.desk")


def fail_on(text: str) -> None:
    raise KeyError(text)


class Lines(io.StringIO):
    """What was written, record by record."""

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]

    def record(self) -> dict[str, Any]:
        (only,) = self.records()
        return only


@pytest.fixture
def lines() -> Iterator[Lines]:
    written = Lines()
    with set_up(with_text=False, stream=written):
        yield written


@pytest.fixture
def lines_with_text() -> Iterator[Lines]:
    written = Lines()
    with set_up(with_text=True, stream=written):
        yield written


def test_a_record_is_a_line_of_json_with_its_time_in_utc(lines: Lines) -> None:
    own.info("answered", extra={"via": "api", "user": "desk-1", "seconds": 1.5, "is_refusal": True})
    record = lines.record()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record.pop("time"))
    assert record == {
        "level": "INFO",
        "logger": "serve.desk",
        "event": "answered",
        "via": "api",
        "user": "desk-1",
        "seconds": 1.5,
        "is_refusal": True,
    }


@pytest.mark.parametrize(
    "field", ["question", "answer", "query", "document", "quote", "title", "x"]
)
def test_a_field_that_may_hold_text_is_left_out(lines: Lines, field: str) -> None:
    own.error("failed", extra={field: SECRET, "via": "api"})
    assert SECRET not in lines.getvalue()
    assert lines.record()["via"] == "api"


def test_lists_and_records_are_left_out_for_they_may_hold_text(lines: Lines) -> None:
    own.error("failed", extra={"via": [SECRET], "user": {"name": SECRET}})
    assert "betrayed" not in lines.getvalue()


def test_a_message_s_arguments_are_left_out(lines: Lines) -> None:
    own.error("No answer to %r", SECRET)
    assert lines.record()["event"] == "No answer to %r"


def test_with_text_all_is_told(lines_with_text: Lines) -> None:
    try:
        fail_on(SECRET)
    except KeyError:
        own.exception("No answer", extra={"question": SECRET, "via": "api"})
    logging.getLogger("mcp.server").warning("not valid: %s", SECRET)
    own_record, other = lines_with_text.records()
    assert own_record["question"] == SECRET
    assert f"KeyError: '{SECRET}'" in own_record["traceback"]
    assert other["event"] == f"not valid: {SECRET}"


# Errors


def raised(error: BaseException) -> None:
    try:
        raise error
    except type(error):
        own.exception("failed")


def test_an_error_is_told_without_its_message_but_with_its_places(lines: Lines) -> None:
    raised(KeyError(SECRET))
    assert "betrayed" not in lines.getvalue()
    (error,) = lines.record()["errors"]
    assert error["type"] == "KeyError"
    assert "message" not in error
    (place,) = error["at"]
    assert re.fullmatch(r"tests\.test_logs:\d+ raised", place)


def test_the_errors_that_led_to_it_are_told_the_same_way(lines: Lines) -> None:
    try:
        try:
            fail_on(SECRET)
        except KeyError as error:
            raise ModelError("The model cannot be reached: start it.") from error
    except ModelError:
        own.exception("failed")
    assert "betrayed" not in lines.getvalue()
    outer, inner = lines.record()["errors"]
    assert (outer["type"], outer["message"]) == (
        "ModelError",
        "The model cannot be reached: start it.",
    )
    assert inner["type"] == "KeyError"


def test_a_group_tells_each_of_its_errors(lines: Lines) -> None:
    raised(ExceptionGroup(SECRET, [ValueError(SECRET), OSError(28, SECRET)]))
    assert "betrayed" not in lines.getvalue()
    assert [(one["type"], one.get("message")) for one in lines.record()["errors"]] == [
        ("ExceptionGroup", None),
        ("ValueError", None),
        ("OSError", "No space left on device"),
    ]


def test_notes_that_were_added_to_an_error_are_not_told(lines: Lines) -> None:
    error = ValueError("x")
    error.add_note(SECRET)
    raised(error)
    assert "betrayed" not in lines.getvalue()


def test_an_error_that_quotes_the_question_is_told_by_its_kind(lines: Lines) -> None:
    raised(QuestionError(f"“{SECRET}” is no document."))
    assert lines.record()["errors"][0].get("message") is None


def test_a_database_s_error_is_told_by_its_code(lines: Lines) -> None:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE VIRTUAL TABLE texts USING fts5(text)")
    try:
        database.execute("SELECT * FROM texts WHERE texts MATCH ?", ('betrayed"',))
    except sqlite3.Error:
        own.exception("failed")
    finally:
        database.close()
    assert "betrayed" not in lines.getvalue()
    assert lines.record()["errors"][0]["message"] == "SQLITE_ERROR"


def test_an_error_that_leads_to_itself_ends(lines: Lines) -> None:
    one, other = ValueError("x"), KeyError("y")
    one.__cause__, other.__cause__ = other, one
    own.error("failed", exc_info=one)
    assert [error["type"] for error in lines.record()["errors"]] == ["ValueError", "KeyError"]


def test_of_a_deep_recursion_the_last_places_are_told(lines: Lines) -> None:
    def deeper(n: int) -> int:
        return deeper(n - 1) if n else 1 // 0

    try:
        deeper(500)
    except ZeroDivisionError:
        own.exception("failed")
    places = lines.record()["errors"][0]["at"]
    assert len(places) == 12
    assert all("deeper" in place for place in places)


# Other packages


def test_another_package_s_warning_is_told_by_its_place(lines: Lines) -> None:
    logging.getLogger("mcp.server.runner").warning(f"did not validate: {SECRET}")
    logging.getLogger("openai._base_client").error("request %s", {"content": SECRET})
    assert "betrayed" not in lines.getvalue()
    for record in lines.records():
        assert record["level"] in {"WARNING", "ERROR"}
        assert re.fullmatch(r"test_logs\.py:\d+", record["at"])


def test_what_they_say_below_a_warning_is_not_told(lines: Lines) -> None:
    logging.getLogger("httpx").info('HTTP Request: GET http://localhost/?q="%s"', SECRET)
    talkative = logging.getLogger("openai")
    talkative.setLevel(logging.DEBUG)  # as its import does if OPENAI_LOG says so
    talkative.debug("Request options: %s", {"content": SECRET})
    assert lines.getvalue() == ""


def test_uvicorn_s_messages_stay_and_its_list_of_requests_is_off(lines: Lines) -> None:
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    logging.getLogger("uvicorn.error").error("returned '%s'\nTraceback…", SECRET)
    logging.getLogger("uvicorn.access").error('%s - "%s" %d', "::1", f"GET /?q={SECRET}", 200)
    assert [record["event"] for record in lines.records()] == [
        "Invalid HTTP request received.",
        "returned '%s'",
    ]


def test_what_gradio_prints_of_an_error_is_one_record() -> None:
    with set_up(with_text=False, stream=(lines := Lines())):  # pytest puts its stderr before a test
        try:
            try:
                fail_on(SECRET)
            except KeyError as error:
                raise ValueError(SECRET) from error
        except ValueError:
            traceback.print_exc()  # as gradio.queueing does
    assert "betrayed" not in lines.getvalue()
    record = lines.record()
    assert record["event"] == "an error was printed"
    assert [error["type"] for error in record["errors"]] == ["ValueError", "KeyError"]


def test_what_is_printed_is_told_by_its_place() -> None:
    with set_up(with_text=False, stream=(lines := Lines())):
        print(SECRET, file=sys.stderr)
    record = lines.record()
    assert record["event"] == "something was printed"
    assert re.fullmatch(r"tests\.test_logs:\d+", record["at"])


def test_a_warning_is_told_by_its_kind_and_place(lines: Lines) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with set_up(with_text=False, stream=lines):  # what catch_warnings has put back
            warnings.warn(f"input_value='{SECRET}'", UserWarning, stacklevel=1)
    record = lines.record()
    assert (record["event"], record["error"]) == ("a warning", "UserWarning")
    assert re.fullmatch(r"test_logs\.py:\d+", record["at"])
    assert "betrayed" not in lines.getvalue()


def test_a_thread_that_dies_tells_its_error_without_the_message(lines: Lines) -> None:
    def die() -> None:
        raise KeyError(SECRET)

    thread = threading.Thread(target=die)
    thread.start()
    thread.join()
    assert "betrayed" not in lines.getvalue()
    assert lines.record()["errors"][0]["type"] == "KeyError"


def test_a_task_that_nobody_awaits_tells_its_error_without_the_message(lines: Lines) -> None:
    async def die() -> None:
        raise KeyError(SECRET)

    async def forget() -> None:
        task = asyncio.create_task(die())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del task

    asyncio.run(forget())
    assert "betrayed" not in lines.getvalue()
    assert lines.record()["errors"][0]["type"] == "KeyError"


def test_a_record_that_cannot_be_written_is_told_of_without_an_end() -> None:
    class Unspeakable:
        def __str__(self) -> str:
            raise ValueError(SECRET)

    with set_up(with_text=False, stream=(lines := Lines())):
        own.error("failed %s", Unspeakable())
    assert "betrayed" not in lines.getvalue()
    assert lines.record()["errors"][0]["type"] == "ValueError"


def test_all_is_as_before_when_it_is_closed() -> None:
    def now() -> tuple[object, ...]:
        loggers = [logging.getLogger(name) for name in ("", "serve", "openai", "uvicorn.error")]
        return (
            sys.stderr, sys.unraisablehook, threading.excepthook, warnings.showwarning,
            *((one.level, list(one.handlers), one.propagate) for one in loggers),
        )  # fmt: skip

    before = now()
    with set_up(with_text=False, stream=io.StringIO()):
        assert now() != before
    assert now() == before


def test_own_messages_are_constant_and_what_belongs_to_them_stands_in_fields() -> None:
    """An f-string or an argument would be told without its values, or hold somebody's text."""
    levels = {"debug", "info", "warning", "error", "exception", "critical"}
    seen = 0
    for package in ("models", "index", "rag", "ui", "serve"):
        for file in (REPOSITORY / package).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            for node in ast.walk(ast.parse(text)) if "getLogger" in text else ():
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                    continue
                if ast.unparse(node.func.value) in {"log", "_log"} and node.func.attr in levels:
                    seen += 1
                    where = f"{file.relative_to(REPOSITORY)}:{node.lineno}"
                    assert len(node.args) == 1, f"{where}: arguments belong in extra="
                    assert isinstance(node.args[0], ast.Constant), f"{where}: not constant"
    assert seen >= 3


def test_no_name_is_a_field_of_text() -> None:
    assert not NAMES & {"question", "answer", "query", "text", "quote", "document", "title"}


@pytest.mark.slow
def test_stderr_of_a_program_holds_json_alone() -> None:
    code = (
        "import sys, threading\nfrom serve.logs import set_up\nset_up(with_text=False)\n"
        "print('a question', file=sys.stderr)\n"
        "threading.Thread(target=lambda: {}['a question']).start()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert "question" not in done.stderr
    records = [json.loads(line) for line in done.stderr.splitlines()]
    assert {record["event"] for record in records} == {
        "something was printed",
        "a thread ended in an error",
    }


# Requests


def served() -> FastAPI:
    """An application with each kind of route."""
    app = FastAPI()
    plain, prefixed = APIRouter(prefix="/api"), APIRouter()

    @plain.get("/documents/{id_:path}")
    def _document(id_: str) -> str:
        return id_

    @prefixed.get("/chat/{number}")
    def _chat(number: int) -> int:
        return number

    @plain.get("/events")
    def _events() -> StreamingResponse:
        return StreamingResponse(iter(["data: 1\n\n"]), media_type="text/event-stream")

    @plain.get("/broken")
    def _broken() -> None:
        raise KeyError(SECRET)

    app.include_router(plain)
    app.include_router(prefixed, prefix="/v1")
    inner = Starlette(routes=[Route("/{rest:path}", lambda _: PlainTextResponse("tool"))])
    app.mount("/mcp", inner)
    app.mount("/elsewhere", inner)
    return app


def get(app: ASGIApp, *paths: str, **headers: str) -> list[httpx.Response]:
    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return [await client.get(path, headers=headers) for path in paths]

    return anyio.run(ask)


def test_a_request_is_one_line_with_the_route_s_template(lines: Lines) -> None:
    metrics = Metrics()
    (response,) = get(Logged(served(), metrics), "/api/documents/secret/plan.md?q=betrayed")
    record = lines.record()
    assert record["event"] == "request"
    assert record["route"] == "/api/documents/{id_}"
    assert (record["method"], record["status"], record["outcome"]) == ("GET", 200, "whole")
    assert 0 <= record["milliseconds"] < 10_000
    assert record["request"] == response.headers["X-Request-Id"]
    assert re.fullmatch(r"[0-9a-f]{16}", record["request"])
    assert "secret" not in lines.getvalue()
    assert "betrayed" not in lines.getvalue()
    counted = 'footnote_http_requests_total{method="GET",route="/api/documents/{id_}",status="200"}'
    assert reading(metrics)[counted] == 1


@pytest.mark.parametrize(
    ("path", "route", "status"),
    [
        ("/v1/chat/7", "/v1/chat/{number}", 200),
        ("/v1/chat/betrayed", "/v1/chat/{number}", 422),
        ("/mcp/sessions/secret", "/mcp", 200),
        ("/mcpsecret", "other", 404),
        ("/elsewhere/secret", "other", 200),
        ("/nowhere/secret", "other", 404),
        ("/openapi.json", "/openapi.json", 200),
    ],
)
def test_what_a_route_is_called(lines: Lines, path: str, route: str, status: int) -> None:
    metrics = Metrics()
    get(Logged(served(), metrics, also=("/mcp", "/openapi.json")), path)
    assert (lines.record()["route"], lines.record()["status"]) == (route, status)
    assert "secret" not in lines.getvalue()
    assert b"secret" not in metrics.page()[0]


def test_all_of_gradio_s_routes_are_the_page(lines: Lines) -> None:
    with gr.Blocks() as blocks:
        gr.Markdown("Footnote")
    app = gr.mount_gradio_app(served(), blocks, path="/")
    get(Logged(app, Metrics()), "/", "/config", "/gradio_api/file=secret", "/v1/chat/7")
    routes = [one["route"] for one in lines.records() if one["logger"] == "serve.logged"]
    assert routes == ["page", "page", "page", "/v1/chat/{number}"]
    assert "secret" not in lines.getvalue()


@pytest.mark.parametrize(
    ("given", "is_taken"),
    [
        ("0f5d-77", True),
        ("a" * 64, True),
        ("a" * 65, False),
        ("with space", False),
        ("line\\nbreak", False),
        ('","user":"root', False),
    ],
)
def test_an_id_that_comes_along_is_taken_if_it_is_plain(
    lines: Lines, given: str, is_taken: bool
) -> None:
    (response,) = get(Logged(served(), Metrics()), "/v1/chat/7", **{"X-Request-Id": given})
    assert (response.headers["X-Request-Id"] == given) is is_taken
    assert (lines.record()["request"] == given) is is_taken


def test_records_within_a_request_have_its_id(lines: Lines) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await anyio.to_thread.run_sync(lambda: own.info("searched"))
        scope[SCOPE_KEY] = User(name="desk-1")
        await PlainTextResponse("done")(scope, receive, send)

    first, second = get(Logged(app, Metrics()), "/a", "/b")
    searched, request, *others = lines.records()
    assert searched["request"] == request["request"] == first.headers["X-Request-Id"]
    assert others[0]["request"] == second.headers["X-Request-Id"]
    assert request["user"] == "desk-1"


def test_a_request_that_fails_is_told_and_counted(lines: Lines) -> None:
    metrics = Metrics()
    (response,) = get(Logged(served(), metrics), "/api/broken")
    assert response.status_code == 500
    record = lines.record()
    assert (record["level"], record["route"], record["status"]) == ("WARNING", "/api/broken", 500)
    counted = 'footnote_http_requests_total{method="GET",route="/api/broken",status="500"}'
    assert reading(metrics)[counted] == 1


def test_a_client_that_leaves_is_told_from_one_that_was_answered(lines: Lines) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/begun":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"a", "more_body": True})
        raise asyncio.CancelledError

    async def nothing(_message: Any = None) -> Any:
        return None

    async def ask(path: str) -> None:
        scope = {"type": "http", "method": "GET", "path": path, "headers": []}
        with suppress(asyncio.CancelledError):
            await Logged(app, Metrics())(scope, nothing, nothing)

    asyncio.run(ask("/begun"))
    asyncio.run(ask("/not-begun"))
    assert [(one["status"], one["outcome"]) for one in lines.records()] == [
        (200, "broken off"),
        (499, "broken off"),
    ]


def test_a_stream_is_told_but_not_timed(lines: Lines) -> None:
    metrics = Metrics()
    get(Logged(served(), metrics), "/api/events")
    assert lines.record()["outcome"] == "whole"
    assert 'footnote_http_seconds_count{route="/api/events"}' not in reading(metrics)


def test_a_made_up_method_is_not_told(lines: Lines) -> None:
    async def ask() -> None:
        transport = httpx.ASGITransport(Logged(served(), Metrics()))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            await client.request("BETRAYED", "/v1/chat/7")

    anyio.run(ask)
    assert lines.record()["method"] == "other"


def test_what_is_no_request_passes(lines: Lines) -> None:
    seen = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    async def nothing(_message: Any = None) -> Any:
        return None

    asyncio.run(Logged(app, Metrics())({"type": "lifespan"}, nothing, nothing))
    assert seen == ["lifespan"]
    assert lines.getvalue() == ""


def test_uvicorn_tells_the_error_of_a_request_with_its_id_and_no_query(lines: Lines) -> None:
    config = uvicorn.Config(
        Logged(served(), Metrics()), port=free_port(), log_config=None, access_log=False
    )
    server = uvicorn.Server(config)

    async def ask() -> httpx.Response:
        running = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        async with httpx.AsyncClient(trust_env=False) as client:
            response = await client.get(f"http://127.0.0.1:{config.port}/api/broken?q=betrayed")
        server.should_exit = True
        await running
        return response

    response = asyncio.run(ask())
    assert "betrayed" not in lines.getvalue()
    request, error = lines.records()
    assert request["request"] == error["request"] == response.headers["X-Request-Id"]
    assert error["event"] == "Exception in ASGI application"
    assert error["errors"][0]["type"] == "KeyError"
