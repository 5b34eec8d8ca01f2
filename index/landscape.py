"""The passages of an index in the plane: what is near in meaning is near there, as far as may be.

A principal component analysis, for it is quick, always gives the same, and can place a question
among the passages afterwards.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from index.encoders import Vectors
from index.generation import Reader
from index.records import Passage

if TYPE_CHECKING:
    from sklearn.decomposition import PCA

MOST = 4000
"""Passages that are placed; of more, some are drawn by chance, the same ones each time."""


@dataclass(frozen=True)
class Landscape:
    """Passages and their points."""

    passages: list[Passage]
    points: NDArray[np.float64]  # (n, 2)
    total: int  # passages of the index
    _plane: "PCA | None"

    def place(self, vectors: Vectors) -> NDArray[np.float64]:
        """Where texts with those vectors, float32 (m, d), are: (m, 2)."""
        if self._plane is None:
            return np.zeros((len(vectors), 2))
        return np.asarray(self._plane.transform(vectors), dtype=np.float64)


def landscape(generation: Reader, *, found: Collection[Passage] = ()) -> Landscape:
    """The passages of ``generation`` in the plane, those that were ``found`` in any case."""
    from sklearn.decomposition import PCA  # noqa: PLC0415  (start-up time)

    total = generation.manifest.passages
    rows = np.arange(total)
    if total > MOST:
        drawn = np.random.default_rng(0).choice(rows, MOST, replace=False)
        near = generation.rows_of({passage.document for passage in found})
        passages = zip(near, generation.passages(near), strict=True)
        rows = np.union1d(drawn, [row for row, passage in passages if passage in found])
        rows = rows.astype(np.int64)
    placed = generation.passages(rows.tolist())
    vectors = generation.vectors_of(rows.tolist())
    if total < 3:
        return Landscape(placed, np.zeros((total, 2)), total, None)
    plane = PCA(n_components=2, random_state=0).fit(vectors)
    return Landscape(placed, plane.transform(vectors), total, plane)
