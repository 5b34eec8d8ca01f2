"""One line in the log, and one count in the metrics, for each request.

Neither holds a path or a query as it was sent, for a path may name a document and a query hold a
question: a route is told by its template.
"""

import logging
import re
import secrets
import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.logs import REQUEST
from serve.metrics import METHODS, Metrics
from ui.user import NOBODY, SCOPE_KEY

PAGE, OTHER = "page", "other"
"""The routes of Gradio, which it has many of; and those that are none."""

_GONE = 499
"""The status, as nginx has it, of a request that its client left before there was an answer."""

_ID = re.compile(r"[A-Za-z0-9-]{1,64}")

log = logging.getLogger(__name__)


class Logged:
    """Middleware; it stands in front of all others, that their answers are told of, too."""

    def __init__(self, app: ASGIApp, metrics: Metrics, *, also: Sequence[str] = ()) -> None:
        """``also`` are paths that FastAPI does not route; all below one is told as that one."""
        self._app = app
        self._metrics = metrics
        self._also = sorted(also, key=len, reverse=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request with an id, and tell of it when it is over."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        asked = Headers(scope=scope).get("x-request-id", "")
        request = asked if _ID.fullmatch(asked) else secrets.token_hex(8)
        REQUEST.set(request)  # until the task of this request ends, and the server tells its errors
        root = scope.get("root_path", "")
        status = 0
        is_stream = is_whole = False

        async def send_named(message: Message) -> None:
            nonlocal status, is_stream, is_whole
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request
                status = message["status"]
                is_stream = headers.get("content-type", "").startswith("text/event-stream")
            elif message["type"] == "http.response.body":
                is_whole = not message.get("more_body", False)
            await send(message)

        try:
            await self._app(scope, receive, send_named)
        except Exception:
            status = status or HTTPStatus.INTERNAL_SERVER_ERROR
            raise
        finally:
            self._tell(
                scope,
                route=self._route(scope, root),
                status=status or _GONE,
                outcome="whole" if is_whole else "broken off",
                seconds=time.monotonic() - began,
                is_stream=is_stream,
            )

    def _tell(
        self,
        scope: Scope,
        *,
        route: str,
        status: int,
        outcome: str,
        seconds: float,
        is_stream: bool,
    ) -> None:
        method = scope["method"] if scope["method"] in METHODS else OTHER
        user = scope.get(SCOPE_KEY, NOBODY).name
        log.log(
            logging.WARNING if status >= HTTPStatus.INTERNAL_SERVER_ERROR else logging.INFO,
            "request",
            extra={
                "route": route,
                "method": method,
                "status": status,
                "milliseconds": round(seconds * 1000),
                "outcome": outcome,
                **({"user": user} if user else {}),
            },
        )
        self._metrics.request(
            route=route, method=method, status=status, seconds=None if is_stream else seconds
        )

    def _route(self, scope: Scope, root: str) -> str:
        """The template of the route that was taken."""
        if type(scope.get("app")).__module__.partition(".")[0] == "gradio":
            return PAGE
        path: str = scope["path"]
        for one in self._also:
            if path == one or path.startswith(f"{one}/"):
                return one
        if scope.get("root_path", "") != root:  # within a mounted application, of its own routes
            return OTHER
        # A router that was included under a prefix leaves the whole template here alone.
        routed: Any = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
        template = getattr(routed, "path_format", None)
        return template if isinstance(template, str) else OTHER
