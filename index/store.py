"""An index on disk: generations side by side, and one pointer to the current one.

    indexes/NAME/current                 the name of the current generation, and the sha256 of
                                         its manifest, which has those of its other files
    indexes/NAME/lock                    held by whoever builds; lock.owner says who
    indexes/NAME/generations/000007/     vectors.npy  passages.sqlite  manifest.json, and, of
                                         many passages, cells.faiss: see ``index.vectors``

A generation is written whole, flushed to disk, and only then named in ``current``, which is
replaced by a rename: whenever a build dies, the old generation is still the current one.
Readers keep the generation that they opened. The one before the current is kept for those
who are just opening it; older ones are removed.

What was damaged on the disk is refused when the generation is opened: every file is held against
its sha256, except that of a file of more than ``READ_WHOLE`` bytes, which would take seconds to
read, its size and its time of last change do as long as both are what they were when it was
published. A disk that changes bytes in a large file by itself goes unnoticed then; ``footnote
check`` reads everything.
"""

import json
import os
import re
import shutil
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType

import numpy as np
from filelock import FileLock, Timeout

from index import lexical, vectors
from index.encoders import Rows, Vectors
from index.generation import (
    DEPTH,
    FORMAT,
    Candidates,
    Manifest,
    Written,
    checked_name,
    damaged,
    embedded_text,
    rebuild_command,
)
from index.records import Document, Match, Passage, Section, Skipped
from models.errors import StoreError
from models.paths import indexes_folder
from models.progress import OnProgress
from models.verify import file_sha256

_VECTORS, _CELLS = "vectors.npy", "cells.faiss"
_PASSAGES, _MANIFEST = "passages.sqlite", "manifest.json"

READ_WHOLE = 64 * 2**20
"""Bytes of a file up to which opening an index reads it whole, in some hundredths of a second."""

_BESIDE = ThreadPoolExecutor(thread_name_prefix="words")
"""Searches by words while another thread searches by meaning."""

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


def _is_in(written: Written, path: Path, *, whole: bool) -> bool:
    """Whether ``path`` is that file still; ``whole`` has also a large one read."""
    try:
        now = path.stat()
        if now.st_size != written.bytes:
            return False
        is_as_published = now.st_mtime_ns == written.mtime_ns and now.st_size > READ_WHOLE
        return (is_as_published and not whole) or file_sha256(path) == written.sha256
    except OSError:
        return False


@dataclass(frozen=True)
class LocalStore:
    """The indexes in the user's data folder."""

    def current(self, name: str) -> str | None:
        """The number of the current generation; see ``index.generation.Store``."""
        folder = current_generation(name)
        return folder.name if folder else None

    def open(self, name: str, *, whole: bool = False) -> "Generation | None":
        """The current generation, opened; None if the index was never built."""
        folder = current_generation(name)
        return Generation(name, folder, whole=whole) if folder else None

    def writing(self, name: str) -> AbstractContextManager[None]:
        """Holds the index for one writer."""
        return writing(name)

    def writer(self, name: str) -> "GenerationWriter":
        """What writes the next generation."""
        return GenerationWriter(name)

    def remembered_folder(self, name: str) -> Path | None:
        """The folder that the index was made from."""
        return remembered_folder(name)

    def rebuild_command(self, name: str) -> str:
        """The command that builds the index ``name`` again from its folder."""
        return rebuild_command(name)


def index_path(name: str) -> Path:
    """The folder of the index ``name``; it may not exist. Raises StoreError on a bad name."""
    return indexes_folder() / checked_name(name)


def current_generation(name: str) -> Path | None:
    """The folder of the current generation; None if the index was never built.

    Raises StoreError if the pointer, or the manifest that it vouches for, is damaged.
    """
    pointer = index_path(name) / "current"
    text = ""
    while True:
        before = text
        try:
            text = pointer.read_text(encoding="ascii")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise StoreError(damaged(name, "its pointer cannot be read")) from error
        parts = re.fullmatch(r"(\d{6,}) ([0-9a-f]{64})\n", text)
        if not parts:
            raise StoreError(damaged(name, "its pointer is not a generation's name"))
        folder = pointer.parent / "generations" / parts[1]
        with suppress(OSError):
            if file_sha256(folder / _MANIFEST) == parts[2]:
                return folder
        if text == before:  # else a build has replaced it in between
            raise StoreError(damaged(name, "its manifest is missing or damaged"))


