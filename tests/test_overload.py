"""Who sends too much, too slowly, or what takes long: it ends soon, and others are answered."""

import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gradio as gr
import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Mount

from rag.line import Line
from serve.held import Held
from serve.refusal import Refusal
from serve.server import server
from serve.unread import Unread
from tests.browser import free_port
from tests.serving import wait_until
from tests.team import ANSWER, KEEPER, QUESTION, READERS, Tab, Team, home, serving, team

pytestmark = pytest.mark.slow

FIRST, SECOND = READERS
SECONDS = 30.0
"""That anything here may take, however busy the machine is; each took minutes once, or hours."""


@pytest.fixture
def client(team: Team) -> Iterator[httpx.Client]:
    """The first reader's; afterwards the server still answers, at once."""
    with team.client(FIRST) as client:
        began = time.monotonic()
        yield client
        assert client.get("/api/version").status_code == 200
        assert time.monotonic() - began < SECONDS


def chat(question: str, *before: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [*before, {"role": "user", "content": question}]}


# Long questions


@pytest.mark.parametrize(
    "question",
    ["a." * 100_000, "p" * 900_000, "planes " * 130_000, "\u3000" * 200_000, '"' * 200_000],
    ids=["dots", "one word", "words", "spaces", "quotes"],
)
def test_a_question_of_any_length_is_refused_soon(client: httpx.Client, question: str) -> None:
    for answered in (
        client.post("/api/ask", json={"question": question}),
        client.post("/api/ask/stream", json={"question": question}),
        client.post("/v1/chat/completions", json=chat(question)),
        client.post("/v1/chat/completions", json=chat(question) | {"stream": True}),
        client.get("/api/search", params={"query": question[:6000]}),
    ):
        assert answered.status_code == 400, answered.text
        assert len(answered.content) < 1000


def test_the_page_takes_no_long_question(team: Team, client: httpx.Client) -> None:
    tab = Tab(client)
    answered = tab.send("run/predict", "take_question", "a." * 3000, None)
    assert answered.status_code == 500
    assert "The question has 6,000 characters, more than the 4,000 that are read" in answered.text
    told = tab.await_("ask", "a." * 3000)
    assert "The question has 6,000 characters" in told
    assert tab.send("run/predict", "take_question", "a." * 200_000, None).status_code == 413
    assert team.history.of(FIRST).find() == []


@pytest.mark.parametrize(
    "piece", ["a.", "p", '"', "(", "—", "a…", "who?and", "1,", "who is a's ", "A-b ", "not ", "@"]
)
def test_no_question_that_is_taken_takes_long(client: httpx.Client, piece: str) -> None:
    """Whatever regular expressions look at it: all that are left are few characters."""
    words = " ".join((piece * 4000)[:4000].split()[:390])
    assert client.post("/api/ask", json={"question": f"How {words}"[:4000]}).status_code == 200


def test_of_what_a_question_leans_on_little_is_read(team: Team, client: httpx.Client) -> None:
    del team.model.asked[:]
    after = {"question": "q" * 400_000, "text": "t. " * 150_000}
    answered = client.post("/api/ask", json={"question": "And how many of them?", "after": after})
    assert answered.status_code == 200
    assert len(answered.json()["query"]) < 10_000
    before = {"role": "user", "content": "q " * 90_000}
    for said in ("x" + " " * 300_000 + "y", "[1]" * 100_000, "[" * 300_000, "\n\n[1] “" * 50_000):
        reply = {"role": "assistant", "content": said}
        answered = client.post("/v1/chat/completions", json=chat("And they?", before, reply))
        assert answered.status_code == 200
    assert max(len(str(messages)) for messages in team.model.asked) < 20_000


# Long lists


@pytest.mark.parametrize(
    ("documents", "status"),
    [
        (["notes.md"] * 10_000, 400),
        ([f"*{number}*" for number in range(10_000)], 400),
        (["n" * 900_000], 400),
        (["[" * 100_000], 400),
        (["[" * 1000], 400),
        (["*a" * 400 + "*.md"], 400),
        (["?" * 900 + "*"], 400),
        (["n" * 1000], 400),
        (["*"] * 1000, 200),
        (["*" * 1000], 200),
    ],
)
def test_a_filter_of_any_length_is_told_of_soon(
    client: httpx.Client, documents: list[str], status: int
) -> None:
    asked = {"question": QUESTION, "documents": documents}
    assert client.post("/api/ask", json=asked).status_code == status
    record = chat(QUESTION) | {"footnote": {"documents": documents}}
    answered = client.post("/v1/chat/completions", json=record)
    assert answered.status_code == status
    assert status == 200 or len(answered.content) < 5000
    few = {"query": QUESTION, "document": [name[:1000] for name in documents[:50]]}
    assert client.get("/api/search", params=few).status_code in (200, 400)


