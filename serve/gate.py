"""The gate: each request of everything that ``footnote serve`` offers comes through here.

1. Only HTTP: nothing here speaks by websocket.
2. It must be meant for us (Host: no DNS rebinding) and come from a page of ours, if it comes from
   a page (Origin, Sec-Fetch-Site: no cross-site requests).
3. It must ask for something that there is; see ``serve.routes``.
4. It must be certain where its body ends, and that it is not too large.
5. Who is it? A bearer token says so, or the session in a cookie.
6. Nobody may ask too often or too much at once, and only who has logged in comes further.
7. The body must come, and not too slowly; a small one is read here, whole.
8. It may name no session of somebody else.

What is sent back has the browser load nothing from elsewhere, and keep nothing.
"""

import logging
from contextlib import nullcontext

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.errors import AccountError
from serve.access import Access, address_of
from serve.bodies import Body, check_framing, replayed
from serve.held import Held
from serve.login import LOGIN_POLICY, cannot_log_in
from serve.owners import Owners, sessions_in
from serve.rates import Rate
from serve.refusal import Refusal, too_often
from serve.routes import OPEN, Kind, kind_of
from ui.local import HEADERS, with_headers
from ui.user import NOBODY, SCOPE_KEY, User

STRANGER = User(may_manage=False)
"""Whoever has not logged in, where others must."""

_MOST_OF_STRANGERS = 2**14
"""Bytes: a name and a password, each character written as twelve."""

_MOST_OF_PAGE = 2**18
"""Bytes: the names of a thousand documents. Gradio keeps of each tab what it sent last."""

_ONCE = ("host", "origin", "sec-fetch-site", "authorization", "content-type")

_OF_PROXIES = (b"x-forwarded-", b"forwarded", b"x-real-ip", b"x-gradio-server")
"""What a proxy says of a request. The server has heard it, where it trusts the proxy; Gradio
would believe it of anybody."""

_log = logging.getLogger("footnote.access")


