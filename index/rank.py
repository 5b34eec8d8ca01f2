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


def scores(
    query: str, texts: Sequence[str], cosines: NDArray[np.float32], words: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The score of each candidate, float32 (n,): higher is better, only within one query.

    ``texts`` are the candidates' texts, ``cosines`` their nearness to the query, ``words``
    their BM25. The sum of the cosine and of BM25 as a share of the best, a convex combination,
    ranks better than reciprocal ranks do (Bruch, Gai and Ingber, TOIS 2023, section 4). To it
    comes how much of the query's words, weighted by how few candidates hold them, stand
    together in one sentence.
    """
    wanted = words_of(query)
    sentences = held_in(texts, wanted)
    counts = Counter(chain(*(frozenset(chain(*parts)) for parts in sentences)))
    asked = {word: weight(counts[word], len(texts)) for word in wanted}
    whole = math.fsum(asked.values()) or 1.0
    shares = {held: math.fsum(map(asked.__getitem__, held)) for held in set(chain(*sentences))}
    together = [max(map(shares.__getitem__, parts)) / whole for parts in sentences]
    best = max(float(words.max(initial=0)), 1e-9)
    return np.asarray(cosines + _WORDS * words / best + _SENTENCE * np.array(together), np.float32)
