"""The gate: who and what comes in, each rule from its outside."""

import asyncio
import json
import re
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import AccountError
from serve.access import Access
from serve.accounts import Accounts
from serve.gate import STRANGER, Gate
from serve.owners import Owners
from serve.routes import ROUTES
from tests.asgi import Answered, Behind, ask
from tests.test_accounts import KEEPER, QUICK, READER
from ui.local import POLICY
from ui.user import NOBODY

HOST = {"host": "127.0.0.1:7860"}
SITE = {"host": "footnote.example"}


@cache
def two_users() -> tuple[bytes, dict[str, str]]:
    """A file of users, and their tokens; made once, for that takes a while."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "users.json"
        accounts = Accounts(file, hasher=QUICK)
        accounts.add("desk-1", None)
        accounts.add("desk-2", None, may_manage=True)
        tokens = {name: accounts.new_token(name) for name in ("desk-1", "desk-2")}
        return file.read_bytes(), tokens


class Served:
    """A gate in front of ``Behind``, its users' tokens and sessions, and a client."""

    def __init__(self, file: Path | None, **options: Any) -> None:
        self.accounts = Accounts(file, hasher=QUICK) if file else None
        self.behind = Behind()
        self.access = Access(self.accounts, **options)
        self.gate = Gate(self.behind, self.access)
        self.tokens: dict[str, str] = {}
        self.host = SITE if self.access.url else HOST
        if file:
            text, self.tokens = two_users()
            file.touch(0o600)
            file.write_bytes(text)

    def ask(self, target: str, by: str = "", **options: Any) -> Answered:
        """A request of that user, who sends a token."""
        headers = [*self.host.items(), *dict(options.pop("headers", {})).items()]
        if by:
            headers.append(("authorization", f"Bearer {self.tokens[by]}"))
        return ask(self.gate, target, headers=headers, **options)


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(tmp_path / "users.json")


@pytest.fixture
def site(tmp_path: Path) -> Served:
    return Served(tmp_path / "site.json", url="https://footnote.example", host="192.0.2.7")


def told(answered: Answered) -> tuple[int, str, str]:
    error = json.loads(answered.body)["error"]
    return answered.status, error["type"], error["message"]


# 1. What is no HTTP