def remembered_folder(name: str) -> Path | None:
    """The documents' folder of the index ``name``, also if it is damaged; None if never built.

    As the current generation says, whether the folder is there or not (a disk may be
    unmounted); if that is damaged, the newest that is there. Raises StoreError if it was
    built but no generation can say from what.
    """
    generations = index_path(name) / "generations"
    current = None
    with suppress(StoreError):
        current = current_generation(name)
        if current is None:
            return None
    for generation in reversed(_numbered(generations)) if generations.is_dir() else ():
        with suppress(OSError, ValueError, TypeError, KeyError):
            manifest = json.loads((generation / _MANIFEST).read_text(encoding="utf-8"))
            folder = Path(manifest["folder"])
            if generation == current or (current is None and folder.is_dir()):
                return folder
    raise StoreError(
        f"The index “{name}” cannot tell which folder it was made from: "
        f"run '{rebuild_command(name)} FOLDER'."
    )


@contextmanager
def writing(name: str) -> Iterator[None]:
    """Holds the index for one writer. Raises StoreError if another process has it."""
    folder = index_path(name)
    lock = FileLock(folder / "lock", timeout=0)
    owner = folder / "lock.owner"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        owner.write_text(f"process {os.getpid()}, since {datetime.now():%H:%M:%S}", "utf-8")
    except Timeout as error:
        raise StoreError(
            f"The index “{name}” is being built by {_owner(owner)}: wait until it has ended."
        ) from error
    except OSError as error:
        lock.release()
        raise StoreError(_unwritable(folder, error)) from error
    try:
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def _owner(path: Path) -> str:
    """Who holds the lock; its note may not be there yet."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return "another process"


class Generation:
    """One generation, opened for reading; may be used from several threads."""

    def __init__(self, name: str, folder: Path, *, whole: bool = False) -> None:
        """``whole`` has large files read, too, to see whether they are damaged.

        Raises StoreError if a file is missing or damaged, or of another version.
        """
        self.manifest = _read_manifest(name, folder)
        self.folder = folder
        self.number = folder.name
        self._among: tuple[tuple[str, ...], Rows] | None = None
        self._name = name
        self._lock = threading.Lock()
        for file, written in self.manifest.files.items():
            if not _is_in(written, folder / file, whole=whole):
                raise StoreError(damaged(name, f"{file} is missing or not as it was written"))
        try:
            cells = folder / _CELLS if _CELLS in self.manifest.files else None
            self.vectors = vectors.VectorFile(folder / _VECTORS, cells=cells)
            self._connection = sqlite3.connect(
                f"{(folder / _PASSAGES).as_uri()}?mode=ro&immutable=1",
                uri=True,
                check_same_thread=False,
            )
            # Who only drops it must not keep the disk's space till the next full collection.
            weakref.finalize(self, self._connection.close)
            self._words = lexical.Words(self._connection)
            passages = self._rows("SELECT count(*) FROM passages")[0][0]
        except (StoreError, sqlite3.Error) as error:
            raise StoreError(damaged(name, str(error))) from error
        if not passages == len(self.vectors) == self.manifest.passages:
            self.close()
            raise StoreError(damaged(name, "its files do not belong together"))

    def close(self) -> None:
        """Releases the files."""
        self._connection.close()

    def _rows(self, query: str, *parameters: str | int) -> list[tuple]:  # type: ignore[type-arg]
        try:
            with self._lock:
                return self._connection.execute(query, parameters).fetchall()
        except sqlite3.Error as error:
            raise StoreError(damaged(self._name, str(error))) from error

    def candidates(
        self,
        query: str,
        embed: Callable[[str], Vectors],
        *,
        documents: tuple[str, ...] | None = None,
    ) -> Candidates:
        """The best passages by meaning and by words; see ``index.generation.Reader``."""
        among = None if documents is None else self._rows_among(documents)
        found = _BESIDE.submit(self.search_words, query, limit=DEPTH, among=among)
        vector = embed(query)
        meaning = self.vectors.search(vector, limit=DEPTH, among=among)
        words = {match.row: match.score for match in found.result()}
        rows = list(dict.fromkeys([*(match.row for match in meaning), *words]))
        bm25 = np.array([words.get(row, 0.0) for row in rows], dtype=np.float32)
        return Candidates(self.passages(rows), self.vectors.rows(rows) @ vector, bm25)

    def _rows_among(self, documents: tuple[str, ...]) -> Rows:
        """The rows of those documents; those of the last ones that were asked are kept."""
        among = self._among  # another thread may put others in its place
        if among is None or among[0] != documents:
            rows = np.array(self.rows_of(documents), dtype=np.int64)
            among = self._among = (documents, rows)
        return among[1]

    def search_words(self, query: str, *, limit: int, among: Rows | None = None) -> list[Match]:
        """The passages that hold words of ``query``, best first; see ``lexical.Words``."""
        try:
            with self._lock:
                return self._words.search(query, limit=limit, among=among)
        except sqlite3.Error as error:
            raise StoreError(damaged(self._name, str(error))) from error

    def passages(self, rows: Sequence[int]) -> list[Passage]:
        """The passages of those rows, in their order."""
        found = self._rows(
            'SELECT p.row, d.id, d.title, p.text, p.start, p."end"'
            " FROM passages p JOIN documents d ON d.row = p.document"
            " WHERE p.row IN (SELECT value FROM json_each(?))",
            json.dumps(list(rows)),
        )
        passages = {row: Passage(*fields) for row, *fields in found}
        return [passages[row] for row in rows]

    def vectors_of(self, rows: Sequence[int]) -> Vectors:
        """Their vectors: float32, (len(rows), d)."""
        return self.vectors.rows(list(rows))

    def rows_of(self, documents: Iterable[str]) -> list[int]:
        """The rows of all passages of those documents, sorted."""
        rows = self._rows(
            "SELECT p.row FROM passages p JOIN documents d ON d.row = p.document"
            " WHERE d.id IN (SELECT value FROM json_each(?)) ORDER BY p.row",
            json.dumps(list(documents)),
        )
        return [row for (row,) in rows]

    def document_ids(self) -> list[str]:
        """The id of every document, sorted."""
        return [id_ for (id_,) in self._rows("SELECT id FROM documents ORDER BY id")]

    def document(self, id_: str) -> Document | None:
        """The document with that id, or None."""
        rows = self._rows(
            "SELECT id, title, text, sha256, author, date, source, sections, copies"
            " FROM documents WHERE id = ?",
            id_,
        )
        if not rows:
            return None
        id_, title, text, sha256, author, date, source, sections, copies = rows[0]
        return Document(
            id=id_,
            title=title,
            text=text,
            sha256=sha256,
            sections=tuple(Section(*fields) for fields in json.loads(sections)),
            author=author,
            date=date,
            source=source,
            copies=tuple(json.loads(copies)),
        )

    def summaries(self, words: str = "") -> list[tuple[str, str, str, int]]:
        """Of each document with ``words`` in its id or title: id, title, date and passages.

        Sorted by id.
        """
        return self._rows(
            "SELECT d.id, d.title, d.date, count(p.row) FROM documents d"
            " LEFT JOIN passages p ON p.document = d.row"
            " WHERE instr(lower(d.id || ' ' || d.title), lower(?)) GROUP BY d.row ORDER BY d.id",
            words,
        )

    def digests(self) -> dict[str, str]:
        """The sha256 of each document's file, by document id."""
        return dict(self._rows("SELECT id, sha256 FROM documents"))

    def copies(self) -> dict[str, tuple[str, ...]]:
        """The other files with the same bytes, by document id, where there are any."""
        rows = self._rows("SELECT id, copies FROM documents WHERE copies != '[]'")
        return {id_: tuple(json.loads(copies)) for id_, copies in rows}

    def problems(self) -> dict[str, str]:
        """Why a file could not be read, by the sha256 of its bytes."""
        return dict(self._rows("SELECT sha256, reason FROM problems"))

    def skipped(self) -> tuple[Skipped, ...]:
        """The files of the folder that could not be read, and why, sorted by path."""
        rows = self._rows("SELECT path, reason FROM skipped ORDER BY path")
        return tuple(Skipped(*row) for row in rows)

    def stored(self, id_: str) -> tuple[Document, tuple[Passage, ...]]:
        """A document and its passages in order. The id must exist."""
        document = self.document(id_)
        assert document is not None
        spans = self._rows(
            'SELECT p.text, p.start, p."end" FROM passages p'
            " JOIN documents d ON d.row = p.document WHERE d.id = ? ORDER BY p.row",
            id_,
        )
        return document, tuple(Passage(id_, document.title, *span) for span in spans)

    def vectors_by_digest(self, digests: Sequence[bytes]) -> dict[bytes, Vectors]:
        """The vectors of the passages with those digests of what was embedded, where known."""
        known = [digest for digest in digests if digest in self._rows_by_digest]
        rows = [self._rows_by_digest[digest] for digest in known]
        return dict(zip(known, self.vectors.rows(rows), strict=True))

    @cached_property
    def _rows_by_digest(self) -> dict[bytes, int]:
        return dict(self._rows("SELECT digest, row FROM passages"))


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
            newest = max((int(path.name) for path in _numbered(generations)), default=0)
            self.folder = generations / f"{newest + 1:06d}"
            self.folder.mkdir()
            self._connection = sqlite3.connect(self.folder / _PASSAGES, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = OFF")  # a torn file is never read
            self._connection.execute("PRAGMA synchronous = OFF")  # publish flushes it
            self._connection.executescript(_SCHEMA)
            lexical.create(self._connection)
            self._connection.execute("BEGIN")
        except (OSError, sqlite3.Error) as error:
            raise StoreError(_unwritable(self._index, error)) from error
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
            raise StoreError(_unwritable(self._index, error)) from error

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
        vectors.write(self.folder / _VECTORS, embeddings)
        method = vectors.EXACT
        if queries is not None:
            method = vectors.write_cells(
                self.folder / _CELLS, embeddings, queries=queries, on_progress=report
            )
        files = {path.name: _written(path) for path in sorted(self.folder.iterdir())}
        whole = replace(manifest, search=method.name, recall=method.recall, files=files)
        text = json.dumps(asdict(whole), indent=2, ensure_ascii=False)
        (self.folder / _MANIFEST).write_text(text, encoding="utf-8")
        for path in [*self.folder.iterdir(), self.folder, self.folder.parent]:
            _flush(path)
        pointer = self._index / "current.new"
        digest = file_sha256(self.folder / _MANIFEST)
        pointer.write_text(f"{self.folder.name} {digest}\n", encoding="ascii")
        _flush(pointer)
        pointer.replace(self._index / "current")
        _flush(self._index)
        self._is_published = True
        for path in _numbered(self.folder.parent)[:-2]:
            shutil.rmtree(path, ignore_errors=True)


def _numbered(generations: Path) -> list[Path]:
    return sorted(path for path in generations.iterdir() if path.name.isdigit())


def _unpublished(name: str, generations: Path) -> list[Path]:
    """Generations newer than the current one; none if which is current cannot be told."""
    try:
        current = current_generation(name)
    except StoreError:
        return []
    return [path for path in _numbered(generations) if not current or path.name > current.name]


def _read_manifest(name: str, folder: Path) -> Manifest:
    try:
        fields = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        if fields["format"] != FORMAT:
            raise StoreError(
                f"The index “{name}” was made by another version of Footnote: "
                f"run '{rebuild_command(name)}'."
            )
        files = {file: Written(**written) for file, written in fields.pop("files").items()}
        return Manifest(**fields, files=files)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(damaged(name, "its manifest is missing or damaged")) from error


def _unwritable(folder: Path, error: OSError | sqlite3.Error) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (
        f"The index cannot be written to “{folder}” ({reason}): make room there, or set "
        "FOOTNOTE_HOME to another folder; an index from before still answers."
    )


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
