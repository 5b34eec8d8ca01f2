"""For the tests that try to break in: the whole application, two readers and one who manages.

The index, the folder, the accounts and the conversations are real; the model follows a script.
"""

import hashlib
import re
import secrets
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPConnection
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI
from starlette.routing import Mount
from starlette.types import ASGIApp

from index.build import build
from index.library import Library
from index.search import Index
from models.paths import conversations_file, users_file
from rag.chat import Chat
from rag.generate import Piece
from rag.prompt import Message
from serve.access import Access
from serve.accounts import Accounts
from serve.app import About, application
from serve.desk import Desk
from tests.fakes import ScriptedModel, WordEmbedder
from tests.serving import running
from tests.test_accounts import QUICK
from ui.history import History

READERS, KEEPER = ("desk-1", "desk-2"), "keeper-1"
PASSWORD = "a long enough phrase"

CANARY = "canary-7f3a91"
"""What stands in files beside the folder, and may stand in no response."""

ANSWER = "Four transport planes came down at Caracas on Tuesday."
FILES = {
    "notes.md": f"{ANSWER} About 120 soldiers left them.\n",
    "more.md": "It rained all night, and the talks began.\n",
}
QUESTION = "How many transport planes came down at Caracas?"
SLOW = "How many transport planes came down slowly at Caracas?"
"""A question whose answer is written until ``Writer.go_on`` is set."""