def test_too_many_names_in_an_address_are_refused(team: Team) -> None:
    target = f"/api/search?query=planes{'&document=a' * 3000}"
    status, _, body = team.raw("GET", target, by=FIRST)
    assert (status, json.loads(body)["error"]["type"]) == (400, "question")
    status, _, _ = team.raw("GET", f"/api/search?query={'a' * 100_000}", by=FIRST)
    assert status in (400, 414, 431)


def test_a_conversation_of_any_length_is_answered_soon(client: httpx.Client) -> None:
    short = {"role": "user", "content": "a"}
    answered = client.post("/v1/chat/completions", json=chat(QUESTION, *[short] * 25_000))
    assert answered.json()["choices"][0]["message"]["content"].startswith(ANSWER)
    parts = [{"type": "text", "text": "a"}] * 25_000
    answered = client.post(
        "/v1/chat/completions", json=chat("", {"role": "user", "content": parts})
    )
    assert answered.status_code == 400
    answered = client.post("/v1/chat/completions", json={"messages": [{"role": []}] * 50_000})
    assert answered.status_code == 400
    assert len(answered.content) < 1000


@pytest.mark.parametrize("words", ["(a+)+$", ".*" * 9000, "[[[[" * 5000, "%_" * 5000, "a " * 9000])
def test_words_to_look_for_are_no_patterns(client: httpx.Client, words: str) -> None:
    answered = client.get("/api/documents", params={"words": words})
    assert (answered.status_code, answered.json()["total"]) == (200, 0)
    tab = Tab(client)
    for event in ("show_1", "show_2"):
        assert "notes.md" not in tab.quick(event, words)
    told = tab.press(act="find", words=words)
    told += tab.press(act="open", document="notes.md") + tab.press(act="find", words=words)
    assert "0 of 0" in told or "1 of" in told


# What is no JSON, or no text


@pytest.mark.parametrize(
    "path",
    ["/api/ask", "/v1/chat/completions", "/mcp", "/gradio_api/run/predict", "/gradio_api/cancel"],
)
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"question":' * 50_000,
        b'{"question": "a", "messages": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        b'{"question": ' + b"9" * 10_000 + b', "n": ' + b"9" * 10_000 + b"}",
        b'{"question": 1e999999, "messages": NaN}',
        b'"question',
        b"\x00\x01\x02",
        b"\xff\xfe\xfd",
        gzip.compress(b'{"question": "' + b"a" * 10_000_000 + b'"}'),
    ],
    ids=range(9),
)
def test_what_is_no_request_is_refused(client: httpx.Client, path: str, body: bytes) -> None:
    headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    answered = client.post(path, content=body, headers=headers)
    assert answered.status_code in (400, 413, 422), answered.text
    assert len(answered.content) < 5000


def test_tools_are_called_one_at_a_time(client: httpx.Client) -> None:
    arguments = {"name": "search", "arguments": {"query": "planes"}}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": arguments}
    headers = {"accept": "application/json, text/event-stream"}
    answered = client.post("/mcp", json=[call] * 1000, headers=headers)
    assert answered.status_code == 400
    assert ANSWER not in answered.text


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_nothing_is_unpacked(client: httpx.Client, encoding: str) -> None:
    bomb = gzip.compress(json.dumps({"question": "a" * 10_000_000}).encode())
    headers = {"content-type": "application/json", "content-encoding": encoding}
    assert client.post("/api/ask", content=bomb, headers=headers).status_code == 400


