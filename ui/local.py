"""Keeps the page on this machine, whatever a web site or a document tries.

The page has no password: being reachable from this machine alone is what protects it. A
web site open in the same browser is on this machine too. It can send requests here, and
by pointing its own name at 127.0.0.1 (DNS rebinding) it could even read the answers. So
a request must name this machine as its host, and may come from a page of this host only.

The content security policy is the second lock behind ``render.plain``: whatever got into
the page, the browser would load no image, font or script from anywhere else.

``serve.gate`` does the same, and more, where others are let in.
"""

import re
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ("127.0.0.1", "localhost", "::1")

POLICY = "; ".join(
    [
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",  # Gradio's page needs both
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self' data:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",  # with "no-referrer", a form would not tell its origin here
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""What the browser is told of everything that is sent."""

_HOST = re.compile(r"(?:\[([0-9a-f:]+)\]|([a-z0-9._-]+))(?::[0-9]{1,5})?", re.IGNORECASE)


class LocalOnly:
    """Middleware that answers the pages of this machine alone, under ``POLICY``."""

    def __init__(self, app: ASGIApp) -> None:
        """Stands in front of ``app``."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request with a foreign Host or Origin; pass on any other."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if host_name(host) not in HOSTS or (origin is not None and origin not in origins_of(host)):
            refusal = PlainTextResponse("Footnote answers only this machine.", status_code=403)
            await refusal(scope, receive, send)
            return
        await self.app(scope, receive, with_headers(send, HEADERS))


def host_name(host: str) -> str | None:
    """The name, in lower case, that a Host header gives; None if it gives none."""
    found = _HOST.fullmatch(host)
    return (found[1] or found[2]).lower() if found else None


def origins_of(host: str) -> tuple[str, str]:
    """What browsers call the pages of this Host."""
    return f"http://{host.lower()}", f"https://{host.lower()}"


def with_headers(send: Send, headers: Mapping[str, str]) -> Send:
    """``send``, with these headers in every response, whatever it had for them."""

    async def send_guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            guarded = MutableHeaders(scope=message)
            guarded.update(headers)
        await send(message)

    return send_guarded
