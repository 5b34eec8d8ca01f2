"""An index on the disk, opened; see ``index.local_files``.

What was damaged on the disk is refused when the generation is opened: every file is held against
its sha256, except that of a file of more than ``READ_WHOLE`` bytes, which would take seconds to
read, its size and its time of last change do as long as both are what they were when it was
published. A disk that changes bytes in a large file by itself goes unnoticed then; ``footnote
check`` reads everything.
"""

import json
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from index import lexical, vectors
from index.encoders import Rows, Vectors
from index.generation import (
    DEPTH,
    FORMAT,
    Candidates,
    Manifest,
    Written,
    damaged,
    rebuild_command,
)
from index.local_files import (
    CELLS,
    MANIFEST,
    PASSAGES,
    VECTORS,
    current_generation,
    remembered_folder,
    writing,
)
from index.local_writer import GenerationWriter
from index.records import Document, Match, Passage, Section, Skipped
from models.errors import StoreError
from models.verify import file_sha256

READ_WHOLE = 64 * 2**20
"""Bytes of a file up to which opening an index reads it whole, in some hundredths of a second."""

_BESIDE = ThreadPoolExecutor(thread_name_prefix="words")
"""Searches by words while another thread searches by meaning."""


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

    def writer(self, name: str) -> GenerationWriter:
        """What writes the next generation."""
        return GenerationWriter(name)

    def remembered_folder(self, name: str) -> Path | None:
        """The folder that the index was made from."""
        return remembered_folder(name)

    def rebuild_command(self, name: str) -> str:
        """The command that builds the index ``name`` again from its folder."""
        return rebuild_command(name)


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
            cells = folder / CELLS if CELLS in self.manifest.files else None
            self.vectors = vectors.VectorFile(folder / VECTORS, cells=cells)
            self._connection = sqlite3.connect(
                f"{(folder / PASSAGES).as_uri()}?mode=ro&immutable=1",
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
        meanwhile: Callable[[list[str]], object] | None = None,
    ) -> Candidates:
        """The best passages by meaning and by words; see ``index.generation.Reader``."""
        among = None if documents is None else self._rows_among(documents)

        def by_words() -> tuple[dict[int, float], dict[int, Passage]]:
            scores = {m.row: m.score for m in self.search_words(query, limit=DEPTH, among=among)}
            passages = dict(zip(scores, self.passages(list(scores)), strict=True))
            if meanwhile:
                meanwhile([passage.text for passage in passages.values()])
            return scores, passages

        beside = _BESIDE.submit(by_words)
        vector = embed(query)
        meaning = self.vectors.search(vector, limit=DEPTH, among=among)
        words, passages = beside.result()
        further = [match.row for match in meaning if match.row not in words]
        passages.update(zip(further, self.passages(further), strict=True))
        rows = list(dict.fromkeys([*(match.row for match in meaning), *words]))
        bm25 = np.array([words.get(row, 0.0) for row in rows], dtype=np.float32)
        return Candidates([passages[row] for row in rows], self.vectors.rows(rows) @ vector, bm25)

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


def _read_manifest(name: str, folder: Path) -> Manifest:
    try:
        fields = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if fields["format"] != FORMAT:
            raise StoreError(
                f"The index “{name}” was made by another version of Footnote: "
                f"run '{rebuild_command(name)}'."
            )
        files = {file: Written(**written) for file, written in fields.pop("files").items()}
        return Manifest(**fields, files=files)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(damaged(name, "its manifest is missing or damaged")) from error
