"""The passages of an index in the plane: what is near in meaning is near there, as far as may be.

A principal component analysis, for it is quick, always gives the same, and can place a question
among the passages afterwards.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from index.records import Passage, Vectors
from index.store import Generation

MOST = 4000
"""Passages that are placed; of more, some are drawn by chance, the same ones each time."""


@dataclass(frozen=True)
class Landscape:
    """Passages and their points."""

    passages: list[Passage]
    points: NDArray[np.float64]  # (n, 2)
    total: int  # passages of the index
    _plane: PCA | None

    def place(self, vectors: Vectors) -> NDArray[np.float64]:
        """Where texts with those vectors, float32 (m, d), are: (m, 2)."""
        if self._plane is None:
            return np.zeros((len(vectors), 2))
        return np.asarray(self._plane.transform(vectors), dtype=np.float64)


def landscape(generation: Generation) -> Landscape:
    """The passages of ``generation`` in the plane."""
    total = len(generation.vectors)
    rows = np.arange(total)
    if total > MOST:
        rows = np.sort(np.random.default_rng(0).choice(rows, MOST, replace=False))
    passages = generation.passages(rows.tolist())
    vectors = generation.vectors.rows(rows.tolist())
    if total < 3:
        return Landscape(passages, np.zeros((total, 2)), total, None)
    plane = PCA(n_components=2, random_state=0).fit(vectors)
    return Landscape(passages, plane.transform(vectors), total, plane)
