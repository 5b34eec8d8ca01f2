"""A query in, the best passages out: found by meaning and by words, then ranked by both."""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cached_property

import numpy as np

from index.embed import SentenceEmbedder
from index.encoders import Embedder, Reading, Reranker
from index.generation import Reader, Store
from index.rank import Ranking
from index.records import Document, Hit
from index.stores import open_store
from models.errors import QuestionError, StoreError

_RERANKED = 20
"""Passages that a reranker reads; each takes it some hundredths of a second."""


@dataclass(frozen=True)
class Index:
    """An opened index: one generation, and the embedder that it was made with."""

    name: str
    store: Store = field(repr=False)
    generation: Reader = field(repr=False)
    embedder: Embedder = field(repr=False)
    reranker: Reranker | None = field(default=None, repr=False)
    chosen: tuple[str, ...] | None = None  # see ``only``
    _newer: list["Index"] = field(default_factory=list, repr=False)  # one at most
    _opening: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def open(
        cls,
        name: str = "default",
        *,
        store: Store | str | None = None,
        embedder: Embedder | None = None,
        reranker: Reranker | None = None,
    ) -> "Index":
        """Opens the current generation; ``reranker`` has the last word on the order of passages.

        ``store`` is where it is kept, or the URL of that (see ``open_store``); by default the
        user's data folder. Raises StoreError if there is none, or it is damaged, or was made
        with another embedder than ``embedder`` (by default, the catalogue's).
        """
        store = open_store(store)
        generation = store.open(name)
        command = store.rebuild_command(name)
        if generation is None:
            first = command.replace("footnote index", "footnote index FOLDER", 1)
            raise StoreError(f"There is no index yet: run '{first}'.")
        embedder = embedder or SentenceEmbedder()
        if generation.manifest.embedder_digest != embedder.digest:
            generation.close()
            raise StoreError(
                f"The index “{name}” was made with the embedding model "
                f"{generation.manifest.embedder}, not with {embedder.name}: run '{command}'."
            )
        return cls(name, store, generation, embedder, reranker)

    def current(self) -> "Index":
        """Itself, or, when a newer generation has been built, that one, opened.

        All who hold this index get the same one; it stays open for whoever still reads it,
        and none in between is kept. When the newer one cannot be opened, this one goes on
        answering.
        """
        with self._opening:
            if self._newer:
                self._newer[0] = self._newer[0].current()
            else:
                try:
                    if self.store.current(self.name) == self.generation.number:
                        return self
                    newer = Index.open(
                        self.name,
                        store=self.store,
                        embedder=self.embedder,
                        reranker=self.reranker,
                    )
                    self._newer.append(newer)
                except StoreError:
                    return self
            newest = self._newer[0]
            return newest if self.chosen is None else replace(newest, chosen=self.chosen)

    def only(self, documents: Iterable[str] | None) -> "Index":
        """This index, searched in those of its documents alone; itself if it is None.

        Each is a document's id or a pattern: ``2019/*`` is all below that folder. Raises
        QuestionError if one of them fits no document.
        """
        if documents is None:
            return self
        names, ids = tuple(documents), self.document_ids()
        for name in names:
            if not _fitting(ids, [name]):
                near = get_close_matches(name, ids, n=3, cutoff=0) or ids[:3]
                raise QuestionError(
                    f"The index “{self.name}” has no document “{name}”: name one that it has, "
                    f"such as {', '.join(near)}, or a pattern such as '*.md'."
                )
        narrower = names if self.chosen is None else _fitting(ids, names)
        return replace(self, chosen=tuple(narrower))

    @cached_property
    def _searched(self) -> tuple[str, ...] | None:
        """The documents that are searched; None for all."""
        return None if self.chosen is None else tuple(self.document_ids())

    def close(self) -> None:
        """Releases the files."""
        self.generation.close()

    def search(self, query: str, *, limit: int) -> list[Hit]:
        """The ``limit`` best passages for ``query``, best first."""
        ranking = Ranking(query)
        found = self.generation.candidates(
            query, self.embedder.embed_query, documents=self._searched, meanwhile=ranking.read
        )
        passages, cosines = found.passages, found.cosines
        ranks = ranking.scores([passage.text for passage in passages], cosines, found.bm25)
        best = np.argsort(-ranks, kind="stable")
        if self.reranker:
            best = best[: max(limit, _RERANKED)]
            ranks[best] = self.reranker.scores(query, [passages[at].text for at in best])
            best = best[np.argsort(-ranks[best], kind="stable")]
        best = best[:limit]
        return [Hit(passages[at], float(ranks[at]), float(cosines[at])) for at in best]

    def read(self, texts: list[str]) -> list[Reading]:
        """``texts`` with a vector for each, and one for each of their tokens."""
        return self.embedder.read(texts)

    def document(self, id_: str) -> Document | None:
        """The document with that id as it was indexed, or None."""
        return self.generation.document(id_)

    def document_ids(self) -> list[str]:
        """The id of every document that is searched, sorted."""
        ids = self.generation.document_ids()
        return ids if self.chosen is None else _fitting(ids, self.chosen)


def _fitting(ids: list[str], names: Sequence[str]) -> list[str]:
    """Those of ``ids`` that ``names``, ids or patterns, name; an id may look like a pattern."""
    exact = set(ids) & set(names)
    patterns = [name for name in names if name not in exact]
    return [id_ for id_ in ids if id_ in exact or any(fnmatchcase(id_, name) for name in patterns)]
