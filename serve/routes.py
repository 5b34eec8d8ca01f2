"""Which requests there are. What is not in this list is not there, whatever stands behind.

Gradio brings more routes than the page needs: files by their path, a proxy, its own login, editors
for developers. None of them is reached from outside.
"""

import re
from enum import Enum

from starlette.types import Scope

from serve.refusal import Refusal


class Kind(Enum):
    """What a request is for."""

    PAGE = "page"
    ASSET = "asset"  # what browsers may keep
    UPLOAD = "upload"
    API = "api"
    LOGIN = "login"
    LOGOUT = "logout"
    HEALTH = "health"
    MANIFEST = "manifest"  # the title; browsers ask for it without the cookie


OPEN = frozenset({Kind.LOGIN, Kind.HEALTH, Kind.MANIFEST})
"""Answered without a login."""

_ANY = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_GET = frozenset({"GET", "HEAD"})
_POST = frozenset({"POST"})

_NAME = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}"
_FILE = rf"(?:{_NAME}/){{0,8}}{_NAME}"
_HASH = r"[A-Za-z0-9-]{1,64}"

ROUTES: list[tuple[str, frozenset[str], Kind]] = [
    # Our own; which of them there are, and by which methods, they know themselves.
    (r"/api/health", _GET, Kind.HEALTH),
    (r"/login", _GET | _POST, Kind.LOGIN),
    (r"/logout", _POST, Kind.LOGOUT),
    (r"/api/documents", _POST, Kind.UPLOAD),
    (r"/api/.+|/v1/.+|/mcp|/metrics", _ANY, Kind.API),
    # Gradio's, which its page and gradio_client ask for.
    (r"/", _GET, Kind.PAGE),
    (r"/manifest\.json", _GET, Kind.MANIFEST),
    (r"/config/?|/favicon\.ico|/theme\.css", _GET, Kind.PAGE),
    (rf"/assets/{_FILE}|/static/{_FILE}", _GET, Kind.ASSET),
    (r"/gradio_api/(?:info|app_id)/?", _GET, Kind.PAGE),
    (rf"/gradio_api/heartbeat/{_HASH}", _GET, Kind.PAGE),
    (r"/gradio_api/queue/data", _GET, Kind.PAGE),
    (r"/gradio_api/(?:queue/join|run/predict|cancel|reset)", _POST, Kind.PAGE),
    (r"/gradio_api/upload", _POST, Kind.UPLOAD),
    (r"/gradio_api/upload_progress", _GET, Kind.UPLOAD),
]
"""Pattern of the path, methods, and what it is for; the first that both fit decides."""

_ROUTES = [(re.compile(pattern), methods, kind) for pattern, methods, kind in ROUTES]

_STRANGE = re.compile(r"[\\\x00-\x1f\x7f-\x9f]|/\.{1,2}(?:/|$)|//|^[^/]|^$")
"""In a path: what other programs on the way may take for something else."""

_STRANGE_RAW = re.compile(rb"%2f|%5c|[\x00-\x20]", re.IGNORECASE)


def kind_of(scope: Scope) -> Kind:
    """What the request is for. Raises Refusal if that is nothing that we have."""
    path, method = scope["path"], scope["method"]
    if _STRANGE.search(path) or _STRANGE_RAW.search(scope.get("raw_path") or b""):
        raise Refusal(400, "request", "This is no path: leave out “..”, “//” and what is like it.")
    allowed: set[str] = set()
    for pattern, methods, kind in _ROUTES:
        if pattern.fullmatch(path):
            if method in methods:
                return kind
            allowed |= methods
    if allowed:
        raise Refusal(
            405,
            "request",
            f"This is no place for {method[:20]}.",
            headers={"Allow": ", ".join(sorted(allowed))},
        )
    raise Refusal(404, "request", "There is nothing at this path.")