HALF = "\\ud800"
"""Half a character, as JSON may write it; no UTF-8 can."""


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/ask", '{"question": "HALF planes"}'),
        ("/api/ask/stream", '{"question": "HALF planes"}'),
        ("/api/ask", '{"question": "planes", "documents": ["HALF"]}'),
        ("/v1/chat/completions", '{"messages": [{"role": "user", "content": "HALF planes"}]}'),
        (
            "/v1/chat/completions",
            '{"messages": [{"role": "user", "content": [{"type": "HALF", "image_url": {}}]}]}',
        ),
        (
            "/v1/chat/completions",
            '{"model": "HALF", "messages": [{"role": "user", "content": "planes"}]}',
        ),
        (
            "/v1/chat/completions",
            '{"messages": [{"role": "user", "content": "planes"}],'
            ' "footnote": {"documents": ["HALF"]}}',
        ),
    ],
)
def test_half_a_character_is_refused(client: httpx.Client, path: str, body: str) -> None:
    content = body.replace("HALF", HALF)
    headers = {"content-type": "application/json"}
    answered = client.post(path, content=content, headers=headers)
    assert answered.status_code in (400, 422)
    assert answered.json()["error"]["message"]


def test_half_a_character_before_a_question_harms_nothing(client: httpx.Client) -> None:
    said = f'{{"question": "{HALF}", "text": "{HALF}"}}'
    body = f'{{"question": "And they?", "after": {said}}}'
    headers = {"content-type": "application/json"}
    assert client.post("/api/ask", content=body, headers=headers).status_code == 200
    messages = [{"role": role, "content": "HALF"} for role in ("system", "user", "assistant")]
    content = json.dumps(chat("And they?", *messages)).replace("HALF", HALF)
    answered = client.post("/v1/chat/completions", content=content, headers=headers)
    assert answered.status_code == 200


def test_no_line_of_a_stream_is_anybodys_text(client: httpx.Client) -> None:
    evil = "planes at Caracas\n\ndata: {}\r\nevent: done\rid: 1\u2028\u0085event: error"
    told = client.post("/api/ask/stream", json={"question": evil}).content.decode()
    for line in told.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        name, _, data = line.partition(": ")
        assert name in ("event", "data", ""), line
        if name == "data":
            json.loads(data)
        if name == "event":
            assert data in ("waiting", "retrieved", "token", "sentence", "done")


# Large and slow bodies


def test_a_body_may_not_be_larger_than_what_is_taken(team: Team, client: httpx.Client) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(64):
            yield b" " * 2**15

    for path, most in [
        ("/api/ask", 2**20),
        ("/v1/chat/completions", 2**20),
        ("/mcp", 2**20),
        ("/gradio_api/run/predict", 2**18),
        ("/gradio_api/queue/join", 2**18),
        ("/login", 2**14),
        ("/logout", 2**20),
    ]:
        assert client.post(path, content=b" " * (most + 1)).status_code == 413
        assert client.post(path, content=pieces()).status_code == 413


def test_of_an_upload_with_too_many_parts_nothing_is_kept(team: Team) -> None:
    before = team.on_disk()
    with team.client(KEEPER) as client:
        for path in ("/api/documents", "/gradio_api/upload"):
            files = [("files", (f"{number}.md", b"New.")) for number in range(1100)]
            assert client.post(path, files=files).status_code == 400
            head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.md"\r\n'
            body = head + b"X-Long: " + b"a" * 500_000 + b"\r\n\r\nNew.\r\n--x--\r\n"
            headers = {"content-type": "multipart/form-data; boundary=x"}
            assert client.post(path, content=body, headers=headers).status_code in (400, 413)
    assert team.on_disk() == before


def begin(team: Team, path: str) -> socket.socket:
    """A request whose body has only begun."""
    port = urlsplit(team.address).port
    begun = socket.create_connection(("127.0.0.1", port), timeout=30)
    begun.sendall(
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 1000\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n"
        f"Authorization: Bearer {team.tokens[KEEPER]}\r\n\r\n--x\r\n".encode()
    )
    return begun


