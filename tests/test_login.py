"""Logging in and out, behind the gate."""

import json
import logging
import re
import statistics
import time
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

import anyio
import pytest
from argon2 import PasswordHasher
from starlette.applications import Starlette

from serve.access import Access
from serve.accounts import Accounts
from serve.gate import Gate
from serve.login import WRONG, login_routes
from tests.asgi import Answered, ask
from tests.test_accounts import PASSWORD, QUICK, READER

LOCKED = "There were too many attempts: try it again in 5 minutes."


class Door:
    """The routes behind their gate, and one who comes to them with a browser."""

    def __init__(self, file: Path, *, url: str | None = None, slow: bool = False) -> None:
        hasher = PasswordHasher(time_cost=4, memory_cost=4096, parallelism=1) if slow else QUICK
        self.accounts = Accounts(file, hasher=hasher)
        self.accounts.add("desk-1", PASSWORD)
        self.now = 1000.0
        access = Access(self.accounts, url=url, all_per_minute=10**6)
        self.host = "footnote.example" if url else "127.0.0.1:7860"
        self.origin = url or f"http://{self.host}"
        app = Starlette(routes=login_routes(access, clock=lambda: self.now))
        self.gate = Gate(app, access)

    def ask(self, path: str, *, method: str = "GET", body: bytes = b"", **headers: str) -> Answered:
        client = headers.pop("client", "192.0.2.1")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"host": self.host, "accept": "text/html", "origin": self.origin, **named}
        sent = {name: value for name, value in sent.items() if value}
        return ask(self.gate, path, method=method, headers=sent, pieces=[body], client=client)

    def log_in(self, name: str, password: str = PASSWORD, **headers: str) -> Answered:
        body = urlencode({"username": name, "password": password}).encode()
        return self.ask("/login", method="POST", body=body, **headers)


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path / "users.json")


def problem(answered: Answered) -> str:
    found = re.search(r'<p role="alert">(.*)</p>', answered.body.decode())
    return found[1] if found else ""


def test_the_form_runs_no_script_and_is_for_password_managers(door: Door) -> None:
    answered = door.ask("/login", origin="")
    page = answered.body.decode()
    assert answered.status == 200
    assert problem(answered) == ""
    assert "<script" not in page
    assert "http" not in page
    assert re.findall(r"<label>\s*(\w+)\s*<input", page) == ["Name", "Password"]
    assert 'autocomplete="username"' in page
    assert 'autocomplete="current-password"' in page
    assert 'lang="en"' in page
    assert "$" not in page


def test_the_right_password_begins_a_session(door: Door) -> None:
    answered = door.log_in("desk-1")
    assert (answered.status, answered.headers["location"]) == (303, "/")
    [cookie] = SimpleCookie(answered.headers["set-cookie"]).values()
    assert cookie.key == "footnote"
    assert door.accounts.of_session(cookie.value) == READER
    assert (cookie["path"], cookie["samesite"], cookie["max-age"]) == ("/", "lax", "43200")
    assert (cookie["httponly"], cookie["secure"], cookie["domain"]) == (True, "", "")
    again = door.ask("/login", origin="", cookie=f"footnote={cookie.value}")
    assert (again.status, again.headers["location"]) == (303, "/")


def test_over_tls_the_cookie_is_of_this_host_and_of_tls_alone(tmp_path: Path) -> None:
    door = Door(tmp_path / "users.json", url="https://footnote.example")
    header = door.log_in("desk-1").headers["set-cookie"]
    assert re.fullmatch(
        r"__Host-footnote=\S+; HttpOnly; Max-Age=43200; Path=/; SameSite=lax; Secure", header
    )


def test_a_program_may_log_in_like_a_browser(door: Door) -> None:
    answered = door.log_in("desk-1", accept="*/*", origin="")
    assert (answered.status, json.loads(answered.body)) == (200, {"user": "desk-1"})
    assert "footnote=" in answered.headers["set-cookie"]
    answered = door.log_in("desk-1", "wrong", accept="*/*", origin="")
    assert (answered.status, json.loads(answered.body)) == (
        401,
        {"error": {"type": "login", "message": WRONG}},
    )


