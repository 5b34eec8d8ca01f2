"""Search by meaning: exact inner product over unit vectors, with FAISS."""

from pathlib import Path

import faiss
import numpy as np

from index.records import Match, Rows, Vectors
from models.errors import StoreError


def write(path: Path, vectors: Vectors) -> None:
    """Writes ``vectors``, float32 (n, d) of unit length, as a FAISS index file."""
    flat = faiss.IndexFlatIP(vectors.shape[1])
    flat.add(vectors)
    try:
        faiss.write_index(flat, str(path))
    except RuntimeError as error:  # FAISS has no type of its own for a full disk
        raise OSError(f"{path.name} cannot be written") from error


class VectorFile:
    """A FAISS index file, opened for reading; row i is passage i of its generation."""

    def __init__(self, path: Path) -> None:
        """Raises StoreError if the file is missing or damaged."""
        try:
            self._index = faiss.read_index(str(path))
        except RuntimeError as error:
            raise StoreError(f"{path.name} is missing or damaged") from error

    def __len__(self) -> int:
        """The number of vectors."""
        return int(self._index.ntotal)

    def all(self) -> Vectors:
        """Every vector in order: float32, (n, d)."""
        return np.asarray(self._index.reconstruct_n(0, len(self)), dtype=np.float32)

    def rows(self, rows: list[int]) -> Vectors:
        """The vectors of those rows: float32, (len(rows), d)."""
        return np.asarray(
            self._index.reconstruct_batch(np.asarray(rows, dtype=np.int64)), dtype=np.float32
        )

    def search(self, query: Vectors, *, limit: int, among: Rows | None = None) -> list[Match]:
        """The ``limit`` nearest rows to ``query``, float32 (d,), nearest first.

        Only rows of ``among``, (n,), if that is given. Scores are cosines, -1 to 1.
        """
        limit = min(limit, len(self) if among is None else len(among))
        if not limit:
            return []
        selected = None
        if among is not None:
            selected = faiss.SearchParameters(sel=faiss.IDSelectorBatch(among))  # type: ignore[call-arg]
        scores, rows = self._index.search(query[np.newaxis], limit, params=selected)
        return [
            Match(int(row), float(score)) for row, score in zip(rows[0], scores[0], strict=True)
        ]
