"""What a served chat lives through, while it answers.

The index is built anew, readers vanish or read slowly, the model's server dies and returns, disks
fill, clocks jump, and it is stopped amid answers: nothing is lost, nothing is mixed, and what
fails says so in one sentence.
"""

import gc
import json
import logging
import os
import re
import resource
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from index.build import build
from index.library import Library
from index.search import Index
from rag.chat import Chat
from rag.generate import Piece
from rag.line import Line
from rag.matter import Search
from rag.prompt import Message
from rag.remote import RemoteModel
from serve import api, completions
from serve.access import Access
from serve.accounts import Accounts
from serve.app import About, _tell_failures, application
from serve.desk import Desk
from serve.gate import Gate
from serve.logged import Logged
from serve.login import login_routes
from serve.server import server
from tests.browser import free_port
from tests.fakes import ListSearch, ScriptedModel, WordEmbedder, document
from tests.scripted_server import Reply, Request, ScriptedServer, streamed
from tests.serving import wait_until
from tests.slow_server import NAMES, Copyist, question, report, said, slow_question
from tests.test_accounts import QUICK
from ui.history import History
from ui.turn import Turn

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[1]
PASSWORD = "a long enough phrase"
DAY = 24 * 60 * 60
OF_GRADIO = pytest.mark.filterwarnings("ignore:The copy keyword is deprecated")
REPORTS = [report(name, 100 + at) for at, name in enumerate(NAMES)]


# A server, and those who ask it


@dataclass
class Served:
    """A chat that is served."""

    server: uvicorn.Server
    desk: Desk

    @property
    def place(self) -> tuple[str, int]:
        port: int = self.server.servers[0].sockets[0].getsockname()[1]
        return "127.0.0.1", port

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.place[1]}", **{"timeout": 30, **options}
        )

    def ask(self, asked: str) -> dict[str, Any]:
        with self.client() as client:
            return ask(client, asked)


@contextmanager
def serving(
    search: Search,
    model: Any,
    *,
    library: Library | None = None,
    access: Access | None = None,
    history: History | None = None,
    sockets: list[socket.socket] | None = None,
) -> Iterator[Served]:
    """The endpoints behind the gate; with a ``history``, everything, the page among it.

    In the end no thread is left that answers.
    """
    before = set(threading.enumerate())
    line = Line()
    desk = Desk(Chat(search=search, generate=model), line=line)
    library, access = library or Library("default"), access or Access()
    if history:
        about = About(index_name="default", model_name=model.name)
        app = application(desk, history, library, access=access, about=about)
    else:
        app = endpoints(desk, library, access)
    served = server(app, line, host="127.0.0.1", port=0, grace=5)
    thread = threading.Thread(target=served.run, args=(sockets,))
    thread.start()
    try:
        wait_until(lambda: served.started or not thread.is_alive(), seconds=30)
        yield Served(served, desk)
    finally:
        served.should_exit = True
        thread.join(30)
    assert not thread.is_alive()
    wait_until(lambda: not any(one.name.startswith("answer") for one in new_threads(before)))


def new_threads(before: set[threading.Thread]) -> set[threading.Thread]:
    return set(threading.enumerate()) - before


def endpoints(desk: Desk, library: Library, access: Access) -> ASGIApp:
    """All but the page, which takes a moment to be made."""
    app = FastAPI()
    _tell_failures(app)
    app.include_router(api.router(desk, library, index_name="default", model_name="copyist"))
    app.include_router(completions.router(desk, index_name="default"))
    app.routes.extend(login_routes(access))
    return Logged(Gate(app, access), desk.metrics)


