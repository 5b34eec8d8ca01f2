"""The next generation of an index, written to Milvus; see ``index.milvus_store`` for what is where.

Documents are sent when they are added. Passages wait for their vectors in a file of this machine,
for Milvus takes a row only whole.
"""

import hashlib
import json
import re
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from index.encoders import Vectors
from index.generation import Manifest, embedded_text, rebuild_command
from index.lexical import K1, B, stems
from index.milvus import BM25, LONGEST_TEXT, Field, Lookup, Milvus
from index.milvus_lease import Lease
from index.records import Document, Passage, Skipped
from index.vectors import RECALL, SAME, highest
from models.errors import StoreError
from models.progress import OnProgress, Progress

LAYOUT = 1
"""Changes when an older program could not read, or would misread, what is in the collections."""

_AT_ONCE = 500
"""Passages that are sent at once: some 2 MB."""

_MOST_WAITING = 2_000_000
"""Characters of documents that wait to be sent."""

_M, _EF_CONSTRUCTION = 32, 200
_LEAST_EF, _MOST_EF = 64, 1024
"""Of the graph in which the vectors of many passages are searched (HNSW: Malkov and Yashunin,
TPAMI 2020): edges of a node, and nodes that are looked at when it is built and when it is asked."""


def prefix_of(name: str) -> str:
    """What the names of an index's collections begin with, which has only letters, digits and _.

    No index's is the beginning of another's: what follows is no hexadecimal digit.
    """
    return "footnote_" + re.sub(r"[^A-Za-z0-9]", lambda found: f"_{ord(found[0]):02x}", name)


def number_of(name: str, collection: str) -> str | None:
    """The number of the generation that a collection of the index belongs to, or None."""
    found = re.fullmatch(rf"{prefix_of(name)}_g(\d{{6,}})(_records)?", collection)
    return found[1] if found else None


def passages_of(name: str, number: str) -> str:
    """The collection of that generation's passages."""
    return f"{prefix_of(name)}_g{number}"


def records_of(name: str, number: str) -> str:
    """The collection of what else is kept of that generation."""
    return f"{passages_of(name, number)}_records"


def key_of(id_: str) -> int:
    """A document's number, to ask for it in a filter: 63 bits of its id's sha256."""
    return int.from_bytes(hashlib.sha256(id_.encode()).digest()[:8]) >> 1


def drop_generations(milvus: Milvus, name: str, *, kept: Iterable[str]) -> None:
    """Removes all generations of an index but those."""
    kept = set(kept)
    for collection in milvus.collections(f"{prefix_of(name)}_g"):
        number = number_of(name, collection)
        if number and number not in kept:
            milvus.drop(collection)


