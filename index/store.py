"""An index on disk: generations side by side, and one pointer to the current one.

    indexes/NAME/current                 the name of the current generation
    indexes/NAME/lock                    held by whoever builds
    indexes/NAME/generations/000007/     vectors.faiss  passages.sqlite  manifest.json

A generation is written whole, flushed to disk, and only then named in ``current``, which is
replaced by a rename: whenever a build dies, the old generation is still the current one.
Readers keep the generation that they opened. The one before the current is kept for those
who are just opening it; older ones are removed.
"""

import hashlib
import json
import os
import re
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from index import lexical, vectors
from index.records import Document, Match, Passage, Section, Vectors
from models.errors import StoreError
from models.paths import indexes_folder

FORMAT = 1
"""Changes when an older program could not read, or would misread, what is written."""

_VECTORS, _PASSAGES, _MANIFEST = "vectors.faiss", "passages.sqlite", "manifest.json"

_SCHEMA = """
    CREATE TABLE documents (
        row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, title TEXT NOT NULL,
        text TEXT NOT NULL, sha256 TEXT NOT NULL, sections TEXT NOT NULL
    ) STRICT;
    CREATE TABLE passages (
        row INTEGER PRIMARY KEY, document INTEGER NOT NULL REFERENCES documents,
        start INTEGER NOT NULL, "end" INTEGER NOT NULL, digest TEXT NOT NULL
    ) STRICT;
    CREATE INDEX passages_of_document ON passages (document);
"""


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
    documents: int
    passages: int
    created: str  # ISO 8601, UTC
    files: dict[str, str]  # file name: sha256


def index_path(name: str) -> Path:
    """The folder of the index ``name``; it may not exist. Raises StoreError on a bad name."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise StoreError(
            f"“{name}” cannot name an index: use up to 64 letters, digits, dots, dashes."
        )
    return indexes_folder() / name


def current_generation(name: str) -> Path | None:
    """The folder of the current generation; None if the index was never built.

    Raises StoreError if the pointer is damaged.
    """
    pointer = index_path(name) / "current"
    try:
        generation = pointer.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(_damaged(name, "its pointer cannot be read")) from error
    if not re.fullmatch(r"\d{6,}", generation):
        raise StoreError(_damaged(name, "its pointer is not a generation's name"))
    return pointer.parent / "generations" / generation


@contextmanager
def writing(name: str) -> Iterator[None]:
    """Holds the index for one writer. Raises StoreError if another process has it."""
    folder = index_path(name)
    lock = FileLock(folder / "lock", timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise StoreError(
            f"The index “{name}” is being built by another process: wait until it has ended."
        ) from error
    except OSError as error:
        raise StoreError(_unwritable(folder, error)) from error
    try:
        yield
    finally:
        lock.release()


class Generation:
    """One generation, opened for reading; may be used from several threads."""

    def __init__(self, name: str, folder: Path) -> None:
        """Raises StoreError if a file is missing or damaged, or of another version."""
        self.manifest = _read_manifest(name, folder)
        self._name = name
        self._lock = threading.Lock()
        try:
            self.vectors = vectors.VectorFile(folder / _VECTORS)
            self._connection = sqlite3.connect(
                f"{(folder / _PASSAGES).as_uri()}?mode=ro&immutable=1",
                uri=True,
                check_same_thread=False,
            )
            passages = self._rows("SELECT count(*) FROM passages")[0][0]
        except (StoreError, sqlite3.Error) as error:
            raise StoreError(_damaged(name, str(error))) from error
        if not passages == len(self.vectors) == self.manifest.passages:
            self.close()
            raise StoreError(_damaged(name, "its files do not belong together"))

    def close(self) -> None:
        """Releases the files."""
        self._connection.close()

    def _rows(self, query: str, *parameters: str | int) -> list[tuple]:  # type: ignore[type-arg]
        try:
            with self._lock:
                return self._connection.execute(query, parameters).fetchall()
        except sqlite3.Error as error:
            raise StoreError(_damaged(self._name, str(error))) from error

    def search_words(self, query: str, *, limit: int) -> list[Match]:
        """The passages that hold words of ``query``, best first."""
        try:
            with self._lock:
                return lexical.search(self._connection, query, limit=limit)
        except sqlite3.Error as error:
            raise StoreError(_damaged(self._name, str(error))) from error

    def passage(self, row: int) -> Passage:
        """Passage ``row``, with its text cut from its document."""
        ((document, title, text, start, end),) = self._rows(
            'SELECT d.id, d.title, substr(d.text, p.start + 1, p."end" - p.start), p.start, p."end"'
            " FROM passages p JOIN documents d ON d.row = p.document WHERE p.row = ?",
            row,
        )
        return Passage(document=document, title=title, text=text, start=start, end=end)

    def document_ids(self) -> list[str]:
        """The id of every document, sorted."""
        return [id_ for (id_,) in self._rows("SELECT id FROM documents ORDER BY id")]

    def document(self, id_: str) -> Document | None:
        """The document with that id, or None."""
        rows = self._rows(
            "SELECT id, title, text, sha256, sections FROM documents WHERE id = ?", id_
        )
        return _document(*rows[0]) if rows else None

    def digests(self) -> dict[str, str]:
        """The sha256 of each document's file, by document id."""
        return dict(self._rows("SELECT id, sha256 FROM documents"))

    def stored(self, id_: str) -> tuple[Document, tuple[Passage, ...]]:
        """A document and its passages in order. The id must exist."""
        document = self.document(id_)
        assert document is not None
        spans = self._rows(
            'SELECT p.start, p."end" FROM passages p'
            " JOIN documents d ON d.row = p.document WHERE d.id = ? ORDER BY p.row",
            id_,
        )
        return document, tuple(
            Passage(id_, document.title, document.text[start:end], start, end)
            for start, end in spans
        )

    def rows_by_digest(self) -> dict[str, int]:
        """For each digest of embedded text, the row of its vector."""
        return dict(self._rows("SELECT digest, row FROM passages"))