class Writer(ScriptedModel):
    """Always writes the same sentence; asked slowly, over and over until it is let go."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text
        self.go_on = threading.Event()

    def __call__(self, messages: list[Message], *, max_tokens: int) -> Generator[Piece, None, None]:
        self.asked.append(messages)
        for word in re.findall(r"\S+\s*", self._text):
            self.pieces_written += 1
            yield Piece(word, (-0.1,))
        while "slowly" in str(messages[-1]) and not self.go_on.wait(0.02):
            self.pieces_written += 1
            yield Piece(" more", (-0.1,))


METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW"]

_FILLED = {"id_": "notes.md", "path": "a/b.js", "name": "footnote", "session_hash": "a1"}
"""What stands in a path in the place of these parameters; of others, “a1”."""


def routes_of(routes: list[Any], below: str = "") -> set[tuple[str, str]]:
    """Every method and path that an application answers, and all that it mounts and includes."""
    found: set[tuple[str, str]] = set()
    for route in routes:
        if included := getattr(route, "original_router", None):
            found |= routes_of(included.routes, below)
        elif isinstance(route, Mount):
            found |= routes_of(route.routes, below + route.path)
            found.add(("GET", f"{below}{route.path}/some/file.js"))
        else:
            found |= {(method, below + route.path) for method in route.methods or ["GET"]}
    return found


@dataclass
class Team:
    """Everything that is served, and where it is on disk."""

    app: ASGIApp
    address: str
    desk: Desk
    model: Writer
    accounts: Accounts
    history: History
    home: Path  # FOOTNOTE_HOME
    folder: Path  # of the documents; beside it is secret.md
    tokens: dict[str, str]

    @property
    def behind(self) -> FastAPI:
        """What stands behind log and gate."""
        app: Any = self.app
        behind = app._app.app
        assert isinstance(behind, FastAPI)
        return behind

    @cached_property
    def paths(self) -> list[str]:
        """Every path that is answered, mounted or included, its parameters filled in."""

        def fill(parameter: re.Match[str]) -> str:
            return _FILLED.get(parameter[1], "a1")

        paths = {path for _, path in routes_of(self.behind.routes)}
        return sorted({re.sub(r"\{(\w+)(:path)?\}", fill, path) for path in paths})

    @property
    def host(self) -> dict[str, str]:
        """The header that names the server."""
        return {"host": httpx.URL(self.address).netloc.decode()}

    @property
    def secret(self) -> Path:
        return self.folder.with_name("secret.md")

    @contextmanager
    def client(self, by: str = "", **headers: str) -> Iterator[httpx.Client]:
        """A client of that user, who sends a token."""
        if by:
            headers["authorization"] = f"Bearer {self.tokens[by]}"
        with httpx.Client(base_url=self.address, headers=headers, timeout=30) as client:
            yield client

    def raw(
        self,
        method: str,
        target: str,
        *,
        by: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of the answer to a target that no client has mended."""
        port = urlsplit(self.address).port
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        sent = {"authorization": f"Bearer {self.tokens[by]}"} if by else {}
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in {"host": f"127.0.0.1:{port}", **sent, **(headers or {})}.items():
                connection.putheader(name, value)
            connection.putheader("content-length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            told = {name.lower(): value for name, value in response.getheaders()}
            return response.status, told, response.read()
        finally:
            connection.close()

    def log_in(self, name: str) -> dict[str, str]:
        """The headers of a browser in which that user has logged in."""
        with self.client() as client:
            form = {"username": name, "password": PASSWORD}
            assert client.post("/login", data=form).status_code == 200
            return {"cookie": "; ".join(f"{key}={value}" for key, value in client.cookies.items())}

    def on_disk(self) -> dict[str, str]:
        """The digest of every file that there is, but for what people ask."""
        return {
            file.relative_to(self.home).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(self.home.rglob("*"))
            if file.is_file() and not file.name.startswith("conversations")
        }


@contextmanager
def serving(
    home: Path,
    *,
    files: Mapping[str, str] = MappingProxyType(FILES),
    written: str = ANSWER,
    **access: Any,
) -> Iterator[Team]:
    """The application, served from ``home``: about ``files``, by a model that writes ``written``.

    Nobody asks too often, unless ``access`` says so.
    """
    limits = {"api_per_minute": 10**6, "all_per_minute": 10**6, "sessions_per_minute": 10**6}
    with ExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("FOOTNOTE_HOME", str(home))
        folder = home / "folder"
        folder.mkdir(parents=True)
        for name, text in files.items():
            (folder / name).write_text(text)
        (home / "secret.md").write_text(f"The word is {CANARY}.\n")
        build(folder, embedder=WordEmbedder())
        model = Writer(written)
        stack.callback(model.go_on.set)
        desk = Desk(Chat(search=Index.open(embedder=WordEmbedder()), generate=model))
        accounts = Accounts(users_file(), hasher=QUICK)
        for name in READERS:
            accounts.add(name, PASSWORD)
        accounts.add(KEEPER, PASSWORD, may_manage=True)
        tokens = {name: accounts.new_token(name) for name in (*READERS, KEEPER)}
        history = History(conversations_file(), name="default")
        app = application(
            desk,
            history,
            Library("default", embedder=WordEmbedder()),
            access=Access(accounts, **(limits | access)),
            about=About("default", "scripted", (QUESTION,)),
        )
        address = stack.enter_context(running(app))
        yield Team(app, address, desk, model, accounts, history, home, folder, tokens)


class Tab:
    """A tab of the page, as its script speaks to the server."""

    def __init__(self, client: httpx.Client, session: str = "") -> None:
        self.client = client
        self.session = session or secrets.token_hex(6)

    @cached_property
    def events(self) -> dict[str, dict[str, Any]]:
        """What can happen on the page, by name."""
        told = self.client.get("/config").json()["dependencies"]
        return {str(one["api_name"]): one for one in told}

    def send(self, path: str, event: str, *data: object, **more: object) -> httpx.Response:
        """Tells of an event; what was ``pressed`` is among ``more``."""
        record = {
            "data": list(data),
            "fn_index": self.events[event]["id"],
            "session_hash": self.session,
            "event_data": more.pop("pressed", None),
            **more,
        }
        return self.client.post(f"/gradio_api/{path}", json=record)

    def quick(self, event: str, *data: object, **more: object) -> str:
        """The answer to an event that does not wait."""
        answered = self.send("run/predict", event, *data, **more)
        assert answered.status_code == 200, answered.text
        return answered.text

    def press(self, **pressed: object) -> str:
        """Something with a ``data-act`` is pressed."""
        return self.quick("press", None, "", pressed=pressed)

    def follow(self) -> str:
        """All that comes of the events that wait."""
        parameters = {"session_hash": self.session}
        told = self.client.get("/gradio_api/queue/data", params=parameters)
        assert told.status_code == 200, told.text
        return told.text

    def await_(self, event: str, *data: object, **more: object) -> str:
        """All that comes of an event that waits."""
        answered = self.send("queue/join", event, *data, **more)
        assert answered.status_code == 200, answered.text
        return self.follow()

    def ask(self, question: str) -> str:
        """A question and its answer, as the page asks for them."""
        told = self.quick("take_question", question, None)
        told += self.await_("draw_answer", None)
        return told + self.quick("settle", "", None, "")


def uploaded(path: object, **more: object) -> dict[str, object]:
    """A file as the page names one that was uploaded."""
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}, **more}


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    with serving(tmp_path_factory.mktemp("team")) as team:
        yield team


@pytest.fixture(autouse=True)
def home(team: Team, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That of all tests, in place of a new one for each."""
    monkeypatch.setenv("FOOTNOTE_HOME", str(team.home))
    return team.home
