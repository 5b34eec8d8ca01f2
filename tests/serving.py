"""For tests of what is served: an application on a port of this machine, and a slow model."""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from rag.generate import Piece
from rag.prompt import Message
from tests.fakes import ScriptedModel


class SlowModel(ScriptedModel):
    """Takes a moment for each word."""

    def __call__(self, messages: list[Message], *, max_tokens: int) -> Generator[Piece, None, None]:
        for piece in super().__call__(messages, max_tokens=max_tokens):
            time.sleep(0.02)
            yield piece


@contextmanager
def running(app: ASGIApp) -> Iterator[str]:
    """Serves ``app`` from a thread of its own, and gives its address."""
    config = uvicorn.Config(
        app, port=0, log_level="warning", ws="none", timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive())
        assert server.started
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


def wait_until(is_so: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def assert_stops(model: ScriptedModel) -> None:
    """It does not write its 200 words to the end."""
    written = -1
    while written != model.pieces_written:
        written = model.pieces_written
        time.sleep(0.15)
    assert written < 100
