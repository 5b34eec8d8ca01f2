"""An index in Milvus: two collections for each generation, and one alias for the current one.

    footnote_NAME_g000007            the passages: vector, words, text, place, digest of each
    footnote_NAME_g000007_records    documents, whole, in parts; their titles, dates, digests;
                                     files that could not be read; the manifest
    footnote_NAME                    the alias: which generation is the current one
    footnote_NAME_lock_000001        held by whoever builds: see ``index.milvus_lease``

A build fills new collections beside those that answer, has Milvus write, index and load them,
counts their rows, and then points the alias at them, which is one step: whenever a build dies the
alias stands for the generation before, and what is left is removed by the next. Readers ask the
collections that they opened, by name; the generation before the current one is kept for them.

What is searched by words are the stems that the local store would search (``index.lexical``), so
both find the same, in every language and with any analyzer; BM25 itself is Milvus's.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from index.encoders import Vectors
from index.generation import (
    DEPTH,
    FORMAT,
    Candidates,
    Manifest,
    checked_name,
    damaged,
    embedded_text,
    rebuild_command,
)
from index.lexical import telling_stems
from index.milvus import BM25, MOST_ROWS, Found, Milvus, MissingCollectionError, as_vectors
from index.milvus_lease import Lease
from index.milvus_writer import (
    LAYOUT,
    MilvusWriter,
    key_of,
    number_of,
    passages_of,
    prefix_of,
    records_of,
)
from index.records import Document, Passage, Section, Skipped
from models.errors import StoreError

_BESIDE = ThreadPoolExecutor(thread_name_prefix="milvus-words")
"""Searches by words while another thread searches by meaning."""

_PASSAGE = ["row", "id", "title", "text", "start", "end"]
_RECORD = ["document", "id", "kind", "part", "text"]


class MilvusStore:
    """The indexes in one Milvus."""

    def __init__(self, url: str) -> None:
        """Nothing is connected to yet. Raises StoreError if ``url`` is none; see ``Milvus``."""
        self._milvus = Milvus(url)
        self._leases: dict[str, Lease] = {}

    def close(self) -> None:
        """Closes the connection, and with it the file; the next call opens it again."""
        self._milvus.close()

    def current(self, name: str) -> str | None:
        """The number of the current generation; see ``index.generation.Store``."""
        collection = self._milvus.alias(prefix_of(checked_name(name)))
        if collection is None:
            return None
        number = number_of(name, collection)
        if number is None:
            raise StoreError(self._damaged(name, f"its alias stands for {collection}"))
        return number

    def open(self, name: str, *, whole: bool = False) -> "MilvusGeneration | None":
        """The current generation, opened; None if the index was never built."""
        number = self.current(name)
        if number is None:
            return None
        generation = MilvusGeneration(self._milvus, name, number)
        if whole:
            generation.check()
        return generation

    @contextmanager
    def writing(self, name: str) -> Iterator[None]:
        """Holds the index for one writer."""
        lease = Lease(self._milvus, prefix_of(checked_name(name)), name)
        with lease.held():
            self._leases[name] = lease
            try:
                yield
            finally:
                del self._leases[name]

    def writer(self, name: str) -> MilvusWriter:
        """What writes the next generation; the caller holds ``writing(name)``."""
        return MilvusWriter(self._milvus, name, self._leases[name])

    def remembered_folder(self, name: str) -> Path | None:
        """The folder that the index was made from; see ``index.generation.Store``."""
        number = self.current(name)
        if number is None:
            return None
        try:
            return Path(MilvusGeneration(self._milvus, name, number).manifest.folder)
        except StoreError as error:
            command = self.rebuild_command(name)
            raise StoreError(
                f"The index “{name}” cannot tell which folder it was made from: "
                f"run '{command.replace('footnote index', 'footnote index FOLDER', 1)}'."
            ) from error

    def rebuild_command(self, name: str) -> str:
        """The command that builds the index ``name`` again from its folder."""
        return rebuild_command(name, store=self._milvus.url)

    def _damaged(self, name: str, cause: str) -> str:
        return damaged(name, cause, store=self._milvus.url)


class MilvusGeneration:
    """One generation, opened for reading; see ``index.generation.Reader``."""

    def __init__(self, milvus: Milvus, name: str, number: str) -> None:
        """Raises StoreError if a collection is missing, or has not as many rows as it had."""
        self._milvus, self._name = milvus, name
        self.number = number
        self._passages, self._records = passages_of(name, number), records_of(name, number)
        with self._whole():
            milvus.load(self._passages)
            milvus.load(self._records)
            rows = milvus.some(self._records, 'kind == "manifest"', _RECORD)
            found = json.loads(_joined(rows)["manifest", ""])
            if (found["layout"], found["manifest"]["format"]) != (LAYOUT, FORMAT):
                raise StoreError(
                    f"The index “{name}” was made by another version of Footnote: "
                    f"run '{rebuild_command(name, store=milvus.url)}'."
                )
            self.manifest = Manifest(**found["manifest"])
            self._options = {"ef": max(found["ef"], DEPTH)} if found["ef"] else {}
            written = found["records"] + len(rows)
            counts = milvus.count(self._passages), milvus.count(self._records)
        if counts != (self.manifest.passages, written):
            raise self._error("it has not as many rows as were written")

    def close(self) -> None:
        """Nothing is held."""

    def _error(self, cause: str) -> StoreError:
        return StoreError(damaged(self._name, cause, store=self._milvus.url))

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """What misses a collection, or cannot read what it holds, leaves as damage."""
        try:
            yield
        except MissingCollectionError as error:
            raise self._error("a collection of it is missing, or not loaded") from error
        except (ValueError, TypeError, KeyError) as error:
            raise self._error("a record cannot be read") from error

    def _some(self, collection: str, where: str, fields: list[str]) -> list[dict[str, Any]]:
        with self._whole():
            return self._milvus.some(collection, where, fields)

    def _every(self, collection: str, where: str, fields: list[str]) -> list[dict[str, Any]]:
        with self._whole():
            return list(self._milvus.every(collection, where, fields))

    # --- search ---

    def candidates(
        self,
        query: str,
        embed: Callable[[str], Vectors],
        *,
        documents: tuple[str, ...] | None = None,
        meanwhile: Callable[[list[str]], object] | None = None,
    ) -> Candidates:
        """The best passages by meaning and by words, each searched by Milvus."""
        if documents == ():
            return Candidates([], np.zeros(0, np.float32), np.zeros(0, np.float32))
        where = "" if documents is None else _among("document", map(key_of, documents))

        def search_words() -> list[Found]:
            found = self._search_words(query, where)
            if meanwhile:
                meanwhile([one.row["text"] for one in found])
            return found

        words = _BESIDE.submit(search_words)
        vector = embed(query)
        with self._whole():
            (by_meaning,) = self._milvus.search(
                self._passages, "vector", vector[np.newaxis], limit=DEPTH, where=where,
                fields=[*_PASSAGE, "vector"], options=self._options,
            )  # fmt: skip
        by_words = words.result()
        rows = {found.row["row"]: found.row for found in [*by_meaning, *by_words]}
        bm25 = {found.row["row"]: found.score for found in by_words}
        vectors = as_vectors([row["vector"] for row in rows.values()])
        cosines = vectors.reshape(-1, len(vector)) @ vector
        return Candidates(
            [_passage(row) for row in rows.values()],
            cosines,
            np.array([bm25.get(row, 0.0) for row in rows], dtype=np.float32),
        )

    def _search_words(self, query: str, where: str) -> list[Found]:
        stems = telling_stems(query)
        if not stems:
            return []
        with self._whole():
            (found,) = self._milvus.search(
                self._passages, BM25, [" ".join(stems)], limit=DEPTH, where=where,
                fields=[*_PASSAGE, "vector"],
            )  # fmt: skip
        return [one for one in found if one.score > 0]

    # --- passages ---

    def passages(self, rows: Sequence[int]) -> list[Passage]:
        """The passages of those rows, in their order."""
        return [_passage(row) for row in self._by_row(rows, _PASSAGE)]

    def vectors_of(self, rows: Sequence[int]) -> Vectors:
        """Their vectors: float32, (len(rows), d)."""
        found = [row["vector"] for row in self._by_row(rows, ["row", "vector"])]
        return as_vectors(found).reshape(-1, self.manifest.dimension)

    def _by_row(self, rows: Sequence[int], fields: list[str]) -> list[dict[str, Any]]:
        found: dict[int, dict[str, Any]] = {}
        for start in range(0, len(rows), MOST_ROWS):
            where = _among("row", rows[start : start + MOST_ROWS])
            found |= {row["row"]: row for row in self._some(self._passages, where, fields)}
        with self._whole():
            return [found[row] for row in rows]

    def rows_of(self, documents: Iterable[str]) -> list[int]:
        """The rows of all passages of those documents, sorted."""
        keys, rows = list(map(key_of, documents)), []
        for start in range(0, len(keys), MOST_ROWS):
            where = _among("document", keys[start : start + MOST_ROWS])
            rows += [row["row"] for row in self._every(self._passages, where, ["row"])]
        return sorted(rows)

    def vectors_by_digest(self, digests: Sequence[bytes]) -> dict[bytes, Vectors]:
        """The vectors of the passages with those digests of what was embedded, where known."""
        found: dict[bytes, Vectors] = {}
        for start in range(0, len(digests), MOST_ROWS):
            names = ", ".join(f'"{one.hex()}"' for one in digests[start : start + MOST_ROWS])
            rows = self._every(self._passages, f"digest in [{names}]", ["digest", "vector"])
            found |= {bytes.fromhex(row["digest"]): as_vectors(row["vector"]) for row in rows}
        return found

    # --- documents ---

    @cached_property
    def _heads(self) -> dict[str, dict[str, Any]]:
        """What is known of each document beside its text, by id, sorted."""
        rows = self._every(self._records, 'kind == "head"', _RECORD)
        texts = _joined(rows)
        with self._whole():
            return {id_: json.loads(text) for (_, id_), text in sorted(texts.items())}

    def document_ids(self) -> list[str]:
        """The id of every document, sorted."""
        return list(self._heads)

    def document(self, id_: str) -> Document | None:
        """The document with that id, or None. Its text is held against its digest."""
        found = self._document(id_)
        return found[0] if found else None

    def _document(self, id_: str) -> tuple[Document, int] | None:
        """The document and how many passages it has."""
        of_it = f"document == {key_of(id_)}"
        rows = self._some(self._records, f"{of_it} and part == 0", [*_RECORD, "parts"])
        if any(row["parts"] > 1 for row in rows):
            rows += self._every(self._records, f"{of_it} and part > 0", _RECORD)
        texts = _joined(rows)
        if ("head", id_) not in texts:
            return None
        with self._whole():
            head = json.loads(texts["head", id_])
            text, sections = texts["text", id_], json.loads(texts["sections", id_])
        if hashlib.sha256(text.encode()).hexdigest() != head["text"]:
            raise self._error(f"the text of {id_} is not as it was written")
        document = Document(
            id=id_,
            title=head["title"],
            text=text,
            sha256=head["sha256"],
            sections=tuple(Section(*fields) for fields in sections),
            author=head["author"],
            date=head["date"],
            source=head["source"],
            copies=tuple(head["copies"]),
        )
        return document, head["passages"]

    def stored(self, id_: str) -> tuple[Document, tuple[Passage, ...]]:
        """A document and its passages in order. The id must exist."""
        found = self._document(id_)
        if found is None:
            raise self._error(f"the records of {id_} are missing")
        document, count = found
        read = self._some if count <= MOST_ROWS else self._every  # ten times as slow
        rows = read(self._passages, f"document == {key_of(id_)}", _PASSAGE)
        rows.sort(key=lambda row: int(row["row"]))
        passages = (Passage(id_, document.title, r["text"], r["start"], r["end"]) for r in rows)
        return document, tuple(passages)

    def summaries(self, words: str = "") -> list[tuple[str, str, str, int]]:
        """Of each document with ``words`` in its id or title: id, title, date and passages."""
        return [
            (id_, head["title"], head["date"], head["passages"])
            for id_, head in self._heads.items()
            if words.lower() in f"{id_} {head['title']}".lower()
        ]

    def digests(self) -> dict[str, str]:
        """The sha256 of each document's file, by document id."""
        return {id_: head["sha256"] for id_, head in self._heads.items()}

    def copies(self) -> dict[str, tuple[str, ...]]:
        """The other files with the same bytes, by document id, where there are any."""
        return {id_: tuple(head["copies"]) for id_, head in self._heads.items() if head["copies"]}

    def problems(self) -> dict[str, str]:
        """Why a file could not be read, by the sha256 of its bytes."""
        rows = self._every(self._records, 'kind == "problem"', _RECORD)
        return {id_: reason for (_, id_), reason in _joined(rows).items()}

    def skipped(self) -> tuple[Skipped, ...]:
        """The files of the folder that could not be read, and why, sorted by path."""
        rows = self._every(self._records, 'kind == "skipped"', _RECORD)
        return tuple(Skipped(id_, reason) for (_, id_), reason in sorted(_joined(rows).items()))

    def check(self) -> None:
        """Reads all passages. Raises StoreError if one is not what was embedded."""
        fields = ["title", "text", "digest"]
        with self._whole():
            for row in self._milvus.every(self._passages, "row >= 0", fields):
                embedded = embedded_text(row["title"], row["text"])
                if hashlib.sha256(embedded.encode()).hexdigest() != row["digest"]:
                    raise self._error("a passage is not as it was written")


def _among(field: str, numbers: Iterable[int]) -> str:
    """The filter for rows whose ``field`` is one of ``numbers``."""
    return f"{field} in [{', '.join(map(str, numbers))}]"


def _passage(row: dict[str, Any]) -> Passage:
    return Passage(row["id"], row["title"], row["text"], row["start"], row["end"])


def _joined(rows: Iterable[dict[str, Any]]) -> dict[tuple[str, str], str]:
    """The texts of records by kind and id, put together from their parts."""
    parts: dict[tuple[str, str], dict[int, str]] = defaultdict(dict)
    for row in rows:
        parts[row["kind"], row["id"]][row["part"]] = row["text"]
    return {name: "".join(text for _, text in sorted(of.items())) for name, of in parts.items()}
