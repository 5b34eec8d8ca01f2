"""The documents of an index, one by one: listed, added, left out and taken in again.

Adding copies a file into the indexed folder. Leaving out writes a line into the folder's
``.footnoteignore``; no file of anybody is ever deleted. The documents that come with the program
are not written to: the first change makes a copy of them, which is then the indexed folder.
"""

import re
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.build import SHIPPED_CORPUS, build
from index.embed import SentenceEmbedder
from index.encoders import Embedder
from index.folder import IGNORE_FILE, ignore_lines, ignored, is_hidden
from index.generation import Reader, Store
from index.landscape import Landscape, landscape
from index.load import MAX_BYTES, reason_not_to_read
from index.records import BuildReport, Passage, Skipped
from index.stores import open_store
from models.errors import DocumentError
from models.paths import documents_folder
from models.progress import OnProgress, readable_bytes

MOST = 200
"""Documents, and files that could not be read, that are listed at once."""

_SPECIAL = re.compile(r"([\\*?\[\]!# ])")
"""What means something in a pattern of ``.footnoteignore``."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A document of an index, in a list."""

    id: str
    title: str
    date: str  # as the document gives it, ISO 8601; may be empty
    passages: int
    size: int | None  # bytes of the file; None if it is not there any more


@dataclass(frozen=True, slots=True)
class Listing:
    """What an index holds, for a reader."""

    entries: list[Entry]  # sorted by id; at most ``MOST``
    total: int  # documents that fit
    skipped: tuple[Skipped, ...]  # files that could not be read; fitting ones, too


