"""The HTTP server: uvicorn, which lets answers end before it does."""

import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

import uvicorn
from sse_starlette.sse import AppStatus
from starlette.types import ASGIApp

from rag.line import Line

_AFTERWARDS = 5
"""Seconds in which what is open may end when all answers have; then it is cut off."""

_STALLED = 20
"""Seconds for which a client may take nothing of what it is sent, or have a request begun but for
its body; then it is cut off."""

_KEPT_OPEN = 75
"""Seconds that a connection may rest: longer than clients and proxies keep theirs, so that none
sends a question into one that is just being closed."""

_MOST_CONNECTIONS = 512
_MOST_WAITING = 128
"""Connections: those that are served, and those that the system holds until then."""


class _Server(uvicorn.Server):
    """Stops in three steps: no connection more, then the answers end, then all else."""

    def __init__(
        self,
        config: uvicorn.Config,
        line: Line,
        grace: float,
        on_listening: Callable[[], object],
    ) -> None:
        super().__init__(config)
        self._line, self._grace, self._on_listening = line, grace, on_listening
        self._stalled: dict[Any, float] = {}  # connections, and since when they do nothing

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_listening()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        self._cut_off_stalled()
        return await super().on_tick(counter)

    def _cut_off_stalled(self) -> None:
        """Else they would hold their connections, and what they are sent, for as long as they like.

        Also those that the server has closed already, which happens only when all is sent; and
        those on which nothing comes, or not the whole head of a request.
        """
        now = time.monotonic()
        connections: set[Any] = set(self.server_state.connections)
        self._stalled = {
            one: self._stalled.get(one, now)
            for one in connections
            if one.flow.write_paused or one.transport.is_closing() or _is_silent(one)
        }
        for one, since in self._stalled.items():
            if now > since + _STALLED:
                one.transport.abort()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for one in self.servers:
            one.close()
        await self._line.stop(within=self._grace, unless=lambda: self.force_exit)
        await super().shutdown(sockets)
        # Else the signal would be raised once more, and kill what has ended as it was told.
        self._captured_signals.clear()


def _is_silent(connection: Any) -> bool:
    """Whether it neither has a request nor rests after one, for which uvicorn has a limit."""
    has_request = connection.cycle is not None and not connection.cycle.response_complete
    return not has_request and connection.timeout_keep_alive_task is None


def server(
    app: ASGIApp,
    line: Line,
    *,
    host: str,
    port: int,
    grace: float,
    proxies: Sequence[str] = (),
    on_listening: Callable[[], object] = lambda: None,
) -> uvicorn.Server:
    """The server of ``app``. On SIGTERM, those whom ``line`` answers have ``grace`` seconds.

    What a proxy on this machine, or at one of ``proxies``, says of who asks is believed; nobody
    else is. ``on_listening`` is called when it can be reached.
    """
    # It would break off every stream of events half a second after the signal.
    AppStatus.enable_automatic_graceful_drain = False
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=False,  # its lines hold what was asked; serve.logged has its own
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=["127.0.0.1", "::1", *proxies],
        timeout_keep_alive=_KEPT_OPEN,
        timeout_graceful_shutdown=_AFTERWARDS,
        limit_concurrency=_MOST_CONNECTIONS,
        backlog=_MOST_WAITING,
    )
    return _Server(config, line, grace, on_listening)
