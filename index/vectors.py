"""Search by meaning: inner product over unit vectors, with FAISS.

Up to ``EXACT_LIMIT`` vectors every one is compared with the query. Of more, only those are that an
inverted file (Sivic and Zisserman, ICCV 2003) with product quantisation (Jégou, Douze and Schmid,
TPAMI 2011; FAISS's IndexIVFPQFastScan, four bits for two components) puts nearest; these candidates
are then compared exactly, by their float32 vectors. How much of the exact answer this finds is
measured when the file is written.

Vectors are mapped, not read: opening takes milliseconds, and what is never looked at costs no
memory. The codes, a sixteenth of them, are read: a tenth of a second for each million.
"""

import math
import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from index.encoders import Rows, Vectors
from index.records import Match
from models.errors import StoreError
from models.progress import OnProgress, Progress

EXACT_LIMIT = 100_000
"""Vectors among which a search is exact: of 384 components, that takes about 20 ms."""

_CANDIDATES = 200
_CANDIDATES_FOR_EACH = 4
"""Vectors that are compared exactly with the query, at least so many for each that is asked for."""

RECALL = 0.99
"""Of the ten nearest of a sample of queries, the share that has to be found; see ``_tune``.

What is promised is 0.98. Questions in words that no document has lie further from all passages
than the sample does, and are a little harder: 0.99 on the sample leaves room for them.
"""

SAME = 1e-5
"""Scores that differ by less are the same: what rounding makes of them."""

_BY_CELLS = 1
"""FAISS's parallel_mode in which the cells of one query are shared among the cores."""

_BITS = 4
"""Of a code, for two components, or one if their number is odd; what FAISS compares quickly."""

_TRAINING = 32
"""Vectors for each cell that its centre is the mean of, in this many rounds:"""
_ROUNDS = 8

_CHUNK = 10_000
"""Vectors that are sorted into cells between two tellings of progress."""


@dataclass(frozen=True, slots=True)
class Method:
    """How the vectors of a generation are searched."""

    name: str  # for a person: "exact", or "IVF2000,PQ192x4fs nprobe 64", as FAISS names it
    recall: float | None  # share of the exact ten nearest that is found; None if exact


EXACT = Method("exact", None)


def is_exact(count: int) -> bool:
    """Whether the search among ``count`` vectors is quick enough without cells."""
    return count <= EXACT_LIMIT


def write(path: Path, vectors: Vectors) -> None:
    """Writes ``vectors``, float32 (n, d) of unit length, as a file of NumPy's."""
    np.save(path, vectors, allow_pickle=False)


