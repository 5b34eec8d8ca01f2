"""Logging in and out: a page without script, and what its form is answered with.

Nothing tells whether a name exists: not the words, not the status, not the time that an answer
takes. Who tries too often waits before any password is compared.
"""

import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from string import Template
from urllib.parse import parse_qs

import anyio
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from models.errors import AccountError
from models.progress import counted
from serve.access import Access, address_of
from serve.accounts import SESSION_SECONDS, Accounts, folded, is_name
from serve.errors import body
from serve.rates import Clock, Locks
from serve.refusal import Refusal
from ui.user import User, user_of

LOGIN_POLICY = "; ".join(
    [
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "img-src data:",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
"""The page of the form runs no script, and sends the form here alone."""

WRONG = "This name and this password do not belong together."
LOCKED = "There were too many attempts: try it again in"

_TRIES_OF_NAME, _TRIES_OF_ADDRESS = 5, 20
"""Within five minutes, in vain; then five minutes of rest."""

_COMPARED_AT_ONCE = 2
"""Passwords; each takes 64 MB."""

_MOST_WAITING, _SECONDS_IF_MANY = 20, 5.0
"""Passwords that may wait to be compared; and when it is worth trying again if so many do."""

_PAGE = Template(Path(__file__).with_name("login.html").read_text(encoding="utf-8"))

_log = logging.getLogger("footnote.access")


def login_routes(access: Access, *, clock: Clock = time.monotonic) -> list[Route]:
    """``/login`` and ``/logout``, for an application behind ``serve.gate``.

    There are none where nobody logs in. ``clock`` gives seconds.
    """
    if access.accounts is None:
        return []
    login = Login(access, access.accounts, clock)
    return [
        Route("/login", login.show, methods=["GET"]),
        Route("/login", login.enter, methods=["POST"]),
        Route("/logout", login.leave, methods=["POST"]),
    ]


class Login:
    """What the three routes do."""

    def __init__(self, access: Access, accounts: Accounts, clock: Clock) -> None:
        """``accounts`` are those of ``access``."""
        self._access, self._accounts = access, accounts
        self._names = Locks(_TRIES_OF_NAME, clock=clock)
        self._addresses = Locks(_TRIES_OF_ADDRESS, clock=clock)
        self._comparing = anyio.CapacityLimiter(_COMPARED_AT_ONCE)

    async def show(self, request: Request) -> Response:
        """The form; the page of the chat for who has logged in."""
        if user_of(request).name:
            return RedirectResponse("/", 303)
        return _page()

    async def enter(self, request: Request) -> Response:
        """A session, if name and password belong together."""
        name, password = _typed(await request.body())
        try:
            return await self._enter(request, name if is_name(name) else "", password)
        except AccountError as error:
            return cannot_log_in(error).response()

    async def _enter(self, request: Request, name: str, password: str) -> Response:
        key, address = folded(name), address_of(request.scope)
        # A name that nobody has is not logged: it may be a password, typed in the wrong field.
        said = {"user": name if self._accounts.has(name) else "", "address": address}

        wait = max(self._names.locked(key), self._addresses.locked(address))
        if self._comparing.statistics().tasks_waiting >= _MOST_WAITING:
            wait = max(wait, _SECONDS_IF_MANY)
        if wait:
            _log.warning("login locked", extra=said)
            locked = f"{LOCKED} {counted(math.ceil(wait / 60), 'minute')}."
            return _failed(request, 429, locked, {"Retry-After": str(math.ceil(wait))})

        self._names.begin(key)
        self._addresses.begin(address)
        compare = self._accounts.of_password
        user = await run_sync(compare, name, password, limiter=self._comparing)
        if user is None:
            _log.warning("login failed", extra=said)
            return _failed(request, 401, WRONG)
        self._names.forget(key)
        self._addresses.take_back(address)
        _log.info("login", extra={**said, "user": user.name})
        return self._entered(request, user)

    def _entered(self, request: Request, user: User) -> Response:
        response: Response
        if _is_page(request):
            response = RedirectResponse("/", 303)
        else:
            response = JSONResponse({"user": user.name})
        response.set_cookie(
            self._access.cookie,
            self._accounts.session(user),
            max_age=SESSION_SECONDS,
            path="/",
            secure=self._access.is_secure,
            httponly=True,
            samesite="lax",
        )
        return response

    async def leave(self, request: Request) -> Response:
        """Ends all sessions of whoever asks for it, on a page of ours."""
        headers = request.headers
        if "origin" not in headers and headers.get("sec-fetch-site") != "same-origin":
            return Refusal(403, "forbidden", "Log out on Footnote's own page.").response()
        user = user_of(request)
        try:
            await run_sync(self._accounts.end_sessions, user.name)
        except AccountError as error:
            return cannot_log_in(error).response()
        _log.info("logout", extra={"user": user.name, "address": address_of(request.scope)})
        response = RedirectResponse("/login", 303)
        response.delete_cookie(
            self._access.cookie,
            path="/",
            secure=self._access.is_secure,
            httponly=True,
            samesite="lax",
        )
        return response


def cannot_log_in(error: AccountError) -> Refusal:
    """What is said where the file of the users fails; the log says more."""
    _log.error("nobody can be let in", extra={"error": str(error)})
    return Refusal(503, "account", "Nobody can be let in just now: the server's log says why.")


def _typed(form: bytes) -> tuple[str, str]:
    """Name and password; empty if they are not there, or not once."""
    try:
        fields = parse_qs(form.decode(errors="replace"), max_num_fields=10)
    except ValueError:
        return "", ""
    name, password = fields.get("username", []), fields.get("password", [])
    return (name[0], password[0]) if len(name) == len(password) == 1 else ("", "")


def _is_page(request: Request) -> bool:
    """Whether the form of our page was sent; programs such as gradio_client send it, too."""
    return "text/html" in request.headers.get("accept", "")


def _page(
    problem: str = "", *, status: int = 200, headers: Mapping[str, str] | None = None
) -> HTMLResponse:
    told = f'<p role="alert">{problem}</p>' if problem else ""
    return HTMLResponse(_PAGE.substitute(problem=told), status, headers)


def _failed(
    request: Request, status: int, problem: str, headers: Mapping[str, str] | None = None
) -> Response:
    if _is_page(request):
        return _page(problem, status=status, headers=headers)
    return JSONResponse(body("login", problem), status, headers)
