"""The candidates of both searches into one order."""

import math
from collections import Counter
from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from index.claims import held_in, weight, words_of

_WORDS = 0.3
_SENTENCE = 0.6
"""What BM25 and the best sentence count beside the cosine: docs/notes.md has the figures."""


class Ranking:
    """Ranks what is found for one query; reads the texts as they are found."""

    def __init__(self, query: str) -> None:
        """Nothing is read yet."""
        self._wanted = words_of(query)
        self._sentences: dict[str, list[frozenset[str]]] = {}  # of each text, what they hold

    def read(self, texts: Sequence[str]) -> None:
        """Reads the ``texts`` that are not yet read."""
        new = [text for text in texts if text not in self._sentences]
        self._sentences.update(zip(new, held_in(new, self._wanted), strict=True))

    def scores(
        self, texts: Sequence[str], cosines: NDArray[np.float32], words: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """The score of each candidate, float32 (n,): higher is better, only within one query.

        ``texts`` are the candidates' texts, ``cosines`` their nearness to the query, ``words``
        their BM25. The sum of the cosine and of BM25 as a share of the best, a convex combination,
        ranks better than reciprocal ranks do (Bruch, Gai and Ingber, TOIS 2023, section 4). To it
        comes how much of the query's words, weighted by how few candidates hold them, stand
        together in one sentence.
        """
        self.read(texts)
        sentences = [self._sentences[text] for text in texts]
        counts = Counter(chain(*(frozenset(chain(*parts)) for parts in sentences)))
        asked = {word: weight(counts[word], len(texts)) for word in self._wanted}
        whole = math.fsum(asked.values()) or 1.0
        shares = {held: math.fsum(map(asked.__getitem__, held)) for held in set(chain(*sentences))}
        together = [max(map(shares.__getitem__, parts)) / whole for parts in sentences]
        best = max(float(words.max(initial=0)), 1e-9)
        score = cosines + _WORDS * words / best + _SENTENCE * np.array(together)
        return np.asarray(score, dtype=np.float32)
