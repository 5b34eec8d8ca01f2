"""A query in, the best passages out: meaning and words, fused by reciprocal rank."""

import threading
from dataclasses import dataclass, field

from index.embed import SentenceEmbedder
from index.records import Document, Embedder, Hit, Match, Vectors
from index.store import Generation, current_generation, rebuild_command
from models.errors import StoreError

_DEPTH = 50
"""Matches of each search that are fused."""

_RANK_CONSTANT = 60
"""k of reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009, section 3)."""


@dataclass(frozen=True)
class Index:
    """An opened index: one generation, and the embedder that it was made with."""

    name: str
    generation: Generation = field(repr=False)
    embedder: Embedder = field(repr=False)
    _newer: list["Index"] = field(default_factory=list, repr=False)  # one at most
    _opening: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def open(cls, name: str = "default", *, embedder: Embedder | None = None) -> "Index":
        """Opens the current generation.

        Raises StoreError if there is none, or it is damaged, or was made with another
        embedder than ``embedder`` (by default, the catalogue's).
        """
        folder = current_generation(name)
        if folder is None:
            option = "" if name == "default" else f" --name {name}"
            raise StoreError(f"There is no index yet: run 'footnote index FOLDER{option}'.")
        generation = Generation(name, folder)
        embedder = embedder or SentenceEmbedder()
        if generation.manifest.embedder_digest != embedder.digest:
            generation.close()
            raise StoreError(
                f"The index “{name}” was made with the embedding model "
                f"{generation.manifest.embedder}, not with {embedder.name}: "
                f"run '{rebuild_command(name)}'."
            )
        return cls(name, generation, embedder)

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
                    if current_generation(self.name) == self.generation.folder:
                        return self
                    self._newer.append(Index.open(self.name, embedder=self.embedder))
                except StoreError:
                    return self
            return self._newer[0]

    def close(self) -> None:
        """Releases the files."""
        self.generation.close()

    def search(self, query: str, *, limit: int) -> list[Hit]:
        """The ``limit`` best passages for ``query``, best first."""
        vector = self.embed([query])[0]
        meaning = self.generation.vectors.search(vector, limit=_DEPTH)
        words = self.generation.search_words(query, limit=_DEPTH)
        best = fuse([meaning, words])[:limit]
        similarities = self.generation.vectors.rows([match.row for match in best]) @ vector
        return [
            Hit(self.generation.passage(match.row), match.score, float(similarity))
            for match, similarity in zip(best, similarities, strict=True)
        ]

    def embed(self, texts: list[str]) -> Vectors:
        """Vectors of ``texts``: float32, (len(texts), dimension), unit length."""
        return self.embedder.embed(texts)

    def document(self, id_: str) -> Document | None:
        """The document with that id as it was indexed, or None."""
        return self.generation.document(id_)


def fuse(rankings: list[list[Match]]) -> list[Match]:
    """Reciprocal rank fusion: each row scores the sum of 1 / (60 + its rank), from 1.

    Rows of equal score keep the order in which they were first seen.
    """
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, match in enumerate(ranking, start=1):
            scores[match.row] = scores.get(match.row, 0.0) + 1 / (_RANK_CONSTANT + rank)
    fused = [Match(row, score) for row, score in scores.items()]
    return sorted(fused, key=lambda match: match.score, reverse=True)