@pytest.mark.parametrize("type_", ["websocket", "other"])
def test_nothing_but_http_comes_in(served: Served, type_: str) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    scope = {"type": type_, "path": "/api/ask", "headers": []}
    asyncio.run(served.gate(scope, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
    assert served.behind.seen == []


# 2. Which host, and from where

NO_OTHERS = ["evil.example", "127.0.0.1.evil.example", "a@127.0.0.1", "[::1", "", "[::1]x", "a b"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:7860", "LOCALHOST", "[::1]:7860"])
def test_where_nobody_logs_in_this_machine_is_answered(host: str) -> None:
    served = Served(None)
    assert ask(served.gate, "/api/ask", headers={"host": host}).status == 200
    assert served.behind.seen == [("/api/ask", NOBODY, b"")]


@pytest.mark.parametrize("host", [*NO_OTHERS, "footnote.example", "192.0.2.7"])
def test_where_nobody_logs_in_no_other_name_is_answered(host: str) -> None:
    served = Served(None)
    for path in ("/", "/api/health", "/assets/index.js", "/no"):
        assert ask(served.gate, path, headers={"host": host}).status == 403
    assert ask(served.gate, "/").status == 403
    assert served.behind.seen == []


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("footnote.example", 200),
        ("FOOTNOTE.example:443", 200),
        ("127.0.0.1:7860", 200),
        *((host, 403) for host in [*NO_OTHERS, "192.0.2.7", "footnote.example.evil.example"]),
    ],
)
def test_with_an_address_only_its_name_is_answered(site: Served, host: str, status: int) -> None:
    answered = ask(site.gate, "/api/health", headers={"host": host})
    assert answered.status == status
    if status == 403:
        assert "whoever runs it gives its address with --url" in told(answered)[2]


def test_without_an_address_any_name_is_answered_where_it_listens_to_others(tmp_path: Path) -> None:
    served = Served(tmp_path / "users.json", host="192.0.2.7")
    assert ask(served.gate, "/api/health", headers={"host": "192.0.2.7:7860"}).status == 200
    assert ask(served.gate, "/api/health", headers={"host": "evil@192.0.2.7"}).status == 403


ORIGINS = [
    ("site", "https://footnote.example", 200),
    ("site", "http://footnote.example", 403),
    ("site", "https://footnote.example:8443", 403),
    ("site", "https://a.footnote.example", 403),
    ("site", "https://footnote.example.evil.example", 403),
    ("site", "http://127.0.0.1:7860", 403),
    ("site", "null", 403),
    ("site", "", 403),
    ("served", "http://127.0.0.1:7860", 200),
    ("served", "http://127.0.0.1:7861", 403),
    ("served", "http://localhost:7860", 403),
    ("served", "null", 403),
    ("served", "https://evil.example", 403),
]


@pytest.mark.parametrize(("kind", "origin", "status"), ORIGINS)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_only_a_page_of_ours_may_ask(
    kind: str, origin: str, status: int, method: str, request: pytest.FixtureRequest
) -> None:
    served: Served = request.getfixturevalue(kind)
    answered = served.ask("/api/ask", by="desk-1", method=method, headers={"origin": origin})
    assert answered.status == status
    assert len(served.behind.seen) == (status == 200)
    if status == 403:
        assert told(answered)[1:] == (
            "forbidden",
            "Footnote answers no request of another site's page.",
        )


def test_behind_a_proxy_that_names_this_machine_the_origin_is_still_the_sites(
    site: Served,
) -> None:
    site.host = HOST
    own, local, other = "https://footnote.example", "http://127.0.0.1:7860", "https://evil.example"
    statuses = [
        site.ask("/api/ask", by="desk-1", method="POST", headers={"origin": origin}).status
        for origin in (own, local, other)
    ]
    assert statuses == [200, 200, 403]


def fetched(site: str, mode: str = "cors", dest: str = "empty") -> dict[str, str]:
    return {"sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": dest}


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/", fetched("cross-site", "navigate", "document"), 200),
        ("GET", "/?conversation=a1", fetched("same-site", "navigate", "document"), 200),
        ("GET", "/", fetched("cross-site", "navigate", "iframe"), 403),
        ("GET", "/", fetched("cross-site", "no-cors", "image"), 403),
        ("POST", "/gradio_api/cancel", fetched("cross-site", "navigate", "document"), 403),
        ("GET", "/api/documents", fetched("cross-site", "navigate", "document"), 403),
        ("GET", "/api/documents", fetched("same-site", "no-cors", "script"), 403),
        ("GET", "/api/documents", fetched("same-origin"), 200),
        ("GET", "/api/documents", fetched("none", "navigate", "document"), 200),
        ("GET", "/api/documents", fetched("something new"), 403),
    ],
)
def test_what_browsers_say_of_where_a_request_comes_from(
    served: Served, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    pieces = [b"{}"] if method == "POST" else [b""]
    answered = served.ask(path, by="desk-1", method=method, headers=headers, pieces=pieces)
    assert answered.status == status


@pytest.mark.parametrize("name", ["host", "origin", "sec-fetch-site", "authorization"])
def test_a_header_that_decides_is_there_once(served: Served, name: str) -> None:
    headers = [*HOST.items(), ("authorization", f"Bearer {served.tokens['desk-1']}")]
    again = dict(headers).get(name, "http://127.0.0.1:7860")
    answered = ask(served.gate, "/api/ask", headers=[*headers, (name, again), (name, again)])
    assert told(answered) == (400, "request", f"The header {name} is there twice.")


# 3. What there is

FORBIDDEN = [
    "/gradio_api/file=/etc/hostname",
    "/gradio_api/file=users.json",
    "/gradio_api/file/etc/hostname",
    "/gradio_api/proxy=http://192.0.2.1/",
    "/gradio_api/stream/a",
    "/gradio_api/stream/a/1/2/playlist.m3u8",
    "/gradio_api/component_server",
    "/gradio_api/component_server/",
    "/gradio_api/vibe-edit",
    "/gradio_api/vibe-code/",
    "/gradio_api/runs",
    "/gradio_api/run-history/records",
    "/gradio_api/run/answer",
    "/gradio_api/run/predict/",
    "/gradio_api/api/answer",
    "/gradio_api/call/answer",
    "/gradio_api/call/answer/abc",
    "/gradio_api/call/v2/answer",
    "/gradio_api/token",
    "/gradio_api/user",
    "/gradio_api/login_check",
    "/gradio_api/dev/reload",
    "/gradio_api/custom_component/a/client/b/c.js",
    "/gradio_api/process_recording",
    "/gradio_api/deep_link",
    "/gradio_api/profiling/traces",
    "/gradio_api/queue/status",
    "/gradio_api/heartbeat/",
    "/gradio_api/heartbeat/a/b",
    "/gradio_api/openapi.json",
    "/gradio_api/mcp/sse",
    "/gradio_api",
    "/gradio_api/startup-events",
    "/gradio_api/theme.css",
    "/robots.txt",
    "/monitoring",
    "/monitoring/summary",
    "/login/",
    "/logout/",
    "/svelte/a.js",
    "/pwa_icon",
    "/docs",
    "/redoc",
    "/openapi.json",
    "/assets/",
    "/assets",
    "/assets/.env",
    "/static/a/.git/config",
    "/api",
    "/API/ask",
    "/mcp/messages",
    "/%2e",
]


@pytest.mark.parametrize("path", FORBIDDEN)
def test_what_is_not_in_the_list_is_not_there(served: Served, path: str) -> None:
    for method in ("GET", "POST", "HEAD", "PUT"):
        answered = served.ask(path, by="desk-2", method=method)
        assert answered.status in (400, 404)
    assert served.behind.seen == []


@pytest.mark.parametrize(
    "path",
    [
        "/api/../users.json",
        "/assets/../../etc/hostname",
        "/assets/%2e%2e/%2e%2e/etc/hostname",
        "/assets/..%2f..%2fetc/hostname",
        "/assets/..%5c..%5cetc",
        "/assets/..\\..\\etc",
        "/api/document/./a",
        "/api//documents",
        "//evil.example/",
        "/api/documents/a%00.txt",
        "/api/documents/a%0d%0ab",
        "/api/documents/a\x7f",
        "api/ask",
        "*",
        "",
    ],
)
def test_what_is_no_path(served: Served, path: str) -> None:
    answered = served.ask(path, by="desk-2")
    assert told(answered)[:2] == (400, "request")
    assert served.behind.seen == []


NEEDED = [
    ("GET", "/"),
    ("HEAD", "/"),
    ("GET", "/config"),
    ("GET", "/config/"),
    ("GET", "/theme.css"),
    ("GET", "/favicon.ico"),
    ("GET", "/assets/Blocks-0aNuD791.css"),
    ("GET", "/static/fonts/ui/ui-Bold.woff2"),
    ("GET", "/gradio_api/info"),
    ("GET", "/gradio_api/app_id"),
    ("GET", "/gradio_api/heartbeat/7x9dk2p0q1"),
    ("GET", "/gradio_api/heartbeat/2f1c6c1e-9b1e-4b53-9a44-3d6ef8cf6b0e"),
    ("GET", "/gradio_api/queue/data?session_hash=a1"),
    ("GET", "/gradio_api/upload_progress?upload_id=u1"),
    ("POST", "/gradio_api/queue/join?__theme=light"),
    ("POST", "/gradio_api/run/predict"),
    ("POST", "/gradio_api/cancel"),
    ("POST", "/gradio_api/reset"),
    ("POST", "/gradio_api/upload?upload_id=u1"),
    ("POST", "/api/ask"),
    ("GET", "/api/documents/2019/a file.txt"),
    ("GET", "/api/documents/a\u00a0file\u200d.txt"),
    ("GET", "/api/docs"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/mcp"),
    ("GET", "/metrics"),
    ("POST", "/logout"),
]


@pytest.mark.parametrize(("method", "path"), NEEDED)
def test_what_there_is_needs_a_login(served: Served, method: str, path: str) -> None:
    quoted = quote(path, safe="/?=&")
    pieces = [b'{"session_hash": "a1"}'] if method == "POST" else [b""]
    assert served.ask(quoted, method=method, pieces=pieces).status == 401
    assert served.behind.seen == []
    answered = served.ask(quoted, by="desk-2", method=method, pieces=pieces)
    assert answered.status == 200
    assert served.behind.seen == [(path.partition("?")[0], KEEPER, pieces[0])]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/", "GET, HEAD"),
        ("GET", "/gradio_api/queue/join", "POST"),
        ("GET", "/gradio_api/upload", "POST"),
        ("GET", "/logout", "POST"),
        ("DELETE", "/login", "GET, HEAD, POST"),
        ("OPTIONS", "/assets/a.js", "GET, HEAD"),
        ("TRACE", "/api/ask", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"),
    ],
)
def test_other_methods_are_told_which_there_are(
    served: Served, method: str, path: str, allowed: str
) -> None:
    answered = served.ask(path, by="desk-2", method=method)
    assert (answered.status, answered.headers["allow"]) == (405, allowed)
    assert served.behind.seen == []


PIECES = st.sampled_from(
    "/ // . .. %2e %2E %2f %5c %00 %25 \\ ; ? # @ : = ~ é api v1 mcp login logout health ask "
    "metrics gradio_api file= proxy= http: assets static index.js config queue join data upload "
    "heartbeat a1 theme.css manifest.json call run predict token / / / /".split()
)


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """Answers as often as it is asked."""
    file = tmp_path_factory.mktemp("data") / "users.json"
    return Served(file, all_per_minute=10**9, api_per_minute=10**9)


@settings(deadline=None)  # the machine may be busy
@given(
    target=st.lists(PIECES, max_size=8).map("".join),
    method=st.sampled_from(["GET", "POST", "HEAD", "PUT"]),
)
def test_without_a_login_nothing_is_reached_but_what_is_open(
    busy: Served, target: str, method: str
) -> None:
    busy.behind.seen.clear()
    answered = busy.ask(f"/{target}", method=method)
    assert {seen for seen, _, _ in busy.behind.seen} <= {"/login", "/api/health", "/manifest.json"}
    assert answered.status in ([200] if busy.behind.seen else [400, 401, 404, 405])


@settings(deadline=None)  # the machine may be busy
@given(
    target=st.lists(PIECES, max_size=8).map("".join),
    method=st.sampled_from(["GET", "POST", "HEAD", "PUT"]),
)
def test_with_a_login_nothing_is_reached_but_what_is_listed(
    busy: Served, target: str, method: str
) -> None:
    busy.behind.seen.clear()
    busy.ask(f"/{target}", by="desk-2", method=method, pieces=[b"{}"])
    for seen, _, _ in busy.behind.seen:
        assert any(re.fullmatch(pattern, seen) for pattern, _, _ in ROUTES)
        assert not re.search(r"\\\\|//|(^|/)\.\.?(/|$)", seen)
        # Below these we answer ourselves, with 404 for what we do not have.
        is_ours = seen.startswith(("/api/", "/v1/"))
        assert is_ours or not re.search(r"file=|proxy=|/call|/token", seen)


# 4. and 7. The body


@pytest.mark.parametrize(
    ("headers", "status", "told_"),
    [
        ([("content-length", "2"), ("transfer-encoding", "chunked")], 400, "Send either"),
        ([("content-length", "2"), ("content-length", "2")], 400, "Send either"),
        ([("content-length", "two")], 400, "is no number"),
        ([("content-length", "-2")], 400, "is no number"),
        ([("content-length", "²")], 400, "is no number"),
        ([("content-length", str(2**20 + 1))], 413, "larger than what is taken"),
        ([("content-length", "9" * 5000)], 413, "larger than what is taken"),
    ],
)
def test_where_a_body_ends_is_certain(
    served: Served, headers: list[tuple[str, str]], status: int, told_: str
) -> None:
    pairs = [*HOST.items(), ("authorization", f"Bearer {served.tokens['desk-1']}"), *headers]
    answered = ask(served.gate, "/api/ask", method="POST", headers=pairs, pieces=[b"{}"])
    assert answered.status == status
    assert told_ in told(answered)[2]
    assert answered.headers["connection"] == "close"
    assert served.behind.seen == []


def test_a_body_is_passed_on_whole(served: Served) -> None:
    pieces = [b"a" * 2**19, b"", b"b" * 2**19]
    answered = served.ask("/api/ask", by="desk-1", method="POST", pieces=pieces)
    assert answered.status == 200
    assert served.behind.seen == [("/api/ask", READER, b"a" * 2**19 + b"b" * 2**19)]
    assert served.behind.ends == ["http.disconnect"]  # what comes after it is passed on, too


def test_a_body_that_grows_too_large_is_refused(served: Served) -> None:
    pieces = [b"a" * 2**19, b"b" * 2**19, b"c", b"never read"]
    answered = served.ask("/api/ask", by="desk-1", method="POST", pieces=pieces)
    assert told(answered)[:2] == (413, "too_large")
    assert served.behind.seen == []


@pytest.mark.parametrize("path", ["/api/ask", "/gradio_api/upload"])
@pytest.mark.parametrize(
    ("piece_seconds", "body_seconds", "pieces"),
    [
        (0.1, 60, [b"a", 2.0, b"b"]),
        (60, 0.3, [*[piece for _ in range(20) for piece in (b"a", 0.05)], b"b"]),
    ],
)
def test_a_body_that_comes_too_slowly_is_refused(
    tmp_path: Path,
    path: str,
    piece_seconds: float,
    body_seconds: float,
    pieces: list[bytes | float],
) -> None:
    limits = {"piece_seconds": piece_seconds, "body_seconds": body_seconds}
    served = Served(tmp_path / "users.json", **limits)
    answered = served.ask(path, by="desk-2", method="POST", pieces=pieces)
    assert told(answered) == (408, "too_slow", "This came too slowly: send it again.")
    assert answered.headers["connection"] == "close"
    assert served.behind.seen == []


def test_strangers_send_little_and_soon(tmp_path: Path) -> None:
    served = Served(tmp_path / "users.json", piece_seconds=0.4, body_seconds=60)
    assert served.ask("/login", method="POST", pieces=[b"a" * 2**14]).status == 200
    assert served.ask("/login", method="POST", pieces=[b"a" * 2**14, b"a"]).status == 413
    assert served.ask("/login", method="POST", headers={"content-length": "16385"}).status == 413
    slow: list[bytes | float] = [piece for _ in range(9) for piece in (b"a", 0.06)]
    assert served.ask("/login", method="POST", pieces=[*slow, b"b"]).status == 408
    assert served.ask("/api/ask", by="desk-1", method="POST", pieces=[*slow, b"b"]).status == 200
    assert len(served.behind.seen) == 2


def test_a_body_that_is_slow_enough_to_be_taken(tmp_path: Path) -> None:
    served = Served(tmp_path / "users.json", piece_seconds=5, body_seconds=5)
    for path in ("/api/ask", "/gradio_api/upload"):
        pieces = [b"a", 0.01, b"b"]
        assert served.ask(path, by="desk-2", method="POST", pieces=pieces).status == 200
    assert [body for _, _, body in served.behind.seen] == [b"ab", b"ab"]


def test_who_vanishes_while_sending_is_forgotten(served: Served) -> None:
    for path in ("/api/ask", "/gradio_api/upload"):
        pieces = [b"a", float("inf"), b"b"]
        assert served.ask(path, by="desk-2", method="POST", pieces=pieces).status == 0
    assert served.behind.seen == []


def test_only_who_manages_uploads_and_more(tmp_path: Path) -> None:
    served = Served(tmp_path / "users.json", largest_upload=2**22)
    pieces = [b"a" * 2**20] * 4
    path = "/gradio_api/upload"
    answered = served.ask(path, by="desk-1", method="POST", pieces=pieces)
    assert told(answered)[:2] == (403, "forbidden")
    assert served.ask(path, method="POST", pieces=pieces).status == 401
    assert served.behind.seen == []
    assert served.ask(path, by="desk-2", method="POST", pieces=pieces).status == 200
    assert served.ask(path, by="desk-2", method="POST", pieces=[*pieces, b"a"]).status == 413
    large = {"content-length": str(2**22 + 1)}
    assert served.ask(path, by="desk-2", method="POST", headers=large).status == 413
    path = "/api/documents"
    assert served.ask(path, by="desk-1", method="POST", pieces=pieces).status == 403
    assert served.ask(path, by="desk-2", method="POST", pieces=pieces).status == 200
    assert served.ask(path, by="desk-2", method="PUT", pieces=pieces).status == 413
    assert served.ask(path, by="desk-1").status == 200
    assert [len(body) for _, _, body in served.behind.seen] == [2**22, 2**22, 0]


def test_an_upload_is_a_document_and_the_form_around_it() -> None:
    assert Access().largest_upload == 100_000_000 + 2**20


@pytest.mark.parametrize("takes", ["as its own", "in a group", "with an answer"])
def test_what_an_application_makes_of_a_refused_upload_is_not_sent(
    tmp_path: Path, takes: str
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            while (await receive())["more_body"]:
                pass
        except Exception as error:
            if takes == "in a group":
                raise ExceptionGroup("several", [error]) from error
            if takes == "as its own":
                raise ValueError("of the form") from error
            await send({"type": "http.response.start", "status": 500, "headers": []})
            await send({"type": "http.response.body", "body": b"of the form"})

    served = Served(tmp_path / "users.json", largest_upload=10)
    served.gate.app = app
    pieces = [b"123456", b"789012", b"3"]
    answered = served.ask("/gradio_api/upload", by="desk-2", method="POST", pieces=pieces)
    assert told(answered)[:2] == (413, "too_large")


def test_errors_of_the_application_stay_its_own(served: Served) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("of the application")

    served.gate.app = app
    for path in ("/api/ask", "/gradio_api/upload"):
        with pytest.raises(ValueError, match="of the application"):
            served.ask(path, by="desk-2", method="POST")


# 5. Who it is


def test_a_wrong_token_lets_nobody_in_even_where_a_session_is_right(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    assert served.accounts
    cookie = f"footnote={served.accounts.session(READER)}"
    assert served.ask("/api/ask", headers={"cookie": cookie}).status == 200
    for authorization in ("Bearer footnote_wrong", "bearer ", "Bearer", "BEARER é"):
        headers = {"cookie": cookie, "authorization": authorization}
        for path in ("/api/ask", "/", "/api/health", "/login"):
            answered = served.ask(path, headers=headers)
            assert told(answered)[:2] == (401, "login")
            assert answered.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert len(served.behind.seen) == 1
    assert {record.name for record in caplog.records} == {"footnote.access"}
    assert {record.getMessage() for record in caplog.records} == {"token refused"}
    assert "footnote_wrong" not in str([vars(record) for record in caplog.records])


def test_what_a_proxy_authorizes_is_not_ours(served: Served) -> None:
    assert served.accounts
    basic = {"authorization": "Basic ZGVzay0xOng="}
    assert served.ask("/api/ask", headers=basic).status == 401
    cookie = {"cookie": f"a=b; footnote={served.accounts.session(READER)}"}
    assert served.ask("/api/ask", headers={**basic, **cookie}).status == 200


def test_a_session_is_sent_in_one_cookie(site: Served) -> None:
    assert site.accounts
    session = site.accounts.session(KEEPER)
    for cookie, status in [
        (f"__Host-footnote={session}", 200),
        (f"footnote={session}", 401),
        (f"__Host-footnote={session}x", 401),
        ("__Host-footnote=", 401),
    ]:
        assert site.ask("/api/ask", headers={"cookie": cookie}).status == status
    assert site.behind.seen == [("/api/ask", KEEPER, b"")]


def test_browsers_are_sent_to_the_login_and_programs_told(served: Served) -> None:
    answered = served.ask("/", headers={"accept": "text/html,*/*"})
    assert (answered.status, answered.headers["location"]) == (303, "/login")
    for path, accept in [("/", "application/json"), ("/config", "text/html"), ("/api/ask", "*/*")]:
        answered = served.ask(path, headers={"accept": accept})
        assert told(answered) == (
            401,
            "login",
            "Log in first, or send a token as “Authorization: Bearer …”.",
        )
        assert answered.headers["www-authenticate"] == "Bearer"


def test_who_has_not_logged_in_may_nothing_where_all_may_come(served: Served) -> None:
    assert served.ask("/api/health").status == 200
    assert served.ask("/login").status == 200
    assert served.ask("/manifest.json").status == 200
    assert {user for _, user, _ in served.behind.seen} == {STRANGER}
    assert len(served.behind.seen) == 3
    assert not STRANGER.may_manage


def test_where_nobody_logs_in_there_is_no_login_and_any_token_will_do() -> None:
    served = Served(None)
    for method, path in [("GET", "/login"), ("POST", "/login"), ("POST", "/logout")]:
        assert told(served.ask(path, method=method)) == (404, "request", "Nobody logs in here.")
    headers = {"authorization": "Bearer of-an-openai-client"}
    assert served.ask("/v1/models", headers=headers).status == 200
    assert served.behind.seen == [("/v1/models", NOBODY, b"")]


def test_where_the_users_cannot_be_read_nobody_comes_in(
    served: Served, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "users.json").write_text("{")
    answered = served.ask("/api/ask", by="desk-1")
    assert told(answered)[:2] == (503, "account")
    assert str(tmp_path).encode() not in answered.body
    [record] = caplog.records
    assert "are damaged: put back a copy" in vars(record)["error"]
    assert served.behind.seen == []


def test_what_only_a_proxy_says_goes_no_further(served: Served) -> None:
    headers = {
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "https",
        "forwarded": "host=evil.example",
        "x-gradio-server": "http://evil.example",
        "x-request-id": "a1",
    }
    assert served.ask("/config", by="desk-1", headers=headers).status == 200
    [seen] = served.behind.headers
    assert sorted(seen) == ["authorization", "host", "x-request-id"]


# 6. How often


def test_who_asks_too_often_waits(tmp_path: Path) -> None:
    served = Served(tmp_path / "users.json", api_per_minute=3, all_per_minute=5)

    def statuses(count: int, path: str, by: str = "", client: str = "192.0.2.1") -> list[int]:
        return [served.ask(path, by=by, client=client).status for _ in range(count)]

    assert statuses(4, "/api/ask", "desk-1") == [200, 200, 200, 429]
    assert statuses(1, "/v1/models", "desk-1") == [429]  # all that programs ask counts
    assert statuses(1, "/api/ask", "desk-2") == [200]
    assert served.behind.seen[-1][1] == KEEPER

    assert statuses(6, "/config", "desk-2") == [200] * 4 + [429] * 2
    assert statuses(6, "/api/health") == [200] * 5 + [429]
    assert statuses(1, "/api/ask") == [429]  # and whoever guesses
    assert statuses(1, "/api/health", client="192.0.2.2") == [200]
    assert statuses(6, "/api/health", client="2001:db8::1") == [200] * 5 + [429]
    assert statuses(1, "/api/health", client="2001:db8::2") == [429]  # of the same network
    assert statuses(1, "/api/health", client="2001:db8:0:1::1") == [200]
    assert statuses(1, "/api/health", client="::ffff:192.0.2.1") == [429]


def test_it_is_told_when_to_ask_again(tmp_path: Path) -> None:
    served = Served(tmp_path / "users.json", all_per_minute=1)
    assert served.ask("/config", by="desk-1").status == 200
    answered = served.ask("/config", by="desk-1")
    assert told(answered) == (429, "busy", "That was too often: try again in 60 seconds.")
    assert answered.headers["retry-after"] == "60"


def test_as_often_as_is_usual() -> None:
    assert (Access().api_per_minute, Access().all_per_minute) == (120, 1200)
    served = Served(None, all_per_minute=1)
    assert [served.ask("/config").status for _ in range(3)] == [200, 200, 200]  # nobody else waits


# 8. Whose session


def join(session: object, **more: object) -> dict[str, Any]:
    body = json.dumps({"session_hash": session, "data": [], "fn_index": 0, **more}).encode()
    return {"method": "POST", "pieces": [body]}


OTHERS: list[tuple[str, dict[str, Any]]] = [
    ("/gradio_api/queue/join", join("s1")),
    ("/gradio_api/run/predict", join("s1")),
    ("/gradio_api/cancel", join("s1", event_id="e1")),
    ("/gradio_api/reset", join("s1")),
    ("/gradio_api/heartbeat/s1", {}),
    ("/gradio_api/queue/data?session_hash=s1", {}),
    ("/gradio_api/queue/data?session_hash=mine&session_hash=s1", {}),
    ("/gradio_api/queue/data?session_hash=s1&session_hash=mine", {}),
    ("/gradio_api/queue/data?session%5Fhash=s%31", {}),
    ("/gradio_api/queue/join?session_hash=s1", join("mine")),
    ("/gradio_api/upload_progress?upload_id=s1", {}),
    ("/gradio_api/upload?upload_id=s1", {"method": "POST"}),
    (
        "/gradio_api/queue/join",
        {"method": "POST", "pieces": ['{"session_hash": "s1"}'.encode("utf-16")]},
    ),
    ("/gradio_api/queue/join", {"method": "POST", "pieces": [b'{"session_hash": "\\u00731"}']}),
]


@pytest.mark.parametrize(("path", "options"), OTHERS)
def test_a_session_belongs_to_whoever_began_it(
    served: Served, path: str, options: dict[str, Any]
) -> None:
    assert served.ask("/gradio_api/queue/join", by="desk-1", **join("s1")).status == 200
    answered = served.ask(path, by="desk-2", **options)
    assert told(answered) == (403, "forbidden", "This session belongs to somebody else.")
    assert len(served.behind.seen) == 1
    if "upload" not in path:
        assert served.ask(path, by="desk-1", **options).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b'{"session_hash": "mine", "session_hash": "s1"}',
        b'{"session_hash": "s1", "session_hash": "mine"}',
        b'{"data": [{"a": 1, "a": 2}]}',
        b'["session_hash", "s1"]',
        b"session_hash=s1",
        b"",
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_a_body_that_can_be_read_in_two_ways_is_refused(served: Served, body: bytes) -> None:
    for path in ("/gradio_api/queue/join", "/gradio_api/run/predict", "/gradio_api/cancel"):
        answered = served.ask(path, by="desk-1", method="POST", pieces=[body])
        assert told(answered) == (400, "request", "This is not what the page sends.")
    assert served.behind.seen == []


def test_sessions_are_nobodys_where_nobody_logs_in() -> None:
    served = Served(None)
    assert served.ask("/gradio_api/queue/join", method="POST", pieces=[b"not json"]).status == 200


def test_of_many_sessions_those_of_whoever_has_most_are_forgotten() -> None:
    owners = Owners(most=4)
    assert owners.claim(["a"], "desk-1")
    assert all(owners.claim([f"b{number}"], "desk-2") for number in range(100))
    assert not owners.claim(["a", "c"], "desk-2")
    assert not owners.claim(["c", "b99"], "desk-1")
    assert owners.claim(["c"], "desk-3")  # who was refused has begun nothing
    assert owners.claim(["b0"], "desk-3")  # forgotten, so it belongs to whoever comes
    assert len(vars(owners)["_owner"]) == 4


# What is sent back


def test_what_browsers_are_told(served: Served, site: Served) -> None:
    for path, by, options in [
        ("/", "desk-1", {}),
        ("/api/ask", "desk-1", {}),
        ("/api/ask", "", {}),
        ("/no", "", {}),
        ("/api/health", "", {"headers": {"host": "evil.example"}}),
        ("/", "", {"headers": {"accept": "text/html"}}),
    ]:
        headers = served.ask(path, by=by, **options).headers
        assert headers["content-security-policy"] == POLICY
        assert "form-action 'none'" in POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert "strict-transport-security" not in headers
    assert served.ask("/assets/a.js", by="desk-1").headers["cache-control"] == "max-age=60"
    assert served.ask("/assets/a.js").headers["cache-control"] == "no-store"
    assert site.ask("/").headers["strict-transport-security"] == "max-age=31536000"
    login = served.ask("/login").headers["content-security-policy"]
    assert "form-action 'self'" in login
    assert "script-src" not in login
    assert login.startswith("default-src 'none'; ")


# How it is set up


@pytest.mark.parametrize(
    ("options", "told_"),
    [
        ({"host": "192.0.2.7"}, r"^Whoever reaches 192.0.2.7 could .*'footnote users add NAME'"),
        ({"url": "https://footnote.example"}, r"^Whoever reaches https://footnote.example could"),
        ({"url": "footnote.example"}, r"^“footnote.example” is no address of a site: give"),
        ({"url": "https://footnote.example/chat"}, "is no address of a site.*without a path"),
        ({"url": "https://desk-1@footnote.example"}, "is no address of a site"),
        ({"url": "ftp://footnote.example"}, "is no address of a site"),
    ],
)
def test_nobody_is_let_in_by_accident(options: dict[str, Any], told_: str) -> None:
    with pytest.raises(AccountError, match=told_):
        Access(**options)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://footnote.example:443", "https://footnote.example"),
        ("http://footnote.example:80", "http://footnote.example"),
        ("https://FOOTNOTE.example:8443", "https://footnote.example:8443"),
        ("http://[2001:db8::1]:8080", "http://[2001:db8::1]:8080"),
    ],
)
def test_an_address_is_what_browsers_call_it(tmp_path: Path, url: str, origin: str) -> None:
    access = Access(Accounts(tmp_path / "users.json"), url=url)
    host = url.partition("//")[2]
    assert access.is_meant(host)
    assert access.is_own(origin, host)
    assert not access.is_own(url.replace("http", "ftp"), host)
