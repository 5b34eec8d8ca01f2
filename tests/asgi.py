"""For the tests of what stands in front of an application: requests as a server hands them on.

No client stands between, which would mend a path or refuse a header that others send.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.user import SCOPE_KEY, User


@dataclass(frozen=True)
class Answered:
    """A response."""

    status: int
    headers: Headers
    body: bytes


@dataclass
class Behind:
    """An application that answers everything, and remembers what reached it."""

    seen: list[tuple[str, User, bytes]] = field(default_factory=list)
    headers: list[Headers] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                self.ends.append(message["type"])
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.seen.append((scope["path"], scope[SCOPE_KEY], body))
        self.headers.append(Headers(scope=scope))
        headers = [(b"cache-control", b"max-age=60"), (b"content-security-policy", b"none")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"behind"})
        self.ends.append((await receive())["type"])


def ask(
    app: ASGIApp,
    target: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    pieces: Iterable[bytes | float] = (b"",),
    client: str = "192.0.2.1",
) -> Answered:
    """One request; ``pieces`` of its body come one by one, after a pause where one is a number.

    After a pause of infinity the client is gone.
    """
    raw, _, query = target.partition("?")
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(raw, errors="replace"),
        "raw_path": raw.encode("latin-1", "replace"),
        "query_string": query.encode("latin-1", "replace"),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs],
        "client": (client, 50000),
        "server": ("127.0.0.1", 7860),
    }
    waiting = list(pieces)
    sent: list[Message] = []

    async def receive() -> Message:
        while waiting and isinstance(waiting[0], float):
            seconds = waiting.pop(0)
            assert isinstance(seconds, float)
            if seconds == float("inf"):
                return {"type": "http.disconnect"}
            await asyncio.sleep(seconds)
        if not waiting:
            return {"type": "http.disconnect"}
        piece = waiting.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(waiting)}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    starts = [message for message in sent if message["type"] == "http.response.start"]
    if not starts:
        return Answered(0, Headers(), b"")
    [start] = starts
    body = b"".join(one["body"] for one in sent if one["type"] == "http.response.body")
    return Answered(start["status"], Headers(raw=start["headers"]), body)
