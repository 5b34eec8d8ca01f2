"""Everything that is served, as one ASGI application: page, endpoints, tools, behind one gate."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import gradio as gr
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from index.folder import ignored, is_hidden
from index.library import Library
from models.errors import AccountError, FootnoteError
from serve import api, completions
from serve.access import Access
from serve.desk import Desk
from serve.errors import body, error_body, headers_of, status_of
from serve.gate import Gate
from serve.logged import Logged
from serve.login import login_routes
from serve.tools import PATH as TOOLS_PATH
from serve.tools import tool_route, tool_server
from serve.unread import Unread
from ui.app import build_page
from ui.history import History
from ui.launch import settings
from ui.render import STAYS_HERE
from ui.turn import Turn
from ui.user import NOBODY

_DOCS = "/api/docs"

_NOT_ROUTED = (TOOLS_PATH, "/login", "/logout", "/api/openapi.json", _DOCS, f"{_DOCS}-files")
"""Paths that are no routes of FastAPI's, and that the log and the metrics call by name."""


_MOST_TABS = 1000
"""Of which Gradio keeps what they show, a fifth of a megabyte each; beyond, the oldest are lost."""


@dataclass(frozen=True, slots=True)
class About:
    """What the application is about."""

    index_name: str
    model_name: str
    examples: tuple[str, ...] = ()
    where: str = STAYS_HERE  # what becomes of a question


def application(
    desk: Desk, history: History, library: Library, *, access: Access, about: About
) -> ASGIApp:
    """The application: ``desk`` answers, and ``access`` says whom.

    Raises AccountError if the file of the users would be indexed, which every reader can read.
    """
    if access.accounts:
        _check_apart(access.accounts.file, library.folder)
    tools = tool_server(desk, user=lambda: NOBODY)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None, None]:
        async with tools.session_manager.run():
            watching = asyncio.create_task(Unread(page).watch())
            try:
                yield
            finally:
                watching.cancel()

    app: FastAPI = FastAPIOffline(
        title="Footnote",
        version=version("footnote"),
        description="Answers about a folder of documents, each sentence with its quotes.",
        docs_url=_DOCS,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        static_url=f"{_DOCS}-files",
        swagger_ui_oauth2_redirect_url=f"{_DOCS}/oauth2-redirect",
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    _tell_failures(app)
    app.include_router(
        api.router(desk, library, index_name=about.index_name, model_name=about.model_name)
    )
    app.include_router(completions.router(desk, index_name=about.index_name))
    app.routes.append(tool_route(tools))
    if access.accounts:
        app.routes.extend(login_routes(access))

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        text, type_ = desk.metrics.page()
        return Response(text, media_type=type_)

    page = build_page(
        desk.chat,
        history,
        library,
        title="Footnote",
        examples=list(about.examples),
        line=desk.line,
        reads_ahead=False,  # the model is everybody's
        on_over=_counting(desk),
        where=about.where,
    )
    _mount(app, page)
    return Logged(Gate(app, access), desk.metrics, also=_NOT_ROUTED)


def _check_apart(file: Path, folder: Path) -> None:
    file, folder = file.resolve(), folder.resolve()
    if not file.is_relative_to(folder):
        return
    place = file.relative_to(folder)
    if not (any(map(is_hidden, place.parts)) or ignored(folder).match_file(place)):
        raise AccountError(
            f"The users in “{file}” lie in the folder of the documents, where every reader could "
            f"read them: set FOOTNOTE_HOME to a folder outside of “{folder}”."
        )


def _mount(app: FastAPI, page: gr.Blocks) -> None:
    page.state_session_capacity = _MOST_TABS
    gr.mount_gradio_app(app, page, path="/", show_error=False, **settings())
    # Only of a page that it serves itself, Gradio would check that a file was uploaded which an
    # event names; of others it would take any file of this machine.
    page.has_launched = True


def _counting(desk: Desk):  # type: ignore[no-untyped-def]
    def count(turn: Turn) -> None:
        """A question of the page has ended."""
        desk.metrics.asked("page")
        for sentence in turn.checked:
            desk.metrics.written(sentence)
        if turn.answer and turn.stage == "answered":
            desk.metrics.answered(turn.answer, "page")
        elif turn.stage == "failed":
            desk.metrics.failed("page", FootnoteError(turn.problem))
        else:
            desk.metrics.stopped("page")

    return count


def _tell_failures(app: FastAPI) -> None:
    """Every failure below /api has the same body."""

    @app.exception_handler(FootnoteError)
    async def ours(_: Request, error: FootnoteError) -> Response:
        return JSONResponse(error_body(error), status_of(error), headers_of(error))

    @app.exception_handler(StarletteHTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        return JSONResponse(body("request", str(error.detail)), error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"] if step not in ("body", "query"))
        what = f"“{where}” is wrong" if where else "The request is wrong"
        return JSONResponse(body("request", f"{what}: {first['msg']}."), 422)

    @app.exception_handler(ClientDisconnect)
    async def gone(_: Request, _error: ClientDisconnect) -> Response:
        return Response(status_code=499)  # which nobody reads
