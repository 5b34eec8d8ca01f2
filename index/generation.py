"""What every store of indexes does: one generation is read, the next one is written beside it.

Two stores do it, the local files of ``index.local_store`` and Milvus in ``index.milvus_store``; who
searches, builds, lists or checks an index knows only what is here. Documents are named by their
ids. A passage is named by its row: passages are numbered from 0, in the order of the documents.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from index.encoders import Vectors
from index.records import Document, Passage, Skipped
from models.errors import StoreError
from models.progress import OnProgress

FORMAT = 4
"""Changes when an older program could not read, or would misread, what is written."""

DEPTH = 50
"""Passages that each of the two searches finds, to be ranked together."""


@dataclass(frozen=True, slots=True)
class Written:
    """A file as it was when its generation was published."""

    sha256: str
    bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation was made from; a build reuses only what was made the same way."""

    format: int
    folder: str  # the documents' folder, absolute
    embedder: str  # the model's name
    embedder_digest: str  # the sha256 of its weights
    dimension: int
    metric: str  # "cosine"
    passage_size: int  # the splitter's setting, in characters
    readers: int  # the version of the formats' readers
    ocr: bool  # whether scans were read
    documents: int
    passages: int
    created: str  # ISO 8601, UTC
    search: str = ""  # how vectors are searched; ``publish`` says it
    recall: float | None = None  # of that search, as it was measured; None if it is exact
    files: dict[str, Written] = field(default_factory=dict)  # by name, if it is kept in files


@dataclass(frozen=True, slots=True)
class Candidates:
    """What the two searches found for a query: first by meaning, then what words alone found."""

    passages: list[Passage]
    cosines: NDArray[np.float32]  # (n,): the nearness of each to the query, -1 to 1
    bm25: NDArray[np.float32]  # (n,): the worth of its words; 0 if only its meaning was found


class Reader(Protocol):
    """One generation, opened; it stays as it is, and may be used from several threads.

    Every method raises StoreError if what it needs is missing or damaged.
    """

    @property
    def number(self) -> str:
        """Which generation it is."""

    @property
    def manifest(self) -> Manifest:
        """What it was made from."""

    def close(self) -> None:
        """Releases what it holds."""

    def candidates(
        self,
        query: str,
        embed: Callable[[str], Vectors],
        *,
        documents: tuple[str, ...] | None = None,
        meanwhile: Callable[[list[str]], object] | None = None,
    ) -> Candidates:
        """The best passages for ``query`` by meaning, and by words: up to ``DEPTH`` of each.

        ``embed`` gives its vector, while its words are searched. Only passages of
        ``documents``, if that is given, are found. ``meanwhile``, if given, is done in another
        thread with the texts that words found, while what is near in meaning is searched.
        """

    def passages(self, rows: Sequence[int]) -> list[Passage]:
        """The passages of those rows, in their order."""

    def vectors_of(self, rows: Sequence[int]) -> Vectors:
        """Their vectors: float32, (len(rows), d), of unit length."""

    def rows_of(self, documents: Iterable[str]) -> list[int]:
        """The rows of all passages of those documents, sorted."""

    def vectors_by_digest(self, digests: Sequence[bytes]) -> dict[bytes, Vectors]:
        """The vectors of the passages with those digests of what was embedded, where known."""

    def document_ids(self) -> list[str]:
        """The id of every document, sorted."""

    def document(self, id_: str) -> Document | None:
        """The document with that id, or None."""

    def stored(self, id_: str) -> tuple[Document, tuple[Passage, ...]]:
        """A document and its passages in order. The id must exist."""

    def summaries(self, words: str = "") -> list[tuple[str, str, str, int]]:
        """Of each document with ``words`` in its id or title: id, title, date and passages.

        Sorted by id.
        """

    def digests(self) -> dict[str, str]:
        """The sha256 of each document's file, by document id."""

    def copies(self) -> dict[str, tuple[str, ...]]:
        """The other files with the same bytes, by document id, where there are any."""

    def problems(self) -> dict[str, str]:
        """Why a file could not be read, by the sha256 of its bytes."""

    def skipped(self) -> tuple[Skipped, ...]:
        """The files of the folder that could not be read, and why, sorted by path."""


class Writer(Protocol):
    """Writes the next generation; until ``publish`` no reader sees anything of it.

    Leaving it without ``publish`` removes what was written. Raises StoreError if it cannot
    be written.
    """

    @property
    def documents(self) -> int:
        """How many documents were added."""

    @property
    def passages(self) -> int:
        """How many passages were added."""

    def add(
        self, document: Document, passages: tuple[Passage, ...], digests: Sequence[bytes]
    ) -> None:
        """Adds a document; its passages take the next rows, in order."""

    def texts(self, rows: list[int]) -> Iterator[str]:
        """What is embedded of the passages ``rows``: see ``embedded_text``."""

    def add_problem(self, sha256: str, reason: str) -> None:
        """Remembers that the file with these bytes cannot be read, so it is not tried again."""

    def add_skipped(self, skipped: Iterable[Skipped]) -> None:
        """Remembers which files are not in this generation, for those who ask what it holds."""

    def publish(
        self,
        embeddings: Vectors,
        manifest: Manifest,
        *,
        queries: Vectors | None = None,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Writes vectors and manifest, and makes this generation current in one step.

        ``queries``, float32 (m, d), are like the questions to come: with them the search by
        meaning is approximate, and its recall is measured. Without them it is exact.
        """


class Store(Protocol):
    """A place where indexes are kept, each under a name."""

    def current(self, name: str) -> str | None:
        """The number of the current generation; None if the index was never built.

        Raises StoreError if the name is a bad one, or which one is current cannot be told.
        """

    def open(self, name: str, *, whole: bool = False) -> Reader | None:
        """The current generation, opened; None if the index was never built.

        ``whole`` reads all of it, to see whether it is as it was written. Raises StoreError
        if it is damaged, or of another version.
        """

    def writing(self, name: str) -> AbstractContextManager[None]:
        """Holds the index for one writer. Raises StoreError if another one has it."""

    def writer(self, name: str) -> AbstractContextManager[Writer]:
        """What writes the next generation; the caller holds ``writing(name)``."""

    def remembered_folder(self, name: str) -> Path | None:
        """The folder that the index was made from; None if it was never built.

        Raises StoreError if it was built but nothing can say from what.
        """

    def rebuild_command(self, name: str) -> str:
        """The command that builds the index ``name`` again from its folder."""


def checked_name(name: str) -> str:
    """``name``, if an index can have it. Raises StoreError if not."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise StoreError(
            f"“{name}” cannot name an index: use up to 64 letters, digits, dots, dashes."
        )
    return name


def rebuild_command(name: str, *, store: str = "") -> str:
    """The command that builds the index ``name``, in the store of that URL, again."""
    named = "" if name == "default" else f" --name {name}"
    return "footnote index" + (f" --store {store}" if store else "") + named


def damaged(name: str, cause: str, *, store: str = "") -> str:
    """The sentence that says so, with the command that mends it."""
    return f"The index “{name}” is damaged ({cause}): run '{rebuild_command(name, store=store)}'."


def embedded_text(title: str, text: str) -> str:
    """The title goes before a passage's text: it often names what the text only calls “it”."""
    return f"{title}\n{text}" if title else text
