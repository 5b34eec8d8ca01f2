"""The commands that answer others: ``footnote serve`` and ``footnote mcp``."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from models.errors import AccountError, FootnoteError, HistoryError
from models.paths import conversations_file, users_file
from models.terminal import patience, progress_bar
from rag import options
from ui.commands import becomes_of_questions, choose_port, examples_for, taken
from ui.local import HOSTS

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from rag.chat import Chat
    from rag.line import Line
    from serve.access import Access
    from serve.desk import Desk
    from ui.history import History

_AT_ONCE_ELSEWHERE = 4
"""Answers that a model server is asked for at the same time; the local model writes one."""


@click.command()
@options.opening
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port", type=click.IntRange(1, 65535), help="The port.  [default: 7860, or the next free]"
)
@click.option("--url", help="The address by which others come, through a proxy: https://NAME.")
@click.option(
    "--conversations",
    metavar="URL",
    help="A PostgreSQL database for the conversations, which copies may share: "
    "postgresql+psycopg://USER@HOST/NAME.  [default: a file on this machine]",
)
@click.option(
    "--proxy",
    "proxies",
    multiple=True,
    help="The address of a proxy on another machine, whose word on who asks is believed.",
)
@click.option(
    "--at-once",
    type=click.IntRange(1, 64),
    help=f"Answers at the same time.  [default: 1; with --llm {_AT_ONCE_ELSEWHERE}]",
)
@click.option(
    "--grace",
    default=30,
    show_default=True,
    type=click.IntRange(0, 3600),
    help="Seconds that answers have to end when the server is stopped.",
)
@click.option("--log-text", is_flag=True, help="Let the log hold questions and texts.")
def serve(
    *,
    host: str,
    port: int | None,
    url: str | None,
    conversations: str | None,
    proxies: tuple[str, ...],
    at_once: int | None,
    grace: int,
    log_text: bool,
    **opening: Any,
) -> None:
    """Serve the page, the HTTP endpoints and the tools to a team, until Ctrl-C or SIGTERM.

    On this machine alone nobody needs to log in, as long as there are no accounts. Elsewhere it
    starts only with accounts: 'footnote users add NAME'.
    """
    access = _access(host, url)
    history = _history(conversations, opening["name"])
    chosen = choose_port(host, port)
    chat = _open(opening)
    if access.accounts and not access.is_secure and host not in HOSTS:
        click.echo(
            "Passwords cross the network as they are: put a proxy with TLS before it, and give "
            "its address with --url https://NAME.",
            err=True,
        )
    with patience("Starting the server…"):
        from serve.logs import set_up  # noqa: PLC0415  (start-up time)
        from serve.server import server as server_of  # noqa: PLC0415
    with set_up(with_text=log_text):  # before others set up logs of their own
        app, line = _application(chat, opening, access, history, at_once=at_once)
        shown = f"[{host}]" if ":" in host else host
        server = server_of(
            app,
            line,
            host=host,
            port=chosen,
            grace=grace,
            proxies=proxies,
            on_listening=lambda: click.echo(
                f"Serving at http://{shown}:{chosen} (Ctrl-C ends it); see /api/docs there."
            ),
        )
        with suppress(KeyboardInterrupt):
            asyncio.run(server.serve())
    if not server.started:
        raise FootnoteError(taken(host, chosen))


def _access(host: str, url: str | None) -> "Access":
    """Raises AccountError where everybody would be let in."""
    from serve.access import Access  # noqa: PLC0415  (start-up time)
    from serve.accounts import Accounts  # noqa: PLC0415

    accounts = Accounts(users_file()) if users_file().exists() else None
    if accounts is not None and not accounts.all():
        raise AccountError("Nobody could log in: run 'footnote users add NAME' first.")
    return Access(accounts, url=url, host=host)


def _history(url: str | None, name: str) -> "History":
    """Raises HistoryError if ``url`` is none; a database that fails is told of, and no more."""
    from ui.history import History  # noqa: PLC0415  (start-up time)

    if url is None:
        return History(conversations_file(), name=name)
    history = History(url, name=name)
    try:
        with patience("Looking for the conversations…"):
            history.find()
    except HistoryError as error:
        click.echo(str(error), err=True)
    return history


def _open(opening: dict[str, Any]) -> "Chat":
    with patience("Loading the models…"):
        from models.resolve import resolve_llm  # noqa: PLC0415  (start-up time)
        from rag.chat import Chat  # noqa: PLC0415
        from rag.generate import measure_once  # noqa: PLC0415

    if not opening["llm"]:
        with progress_bar() as on_progress:
            measure_once(resolve_llm(opening["model"]), on_progress=on_progress)
    with patience("Loading the models…"):
        return Chat.open(**opening)


def _desk(chat: "Chat", *, at_once: int) -> "Desk":
    from rag.line import Line  # noqa: PLC0415  (start-up time)
    from serve.desk import Desk  # noqa: PLC0415
    from serve.metrics import Metrics  # noqa: PLC0415

    metrics = Metrics()
    line = Line(at_once=at_once, on_turn=metrics.waited)
    return Desk(chat, line=line, metrics=metrics, is_ready=lambda: chat.is_ready)


def _application(
    chat: "Chat",
    opening: dict[str, Any],
    access: "Access",
    history: "History",
    *,
    at_once: int | None,
) -> "tuple[ASGIApp, Line]":
    from index.library import Library  # noqa: PLC0415  (start-up time)
    from serve.app import About, application  # noqa: PLC0415
    from ui.render import STAYS_HERE  # noqa: PLC0415

    name = opening["name"]
    desk = _desk(chat, at_once=at_once or (_AT_ONCE_ELSEWHERE if opening["llm"] else 1))
    about = About(
        index_name=name,
        model_name=chat.model,
        examples=tuple(examples_for(name, chat, store=opening["store"])),
        where=becomes_of_questions(opening["llm"]) or STAYS_HERE,
    )
    library = Library(name, store=opening["store"])
    app = application(desk, history, library, access=access, about=about)
    return app, desk.line


@click.command()
@options.opening
def mcp(**opening: Any) -> None:
    """Answer another program's model over standard input and output (the protocol MCP).

    The tools are ask, search and read_passage. 'footnote serve' offers them over HTTP, at /mcp.
    """
    chat = _open(opening)
    with patience("Starting…"):
        from serve.logs import set_up  # noqa: PLC0415  (start-up time)
        from serve.tools import run_stdio  # noqa: PLC0415
        from ui.user import NOBODY  # noqa: PLC0415

    with set_up(with_text=False):
        run_stdio(_desk(chat, at_once=1), user=lambda: NOBODY)
