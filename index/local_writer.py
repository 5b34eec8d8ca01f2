"""Writes the next generation of an index on the disk: see ``index.local_files``."""

import json
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType

from index import lexical, vectors
from index.encoders import Vectors
from index.generation import Manifest, Written, embedded_text
from index.local_files import (
    CELLS,
    MANIFEST,
    PASSAGES,
    VECTORS,
    current_generation,
    index_path,
    numbered,
    unwritable,
)
from index.records import Document, Passage, Skipped
from models.errors import StoreError
from models.progress import OnProgress
from models.verify import file_sha256

_SCHEMA = """
    CREATE TABLE documents (
        row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, title TEXT NOT NULL,
        text TEXT NOT NULL, sha256 TEXT NOT NULL, sections TEXT NOT NULL,
        author TEXT NOT NULL, date TEXT NOT NULL, source TEXT NOT NULL, copies TEXT NOT NULL
    ) STRICT;
    CREATE TABLE passages (
        row INTEGER PRIMARY KEY, document INTEGER NOT NULL REFERENCES documents,
        start INTEGER NOT NULL, "end" INTEGER NOT NULL, digest BLOB NOT NULL, text TEXT NOT NULL
    ) STRICT;
    CREATE INDEX passages_of_document ON passages (document);
    CREATE TABLE problems (
        sha256 TEXT PRIMARY KEY, reason TEXT NOT NULL
    ) STRICT;
    CREATE TABLE skipped (
        path TEXT PRIMARY KEY, reason TEXT NOT NULL
    ) STRICT;
"""


class GenerationWriter:
    """Writes the next generation; until ``publish`` no reader sees anything of it."""

    def __init__(self, name: str) -> None:
        """The caller holds ``writing(name)``; nothing is written before it is entered."""
        self._name = name
        self._index = index_path(name)
        self._is_published = False
        self.documents = 0
        self.passages = 0

    def __enter__(self) -> "GenerationWriter":
        """Begins a new generation, and removes what builds that died left.

        Leaving without ``publish`` removes what was written. Raises StoreError if the disk
        is full or may not be written.
        """
        generations = self._index / "generations"
        try:
            generations.mkdir(parents=True, exist_ok=True)
            for path in _unpublished(self._name, generations):
                shutil.rmtree(path, ignore_errors=True)
            newest = max((int(path.name) for path in numbered(generations)), default=0)
            self.folder = generations / f"{newest + 1:06d}"
            self.folder.mkdir()
            self._connection = sqlite3.connect(self.folder / PASSAGES, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = OFF")  # a torn file is never read
            self._connection.execute("PRAGMA synchronous = OFF")  # publish flushes it
            self._connection.executescript(_SCHEMA)
            lexical.create(self._connection)
            self._connection.execute("BEGIN")
        except (OSError, sqlite3.Error) as error:
            raise StoreError(unwritable(self._index, error)) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Removes the generation unless it was published; tells of a full disk in words."""
        self._connection.close()
        if not self._is_published:
            shutil.rmtree(self.folder, ignore_errors=True)
        if isinstance(error, OSError | sqlite3.Error):
            raise StoreError(unwritable(self._index, error)) from error

    def add(
        self, document: Document, passages: tuple[Passage, ...], digests: Sequence[bytes]
    ) -> None:
        """Adds a document; its passages take the next rows, in order."""
        self._connection.execute(
            "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self.documents,
                document.id,
                document.title,
                document.text,
                document.sha256,
                json.dumps([(s.kind, s.label, s.start, s.end) for s in document.sections]),
                document.author,
                document.date,
                document.source,
                json.dumps(document.copies),
            ),
        )
        for passage, digest in zip(passages, digests, strict=True):
            self._connection.execute(
                "INSERT INTO passages VALUES (?, ?, ?, ?, ?, ?)",
                (
                    self.passages, self.documents, passage.start, passage.end, digest,
                    passage.text,
                ),
            )  # fmt: skip
            lexical.add(self._connection, row=self.passages, title=passage.title, text=passage.text)
            self.passages += 1
        self.documents += 1

    def texts(self, rows: list[int]) -> Iterator[str]:
        """What is embedded of the passages ``rows``: see ``embedded_text``."""
        for row in rows:
            (found,) = self._connection.execute(
                "SELECT d.title, p.text FROM passages p JOIN documents d ON d.row = p.document"
                " WHERE p.row = ?",
                (row,),
            )
            yield embedded_text(*found)

    def add_problem(self, sha256: str, reason: str) -> None:
        """Remembers that the file with these bytes cannot be read, so it is not tried again."""
        self._connection.execute("INSERT OR REPLACE INTO problems VALUES (?, ?)", (sha256, reason))

    def add_skipped(self, skipped: Iterable[Skipped]) -> None:
        """Remembers which files are not in this generation, for those who ask what it holds."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO skipped VALUES (?, ?)",
            ((one.path, one.reason) for one in skipped),
        )

    def publish(
        self,
        embeddings: Vectors,
        manifest: Manifest,
        *,
        queries: Vectors | None = None,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Writes vectors and manifest, flushes all, and makes this generation current.

        ``queries``, float32 (m, d), are like the questions to come: with them the search by
        meaning is approximate, and its recall is measured. Without them it is exact.
        """
        assert len(embeddings) == self.passages == manifest.passages
        report = on_progress or (lambda progress: None)
        lexical.finish(self._connection, passages=self.passages, on_progress=report)
        self._connection.execute("COMMIT")
        self._connection.close()
        vectors.write(self.folder / VECTORS, embeddings)
        method = vectors.EXACT
        if queries is not None:
            method = vectors.write_cells(
                self.folder / CELLS, embeddings, queries=queries, on_progress=report
            )
        files = {path.name: _written(path) for path in sorted(self.folder.iterdir())}
        whole = replace(manifest, search=method.name, recall=method.recall, files=files)
        text = json.dumps(asdict(whole), indent=2, ensure_ascii=False)
        (self.folder / MANIFEST).write_text(text, encoding="utf-8")
        for path in [*self.folder.iterdir(), self.folder, self.folder.parent]:
            _flush(path)
        pointer = self._index / "current.new"
        digest = file_sha256(self.folder / MANIFEST)
        pointer.write_text(f"{self.folder.name} {digest}\n", encoding="ascii")
        _flush(pointer)
        pointer.replace(self._index / "current")
        _flush(self._index)
        self._is_published = True
        for path in numbered(self.folder.parent)[:-2]:
            shutil.rmtree(path, ignore_errors=True)


def _unpublished(name: str, generations: Path) -> list[Path]:
    """Generations newer than the current one; none if which is current cannot be told."""
    try:
        current = current_generation(name)
    except StoreError:
        return []
    return [path for path in numbered(generations) if not current or path.name > current.name]


def _written(path: Path) -> Written:
    """The file as it is now, on the disk itself: nothing changes its time of change any more."""
    _flush(path)
    is_now = path.stat()
    return Written(file_sha256(path), is_now.st_size, is_now.st_mtime_ns)


def _flush(path: Path) -> None:
    """Has the system write a file, or the names in a folder, to the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