class MilvusWriter:
    """Writes the next generation; until ``publish`` no reader sees anything of it."""

    def __init__(self, milvus: Milvus, name: str, lease: Lease) -> None:
        """The caller holds ``lease``; nothing is written before it is entered."""
        self._milvus, self._name, self._lease = milvus, name, lease
        self._is_published = False
        self._records = 0
        self._waiting: list[dict[str, Any]] = []
        self._characters = 0
        self.documents = 0
        self.passages = 0

    def __enter__(self) -> "MilvusWriter":
        """Begins a new generation, and removes what builds that died left."""
        milvus, name = self._milvus, self._name
        current = milvus.alias(prefix_of(name))
        self._current = number_of(name, current) if current else None
        numbers = [
            number
            for collection in milvus.collections(f"{prefix_of(name)}_g")
            if (number := number_of(name, collection)) and not self._is_left(number)
        ]
        drop_generations(milvus, name, kept=numbers)
        self._number = f"{max(map(int, numbers), default=0) + 1:06d}"
        self._folder = tempfile.TemporaryDirectory(prefix="footnote-")
        self._connection = sqlite3.connect(
            Path(self._folder.name) / "passages.sqlite", isolation_level=None
        )
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute(
            'CREATE TABLE passages (row INTEGER PRIMARY KEY, id, title, text, start, "end", digest)'
        )
        self._connection.execute("BEGIN")
        milvus.create(
            records_of(name, self._number),
            [
                Field("row", "integer"), Field("document", "integer"), Field("kind", "text"),
                Field("id", "text"), Field("part", "integer"), Field("parts", "integer"),
                Field("text", "text"),
                Field("nothing", "vector", 2),  # every collection must have one
            ],
        )  # fmt: skip
        return self

    def _is_left(self, number: str) -> bool:
        return self._current is None or int(number) > int(self._current)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Removes the generation unless it was published."""
        self._connection.close()
        self._folder.cleanup()
        if not self._is_published:
            with suppress(StoreError):  # the next build removes it
                self._milvus.drop(passages_of(self._name, self._number))
                self._milvus.drop(records_of(self._name, self._number))
        if isinstance(error, OSError | sqlite3.Error):
            raise StoreError(
                f"The passages cannot be kept in the folder for temporary files ({error}): make "
                "room there, or set TMPDIR to another folder; an index from before still answers."
            ) from error

    def add(
        self, document: Document, passages: tuple[Passage, ...], digests: Sequence[bytes]
    ) -> None:
        """Adds a document; its passages take the next rows, in order."""
        head = {
            "title": document.title,
            "sha256": document.sha256,
            "author": document.author,
            "date": document.date,
            "source": document.source,
            "copies": document.copies,
            "passages": len(passages),
            "text": hashlib.sha256(document.text.encode()).hexdigest(),
        }
        sections = [(s.kind, s.label, s.start, s.end) for s in document.sections]
        self._record("head", document.id, json.dumps(head, ensure_ascii=False))
        self._record("sections", document.id, json.dumps(sections, ensure_ascii=False))
        self._record("text", document.id, document.text)
        self._connection.executemany(
            "INSERT INTO passages VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (row, document.id, one.title, one.text, one.start, one.end, digest.hex())
                for row, (one, digest) in enumerate(
                    zip(passages, digests, strict=True), start=self.passages
                )
            ),
        )
        self.passages += len(passages)
        self.documents += 1

    def texts(self, rows: list[int]) -> Iterator[str]:
        """What is embedded of the passages ``rows``: see ``embedded_text``."""
        for row in rows:
            (found,) = self._connection.execute(
                "SELECT title, text FROM passages WHERE row = ?", (row,)
            )
            yield embedded_text(*found)

    def add_problem(self, sha256: str, reason: str) -> None:
        """Remembers that the file with these bytes cannot be read, so it is not tried again."""
        self._record("problem", sha256, reason)

    def add_skipped(self, skipped: Iterable[Skipped]) -> None:
        """Remembers which files are not in this generation, for those who ask what it holds."""
        for one in skipped:
            self._record("skipped", one.path, one.reason)

    def _record(self, kind: str, id_: str, text: str) -> None:
        """Sends a text in as many parts as Milvus wants, now or with those that follow."""
        starts = range(0, max(len(text), 1), LONGEST_TEXT)
        for part, start in enumerate(starts):
            self._waiting.append(
                {
                    "row": self._records, "document": key_of(id_), "kind": kind, "id": id_,
                    "part": part, "parts": len(starts),
                    "text": text[start : start + LONGEST_TEXT], "nothing": [0.0, 0.0],
                }
            )  # fmt: skip
            self._records += 1
        self._characters += len(text)
        if self._characters > _MOST_WAITING or len(self._waiting) > _AT_ONCE:
            self._send()

    def _send(self) -> None:
        if self._waiting:
            self._milvus.insert(records_of(self._name, self._number), self._waiting)
            self._waiting, self._characters = [], 0

    def publish(
        self,
        embeddings: Vectors,
        manifest: Manifest,
        *,
        queries: Vectors | None = None,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Sends passages with their vectors, has Milvus make its indexes, and switches the alias.

        ``queries``, float32 (m, d), are like the questions to come: with them the search by
        meaning is approximate, and its recall is measured. Without them it is exact.
        """
        assert len(embeddings) == self.passages == manifest.passages
        report = on_progress or (lambda progress: None)
        passages, records = (
            passages_of(self._name, self._number),
            records_of(self._name, self._number),
        )
        # 1. The passages, whole.
        self._send_passages(passages, embeddings, report)
        # 2. What finds them.
        by_meaning = Lookup("vector", "FLAT", "IP")
        if queries is not None:
            graph = {"M": _M, "efConstruction": _EF_CONSTRUCTION}
            by_meaning = Lookup("vector", "HNSW", "IP", graph)
        by_words = Lookup(BM25, "SPARSE_INVERTED_INDEX", "BM25", {"bm25_k1": K1, "bm25_b": B})
        self._milvus.finish(
            passages,
            [by_meaning, by_words, Lookup("document", "INVERTED"), Lookup("digest", "INVERTED")],
        )
        ef, search, recall = 0, "exact", None
        if queries is not None:
            ef, recall = self._tune(passages, embeddings, queries)
            search = f"HNSW M {_M} ef {ef}"
        # 3. What says how it was made.
        about = {
            "layout": LAYOUT,
            "ef": ef,
            "records": self._records,  # without those of the manifest itself
            "manifest": asdict(replace(manifest, search=search, recall=recall)),
        }
        self._record("manifest", "", json.dumps(about, ensure_ascii=False))
        self._send()
        self._milvus.finish(
            records,
            [
                Lookup("nothing", "FLAT", "IP"),
                Lookup("document", "INVERTED"),
                Lookup("kind", "INVERTED"),
            ],
        )
        # 4. Is all of it there, and nobody else at work? Then this is the index.
        counts = (self._milvus.count(passages), self._milvus.count(records))
        if counts != (self.passages, self._records):
            raise StoreError(
                f"Milvus at {self._milvus.url} has not kept all that was written: run "
                f"'{rebuild_command(self._name, store=self._milvus.url)}' again."
            )
        self._lease.check()
        self._milvus.point(prefix_of(self._name), passages)
        self._is_published = True
        kept = [self._number, *([self._current] if self._current else [])]
        with suppress(StoreError):  # else the next build removes them
            drop_generations(self._milvus, self._name, kept=kept)

    def _send_passages(self, passages: str, embeddings: Vectors, report: OnProgress) -> None:
        self._milvus.create(
            passages,
            [
                Field("row", "integer"), Field("document", "integer"), Field("id", "text"),
                Field("title", "text"), Field("text", "text"), Field("start", "integer"),
                Field("end", "integer"), Field("digest", "text"), Field("words", "words"),
                Field("vector", "vector", embeddings.shape[1]),
            ],
        )  # fmt: skip
        rows = self._connection.execute("SELECT * FROM passages ORDER BY row")
        while some := rows.fetchmany(_AT_ONCE):
            words = stems([embedded_text(title, text) for _, _, title, text, *_ in some])
            sent = [
                {
                    "row": row, "document": key_of(id_), "id": id_, "title": title[:LONGEST_TEXT],
                    "text": text, "start": start, "end": end, "digest": digest,
                    "words": " ".join(found)[:LONGEST_TEXT], "vector": embeddings[row],
                }
                for (row, id_, title, text, start, end, digest), found
                in zip(some, words, strict=True)
            ]  # fmt: skip
            self._milvus.insert(passages, sent)
            done = sent[-1]["row"] + 1
            report(Progress("Sending passages to Milvus", done, self.passages, "passages"))

    def _tune(self, passages: str, embeddings: Vectors, queries: Vectors) -> tuple[int, float]:
        """How many nodes a search looks at, the fewest that suffice; and its recall at 10."""
        nearest = min(10, len(embeddings))
        expected = highest(queries, embeddings, nearest)
        ef = _LEAST_EF
        while True:
            found = self._milvus.search(
                passages, "vector", queries, limit=nearest, fields=["row"], options={"ef": ef}
            )
            hits = 0
            for query, scores, matches in zip(queries, expected, found, strict=True):
                rows = [match.row["row"] for match in matches]
                # Of passages with the same text any is right.
                hits += int(np.count_nonzero(embeddings[rows] @ query > scores[-1] - SAME))
            recall = round(hits / expected.size, 4)
            if recall >= RECALL or ef >= _MOST_EF:
                return ef, recall
            ef *= 2
