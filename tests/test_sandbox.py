"""Files are read in a process that can do no harm, and that may die without harm."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from index.load import load_document
from index.sandbox import Sandbox
from models.errors import DocumentError, PassingError
from tests.documents import write_samples

REPOSITORY = Path(__file__).parents[1]


def test_it_reads_what_is_read_without_it(tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        for path in write_samples(tmp_path).values():
            assert sandbox.load(path, id="a") == load_document(path, id="a")


def test_a_file_that_cannot_be_read_says_why_and_the_next_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7 nothing more")
    (tmp_path / "b.txt").write_text("All is well.")
    with Sandbox() as sandbox:
        with pytest.raises(DocumentError, match=r"^is not a PDF file, or is damaged$"):
            sandbox.load(tmp_path / "a.pdf", id="a")
        assert sandbox.load(tmp_path / "b.txt", id="b").text == "All is well."


def test_a_reason_that_may_pass_is_told_from_one_that_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    (tmp_path / "a.png").write_bytes(b"no image")
    (tmp_path / "b.pdf").write_bytes(b"no PDF")
    with Sandbox(ocr=True) as sandbox:
        with pytest.raises(PassingError, match=r"^is a scan; to have it read install Tesseract"):
            sandbox.load(tmp_path / "a.png", id="a")
        with pytest.raises(PassingError, match=r"^cannot be read: no such file or directory$"):
            sandbox.load(tmp_path / "gone.txt", id="gone")
        with pytest.raises(DocumentError, match="is damaged") as raised:
            sandbox.load(tmp_path / "b.pdf", id="b")
        assert not isinstance(raised.value, PassingError)


def test_a_file_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("# A heading\n\n" * 400_000)
    (tmp_path / "b.txt").write_text("All is well.")
    with Sandbox(seconds=0.05) as sandbox, pytest.raises(DocumentError, match=r"^takes longer"):
        sandbox.load(path, id="a")
    with Sandbox(seconds=60) as sandbox:
        assert sandbox.load(tmp_path / "b.txt", id="b").text == "All is well."


@pytest.mark.slow
def test_a_reader_that_dies_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("# A heading\n\n" * 400_000)
    (tmp_path / "b.txt").write_text("All is well.")
    with Sandbox() as sandbox:
        sandbox.load(tmp_path / "b.txt", id="b")
        assert sandbox.process_id
        timer = threading.Timer(0.3, os.kill, (sandbox.process_id, 9))
        timer.start()
        with pytest.raises(DocumentError, match=r"^is damaged in a way that ends the program"):
            while True:
                sandbox.load(path, id="a")
        assert sandbox.load(tmp_path / "b.txt", id="b").text == "All is well."


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")
def test_a_file_that_takes_too_much_memory_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\n".join([b"A line of some words."] * 3_000_000))
    with (
        Sandbox(memory=350_000_000) as sandbox,
        pytest.raises(DocumentError, match=r"memory|ends the program"),
    ):
        sandbox.load(path, id="a")


# What the reader's process is refused; each line is run in one, as a parser could.
_ATTEMPTS = {
    "a file": "open('/etc/hostname')",
    "a file of the user": "open(__import__('os').environ['SECRET'])",
    "writing": "open(__import__('os').environ['SECRET'] + '.new', 'w')",
    "a program": "__import__('subprocess').run(['true'])",
    "a shell": "__import__('os').system('true')",
    "the network": "__import__('socket').create_connection(('127.0.0.1', 9))",
    "a name on the network": "__import__('socket').getaddrinfo('example.org', 80)",
}


@pytest.mark.parametrize("attempt", _ATTEMPTS)
def test_a_parser_cannot_reach(attempt: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("Nobody's business.")
    script = (
        "import sys\nfrom index.sandbox import MEMORY_BYTES, limit\n"
        "limit(MEMORY_BYTES, ocr=False)\n"
        f"try:\n    {_ATTEMPTS[attempt]}\n    print('reached')\n"
        "except PermissionError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False,
        cwd=REPOSITORY, env=os.environ | {"SECRET": str(secret)},
    )  # fmt: skip
    assert done.stdout.startswith("a reader of files"), done
    assert list(tmp_path.iterdir()) == [secret]


def test_it_ends_with_the_one_who_started_it(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("All is well.")
    script = (
        "import os, sys, pathlib\nfrom index.sandbox import Sandbox\ns = Sandbox()\n"
        "s.load(pathlib.Path(sys.argv[1]), id='b')\nprint(s.process_id, flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "b.txt")],
        capture_output=True, text=True, check=False, cwd=REPOSITORY,
    )  # fmt: skip
    reader = int(done.stdout)
    deadline = time.monotonic() + 10
    while _is_running(reader):
        assert time.monotonic() < deadline, "the reader outlives its master"
        time.sleep(0.05)


def _is_running(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"