@pytest.mark.parametrize(
    "body",
    [
        urlencode({"username": "desk-1", "password": "wrong"}),
        urlencode({"username": "nobody", "password": PASSWORD}),
        urlencode({"username": "desk-1", "password": ""}),
        urlencode({"username": "<script>alert(1)</script>", "password": PASSWORD}),
        urlencode({"username": "desk-1"}),
        urlencode({"password": PASSWORD}),
        urlencode([("username", "desk-1"), ("username", "desk-1"), ("password", PASSWORD)]),
        "&".join(f"a{number}=1" for number in range(50)) + f"&username=desk-1&password={PASSWORD}",
        json.dumps({"username": "desk-1", "password": PASSWORD}),
        "",
        "\udcff",
    ],
)
def test_whatever_else_is_sent_gets_one_answer(door: Door, body: str) -> None:
    answered = door.ask("/login", method="POST", body=body.encode(errors="surrogateescape"))
    assert (answered.status, problem(answered)) == (401, WRONG)
    assert "set-cookie" not in answered.headers
    assert b"script" not in answered.body


def test_there_is_no_way_to_elsewhere(door: Door) -> None:
    body = urlencode({"username": "desk-1", "password": PASSWORD, "next": "//evil.example"})
    answered = door.ask("/login?next=//evil.example", method="POST", body=body.encode())
    assert answered.headers["location"] == "/"


def test_another_site_can_log_nobody_in_or_out(door: Door) -> None:
    session = door.log_in("desk-1").headers["set-cookie"].partition(";")[0]
    for path in ("/login", "/logout"):
        for origin, site in [("https://evil.example", ""), ("null", ""), ("", "cross-site")]:
            answered = door.ask(
                path, method="POST", cookie=session, origin=origin, sec_fetch_site=site
            )
            assert answered.status == 403
    assert door.ask("/logout", method="POST", cookie=session, origin="").status == 403
    assert door.ask("/", cookie=session).status == 404  # let in: nothing stands behind


# Too many attempts


@pytest.mark.parametrize("name", ["desk-1", "nobody"])
def test_a_name_is_locked_after_five_attempts_whether_it_exists_or_not(
    door: Door, name: str
) -> None:
    answers = [door.log_in(name, "wrong", client=f"192.0.2.{number}") for number in range(6)]
    assert [answered.status for answered in answers] == [401] * 5 + [429]
    assert [problem(answered) for answered in answers] == [WRONG] * 5 + [LOCKED]
    assert answers[-1].headers["retry-after"] == "300"
    assert door.log_in(name.upper(), client="192.0.2.9").status == 429  # the right one, too
    assert door.log_in("somebody", client="192.0.2.9").status == 401
    door.now += 299
    assert door.log_in(name).status == 429
    door.now += 1
    assert door.log_in("desk-1").status == 303


def test_attempts_that_lie_far_apart_lock_nothing(door: Door) -> None:
    for _ in range(20):
        assert door.log_in("desk-1", "wrong").status == 401
        door.now += 75  # four within five minutes


def test_an_address_is_locked_after_twenty_attempts(door: Door) -> None:
    statuses = [door.log_in(f"name-{number}").status for number in range(21)]
    assert statuses == [401] * 20 + [429]
    assert door.log_in("desk-1").status == 429
    assert door.log_in("desk-1", client="192.0.2.2").status == 303
    door.now += 300
    assert door.log_in("desk-1").status == 303


def test_an_account_of_ones_own_buys_no_attempts(door: Door) -> None:
    for number in range(20):
        assert door.log_in("desk-1").status == 303
        assert door.log_in(f"name-{number}").status == 401
    assert door.log_in("desk-1").status == 429


def test_logging_in_takes_back_the_attempts_of_that_name(door: Door) -> None:
    for _ in range(3):
        for _ in range(4):
            assert door.log_in("desk-1", "wrong").status == 401
        assert door.log_in("desk-1").status == 303


def test_names_that_cannot_be_are_locked_together(door: Door) -> None:
    statuses = [door.log_in(f"a name {number}").status for number in range(6)]
    assert statuses == [401] * 5 + [429]


