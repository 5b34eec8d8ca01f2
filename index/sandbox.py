"""Reads each file where it can do no harm: in a process of its own, short of time and memory.

The parsers of PDF, Office and web formats are large programs, and a file can be made, or just
be broken, so that one of them runs for hours, takes all memory, or ends its process. So they
run in another process, which is given the bytes of one file after the other and gives back
text. It can open no file of the user's, reach no network and start no program; when it
takes too long it is killed, and the next file gets a new one.

What is said over the pipes: a line of JSON and, to the reader, the file's bytes after it.
"""

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from index.load import file_bytes, reason_not_to_read
from index.records import Document, Section
from models.errors import DocumentError, PassingError

SECONDS = 120.0
"""For one file; a PDF of 1,000 pages takes 10 s, a workbook of 100 MB less than a minute."""

OCR_SECONDS = 1800.0
"""For one file whose pages Tesseract reads, at a few seconds each."""

MEMORY_BYTES = 4_000_000_000
"""Of address space; libraries alone reserve several hundred MB."""


class Sandbox:
    """A reader of files; starts its process when the first file comes."""

    def __init__(
        self, *, ocr: bool = False, seconds: float | None = None, memory: int = MEMORY_BYTES
    ) -> None:
        """``seconds`` is for one file, by default 2 minutes, with ``ocr`` 30."""
        self._ocr = ocr
        self._seconds = seconds or (OCR_SECONDS if ocr else SECONDS)
        self._memory = memory
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Sandbox":
        """Gives itself; leaving ends the process."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the process."""
        self.close()

    @property
    def process_id(self) -> int | None:
        """Of the process that reads, if it runs."""
        return self._process.pid if self._process else None

    def close(self) -> None:
        """Ends the process, if one runs."""
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def load(self, path: Path, *, id: str) -> Document:  # noqa: A002
        """The same as ``index.load.load_document``; DocumentError also if its limits are passed."""
        if reason := reason_not_to_read(path, ocr=self._ocr):
            raise DocumentError(reason)
        return self.read(file_bytes(path), suffix=path.suffix.lower(), id=id)

    def read(self, data: bytes, *, suffix: str, id: str) -> Document:  # noqa: A002
        """The same as ``index.load.read_document``; DocumentError also if its limits are passed."""
        asked = {"suffix": suffix, "id": id, "bytes": len(data)}
        answer = self._ask(asked, data)
        if "error" in answer:
            raise (PassingError if answer["is_passing"] else DocumentError)(answer["error"])
        sections = tuple(Section(*fields) for fields in answer.pop("sections"))
        return Document(**answer | {"sections": sections, "copies": ()})

    def _ask(self, asked: dict[str, Any], data: bytes) -> Any:
        process = self._process or self._start()
        is_late = threading.Event()

        def end() -> None:
            is_late.set()
            process.kill()

        timer = threading.Timer(self._seconds, end)
        timer.start()
        try:
            assert process.stdin and process.stdout
            with suppress(BrokenPipeError):  # it ended while it was reading: no line follows
                process.stdin.write(json.dumps(asked).encode() + b"\n" + data)
                process.stdin.flush()
            line = process.stdout.readline()
        finally:
            timer.cancel()
        if line.endswith(b"\n"):
            return json.loads(line)
        self.close()
        if is_late.is_set():
            raise DocumentError(f"takes longer than {self._seconds:g} seconds to be read")
        raise DocumentError("is damaged in a way that ends the program that reads it")

    def _start(self) -> subprocess.Popen[bytes]:
        options = ["--ocr"] if self._ocr else []
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "index.sandbox", str(self._memory), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libraries complain there; what matters is raised
            cwd=Path(__file__).resolve().parents[1],
        )
        return self._process


# --- in the other process ---


def serve(questions: IO[bytes], answers: IO[bytes], *, ocr: bool) -> None:
    """Reads one file after the other from ``questions`` until it ends."""
    from index.load import read_document  # noqa: PLC0415

    while line := questions.readline():
        asked = json.loads(line)
        data = questions.read(asked.pop("bytes"))
        try:
            document = read_document(data, ocr=ocr, **asked)
            answer = asdict(document)
            answer["sections"] = [list(section.values()) for section in answer["sections"]]
        except DocumentError as error:
            answer = {"error": str(error), "is_passing": isinstance(error, PassingError)}
        except Exception as error:  # noqa: BLE001  a library's own, or a refused attempt
            reason = f"cannot be read: its reader fails on it ({type(error).__name__})"
            answer = {"error": reason, "is_passing": False}
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


def limit(memory: int, *, ocr: bool) -> None:
    """Takes from this process what a reader of bytes does not need."""
    with suppress(ImportError, OSError, ValueError):  # there is none on Windows
        import resource  # noqa: PLC0415

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if not ocr:  # Tesseract is given images as temporary files
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    own = tuple(
        str(Path(place).resolve()) for place in {*sys.path, sys.prefix, sys.base_prefix} if place
    )
    system = ("/dev/null", "/dev/urandom", "/usr/share/zoneinfo", "/etc/mime.types")

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(("socket.connect", "socket.bind", "socket.getaddrinfo")):
            raise PermissionError("a reader of files needs no network")
        if ocr:
            return
        if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"):
            raise PermissionError("a reader of files starts no program")
        if event == "open" and isinstance(arguments[0], str | bytes):
            path = os.path.realpath(os.fsdecode(arguments[0]))
            if not path.startswith((*own, *system)):
                raise PermissionError("a reader of files opens none")

    sys.addaudithook(refuse)


def main() -> None:
    """Serves the process that started this one, until it closes the pipe."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
    ocr = "--ocr" in sys.argv
    limit(int(sys.argv[1]), ocr=ocr)
    serve(sys.stdin.buffer, answers, ocr=ocr)


if __name__ == "__main__":
    main()