class GenerationWriter:
    """Writes the next generation; until ``publish`` no reader sees anything of it."""

    def __init__(self, name: str) -> None:
        """The caller holds ``writing(name)``. What builds that died left is removed."""
        self._index = index_path(name)
        self._is_published = False
        generations = self._index / "generations"
        generations.mkdir(parents=True, exist_ok=True)
        for path in _unpublished(name, generations):
            shutil.rmtree(path, ignore_errors=True)
        newest = max((int(path.name) for path in _numbered(generations)), default=0)
        self.folder = generations / f"{newest + 1:06d}"
        self.folder.mkdir()
        self.documents = 0
        self.passages = 0
        self._connection = sqlite3.connect(self.folder / _PASSAGES, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = OFF")  # a torn file is never read
        self._connection.execute("PRAGMA synchronous = OFF")  # publish flushes it
        self._connection.executescript(_SCHEMA)
        lexical.create(self._connection)
        self._connection.execute("BEGIN")

    def __enter__(self) -> "GenerationWriter":
        """Gives itself; leaving without ``publish`` removes what was written."""
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
        self, document: Document, passages: tuple[Passage, ...], digests: tuple[str, ...]
    ) -> None:
        """Adds a document; its passages take the next rows, in order."""
        self._connection.execute(
            "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?)",
            (
                self.documents,
                document.id,
                document.title,
                document.text,
                document.sha256,
                json.dumps([asdict(section) for section in document.sections]),
            ),
        )
        for passage, digest in zip(passages, digests, strict=True):
            self._connection.execute(
                "INSERT INTO passages VALUES (?, ?, ?, ?, ?)",
                (self.passages, self.documents, passage.start, passage.end, digest),
            )
            lexical.add(self._connection, row=self.passages, title=passage.title, text=passage.text)
            self.passages += 1
        self.documents += 1

    def publish(self, embeddings: Vectors, manifest: Manifest) -> None:
        """Writes vectors and manifest, flushes all, and makes this generation current."""
        assert len(embeddings) == self.passages == manifest.passages
        self._connection.execute("COMMIT")
        self._connection.close()
        vectors.write(self.folder / _VECTORS, embeddings)
        files = {file: file_sha256(self.folder / file) for file in (_VECTORS, _PASSAGES)}
        text = json.dumps({**asdict(manifest), "files": files}, indent=2, ensure_ascii=False)
        (self.folder / _MANIFEST).write_text(text, encoding="utf-8")
        for path in [*self.folder.iterdir(), self.folder, self.folder.parent]:
            _flush(path)
        pointer = self._index / "current.new"
        pointer.write_text(self.folder.name + "\n", encoding="ascii")
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


def _document(id_: str, title: str, text: str, sha256: str, sections: str) -> Document:
    return Document(
        id=id_,
        title=title,
        text=text,
        sha256=sha256,
        sections=tuple(Section(**section) for section in json.loads(sections)),
    )


def _read_manifest(name: str, folder: Path) -> Manifest:
    try:
        fields = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        if fields["format"] != FORMAT:
            raise StoreError(
                f"The index “{name}” was made by another version of Footnote: "
                f"run '{rebuild_command(name)}'."
            )
        return Manifest(**fields)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StoreError(_damaged(name, "its manifest is missing or damaged")) from error


def _damaged(name: str, cause: str) -> str:
    return f"The index “{name}” is damaged ({cause}): run '{rebuild_command(name)}'."


def _unwritable(folder: Path, error: OSError | sqlite3.Error) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (
        f"The index cannot be written to “{folder}” ({reason}): make room there, or set "
        "FOOTNOTE_HOME to another folder; an index from before still answers."
    )


def rebuild_command(name: str) -> str:
    """The command that builds the index ``name`` again from its folder."""
    return "footnote index" + ("" if name == "default" else f" --name {name}")


def file_sha256(path: Path) -> str:
    """The sha256 of a file's bytes, in hex. Raises OSError if it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    """Has the system write a file, or the names in a folder, to the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