def test_many_attempts_at_once_are_no_more_than_five(door: Door) -> None:
    form = urlencode({"username": "desk-1", "password": "wrong"}).encode()
    statuses: list[int] = []

    async def attempt(client: str) -> None:
        scope = {
            "type": "http", "http_version": "1.1", "method": "POST", "scheme": "http",
            "path": "/login", "raw_path": b"/login", "query_string": b"", "root_path": "",
            "headers": [(b"host", b"127.0.0.1"), (b"accept", b"text/html")],
            "client": (client, 1), "server": ("127.0.0.1", 7860),
        }  # fmt: skip

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": form, "more_body": False}

        async def send(message: object) -> None:
            assert isinstance(message, dict)
            statuses.extend([message["status"]] if "status" in message else [])

        await door.gate(scope, receive, send)

    async def attempt_all() -> None:
        async with anyio.create_task_group() as group:
            for number in range(40):
                group.start_soon(attempt, f"192.0.2.{number}")

    anyio.run(attempt_all)
    assert sorted(statuses) == [401] * 5 + [429] * 35


def test_the_answer_takes_as_long_for_a_name_that_nobody_has(tmp_path: Path) -> None:
    door = Door(tmp_path / "users.json", slow=True)
    door.log_in("nobody")

    def seconds(name: str) -> float:
        door.now += 1000  # nothing is locked
        began = time.process_time()  # which other programs do not lengthen
        assert door.log_in(name, "wrong").status == 401
        return time.process_time() - began

    rounds = [(seconds("desk-1"), seconds("nobody"), seconds("a b")) for _ in range(11)]
    assert 0.5 < statistics.median(unknown / known for known, unknown, _ in rounds) < 2
    assert 0.5 < statistics.median(none / known for known, _, none in rounds) < 2


def test_a_locked_name_costs_no_comparison(tmp_path: Path) -> None:
    door = Door(tmp_path / "users.json", slow=True)
    for _ in range(5):
        door.log_in("desk-1", "wrong")
    began = time.process_time()
    for _ in range(5):
        assert door.log_in("desk-1").status == 429
    locked = (time.process_time() - began) / 5
    began = time.process_time()
    assert door.accounts.of_password("desk-1", PASSWORD)
    assert locked < (time.process_time() - began) / 2


# Logging out


def test_logging_out_ends_every_session_of_the_user(door: Door) -> None:
    here = door.log_in("desk-1").headers["set-cookie"].partition(";")[0]
    there = door.log_in("desk-1").headers["set-cookie"].partition(";")[0]
    answered = door.ask("/logout", method="POST", cookie=here)
    assert (answered.status, answered.headers["location"]) == (303, "/login")
    assert answered.headers["set-cookie"].startswith('footnote=""; ')
    assert "Max-Age=0" in answered.headers["set-cookie"]
    for cookie in (here, there):
        assert door.ask("/", cookie=cookie).headers["location"] == "/login"
    assert door.log_in("desk-1").status == 303


# Where the users cannot be read


def test_a_damaged_file_is_told_to_whoever_runs_it_alone(
    door: Door, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "users.json").write_text("{")
    answered = door.log_in("desk-1")
    assert answered.status == 503
    assert json.loads(answered.body)["error"]["message"] == (
        "Nobody can be let in just now: the server's log says why."
    )
    [record] = caplog.records
    assert f"“{tmp_path / 'users.json'}” are damaged" in vars(record)["error"]


# What is logged


def test_the_log_tells_who_and_from_where_and_no_password(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "footnote.access")
    cookie = door.log_in("DESK-1").headers["set-cookie"].partition(";")[0]
    for _ in range(6):
        door.log_in("desk-1", "a wrong password", client="2001:db8::1")
    door.log_in("a-password-in-the-wrong-field", client="192.0.2.3")
    door.ask("/logout", method="POST", cookie=cookie)
    said = [
        (record.getMessage(), vars(record)["user"], vars(record)["address"])
        for record in caplog.records
        if record.name == "footnote.access"
    ]
    assert said == [
        ("login", "desk-1", "192.0.2.1"),
        *[("login failed", "desk-1", "2001:db8::/64")] * 5,
        ("login locked", "desk-1", "2001:db8::/64"),
        ("login failed", "", "192.0.2.3"),
        ("logout", "desk-1", "192.0.2.1"),
    ]
    everything = str([vars(record) for record in caplog.records])
    for secret in (PASSWORD, "a wrong password", "wrong-field", cookie.partition("=")[2]):
        assert secret not in everything