class Gate:
    """Middleware in front of ``app``; see the module."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        """``access`` says who may come in."""
        self.app = app
        self._access = access
        self._api = Rate(access.api_per_minute)
        self._all = Rate(access.all_per_minute)
        self._held = Held(access.open_at_once)
        self._begun = Rate(access.sessions_per_minute)
        self._owners = Owners()
        self._headers = {
            **HEADERS,
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        if access.is_secure:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may come in."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            await self._answer(scope, receive, send)
        except Refusal as refusal:
            await refusal.response()(scope, receive, with_headers(send, self._headers_for(None)))

    def _headers_for(self, kind: Kind | None) -> dict[str, str]:
        headers = dict(self._headers)
        if kind is not Kind.ASSET:
            headers["Cache-Control"] = "no-store"
        if kind is Kind.LOGIN:
            headers["Content-Security-Policy"] = LOGIN_POLICY
        return headers

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        self._check_source(scope, headers)
        kind = self._kind(scope)
        check_framing(headers, most=self._limits_of(kind)[0])
        send = with_headers(send, self._headers_for(kind))

        user = self._who(scope, headers)
        key = f"user {user.name}" if user else f"address {address_of(scope)}"
        self._check_rate(key, kind)
        with self._held.one(key) if self._access.accounts else nullcontext():
            await self._answer_one(scope, receive, send, kind, user)

    async def _answer_one(
        self, scope: Scope, receive: Receive, send: Send, kind: Kind, user: User | None
    ) -> None:
        access, headers = self._access, Headers(scope=scope)
        if user is None and _token_in(headers) is not None:
            _log.warning("token refused", extra={"address": address_of(scope)})
            raise _not_logged_in("This token is none of ours, or was revoked.", "invalid_token")
        if user is None and kind not in OPEN:
            if scope["path"] == "/" and "text/html" in headers.get("accept", ""):
                await RedirectResponse("/login", 303)(scope, receive, send)
                return
            raise _not_logged_in("Log in first, or send a token as “Authorization: Bearer …”.")
        user = user or STRANGER
        if kind is Kind.UPLOAD and not user.may_manage:
            raise Refusal(403, "forbidden", "Only who manages the documents may add some.")

        scope[SCOPE_KEY] = user
        scope["headers"] = [one for one in scope["headers"] if not one[0].startswith(_OF_PROXIES)]
        most, seconds = self._limits_of(kind)
        body = Body(receive, most, access.piece_seconds, seconds)
        if kind is Kind.UPLOAD:
            self._check_sessions(scope, None, user)
            await self._pass_upload(scope, body, send)
            return
        whole = await body.whole()
        if whole is None:
            return
        if kind is Kind.PAGE:
            self._check_sessions(scope, whole if scope["method"] == "POST" else None, user)
        await self.app(scope, replayed(whole, receive), send)

    # 2. and 3. Is it for us?

    def _check_source(self, scope: Scope, headers: Headers) -> None:
        for name in _ONCE:
            if len(headers.getlist(name)) > 1:
                raise Refusal(400, "request", f"The header {name} is there twice.")
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._access.is_meant(host):
            raise Refusal(
                403,
                "forbidden",
                "Footnote is not reached by this name: whoever runs it gives its address with "
                "--url.",
            )
        is_foreign = origin is not None and not self._access.is_own(origin, host)
        if is_foreign or _is_cross_site(scope, headers):
            raise Refusal(403, "forbidden", "Footnote answers no request of another site's page.")

    def _kind(self, scope: Scope) -> Kind:
        kind = kind_of(scope)
        if self._access.accounts is None and kind in (Kind.LOGIN, Kind.LOGOUT):
            raise Refusal(404, "request", "Nobody logs in here.")
        return kind

    def _limits_of(self, kind: Kind) -> tuple[int, float]:
        """Bytes of a body, and seconds in which it must come; few of whoever is not known yet."""
        access = self._access
        if kind in OPEN:
            return _MOST_OF_STRANGERS, access.piece_seconds
        if kind is Kind.PAGE:
            return min(_MOST_OF_PAGE, access.largest_body), access.body_seconds
        most = access.largest_upload if kind is Kind.UPLOAD else access.largest_body
        return most, access.body_seconds

    # 5. and 6. Who asks, and how often?

    def _who(self, scope: Scope, headers: Headers) -> User | None:
        """None if nobody has logged in, or with a token that is none of ours."""
        accounts = self._access.accounts
        if accounts is None:
            return NOBODY
        try:
            token = _token_in(headers)
            if token is not None:
                return accounts.of_token(token)
            session = HTTPConnection(scope).cookies.get(self._access.cookie)
            return accounts.of_session(session) if session else None
        except AccountError as error:
            raise cannot_log_in(error) from error

    def _check_rate(self, key: str, kind: Kind) -> None:
        if self._access.accounts is None:
            return  # whoever is at this machine is in nobody's way
        wait = self._all.wait(key) or (self._api.wait(key) if kind is Kind.API else 0)
        if wait:
            raise too_often(wait)

    # 7. and 8. What it brings

    def _check_sessions(self, scope: Scope, body: bytes | None, user: User) -> None:
        if self._access.accounts is None:
            return
        sessions = sessions_in(scope, body)
        if self._owners.are_new(sessions) and (wait := self._begun.wait(user.name)):
            raise too_often(wait)
        if not self._owners.claim(sessions, user.name):
            raise Refusal(403, "forbidden", "This session belongs to somebody else.")

    async def _pass_upload(self, scope: Scope, body: Body, send: Send) -> None:
        """A large body is read by the application, which may take a refusal for its own error."""
        has_begun = False

        async def send_unless_refused(message: Message) -> None:
            nonlocal has_begun
            if has_begun or body.refusal is None:
                has_begun = True
                await send(message)

        try:
            await self.app(scope, body, send_unless_refused)
        except Exception:
            if body.refusal is None:
                raise
        if body.refusal and not has_begun:
            raise body.refusal


def _is_cross_site(scope: Scope, headers: Headers) -> bool:
    """Whether a page of another site sends this; to follow its link to our page is allowed."""
    if headers.get("sec-fetch-site", "none") in ("same-origin", "none"):
        return False
    is_link = (
        headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    )
    return not (is_link and scope["method"] == "GET" and scope["path"] in ("/", "/login"))


def _token_in(headers: Headers) -> str | None:
    """The bearer token, if there is one; what else may be there is for a proxy."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _not_logged_in(message: str, error: str = "") -> Refusal:
    challenge = f'Bearer error="{error}"' if error else "Bearer"
    return Refusal(401, "login", message, headers={"WWW-Authenticate": challenge})
