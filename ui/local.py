"""Keeps the page on this machine, whatever a web site or a document tries.

The page has no password: being reachable from this machine alone is what protects it. A
web site open in the same browser is on this machine too. It can send requests here, and
by pointing its own name at 127.0.0.1 (DNS rebinding) it could even read the answers. So
a request must name this machine as its host, and may come from a page of this host only.

The content security policy is the second lock behind ``render.plain``: whatever got into
the page, the browser would load no image, font or script from anywhere else.
"""

from urllib.parse import urlsplit

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
        if not _is_local(f"//{host}") or (origin is not None and urlsplit(origin).netloc != host):
            refusal = PlainTextResponse("Footnote answers only this machine.", status_code=403)
            await refusal(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                guarded = MutableHeaders(scope=message)
                guarded["Content-Security-Policy"] = POLICY
                guarded["Referrer-Policy"] = "no-referrer"
                guarded["X-Content-Type-Options"] = "nosniff"
            await send(message)

        await self.app(scope, receive, send_guarded)


def _is_local(address: str) -> bool:
    try:
        return urlsplit(address).hostname in HOSTS
    except ValueError:  # such as an unclosed bracket
        return False
