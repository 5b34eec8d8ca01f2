"""Names of files that lead out of the folder: none of them is read or written anywhere.

Beside the folder lies a file with a word that may stand in no answer.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from index.build import build
from index.library import Library
from models.errors import AccountError
from serve.access import Access
from serve.app import About, application
from tests.fakes import WordEmbedder
from tests.team import CANARY, KEEPER, QUESTION, READERS, Tab, Team, home, team, uploaded

pytestmark = pytest.mark.slow

FIRST, _ = READERS

# Where an event does not wait in Gradio's queue, what it tells the reader is a warning.


NAMES = [
    "../secret.md",
    "../../secret.md",
    "./../secret.md",
    "folder/../../secret.md",
    "..\\secret.md",
    "/etc/hostname",
    "file:///etc/hostname",
    "notes.md/../../secret.md",
    "notes.md\0.txt",
    "..\0/secret.md",
    "．．/secret.md",
    "‥/secret.md",
    "..;/secret.md",
    "%2e%2e/secret.md",
    "%252e%252e%252fsecret.md",
    "..%c0%afsecret.md",
    "users.json",
    "../users.json",
    "../conversations.sqlite",
    "~/secret.md",
    "$HOME/secret.md",
    "link.md",
    "*" * 400,
    "n" * 5000,
    "[[[",
    "",
]
LINK = "link.md"
"""In the folder, but it leads out of it."""


@pytest.fixture
def beside(team: Team) -> Iterator[dict[str, str]]:
    """What is on disk, among it a link out of the folder; nothing of it may change."""
    link = team.folder / LINK
    link.symlink_to(team.secret)
    before = team.on_disk()
    yield before
    assert {name: one for name, one in team.on_disk().items() if "indexes/" not in name} == {
        name: one for name, one in before.items() if "indexes/" not in name
    }
    link.unlink()


def secrets_of(team: Team) -> list[str]:
    """What may stand in no answer."""
    users = json.loads((team.home / "users.json").read_text())
    return [CANARY, users["secret"], *(user["password"] for user in users["users"])]


def assert_silent(team: Team, told: str | bytes) -> None:
    text = told.decode("utf-8", "replace") if isinstance(told, bytes) else told
    for secret in secrets_of(team):
        assert secret not in text


def quoted(name: str) -> list[str]:
    """``name`` in the path of a request, in the ways that clients and attackers write it."""
    raw = name.encode()
    escaped = "".join(f"%{byte:02x}" for byte in raw)
    plain = "".join(chr(byte) if 32 < byte < 127 else f"%{byte:02x}" for byte in raw)
    return [escaped, plain, plain.replace("/", "%2F").replace(".", "%2e")]


def test_no_path_leads_out_of_the_folder(team: Team, beside: dict[str, str]) -> None:
    for name in NAMES:
        for target in quoted(name):
            for method, path, by in [
                ("GET", "/api/documents/", FIRST),
                ("PUT", "/api/left-out/", KEEPER),
                ("GET", "/assets/", FIRST),
                ("GET", "/static/", FIRST),
                ("GET", "/gradio_api/file=", KEEPER),
                ("GET", "/gradio_api/heartbeat/", FIRST),
                ("GET", "/v1/models/", FIRST),
                ("GET", "/api/docs-files/", FIRST),
            ]:
                if path.endswith("heartbeat/") and re.fullmatch(r"[\w-]{1,64}", target):
                    continue  # a session, whose stream has no end
                status, _, body = team.raw(method, f"{path}{target}", by=by)
                listing = (path, target) in (("/api/documents/", ""), ("/api/left-out/", ""))
                assert 400 <= status < 500 or listing, (path, target)
                assert_silent(team, body)


def test_taking_in_what_is_no_document_changes_nothing_else(team: Team) -> None:
    (team.folder / ".footnoteignore").write_text("/other.md\n")
    before = team.on_disk()
    for name in NAMES:
        for target in quoted(name):
            status, _, body = team.raw("DELETE", f"/api/left-out/{target}", by=KEEPER)
            assert status in (204, 400, 404, 405)
            assert_silent(team, body)
    assert team.on_disk() == before
    (team.folder / ".footnoteignore").unlink()


def test_no_filter_leads_out_of_the_folder(team: Team, beside: dict[str, str]) -> None:
    patterns = [*NAMES, "../*", "/*", "**/*", "*secret*", "?../secret.md"]
    with team.client(FIRST) as client:
        for name in filter(None, patterns):
            asked = {"question": QUESTION, "documents": [name]}
            message = {"role": "user", "content": QUESTION}
            told = [
                client.post("/api/ask", json=asked),
                client.get("/api/search", params={"query": CANARY, "document": name}),
                client.get("/api/documents", params={"words": name}),
                client.post(
                    "/v1/chat/completions",
                    json={"messages": [message], "footnote": {"documents": [name]}},
                ),
                *call_tools(client, name),
            ]
            for answered in told:
                assert answered.status_code in (200, 400), answered.text
                assert_silent(team, answered.text)
            fits = name in ("*" * 400, "**/*")[:1]
            assert told[0].status_code == (200 if fits else 400)


def call_tools(client: httpx.Client, name: str) -> list[httpx.Response]:
    """``name`` as a document, in each of the tools that take one."""
    return [
        client.post(
            "/mcp",
            json={
                "jsonrpc": "2.0",
                "id": 1,
                "method": "tools/call",
                "params": {"name": tool, "arguments": arguments},
            },
            headers={"accept": "application/json, text/event-stream"},
        )
        for tool, arguments in [
            ("read_passage", {"document": name, "start": 0, "end": 100}),
            ("search", {"query": CANARY, "documents": [name]}),
            ("ask", {"question": QUESTION, "documents": [name]}),
        ]
    ]


def test_nothing_pressed_on_the_page_leads_out_of_the_folder(
    team: Team, beside: dict[str, str]
) -> None:
    with team.client(FIRST) as client:
        tab = Tab(client)
        for name in NAMES:
            for pressed in [
                {"act": "open", "document": name, "start": "0", "end": "99"},
                {"act": "only", "document": name},
                {"act": "resume", "id": name},
                {"act": "retitle", "id": name, "title": "Taken"},
                {"act": "delete", "id": name},
            ]:
                assert_silent(team, tab.press(**pressed))
            assert_silent(team, tab.send("run/predict", "choose", [name], None).text)
            target = f"run/predict?conversation={quoted(name)[0]}"
            assert_silent(team, tab.send(target, "come_back").text)
    with team.client(KEEPER) as client:
        tab = Tab(client)
        for name in NAMES:
            told = tab.await_("shelve", "", pressed={"act": "leave-out", "id": name})
            assert "cannot be left out" in told
            assert_silent(team, told)


def test_no_link_in_the_folder_is_read(team: Team, beside: dict[str, str]) -> None:
    with team.client(KEEPER) as client:
        report = client.post("/api/index").json()
        assert report["skipped"] == [{"path": LINK, "reason": "is a link out of the folder"}]
        assert_silent(team, client.get("/api/search", params={"query": "word"}).text)
        assert_silent(team, client.get(f"/api/documents/{LINK}").text)


def test_the_users_may_not_lie_among_the_documents(team: Team) -> None:
    """They are JSON, which is indexed; a hidden folder, and what is left out, is not."""
    library, access = Library("users", embedder=WordEmbedder()), Access(team.accounts)
    about = About("users", "scripted")

    def serve(folder: Path) -> None:
        build(folder, name="users", embedder=WordEmbedder())
        application(team.desk, team.history, library, access=access, about=about)

    with pytest.raises(AccountError, match="lie in the folder of the documents, where every read"):
        serve(team.home)
    with pytest.raises(AccountError, match="FOOTNOTE_HOME to a folder outside of “"):
        serve(team.home.parent)
    (team.home / ".footnoteignore").write_text("/users.json\n")
    serve(team.home)
    (team.home / ".footnoteignore").unlink()


def test_what_people_ask_is_read_by_nobody_else_on_the_machine(team: Team) -> None:
    with team.client(FIRST) as client:
        Tab(client).quick("take_question", QUESTION, None)
    [one] = team.history.of(FIRST).find()
    team.history.of(FIRST).delete(one.id)
    for name in ("conversations.sqlite", "users.json", "users.json.lock"):
        assert (team.home / name).stat().st_mode & 0o077 == 0


def test_what_is_added_is_not_written_through_a_link(team: Team) -> None:
    outside, link = team.home / "outside.md", team.folder / "ghost.md"
    link.symlink_to(outside)
    try:
        with team.client(KEEPER) as client:
            client.post("/api/documents", files={"files": ("ghost.md", b"New.")})
        assert not outside.exists()
    finally:
        for file in (outside, link, team.folder / "ghost (2).md"):
            file.unlink(missing_ok=True)


UPLOADED = [
    (b"../../new.md", ["new.md"]),
    (b"/etc/new.md", ["new.md"]),
    (b"..\\..\\new.md", ["new.md"]),
    (b"C:\\new.md", ["new.md"]),
    ("…/new.md".encode(), ["new.md"]),
    ("‥/．．/new.md".encode(), ["new.md"]),
    (b"%2e%2e%2fnew.md", ["%2e%2e%2fnew.md"]),
    (b"-rf.md", ["-rf.md"]),
    (b"..", None),
    (b".", None),
    (b"../..", None),
    (b"", None),
    (b"new\0.md", None),
    (b"new\r.md", None),
    (b"new\x1b[2J.md", None),
    (b"n" * 300 + b".md", None),
    ("ü".encode() * 150 + b".md", None),
    (b"n" * 9000 + b".md", None),
    (b".footnoteignore", None),
    (b".new.md", None),
    (b"~$new.md", None),
    (b"new.exe", None),
]


@pytest.mark.parametrize(("name", "added"), UPLOADED)
def test_what_is_added_stays_in_the_folder(
    team: Team, name: bytes, added: list[str] | None
) -> None:
    before = team.on_disk()
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="' + name + b'"\r\n\r\n'
    status, _, body = team.raw(
        "POST",
        "/api/documents",
        by=KEEPER,
        body=head + b"New.\r\n--x--\r\n",
        headers={"content-type": "multipart/form-data; boundary=x"},
    )
    if added is None:
        assert status == 400, body
        assert team.on_disk() == before
        return
    assert (status, json.loads(body)) == (201, {"names": added})
    new = {f"folder/{one}" for one in added}
    assert set(team.on_disk()) - set(before) == new
    for one in added:
        (team.folder / one).unlink()
    assert team.on_disk() == before


def test_what_the_page_is_given_for_an_upload_is_one(team: Team, tmp_path: Path) -> None:
    """Gradio checks this only if it serves the page itself, or is told that it does."""
    outside = [team.secret, team.home / "users.json", team.folder / "../secret.md", "/etc/hostname"]
    before = team.on_disk()
    with team.client(FIRST) as reader, team.client(KEEPER) as keeper:
        sent = keeper.post("/gradio_api/upload", files={"files": ("new.md", b"New.")})
        [place] = sent.json()
        folder = Path(place).parents[1]
        assert folder.stat().st_mode & 0o077 == 0
        outside += [Path(place).parent / "../../../etc/hostname", f"{place}/../../../../secret.md"]
        for client in (reader, keeper):
            tab = Tab(client)
            for event, about in tab.events.items():
                inputs = len(about["inputs"])
                for path in outside:
                    file = uploaded(path, orig_name="new.md")
                    for data in ([file] * inputs, [[file]] * inputs):
                        send = "queue/join" if about["queue"] else "run/predict"
                        if inputs and about["api_name"].split("_")[0] not in ("draw", "settle"):
                            assert_silent(team, tab.send(send, event, *data).text)
            assert_silent(team, tab.follow())
        copies = [file for file in folder.rglob("*") if file.is_file() and file != Path(place)]
        assert not [file for file in copies if CANARY in file.read_text(errors="replace")]
        Path(place).unlink()
    assert team.on_disk() == before


def test_gradio_fetches_nothing_that_an_event_names(team: Team) -> None:
    with team.client(FIRST) as client:
        tab = Tab(client)
        for path in ("http://name.invalid/a.md", "https://name.invalid/a.md"):
            for file in (uploaded(path), uploaded("/a.md", url=path), [[uploaded(path)]]):
                told = tab.send("run/predict", "find", file, None).text
                told += tab.await_("find", file, None)
                if path in str(file) and "url" not in str(file):
                    assert told.count("Footnote fetches no file from elsewhere.") == 2
                assert '"success":true' not in told
