"""Searching one index, timed in a process of its own.

    python -m rag.bench_search_probe NAME QUERIES.json TURNS

QUERIES.json has "questions" and "sentences". Prints the fields of ``rag.bench_search.Growth``.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from index.encoders import Vectors
from index.local_store import Generation
from index.records import Hit, Match
from index.search import Index
from rag.bench_probe import megabytes
from rag.matter import PASSAGES

_Thing = TypeVar("_Thing")

_NEAREST = 10

_SAME = 1e-5
"""Scores that differ by less are the same: what rounding makes of them."""


def probe(name: str, asked: dict[str, list[str]], turns: int) -> dict[str, Any]:
    """Opens the index, asks it, and compares what it finds by meaning with the exact result."""
    opening = [_seconds_to_open(name) for _ in range(turns)]
    index = Index.open(name)
    generation = index.generation
    assert isinstance(generation, Generation)  # local files: no store was named
    texts = list(chain.from_iterable(asked.values()))
    vectors = [index.embedder.embed_query(text) for text in texts]  # the first loads the model

    def retrieve(text: str) -> list[Hit]:
        return index.search(text, limit=PASSAGES)

    retrieval = [_milliseconds(retrieve, texts) for _ in range(turns)]
    memory = megabytes("VmHWM")

    def search(vector: Vectors) -> list[Match]:
        return generation.vectors.search(vector, limit=_NEAREST)

    every = np.array(generation.vectors.all())

    def compare(vector: Vectors) -> Vectors:
        return nearest(every, vector, _NEAREST)

    meaning, comparing = [], []
    for _ in range(turns):
        meaning.append(_milliseconds(search, vectors))
        comparing.append(_milliseconds(compare, vectors))
    found = iter([recall(search(vector), compare(vector)) for vector in vectors])
    manifest = generation.manifest
    return {
        "passages": manifest.passages,
        "documents": manifest.documents,
        "method": manifest.search,
        "p50": _percentile(retrieval, 50),
        "p95": _percentile(retrieval, 95),
        "meaning_p50": _percentile(meaning, 50),
        "all_p50": _percentile(comparing, 50),
        **{
            f"recall_{kind}": statistics.mean(next(found) for _ in some)
            for kind, some in asked.items()
        },
        "opening": statistics.median(opening),
        "disk": sum(file.stat().st_size for file in generation.folder.iterdir()) / 1e6,
        "memory": memory,
    }


def nearest(every: Vectors, query: Vectors, count: int) -> Vectors:
    """The ``count`` highest scores, float32, highest first: all compared, by NumPy alone."""
    scores = every @ query
    count = min(count, len(scores))
    return np.asarray(np.sort(np.partition(scores, -count)[-count:])[::-1])


def recall(found: list[Match], exact: Vectors) -> float:
    """The share of the ``exact`` scores that was found; of passages alike any is right."""
    least = float(exact[-1]) - _SAME
    return sum(match.score > least for match in found) / len(exact)


def _seconds_to_open(name: str) -> float:
    started = time.perf_counter()
    Index.open(name).close()
    return time.perf_counter() - started


def _milliseconds(do: Callable[[_Thing], object], things: list[_Thing]) -> NDArray[np.float64]:
    taken = []
    for thing in things:
        started = time.perf_counter()
        do(thing)
        taken.append(1000 * (time.perf_counter() - started))
    return np.array(taken)


def _percentile(turns: list[NDArray[np.float64]], share: int) -> float:
    """The median over the turns."""
    return statistics.median(np.percentile(turn, share).item() for turn in turns)


if __name__ == "__main__":
    queries = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    print(json.dumps(probe(sys.argv[1], queries, int(sys.argv[3]))))