def ask(client: httpx.Client, asked: str) -> dict[str, Any]:
    """The whole answer."""
    response = client.post("/api/ask", json={"question": asked})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def events_of(response: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each event of a stream: its name, and its data."""
    name = ""
    for line in response.iter_lines():
        key, _, value = line.partition(": ")
        if key == "event":
            name = value
        if key == "data":
            yield name, json.loads(value)


def ask_stream(client: httpx.Client, asked: str) -> dict[str, Any]:
    """The same by events."""
    with client.stream("POST", "/api/ask/stream", json={"question": asked}) as response:
        *_, (name, data) = events_of(response)
    assert name == "done", data
    return data


def ask_openai(client: httpx.Client, asked: str) -> dict[str, Any]:
    """The same as the model of OpenAI's."""
    sent = {"model": "footnote", "messages": [{"role": "user", "content": asked}]}
    response = client.post("/v1/chat/completions", json=sent)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()["footnote"]
    return found


WAYS: list[Callable[[httpx.Client, str], dict[str, Any]]] = [ask, ask_stream, ask_openai]


class Tab:
    """The page in a browser's tab, as far as questions go."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._session = secrets.token_hex(8)
        self._numbers: dict[str, int] = {}
        for one in client.get("/config").json()["dependencies"]:
            self._numbers.setdefault(one["api_name"], one["id"])

    def events(self, name: str, *inputs: object) -> Generator[dict[str, Any], None, None]:
        """Those of one step, up to its end."""
        sent = {"fn_index": self._numbers[name], "session_hash": self._session, "data": inputs}
        self._client.post("/gradio_api/queue/join", json=sent).raise_for_status()
        asked = {"session_hash": self._session}
        with self._client.stream("GET", "/gradio_api/queue/data", params=asked) as response:
            for line in response.iter_lines():
                if line.startswith("data: "):
                    yield json.loads(line[6:])
                    if '"process_completed"' in line:
                        return

    def ask(self, asked: str) -> tuple[str, list[str]]:
        """What is drawn of the answer in the end, and the warnings."""
        events = [*self.events("take_question", asked, None), *self.events("draw_answer", None)]
        warnings = [one["log"] for one in events if one["msg"] == "log"]
        return events[-1]["output"]["data"][0], warnings


def error_of(response: httpx.Response) -> tuple[int, str, str]:
    error = response.json()["error"]
    return response.status_code, error["type"], error["message"]


# A reader vanishes, or reads slowly


def request(path: str, sent: dict[str, Any]) -> bytes:
    """A POST as it goes over the wire."""
    body = json.dumps(sent)
    head = (f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "Content-Type: application/json", "", body]).encode()


def plainly(path: str) -> dict[str, Any]:
    """A request that asks for what takes long, by any path."""
    messages = [{"role": "user", "content": slow_question("Ebony")}]
    return {"question": slow_question("Ebony"), "messages": messages, "stream": "stream" in path}


@pytest.mark.parametrize("path", ["/api/ask", "/v1/chat/completions"])
def test_who_vanishes_while_it_is_answered_stops_the_model(path: str) -> None:
    model = Copyist(pause=0.01)
    with serving(ListSearch(*REPORTS), model) as served:
        with socket.create_connection(served.place) as client:
            client.sendall(request(path, plainly(path)))
            wait_until(lambda: model.pieces_written > 3)
        assert_stopped(model, served)


@pytest.mark.parametrize("path", ["/api/ask/stream", "/v1/chat/completions?stream"])
def test_who_vanishes_mid_stream_stops_the_model(path: str) -> None:
    model = Copyist(pause=0.01)
    with serving(ListSearch(*REPORTS), model) as served, served.client() as client:
        with client.stream("POST", path, json=plainly(path)) as response:
            next(line for line in response.iter_lines() if "token" in line or "writing" in line)
        assert_stopped(model, served)


def assert_stopped(model: Copyist, served: Served) -> None:
    """It has, amid its answer, and the next question has its own."""
    wait_until(lambda: not model.is_writing)
    assert 0 < model.pieces_written < 150
    wait_until(lambda: served.desk.line.answering == 0)
    assert served.ask(question("Maple"))["text"] == said("Maple", 105)


def test_who_vanishes_while_it_waits_is_never_answered() -> None:
    model = Copyist(pause=0.02)
    with serving(ListSearch(*REPORTS), model) as served, served.client() as client:
        line = served.desk.line
        sent = {"question": question("Ebony")}
        with client.stream("POST", "/api/ask/stream", json=plainly("/api/ask/stream")):
            wait_until(lambda: model.is_writing)
            with served.client() as other:
                with other.stream("POST", "/api/ask/stream", json=sent) as response:
                    name, data = next(events_of(response))
                assert (name, data["ahead"]) == ("waiting", 1)
                wait_until(lambda: line.waiting == 0)
                with pytest.raises(httpx.ReadTimeout):
                    other.post("/api/ask", json=sent, timeout=0.1)
                wait_until(lambda: line.waiting == 0)
        wait_until(lambda: line.answering == 0)
        assert len(model.asked) == 1


class Wordy(ScriptedModel):
    """Writes words that no buffer holds together."""

    def __init__(self) -> None:
        super().__init__(" ".join(["x" * 3000] * 60), "The sea was calm.")


def test_who_reads_nothing_does_not_hold_the_model_and_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("serve.server._STALLED", 0.3)
    model, path = Wordy(), "/api/ask/stream"
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as reader:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        with serving(ListSearch(*REPORTS), model, sockets=[listening]) as served:
            reader.connect(listening.getsockname())
            reader.sendall(request(path, {"question": question("Ebony")}))
            wait_until(lambda: model.pieces_written == 60)
            wait_until(lambda: served.desk.line.answering == 0)
            assert served.ask(question("Ebony"))["question"] == question("Ebony")
            wait_until(lambda: not served.server.server_state.connections)
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]


# The model's server dies, and returns


class OnPort(ScriptedServer):
    """On a port that was another's."""

    port = 0

    def server_bind(self) -> None:
        self.server_address = ("127.0.0.1", self.port)
        super().server_bind()


@contextmanager
def model_server(port: int, *, dies: bool = False) -> Iterator[ScriptedServer]:
    """What writes of the report Ebony; amid the answer it may die."""

    def reply(asked: Request) -> Reply:
        if asked.body["max_tokens"] == 1:
            return streamed("Yes")
        words = re.findall(r"\S+\s*", said("Ebony", 104))
        return streamed(*words[:3], finish=None, end="cut") if dies else streamed(*words)

    OnPort.port = port
    with OnPort() as one:
        one.choose = reply
        thread = threading.Thread(target=one.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield one
        finally:
            one.shutdown()
            thread.join()


def test_a_model_server_dies_and_returns() -> None:
    port, asked = free_port(), {"question": question("Ebony")}
    model = RemoteModel(f"http://127.0.0.1:{port}", model="small", pauses=(0.01,))
    with serving(ListSearch(*REPORTS), model) as served, served.client() as client:
        with model_server(port):
            assert ask(client, question("Ebony"))["text"] == said("Ebony", 104)

        with model_server(port, dies=True):  # amid the answer
            status, type_, told = error_of(client.post("/api/ask", json=asked))
            assert (status, type_) == (503, "model")
            assert "broke off before its answer was whole: its log may say why" in told
            with client.stream("POST", "/api/ask/stream", json=asked) as response:
                events = list(events_of(response))
            assert [name for name, _ in events[-4:]] == ["token", "token", "token", "error"]
            assert events[-1][1]["error"] == {"type": "model", "message": told}

        # It is not there at all: all else goes on.
        status, type_, told = error_of(client.post("/api/ask", json=asked))
        assert (status, type_) == (503, "model")
        assert "does not answer: start it, or correct --llm" in told
        found = client.get("/api/search", params={"query": question("Ebony")}).json()
        assert found["hits"][0]["passage"]["document"] == "Ebony.txt"
        health = client.get("/api/health").json()
        assert health == {"status": "ok", "waiting": 0, "answering": 0}

        with model_server(port):
            for way in WAYS:
                assert way(client, question("Ebony"))["text"] == said("Ebony", 104)


# The index is built anew, and switched


def write_reports(folder: Path, version: int, texts: dict[str, tuple[int, str]]) -> None:
    """One file for each name; ``texts`` gets the version and text of each, by its sha256.

    In each version the sentences stand at other places.
    """
    folder.mkdir(exist_ok=True)
    for at, name in enumerate(NAMES):
        sentence = said(name, 1000 * version + at)
        text = "The sea was calm. " * (version + 1) + f"{sentence} Later it rained."
        texts[sha256(text.encode()).hexdigest()] = version, text
        (folder / f"{name}.txt").write_text(text)


def assert_whole(answer: dict[str, Any], texts: dict[str, tuple[int, str]]) -> int:
    """All of it is of one version, which is given, and each quote stands where it says."""
    name = answer["question"].rstrip("?").split()[-1]
    found = re.fullmatch(said(name, 1).replace("1", r"(\d+)"), answer["text"])
    assert found, answer["text"]
    number = int(found[1])
    assert NAMES[number % 1000] == name
    version = number // 1000
    assert answer["citations"]
    for cited in answer["citations"]:
        its_version, text = texts[cited["sha256"]]
        assert its_version == version
        assert cited["document"] == f"{name}.txt"
        assert text[cited["start"] : cited["end"]] == cited["quote"] == answer["text"]
    for hit in answer["hits"]:
        numbers = re.findall(r"counted (\d+) boats", hit["passage"]["text"])
        assert {int(one) // 1000 for one in numbers} == {version}
    return version


def test_an_index_is_built_anew_and_switched_under_load(tmp_path: Path) -> None:
    folder, texts = tmp_path / "reports", dict[str, tuple[int, str]]()
    write_reports(folder, 1, texts)
    build(folder, embedder=WordEmbedder())
    index = Index.open(embedder=WordEmbedder())
    library = Library("default", embedder=WordEmbedder())
    answers: list[dict[str, Any]] = []
    failures: list[BaseException] = []
    has_ended = threading.Event()

    with serving(index, Copyist(pause=0.002), library=library) as served:

        def ask_on(at: int) -> None:
            """Asks, in every way in turn, of one report after the other."""
            try:
                with served.client() as client:
                    while not has_ended.is_set():
                        at += 1
                        name = NAMES[at % len(NAMES)]
                        answers.append(WAYS[at % len(WAYS)](client, question(name)))
                        read = client.get(f"/api/documents/{name}.txt").json()
                        assert texts[read["sha256"]][1] == read["text"]
                        client.get("/api/documents").raise_for_status()
            except BaseException as failure:  # noqa: BLE001  (raised again below)
                failures.append(failure)

        readers = [threading.Thread(target=ask_on, args=(at,)) for at in range(5)]
        for one in readers:
            one.start()
        try:
            with served.client() as client:
                for version in range(2, 8):
                    write_reports(folder, version, texts)
                    client.post("/api/index").raise_for_status()
                    answer = ask(client, question("Maple"))
                    assert assert_whole(answer, texts) == version
                    client.get("/api/documents").raise_for_status()
        finally:
            has_ended.set()
            for one in readers:
                one.join(60)
        assert not failures, failures
        # Of the old generations, only the one that the server began with is still open.
        gc.collect()
        opened = [one.readlink() for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
        generations = {one.parent.name for one in opened if one.name.startswith("passages.")}
        assert generations == {"000001", "000007"}
    index.close()
    versions = [assert_whole(answer, texts) for answer in answers]
    assert len(answers) >= 30
    assert set(versions) >= {2, 3, 4, 5, 6}


class Opening(ListSearch):
    """A newer index is opened, which takes until the test lets it."""

    def __init__(self) -> None:
        super().__init__(*REPORTS)
        self.has_begun, self.may_end = threading.Event(), threading.Event()

    def current(self) -> ListSearch:
        self.has_begun.set()
        assert self.may_end.wait(20)
        return self


@pytest.mark.parametrize("path", ["/api/ask", "/api/search"])
def test_while_a_new_index_is_opened_the_server_answers(path: str) -> None:
    search, asked = Opening(), {"question": question("Maple"), "query": question("Maple")}
    with (
        serving(search, Copyist()) as served,
        served.client() as client,
        served.client() as other,
    ):
        method = "GET" if path == "/api/search" else "POST"
        wanted = {"params": asked} if method == "GET" else {"json": asked}
        first = threading.Thread(target=other.request, args=(method, path), kwargs=wanted)
        first.start()
        try:
            assert search.has_begun.wait(20)
            assert client.get("/api/health", timeout=10).json()["status"] == "ok"
        finally:
            search.may_end.set()
            first.join(20)


class Switching(Copyist):
    """When it has written once, the documents are indexed again."""

    def __init__(self, search: ListSearch, newer: ListSearch) -> None:
        super().__init__()
        self._search, self._newer = search, newer

    def __call__(self, messages: list[Message], *, max_tokens: int) -> Generator[Piece, None, None]:
        yield from super().__call__(messages, max_tokens=max_tokens)
        self._search.successor = self._newer


def test_both_parts_of_an_answer_are_of_one_generation() -> None:
    text = f"The sea was calm. {said('Ebony', 1104)} {said('Maple', 1105)}"
    newer = document(f"It rained. {text}", id_="Ebony.txt")
    search = ListSearch(document(text, id_="Ebony.txt"))
    chat = Chat(search=search, generate=Switching(search, ListSearch(newer)))
    answer = chat.ask(f"{question('Ebony')[:-1]} and {question('Maple')}")
    assert [one.quote for one in answer.citations] == [said("Ebony", 1104), said("Maple", 1105)]
    assert len({one.sha256 for one in answer.citations}) == 1
    for one in answer.citations:
        assert text[one.start : one.end] == one.quote


# The disk is full


@dataclass
class Disk:
    """A small one."""

    folder: Path
    is_real: bool

    @contextmanager
    def full(self, largest: int = 16384) -> Iterator[None]:
        """Nothing more can be written; or no file can be larger than that many bytes.

        A test that fails meanwhile is told of afterwards: that is written to a file, too.
        """
        self._fill(largest)
        try:
            yield
        finally:
            self._make_room()

    def _fill(self, largest: int) -> None:
        if self.is_real:
            with (self.folder / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
                while True:
                    ballast.write(bytes(4096))
        else:  # the same calls fail
            hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, hard))

    def _make_room(self) -> None:
        (self.folder / "ballast").unlink(missing_ok=True)
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


@pytest.fixture(params=["real", "limit"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """One of its own, where that may be mounted; and a limit on the size of files."""
    one = Disk(tmp_path / "disk", request.param == "real")
    one.folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(one.folder)]
    if one.is_real and (os.name != "posix" or subprocess.run(mount, check=False).returncode):
        pytest.skip("only root may mount a disk")
    try:
        yield one
    finally:
        if one.is_real:
            subprocess.run(["umount", "--lazy", one.folder], check=True)


def test_a_build_on_a_full_disk_leaves_the_index_that_answers(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTNOTE_HOME", str(disk.folder / "home"))
    folder, texts = tmp_path / "reports", dict[str, tuple[int, str]]()
    write_reports(folder, 1, texts)
    build(folder, embedder=WordEmbedder())
    index = Index.open(embedder=WordEmbedder())
    library = Library("default", embedder=WordEmbedder())
    with serving(index, Copyist(), library=library) as served, served.client() as client:
        write_reports(folder, 2, texts)
        with disk.full():
            status, type_, told = error_of(client.post("/api/index"))
            assert (status, type_) == (503, "store")
            mends = "make room there, or set FOOTNOTE_HOME .* from before still answers"
            assert re.search(mends, told)
            for way in WAYS:
                assert assert_whole(way(client, question("Maple")), texts) == 1
        client.post("/api/index").raise_for_status()
        assert assert_whole(ask(client, question("Maple")), texts) == 2
    index.close()


def uploading(folder: Path, temporary: Path, disk: Disk) -> tuple[int, str, str]:
    """What is said of a file that is added to ``folder`` when the disk is full, and then is not.

    Nothing of it is left.
    """
    temporary.mkdir()
    write_reports(folder, 1, {})
    build(folder, embedder=WordEmbedder())
    before = sorted(folder.iterdir())
    library = Library("default", embedder=WordEmbedder())
    sent = {"files": ("more.txt", b"It rained on. " * 20_000)}
    with (
        serving(ListSearch(*REPORTS), Copyist(), library=library) as served,
        served.client() as client,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(tempfile, "tempdir", str(temporary))
        with disk.full():
            told = error_of(client.post("/api/documents", files=sent))
            assert sorted(folder.iterdir()) == before
            assert not list(temporary.iterdir())
        assert client.post("/api/documents", files=sent).json() == {"names": ["more.txt"]}
    return told


def test_an_upload_when_the_disk_of_temporary_files_is_full(disk: Disk, tmp_path: Path) -> None:
    *kind, told = uploading(tmp_path / "reports", disk.folder / "temporary", disk)
    assert kind == [507, "request"]
    assert "make room where it keeps temporary files" in told


@pytest.mark.parametrize("disk", ["real"], indirect=True)
def test_an_upload_when_the_disk_of_the_documents_is_full(disk: Disk, tmp_path: Path) -> None:
    *kind, told = uploading(disk.folder / "reports", tmp_path / "temporary", disk)
    assert kind == [400, "document"]
    assert "make room there" in told


@OF_GRADIO
def test_the_chat_goes_on_when_conversations_cannot_be_kept(disk: Disk) -> None:
    file = disk.folder / "conversations.sqlite"
    history = History(file, name="default")

    def kept() -> list[str]:
        [conversation] = history.find()
        found = history.load(conversation.id)
        assert found
        return [turn.text for turn in found[2]]

    # Enough that a further turn needs a further page of the file, also where only that is limited.
    before = Turn(1, "What rained?", text="It rained. " * 2000, stage="stopped")
    History(file, name="default", owner="desk-1").save("c", "Rain", [before])
    with (
        serving(ListSearch(*REPORTS), Copyist(), history=history) as served,
        served.client() as client,
    ):
        tab = Tab(client)
        drawn, warnings = tab.ask(question("Maple"))
        assert "counted 105 boats" in drawn
        assert not warnings

        with disk.full(file.stat().st_size):
            drawn, warnings = tab.ask(question("Cedar"))
            assert "counted 102 boats" in drawn
            assert "the chat itself goes on" in warnings[0]
            assert "make room there" in warnings[0]
            assert kept() == [said("Maple", 105)]

        drawn, warnings = tab.ask(question("Hazel"))
        assert not warnings
        assert kept() == [said("Maple", 105), said("Cedar", 102), said("Hazel", 106)]
    assert history.of("desk-1").load("c")


@OF_GRADIO
def test_who_closes_the_page_amid_an_answer_stops_the_model(tmp_path: Path) -> None:
    history, model = History(tmp_path / "c.sqlite", name="default"), Copyist(pause=0.02)
    with serving(ListSearch(*REPORTS), model, history=history) as served:
        with served.client() as client:
            tab = Tab(client)
            list(tab.events("take_question", slow_question("Ebony"), None))
            drawings = tab.events("draw_answer", None)
            next(one for one in drawings if model.pieces_written > 3)
            drawings.close()
        assert_stopped(model, served)


# The clock jumps


@pytest.fixture
def jump(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the clock on, or back, by so many seconds."""
    real = time.time

    def by(seconds: int) -> None:
        monkeypatch.setattr(time, "time", lambda: real() + seconds)

    return by


@pytest.mark.parametrize("seconds", [DAY, -DAY])
def test_the_clock_jumps_amid_an_answer(jump: Callable[[int], None], seconds: int) -> None:
    sent = {"question": question("Maple")}
    with (
        serving(ListSearch(*REPORTS), Copyist(pause=0.03)) as served,
        served.client() as client,
        served.client() as other,
        client.stream("POST", "/api/ask/stream", json={"question": question("Ebony")}) as first,
    ):
        answer = events_of(first)
        next(one for one in answer if one[0] == "token")
        with other.stream("POST", "/api/ask/stream", json=sent) as second:
            waiting = events_of(second)
            assert next(waiting)[1]["ahead"] == 1
            jump(seconds)
            *_, (name, data) = answer
            assert (name, data["text"]) == ("done", said("Ebony", 104))
            *_, (name, data) = waiting
            assert (name, data["text"]) == ("done", said("Maple", 105))
        assert 0 < data["timings"]["total"] < 20
        again = plainly("stream")
        with client.stream("POST", "/api/ask/stream", json=again) as third:
            next(one for one in events_of(third) if one[0] == "token")
            with other.stream("POST", "/api/ask/stream", json=sent) as second:
                # What answers took, and so what the next one may wait, is not counted in days.
                assert 0 < next(events_of(second))[1]["seconds"] < 60


@pytest.mark.parametrize("seconds", [DAY, -DAY])
def test_the_clock_jumps_and_who_must_wait_still_waits_as_long(
    jump: Callable[[int], None], seconds: int, home: Path
) -> None:
    accounts = Accounts(home / "users.json", hasher=QUICK)
    accounts.add("desk-1", PASSWORD)
    by_token = {"Authorization": f"Bearer {accounts.new_token('desk-1')}"}
    access = Access(accounts, api_per_minute=2)
    with (
        serving(ListSearch(*REPORTS), Copyist(), access=access) as served,
        served.client() as client,
    ):

        def told(path: str, **wanted: Any) -> tuple[int, int]:
            response = client.request("POST" if wanted else "GET", path, headers=by_token, **wanted)
            return response.status_code, int(response.headers.get("Retry-After", 0))

        wrong = {"username": "desk-1", "password": "another long phrase"}
        assert [told("/api/version")[0] for _ in range(3)] == [200, 200, 429]
        assert [told("/login", data=wrong)[0] for _ in range(6)] == [401] * 5 + [429]
        jump(seconds)
        status, wait = told("/api/version")
        assert status == 429
        assert 50 <= wait <= 60
        status, wait = told("/login", data=wrong)
        assert status == 429
        assert 290 <= wait <= 300


@pytest.mark.parametrize("seconds", [DAY, -DAY])
def test_the_clock_jumps_and_who_has_logged_in_does_so_again_but_tokens_stay(
    jump: Callable[[int], None], seconds: int, home: Path
) -> None:
    """On by more than twelve hours, a session has ended; back, it is of a time that is not yet."""
    accounts = Accounts(home / "users.json", hasher=QUICK)
    accounts.add("desk-1", PASSWORD)
    by_token = {"Authorization": f"Bearer {accounts.new_token('desk-1')}"}
    right = {"username": "desk-1", "password": PASSWORD}
    with (
        serving(ListSearch(*REPORTS), Copyist(), access=Access(accounts)) as served,
        served.client() as client,
    ):

        def logged_in() -> dict[str, str]:
            """The cookie, which no client forgets here because of the time."""
            cookie = client.post("/login", data=right).headers["Set-Cookie"]
            client.cookies.clear()
            return {"Cookie": cookie.partition(";")[0]}

        by_session = logged_in()
        assert client.get("/api/version", headers=by_session).status_code == 200
        jump(seconds)
        status, _, told = error_of(client.get("/api/version", headers=by_session))
        assert status == 401
        assert told.startswith("Log in first")
        assert client.get("/api/version", headers=by_token).status_code == 200
        assert client.get("/api/version", headers=logged_in()).status_code == 200
        jump(0)  # and is set right again
        assert client.get("/api/version", headers=by_token).status_code == 200
        assert client.get("/api/version", headers=logged_in()).status_code == 200


def test_the_clock_is_set_back_and_no_conversation_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Later":
            return super().now(tz) + timedelta(days=1)

    turns = [Turn(1, "What rained?", text="It rained.", stage="stopped")]
    history = History(tmp_path / "c.sqlite", name="default")
    with monkeypatch.context() as patch:
        patch.setattr("ui.history.datetime", Later)
        _, saved = history.save("one", "Rain", turns)
    turns.append(Turn(2, "When?", text="On Monday.", stage="stopped"))
    id_, saved = history.save("one", "Rain", turns, since=saved)
    assert id_ == "one"
    history.save("two", "Sea", turns)
    assert [one.id for one in history.find()] == ["two", "one"]
    found = history.load("one")
    assert found
    assert found[1] == saved
    assert [turn.text for turn in found[2]] == ["It rained.", "On Monday."]


# It is stopped


@dataclass
class Program:
    """``tests.slow_server``, which runs."""

    process: "subprocess.Popen[bytes]"
    port: int

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)


@contextmanager
def program(port: int, *, grace: float, pause: float) -> Iterator[Program]:
    """The program, once it answers."""
    arguments = [str(port), str(grace), str(pause)]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.slow_server", *arguments], cwd=REPOSITORY
    ) as process:
        one = Program(process, port)
        try:
            wait_until(lambda: _answers(one), seconds=120)
            yield one
        finally:
            process.kill()


def _answers(one: Program) -> bool:
    assert one.process.poll() is None
    with suppress(httpx.TransportError), one.client() as client:
        return client.get("/api/health").status_code == 200
    return False


class Asking(threading.Thread):
    """Asks, and keeps what it is told."""

    def __init__(self, one: Program, path: str, asked: str) -> None:
        super().__init__()
        self._one, self._path, self._asked = one, path, asked
        self.status = 0
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.start()

    def run(self) -> None:
        sent = {"question": self._asked}
        with self._one.client() as client, client.stream("POST", self._path, json=sent) as response:
            self.status = response.status_code
            if self._path.endswith("stream"):
                for event in events_of(response):
                    self.events.append(event)
            else:
                self.events.append(("", json.loads(response.read())))

    def told(self) -> tuple[str, dict[str, Any]]:
        """What it was told at last."""
        self.join(30)
        return self.events[-1]


STOPPING = {
    "error": {
        "type": "stopping",
        "message": "Footnote is being stopped: ask again when it has started anew.",
    }
}


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_when_it_is_stopped_the_answer_ends_whole_and_who_waits_is_told() -> None:
    port = free_port()
    with program(port, grace=60, pause=0.8) as one, one.client() as open_:
        open_.get("/api/health")
        answered = Asking(one, "/api/ask/stream", question("Ebony"))
        wait_until(lambda: "token" in dict(answered.events))
        plain = Asking(one, "/api/ask", question("Maple"))
        stream = Asking(one, "/api/ask/stream", question("Hazel"))
        wait_until(lambda: open_.get("/api/health").json()["waiting"] == 2)
        began = time.monotonic()
        one.process.terminate()

        assert stream.told() == ("error", STOPPING)
        assert plain.told() == ("", STOPPING)
        assert plain.status == 503
        # Who is connected is told the same; nobody else can be any more.
        late = open_.post("/api/ask", json={"question": question("Cedar")})
        assert (late.status_code, late.json()) == (503, STOPPING)
        with one.client() as new, pytest.raises(httpx.ConnectError):
            new.get("/api/health")
        assert answered.is_alive()

        name, data = answered.told()
        assert (name, data["text"]) == ("done", said("Ebony", 104))
        assert one.process.wait(30) == 0
        assert time.monotonic() < began + 40  # not all the seconds of grace
    with program(port, grace=60, pause=0) as one, one.client() as client:
        for way in WAYS:
            assert way(client, question("Maple"))["text"] == said("Maple", 105)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGINT, signal.SIGINT]])
def test_an_answer_that_takes_longer_is_broken_off_and_told_so(signals: list[int]) -> None:
    """After the seconds of grace; or at once, if Ctrl-C is pressed again."""
    grace = 1 if signals == [signal.SIGTERM] else 60
    with program(free_port(), grace=grace, pause=0.2) as one:
        answered = Asking(one, "/api/ask/stream", slow_question("Ebony"))
        wait_until(lambda: "token" in dict(answered.events))
        for number in signals:
            one.process.send_signal(number)
            time.sleep(0.3)
        assert answered.told() == ("error", STOPPING)
        assert one.process.wait(10) == 0
