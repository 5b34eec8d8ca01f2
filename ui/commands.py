"""The command that opens the chat page: ``footnote chat``."""

import os
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from models.errors import FootnoteError
from models.paths import conversations_file
from models.terminal import patience, progress_bar
from rag import options
from ui.local import HOSTS

if TYPE_CHECKING:
    from gradio import Blocks

    from ui.session import Conversation

FIRST_PORT = 7860
PORTS_TO_TRY = 100

EXAMPLES = [
    "How many Russian soldiers landed near Caracas?",
    "Which Russian military officer was on the first plane?",
    "How did Moscow explain why its forces are there?",
]
"""Questions about the shipped corpus, to begin with."""

_LOOKED_AT, _READ_OF_EACH = 50, 20_000
"""Documents, and characters of each, from which questions to begin with are drawn."""


@click.command()
@options.opening
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help=f"The port to listen on.  [default: {FIRST_PORT}, or the next free one]",
)
@click.option(
    "--open/--no-open",
    "is_opening",
    default=None,
    help="Open the page in the browser.  [default: if there is a display]",
)
def chat(*, host: str, port: int | None, is_opening: bool | None, **opening: Any) -> None:
    """Ask about the documents on a page in the browser, until Ctrl-C."""
    if host not in HOSTS:
        raise click.BadParameter(
            f"{host} would let other machines read the documents, for the page asks no password "
            "yet; leave --host out, or give 127.0.0.1, localhost or ::1.",
            param_hint="--host",
        )
    chosen = choose_port(host, port)
    if port is None and chosen != FIRST_PORT:
        click.echo(f"Port {FIRST_PORT} is taken; using {chosen}.")
    if is_opening is None:
        is_opening = has_display()
    with patience("Looking for the models…"):
        from ui.setup import missing  # noqa: PLC0415  (start-up time)

        wanted = missing(
            opening["name"], opening["model"], store=opening["store"], llm=opening["llm"]
        )
    if wanted:
        if not _set_up(wanted, opening, host=host, port=chosen, is_opening=is_opening):
            return
        is_opening = False  # the page that is open becomes the chat
    with patience("Loading the models…"):
        from models.resolve import resolve_llm  # noqa: PLC0415  (start-up time)
        from rag.chat import Chat  # noqa: PLC0415
        from rag.generate import measure_once  # noqa: PLC0415

    if not opening["llm"]:
        with progress_bar() as on_progress:
            measure_once(resolve_llm(opening["model"]), on_progress=on_progress)
    with patience("Loading the models…"):
        conversation = Chat.open(**opening)
    serve(
        conversation,
        name=opening["name"],
        store=opening["store"],
        examples=examples_for(opening["name"], conversation, store=opening["store"]),
        where=becomes_of_questions(opening["llm"]),
        host=host,
        port=chosen,
        is_opening=is_opening,
    )


def _set_up(
    wanted: list[str], opening: dict[str, Any], *, host: str, port: int, is_opening: bool
) -> bool:
    """Serve the page that gets what is missing; whether it did before Ctrl-C or SIGTERM."""
    from ui.setup import SetupPage  # noqa: PLC0415  (start-up time)

    page = SetupPage(
        wanted,
        name=opening["name"],
        store=opening["store"],
        model=opening["model"],
        llm=opening["llm"],
        title="Footnote",
    )
    click.echo(f"Still missing: {'; '.join(wanted)}.")
    said = "The page that sets it up is at {}"
    with _served(page.blocks, said, host=host, port=port, is_opening=is_opening) as has_ended:
        while not (has_ended.wait(0.5) or page.is_done.is_set()):
            pass
        if page.is_done.is_set():
            has_ended.wait(1)  # its last words are still on their way
    return page.is_done.is_set()


def serve(
    chat: "Conversation",
    *,
    name: str = "default",
    store: str | None = None,
    examples: Sequence[str] = (),
    where: str = "",
    host: str,
    port: int,
    is_opening: bool,
) -> None:
    """Serve the page of ``chat``, which asks ``name`` in ``store``, until Ctrl-C or SIGTERM.

    ``where`` says what becomes of a question, if it does not stay on this machine. Raises
    FootnoteError if something else listens on ``port`` by now.
    """
    from index.library import Library  # noqa: PLC0415  (start-up time)
    from ui.app import build_page  # noqa: PLC0415
    from ui.history import History  # noqa: PLC0415

    history = History(conversations_file(), name=name)
    library = Library(name, store=store)
    about: dict[str, Any] = {"where": where, "reads_ahead": False} if where else {}
    page = build_page(chat, history, library, title="Footnote", examples=list(examples), **about)
    said = "The chat is at {}"
    with _served(page, said, host=host, port=port, is_opening=is_opening) as has_ended:
        while not has_ended.wait(0.5):  # a wait without an end would not see Ctrl-C on Windows
            pass


@contextmanager
def _served(
    page: "Blocks", said: str, *, host: str, port: int, is_opening: bool
) -> Iterator[threading.Event]:
    """``page``, served; gives what Ctrl-C and SIGTERM set. ``said`` tells its address."""
    from ui.launch import launch  # noqa: PLC0415  (start-up time)

    try:
        address = launch(page, host=host, port=port)
    except OSError as error:
        raise FootnoteError(taken(host, port)) from error
    with awaited_end() as has_ended:
        click.echo(f"{said.format(address)} (Ctrl-C ends it).")
        if is_opening:
            webbrowser.open(address)
        yield has_ended
    page.close(verbose=False)


def becomes_of_questions(llm: str | None) -> str:
    """What the page says of questions that a server answers; nothing if they stay here."""
    if llm is None:
        return ""
    from rag.address import address_of  # noqa: PLC0415  (start-up time)

    at = address_of(llm).url
    return f"Questions, and what is read for them, are sent to the model at {at}."


def examples_for(name: str, chat: "Conversation", *, store: str | None = None) -> list[str]:
    """``EXAMPLES`` for the shipped corpus; questions drawn from other documents."""
    from index.build import SHIPPED_CORPUS  # noqa: PLC0415  (start-up time)
    from index.stores import open_store  # noqa: PLC0415
    from rag.topic import suggested  # noqa: PLC0415

    if open_store(store).remembered_folder(name) == SHIPPED_CORPUS:
        return EXAMPLES
    documents = map(chat.document, chat.documents()[:_LOOKED_AT])
    texts = (document.text[:_READ_OF_EACH] for document in documents if document)
    return ["Which documents are there?", *suggested(texts, limit=2)]


def choose_port(host: str, port: int | None) -> int:
    """``port`` if it is free; without one, the first free port from ``FIRST_PORT``.

    Raises FootnoteError if ``port``, or every port that may be tried, is taken.
    """
    if port is not None:
        if not is_free(host, port):
            raise FootnoteError(taken(host, port))
        return port
    for candidate in range(FIRST_PORT, FIRST_PORT + PORTS_TO_TRY):
        if is_free(host, candidate):
            return candidate
    raise FootnoteError(
        f"No port from {FIRST_PORT} to {FIRST_PORT + PORTS_TO_TRY - 1} of {host} is free; "
        "name another with --port."
    )


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            # As servers do: a port whose last connections are just fading is free.
            if os.name != "nt":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError:
        return False
    return True


def taken(host: str, port: int) -> str:
    """What is said of a port that something else listens on."""
    return f"Port {port} of {host} is taken; leave --port out to use the next free one."


def has_display() -> bool:
    """Whether a browser window could be seen here."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@contextmanager
def awaited_end() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set; afterwards they act as before."""
    has_ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        has_ended.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield has_ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