class Library:
    """The documents of the index ``name``."""

    def __init__(
        self,
        name: str,
        *,
        store: Store | str | None = None,
        embedder: Embedder | None = None,
    ) -> None:
        """The index need not be there yet; ``store`` and ``embedder`` are those of ``build``."""
        self._name = name
        self._store = open_store(store)
        self._embedder = embedder
        self._opened: Reader | None = None

    @property
    def folder(self) -> Path:
        """The folder that is indexed by the next ``build``."""
        folder = self._store.remembered_folder(self._name) or SHIPPED_CORPUS
        return self._own if folder == SHIPPED_CORPUS and self._own.exists() else folder

    @property
    def _own(self) -> Path:
        """Where the copy of the program's own documents is, once there is one."""
        return documents_folder() / self._name

    def _generation(self) -> Reader | None:
        """The index as it is now, opened; None if there is none.

        It stays open, for to open one is to read much of it, until a newer one takes its place.
        """
        number = self._store.current(self._name)
        if number is None:
            return None
        opened = self._opened  # another thread may put a newer one in its place
        if opened is None or opened.number != number:
            opened = self._opened = self._store.open(self._name)
        return opened

    def build(self, on_progress: OnProgress | None = None) -> BuildReport:
        """Brings the index up to date with its folder. Raises as ``index.build.build``."""
        return build(
            self.folder,
            name=self._name,
            store=self._store,
            embedder=self._embedder,
            on_progress=on_progress,
        )

    def listing(self, words: str = "") -> Listing:
        """The documents with ``words`` in their id or title; none if there is no index.

        Raises StoreError if it is damaged.
        """
        generation = self._generation()
        if generation is None:
            return Listing([], 0, ())
        rows = generation.summaries(words)
        folder = Path(generation.manifest.folder)
        skipped = (one for one in generation.skipped() if words.lower() in one.path.lower())
        return Listing(
            [Entry(*row, _size(folder / row[0])) for row in rows[:MOST]],
            len(rows),
            tuple(islice(skipped, MOST)),
        )

    def landscape(self, *, found: Collection[Passage] = ()) -> Landscape | None:
        """The passages in the plane, those that were ``found`` in any case.

        None if there is no index. Raises as ``listing``.
        """
        generation = self._generation()
        return landscape(generation, found=found) if generation else None

    def holdings(self) -> list[tuple[str, int]]:
        """The documents of the index, each with its number of passages; the largest first.

        Raises as ``listing``.
        """
        generation = self._generation()
        rows = generation.summaries() if generation else []
        return sorted(((row[0], row[3]) for row in rows), key=lambda pair: -pair[1])

    def place(self, landscape: Landscape, text: str) -> NDArray[np.float64]:
        """Where ``text`` would be there: (2,). Raises ModelError if the embedder is not here."""
        self._embedder = self._embedder or SentenceEmbedder()
        (point,) = landscape.place(self._embedder.embed_query(text)[np.newaxis])
        return np.asarray(point)

    def add(self, files: Sequence[Path]) -> list[str]:
        """Copies ``files`` into the folder, for the next build; gives their names there.

        A name that is taken gets a number. Raises DocumentError, and copies none, if one of
        them cannot be read as a document or is too large.
        """
        left_out = ignored(self.folder)
        for file in files:
            reason = reason_not_to_read(file, ocr=True)
            if is_hidden(file.name):
                reason = "files with such a name are hidden, and not indexed; give it another"
            elif left_out.match_file(file.name):
                reason = f"a line of the folder's {IGNORE_FILE} leaves it out; change that first"
            if reason:
                raise DocumentError(f"“{file.name}” is not added: {reason}.")
            if file.stat().st_size > MAX_BYTES:
                raise DocumentError(
                    f"“{file.name}” is not added: it is larger than {readable_bytes(MAX_BYTES)}; "
                    "part it into smaller files."
                )
        folder = self._own_folder()
        places: list[Path] = []
        try:
            for file in files:
                places.append(_free(folder, file.name))
                shutil.copyfile(file, places[-1])
        except OSError as error:
            for place in places:  # a part of a file is no document
                place.unlink(missing_ok=True)
            raise DocumentError(
                f"Nothing more can be copied to “{folder}” ({error.strerror}): make room there, "
                "or set its rights."
            ) from error
        return [place.name for place in places]

    def leave_out(self, id_: str) -> None:
        """Leaves a document out from the next build on; its file stays.

        Raises DocumentError if the folder cannot be written to, or this is no document of the
        index, or the only one.
        """
        generation = self._generation()
        known = generation.document_ids() if generation else []
        if id_ not in known or len(id_.splitlines()) > 1:
            raise DocumentError(f"“{id_}” cannot be left out: it is no document of this index.")
        if len(known) == 1:
            raise DocumentError(f"“{id_}” stays: an index needs a document; add another first.")
        folder = self._own_folder()
        _write_ignored(folder, [*ignore_lines(folder), _pattern(id_)])

    def take_in(self, id_: str) -> None:
        """Takes in again what ``leave_out`` left out. Raises DocumentError as that does."""
        folder = self._own_folder()
        _write_ignored(folder, [line for line in ignore_lines(folder) if line != _pattern(id_)])

    def left_out(self) -> list[str]:
        """The ids of the files that ``leave_out`` left out and that are still there."""
        folder = self.folder
        lines = set(ignore_lines(folder))
        if not lines:
            return []
        files = (file.relative_to(folder).as_posix() for file in folder.rglob("*"))
        return sorted(id_ for id_ in files if _pattern(id_) in lines)

    def _own_folder(self) -> Path:
        """The folder to write to: the program's own documents are copied first."""
        folder = self.folder
        if folder != SHIPPED_CORPUS:
            return folder
        own = self._own
        part = own.with_name(f"{own.name}.part")  # a copy that failed is never taken for it
        try:
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(SHIPPED_CORPUS, part)
            part.rename(own)
        except OSError as error:
            raise DocumentError(
                f"The documents cannot be copied to “{own}” ({error.strerror or error}): make "
                "room there, or set FOOTNOTE_HOME to another folder."
            ) from error
        return own


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except OSError:
        return None


def _free(folder: Path, name: str) -> Path:
    """``name`` below ``folder``, with a number if it is taken."""
    wanted = folder / Path(name).name
    place, number = wanted, 2
    # A link that leads nowhere would be written through.
    while place.exists() or place.is_symlink():
        place = wanted.with_stem(f"{wanted.stem} ({number})")
        number += 1
    return place


def _pattern(id_: str) -> str:
    """The line of ``.footnoteignore`` that names this file alone."""
    return "/" + _SPECIAL.sub(r"\\\1", id_)


def _write_ignored(folder: Path, lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    new = folder / f"{IGNORE_FILE}.new"
    try:
        new.write_text(text, encoding="utf-8")
        new.replace(folder / IGNORE_FILE)
    except OSError as error:
        raise DocumentError(
            f"“{folder / IGNORE_FILE}” cannot be written ({error.strerror}): set its rights, or "
            "move the file out of the folder."
        ) from error