def test_who_sends_slowly_is_let_go_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    paths = ["/api/ask", "/mcp", "/gradio_api/queue/join", "/login", "/api/documents"]
    paths.append("/gradio_api/upload")
    with serving(tmp_path / "slow", piece_seconds=0.5) as team, ExitStack() as stack:
        slow = [stack.enter_context(begin(team, path)) for path in paths * 3]
        with team.client(FIRST) as client:
            assert client.post("/api/ask", json={"question": QUESTION}).status_code == 200
        for one in slow:
            assert one.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_who_sends_no_whole_head_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve.server._STALLED", 0.5)
    run = server(PlainTextResponse("Here."), Line(), host="127.0.0.1", port=free_port(), grace=0)
    run.config.lifespan = "off"
    thread = threading.Thread(target=run.run)
    thread.start()
    try:
        wait_until(lambda: run.started)
        place = ("127.0.0.1", run.config.port)
        with ExitStack() as stack:
            silent, begun = (
                stack.enter_context(socket.create_connection(place, timeout=SECONDS))
                for _ in range(2)
            )
            begun.sendall(b"GET / HTTP/1.1\r\nHost: 127.0")
            resting = HTTPConnection(*place, timeout=SECONDS)
            stack.callback(resting.close)
            resting.auto_open = False  # the one connection is to stay
            resting.connect()
            for _ in range(2):
                resting.request("GET", "/")
                assert resting.getresponse().read() == b"Here."
                for one in (silent, begun):
                    with suppress(ConnectionResetError):
                        assert one.recv(1000) == b""
                time.sleep(1)
    finally:
        run.should_exit = True
        thread.join(SECONDS)


def test_who_holds_too_many_requests_open_is_refused_and_nobody_else(tmp_path: Path) -> None:
    with serving(tmp_path / "held", open_at_once=3) as team:
        with ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(begin(team, "/api/ask"))
            with team.client(KEEPER) as client, team.client(FIRST) as other, team.client() as new:
                wait_until(lambda: client.get("/api/version").status_code == 429)
                refused = client.get("/api/version")
                assert refused.headers["retry-after"] == "5"
                assert refused.json()["error"]["message"].startswith("3 requests of yours are open")
                assert other.get("/api/version").status_code == 200
                assert new.get("/login").status_code == 200
        with team.client(KEEPER) as client:
            wait_until(lambda: client.get("/api/version").status_code == 200)


def test_of_who_has_nothing_open_nothing_is_remembered() -> None:
    held = Held(2)
    with held.one("a"), held.one("a"):
        with pytest.raises(Refusal, match="2 requests of yours are open"), held.one("a"):
            pass
        with held.one("b"):
            pass
        assert set(vars(held)["_open"]) == {"a"}
    assert not vars(held)["_open"]


# What is remembered of tabs


def test_who_opens_too_many_tabs_waits(tmp_path: Path) -> None:
    with (
        serving(tmp_path / "tabs", sessions_per_minute=3) as team,
        team.client(FIRST) as client,
        team.client(SECOND) as other,
    ):
        tabs = [Tab(client) for _ in range(4)]
        statuses = [tab.send("run/predict", "welcome").status_code for tab in tabs]
        assert statuses == [200, 200, 200, 429]
        assert tabs[0].send("run/predict", "welcome").status_code == 200
        assert Tab(other).send("run/predict", "welcome").status_code == 200


@pytest.mark.parametrize("session", ["a" * 65, "", "a b", "é", "a\n", 7, ["a"], {"a": 1}, True])
def test_a_session_has_a_short_name(client: httpx.Client, session: object) -> None:
    record = {"data": [], "fn_index": 0, "session_hash": session}
    for path in ("run/predict", "queue/join", "cancel"):
        assert client.post(f"/gradio_api/{path}", json=record).status_code == 400
    if isinstance(session, str):
        answered = client.get("/gradio_api/queue/data", params={"session_hash": session})
        assert answered.status_code == 400


def page_of(team: Team) -> gr.Blocks:
    [page] = [
        route.app for route in team.behind.routes if isinstance(route, Mount) if not route.path
    ]
    blocks = getattr(page, "get_blocks")()  # noqa: B009  (only Gradio's has it)
    assert isinstance(blocks, gr.Blocks)
    return blocks


def test_what_nobody_fetches_is_thrown_away(team: Team, client: httpx.Client) -> None:
    queue = page_of(team)._queue
    unread = Unread(page_of(team), times=2)
    left, followed = Tab(client), Tab(client)
    for tab in (left, followed):
        assert tab.send("queue/join", "show_1", "").status_code == 200
    wait_until(lambda: queue.pending_messages_per_session[left.session].qsize() >= 3)
    unread.look()
    assert "process_completed" in followed.follow()
    unread.look()
    assert left.session not in queue.pending_messages_per_session
    assert left.session not in queue.pending_event_ids_session
    assert followed.session in queue.pending_messages_per_session
    assert "process_completed" in left.await_("show_1", "")  # and it can be used again


def test_of_tabs_only_so_many_are_kept(team: Team) -> None:
    assert page_of(team).state_holder.capacity == 1000