def write_cells(
    path: Path, vectors: Vectors, *, queries: Vectors, on_progress: OnProgress
) -> Method:
    """Writes what finds the nearest of many ``vectors`` without comparing all of them.

    ``queries``, float32 (m, d), are what recall is measured with: they should be like the
    questions to come. The same vectors and queries always give the same file.
    """
    total, dimension = vectors.shape
    cells = max(1, min(round(4 * math.sqrt(total)), total // _TRAINING))
    inverted = faiss.IndexIVFPQFastScan(
        faiss.IndexFlatIP(dimension),
        dimension,
        cells,
        dimension // math.gcd(dimension, 2),
        _BITS,
        faiss.METRIC_INNER_PRODUCT,
    )
    inverted.cp.seed = 1
    inverted.cp.niter = _ROUNDS
    inverted.cp.max_points_per_centroid = _TRAINING
    inverted.cp.min_points_per_centroid = 1  # FAISS writes a warning below that
    inverted.pq.cp.min_points_per_centroid = 1
    on_progress(Progress("Sorting passages by meaning", 0, total, "passages"))
    inverted.train(vectors)
    for start in range(0, total, _CHUNK):
        inverted.add(vectors[start : start + _CHUNK])
        done = min(start + _CHUNK, total)
        on_progress(Progress("Sorting passages by meaning", done, total, "passages"))
    recall = _tune(inverted, vectors, queries)
    _write(inverted, path)
    name = f"IVF{cells},PQ{inverted.pq.M}x{_BITS}fs nprobe {inverted.nprobe}"
    return Method(name, round(recall, 4))


def _tune(inverted: faiss.IndexIVF, vectors: Vectors, queries: Vectors) -> float:
    """Sets how many cells are looked into, the fewest that suffice; gives the recall at 10."""
    nearest = min(10, len(vectors))
    expected = highest(queries, vectors, nearest)
    inverted.nprobe = min(16, inverted.nlist)
    while True:
        found = 0
        _, candidates = inverted.search(queries, min(_CANDIDATES, len(vectors)))
        for query, rows, scores in zip(queries, candidates, expected, strict=True):
            best = _nearest(query, rows[rows >= 0], vectors[rows[rows >= 0]], limit=nearest)
            # Of passages with the same text any is right.
            found += sum(match.score > scores[-1] - SAME for match in best)
        recall = float(found / expected.size)
        if recall >= RECALL or inverted.nprobe == inverted.nlist:
            return recall
        inverted.nprobe = min(2 * inverted.nprobe, inverted.nlist)


def highest(queries: Vectors, vectors: Vectors, limit: int) -> Vectors:
    """The ``limit`` highest scores of each query, float32 (m, limit), highest first: exact."""
    scores, _ = faiss.knn(queries, vectors, limit, metric=faiss.METRIC_INNER_PRODUCT)
    return np.asarray(scores)


def _write(index: faiss.Index, path: Path) -> None:
    try:
        faiss.write_index(index, str(path))
    except RuntimeError as error:  # FAISS has no type of its own for a full disk
        raise OSError(f"{path.name} cannot be written") from error


def _map_vectors(path: Path, *, here_and_there: bool) -> Vectors:
    """The vectors of a file; ``here_and_there``: only few of them will be looked at."""
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise StoreError(f"{path.name} is missing or damaged") from error
    if here_and_there and isinstance(mapped.base, mmap.mmap) and hasattr(mmap, "MADV_RANDOM"):
        mapped.base.madvise(mmap.MADV_RANDOM)  # else each brings 64 kB of others: 50 µs, not 6
    return np.asarray(mapped)


def _map_cells(path: Path) -> Any:
    try:  # FAISS's own types say Index, whatever kind the file holds
        cells: Any = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise StoreError(f"{path.name} is missing or damaged") from error
    cells.parallel_mode = _BY_CELLS
    return cells


class VectorFile:
    """A file of vectors, opened for reading; row i is passage i of its generation.

    It stays readable when it is deleted or another takes its place; nobody may write into it.
    """

    def __init__(self, path: Path, *, cells: Path | None = None) -> None:
        """``cells`` is what ``write_cells`` wrote of the same vectors; without it, search is exact.

        Raises StoreError if a file is missing or damaged.
        """
        self._vectors = _map_vectors(path, here_and_there=cells is not None)
        self._cells = _map_cells(cells) if cells else None
        if self._cells and self._cells.ntotal != len(self._vectors):
            raise StoreError("its vectors do not belong together")

    def __len__(self) -> int:
        """The number of vectors."""
        return len(self._vectors)

    def all(self) -> Vectors:
        """Every vector in order: float32, (n, d)."""
        return self._vectors

    def rows(self, rows: list[int] | Rows) -> Vectors:
        """The vectors of those rows: float32, (len(rows), d)."""
        return self._vectors[np.asarray(rows, dtype=np.int64)]

    def search(self, query: Vectors, *, limit: int, among: Rows | None = None) -> list[Match]:
        """The ``limit`` nearest rows to ``query``, float32 (d,), nearest first.

        Only rows of ``among``, (n,), if that is given: up to ``EXACT_LIMIT`` of them are searched
        exactly in any case. Scores are cosines, -1 to 1, and exact.
        """
        searched = len(self) if among is None else len(among)
        limit = min(limit, searched)
        if not limit:
            return []
        if self._cells and not is_exact(searched):
            rows = self._candidates(query, max(_CANDIDATES, _CANDIDATES_FOR_EACH * limit), among)
            if len(rows) >= limit:
                return _nearest(query, rows, self.rows(rows), limit=limit)
        if among is not None:
            return _nearest(query, among, self.rows(among), limit=limit)
        scores, found = faiss.knn(
            query[np.newaxis], self._vectors, limit, metric=faiss.METRIC_INNER_PRODUCT
        )
        return [
            Match(int(row), float(score)) for row, score in zip(found[0], scores[0], strict=True)
        ]

    def _candidates(self, query: Vectors, count: int, among: Rows | None) -> Rows:
        """The rows that the cells nearest to ``query`` have for it, of ``among``, if given."""
        assert self._cells
        cells, options = self._cells.nprobe, {}
        if among is not None:  # the nearest of these fewer ones are spread over more cells
            cells = min(math.ceil(cells * len(self) / len(among)), self._cells.nlist)
            options = {"sel": faiss.IDSelectorBatch(among)}
        how = faiss.SearchParametersIVF(nprobe=cells, **options)  # type: ignore[call-arg]
        _, rows = self._cells.search(query[np.newaxis], count, params=how)
        return np.asarray(rows[0][rows[0] >= 0], dtype=np.int64)


def _nearest(query: Vectors, rows: Rows, vectors: Vectors, *, limit: int) -> list[Match]:
    """The ``limit`` rows whose ``vectors`` are nearest to ``query``, nearest first."""
    scores = vectors @ query
    best = np.argsort(-scores, kind="stable")[:limit]
    return [Match(int(rows[at]), float(scores[at])) for at in best]
