"""What a build shares out: files into documents and their passages, texts into vectors.

This process does all of it by itself, unless there are workers: see ``index.workers``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from index.encoders import Embedder, Vectors
from index.load import file_bytes, reason_not_to_read
from index.records import Document, Passage
from index.sandbox import Sandbox
from index.split import split
from models.errors import DocumentError


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is given to whoever reads it, who need not have its folder."""

    id: str  # Document.id
    suffix: str  # in lower case
    data: bytes


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file that was read and split."""

    document: Document
    passages: tuple[Passage, ...]


class Workers(Protocol):
    """Who does that work. What is given comes back in the same order, whoever did it."""

    def load(self, files: Iterable[tuple[Path, str]]) -> Iterator[Loaded | DocumentError]:
        """Each file, given with its id, as a document and its passages; or why it is not read."""

    def embed(self, chunks: Iterable[list[str]]) -> Iterator[Vectors]:
        """The vectors of each chunk of texts: float32, (n, d), unit length.

        Raises ModelError if the embedding model cannot be used.
        """


class Alone:
    """This process, with one more that reads the files."""

    def __init__(self, embedder: Embedder, *, ocr: bool) -> None:
        """With ``ocr``, Tesseract reads images and scans."""
        self._embedder = embedder
        self._sandbox = Sandbox(ocr=ocr)
        self._ocr = ocr

    def __enter__(self) -> "Alone":
        """Gives itself; leaving ends the process that reads."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the process that reads."""
        self._sandbox.close()

    def load(self, files: Iterable[tuple[Path, str]]) -> Iterator[Loaded | DocumentError]:
        """Each file, read and split when its turn comes."""
        for path, id_ in files:
            file = opened(path, id_, ocr=self._ocr)
            yield load_file(file, self._sandbox) if isinstance(file, File) else file

    def embed(self, chunks: Iterable[list[str]]) -> Iterator[Vectors]:
        """The vectors of each chunk, when its turn comes."""
        self._sandbox.close()  # its memory is wanted
        return map(self._embedder.embed, chunks)


def opened(path: Path, id_: str, *, ocr: bool) -> File | DocumentError:
    """The file, or why it cannot be had."""
    if reason := reason_not_to_read(path, ocr=ocr):
        return DocumentError(reason)
    try:
        return File(id_, path.suffix.lower(), file_bytes(path))
    except DocumentError as error:
        return error


def load_file(file: File, sandbox: Sandbox) -> Loaded | DocumentError:
    """The file as a document and its passages, or why it cannot be read."""
    try:
        document = sandbox.read(file.data, suffix=file.suffix, id=file.id)
    except DocumentError as error:
        return error
    return Loaded(document, tuple(split(document)))
