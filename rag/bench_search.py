"""How search grows: indexes of ever more passages of this machine's own texts.

Each is made by ``index.build`` and asked in a process of its own. The vectors of the passages are
kept in the cache folder, for they take longest: a run that was ended goes on where it was.
"""

import hashlib
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from index.build import build
from index.embed import SentenceEmbedder
from index.encoders import Embedder, Reading, Vectors
from index.records import Document
from index.sentences import sentence_spans
from models.errors import EvaluationError
from models.paths import bench_folder
from models.progress import OnProgress, Progress
from rag.bench_texts import RealText, real_documents, real_texts

_SIZES = (1_000, 10_000, 100_000, 250_000)

LEAST_RECALL, MOST_MILLISECONDS, MOST_SECONDS_TO_OPEN = 0.98, 30.0, 0.5
"""What is wanted at every size: of the worse recall, of the 95th percentile, and of opening."""

_ASKED = 200
"""Queries of each kind."""

_OF_EACH = 2
"""Queries of each kind that come of one document at most."""

_QUESTION = re.compile(
    r"\b(?:Are|Can|Could|Did|Do|Does|Has|Have|How|Is|Should|What|When|Where|Which|Who|Why|Will)"
    r"(?: [^\s?#>]+){4,28}\?(?=\s)"
)
_WORDS = range(5, 31)
"""Words of another sentence."""


@dataclass(frozen=True, slots=True)
class Growth:
    """What searching among so many passages takes; times are medians of the turns."""

    passages: int
    documents: int
    method: str  # as the manifest names it
    p50: float  # milliseconds from a question to its passages: embed, both searches, rank, read
    p95: float
    meaning_p50: float  # milliseconds of the search by meaning, the question being embedded
    all_p50: float  # milliseconds of comparing it with every vector, by NumPy
    recall_questions: float  # share of the exact ten nearest: of questions
    recall_sentences: float  # and of other sentences
    opening: float  # seconds
    disk: float  # MB
    memory: float  # MB of the process that searches, at its peak; mapped files count

    @property
    def ratio(self) -> float:
        """The search by meaning to comparing all."""
        return self.meaning_p50 / self.all_p50

    @property
    def holds(self) -> bool:
        """Whether it is as quick and as good as is wanted."""
        return (
            min(self.recall_questions, self.recall_sentences) >= LEAST_RECALL
            and self.p95 < MOST_MILLISECONDS
            and self.opening < MOST_SECONDS_TO_OPEN
        )


class KeptEmbedder:
    """An embedder; what it makes of documents' texts is kept for the next run."""

    def __init__(self, embedder: Embedder) -> None:
        """Raises OSError or sqlite3.Error if nothing can be kept."""
        self._embedder = embedder
        self.name, self.digest, self.dimension = embedder.name, embedder.digest, embedder.dimension
        bench_folder().mkdir(parents=True, exist_ok=True)
        self._kept = sqlite3.connect(bench_folder() / f"{self.digest[:16]}.sqlite")
        self._kept.execute(
            "CREATE TABLE IF NOT EXISTS vectors"
            " (text BLOB PRIMARY KEY, vector BLOB NOT NULL) STRICT"
        )

    def embed(self, texts: list[str]) -> Vectors:
        """As of the embedder, which embeds only what is new."""
        digests = [hashlib.sha256(text.encode()).digest() for text in texts]
        known = {digest: vector for digest in digests for vector in self._vectors(digest)}
        new = {d: text for d, text in zip(digests, texts, strict=True) if d not in known}
        for digest, vector in zip(new, self._embedder.embed(list(new.values())), strict=True):
            known[digest] = vector
            self._kept.execute("INSERT INTO vectors VALUES (?, ?)", (digest, vector.tobytes()))
        self._kept.commit()
        return np.array([known[digest] for digest in digests])

    def _vectors(self, digest: bytes) -> Iterator[Vectors]:
        for (blob,) in self._kept.execute("SELECT vector FROM vectors WHERE text = ?", (digest,)):
            yield np.frombuffer(blob, dtype=np.float32)

    def embed_query(self, text: str) -> Vectors:
        """As of the embedder."""
        return self._embedder.embed_query(text)

    def read(self, texts: list[str]) -> list[Reading]:
        """As of the embedder."""
        return self._embedder.read(texts)

    def close(self) -> None:
        """Releases the file."""
        self._kept.close()


def sizes_up_to(most: int) -> list[int]:
    """Numbers of passages to measure with; the last one is ``most``."""
    return [*(size for size in _SIZES if size < most), most]


def measure(
    home: Path,
    sizes: Sequence[int],
    *,
    turns: int,
    on_progress: OnProgress,
    texts: Iterable[RealText] | None = None,
    held_out: Iterable[Document] | None = None,
) -> list[Growth]:
    """What search takes among so many passages, for each of the ``sizes``, which grow.

    Writes below ``home``. The ``texts`` that are indexed, and those ``held_out``, whose sentences
    are asked, are by default this machine's. Raises as ``index.build.build``, and as ``queries``.
    """
    taken = _taken(texts or real_texts(), sizes[-1], on_progress)
    indexed = {text.document.sha256 for text in taken}
    others = held_out or real_documents(is_reversed=True)
    asked = home / "asked.json"
    found_queries = queries((one for one in others if one.sha256 not in indexed), on_progress)
    asked.write_text(json.dumps(found_queries), encoding="utf-8")
    folder = home / "texts"
    folder.mkdir()
    embedder = KeptEmbedder(SentenceEmbedder())
    found = []
    try:
        for size in sizes:
            _write_until(size, taken, folder)
            build(folder, name="growing", embedder=embedder, on_progress=on_progress)
            on_progress(Progress(f"Searching among {size:,} passages", 0, 0, "queries"))
            found.append(Growth(**_run_probe(asked, turns)))
    finally:
        embedder.close()
    return found


def _taken(texts: Iterable[RealText], most: int, on_progress: OnProgress) -> list[RealText]:
    """The texts that together have ``most`` passages, or all."""
    taken, count = [], 0
    for text in texts:
        taken.append(text)
        count += len(text.passages)
        on_progress(Progress("Gathering texts", min(count, most), most, "passages"))
        if count >= most:
            break
    return taken


def queries(documents: Iterable[Document], on_progress: OnProgress) -> dict[str, list[str]]:
    """Questions that stand in the ``documents``, and as many other sentences of the same ones.

    Raises EvaluationError if there are none.
    """
    questions: list[str] = []
    sentences: list[str] = []
    for document in documents:
        text = " ".join(document.text.split())
        if asking := _QUESTION.findall(text)[:_OF_EACH]:
            telling = [
                text[span.start : span.end]
                for span in sentence_spans(text)
                if len(text[span.start : span.end].split()) in _WORDS and text[span.end - 1] != "?"
            ]
            questions += asking
            sentences += telling[len(telling) // 2 :][: len(asking)]
            on_progress(Progress("Looking for questions", len(questions), _ASKED, "questions"))
        if len(questions) >= _ASKED:
            break
    if not questions or not sentences:
        raise EvaluationError(
            "There are too few texts on this machine to measure search with: give it documentation "
            "in /usr/share/doc."
        )
    return {"questions": questions[:_ASKED], "sentences": sentences[:_ASKED]}


def _write_until(size: int, texts: Sequence[RealText], folder: Path) -> None:
    """Writes the texts that together have ``size`` passages, which are not there yet."""
    count = 0
    for number, text in enumerate(texts):
        if count >= size:
            return
        count += len(text.passages)
        file = folder / f"{number:06}.txt"
        if not file.exists():
            file.write_bytes(text.document.text.encode())


def _run_probe(asked: Path, turns: int) -> dict[str, Any]:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "rag.bench_search_probe", "growing", str(asked), str(turns)],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def table(found: Sequence[Growth]) -> list[str]:
    """What was found as lines of a Markdown table."""
    return [
        "| passages | searched | p50 | p95 | by meaning | comparing all | ratio "
        "| recall@10, questions | sentences | opening | disk | memory | kept |",
        "|---" * 13 + "|",
        *(
            f"| {one.passages:,} | {one.method} | {one.p50:.1f} ms | {one.p95:.1f} ms "
            f"| {one.meaning_p50:.2f} ms | {one.all_p50:.2f} ms | {one.ratio:.2f} "
            f"| {one.recall_questions:.3f} | {one.recall_sentences:.3f} | {one.opening:.2f} s "
            f"| {one.disk:,.0f} MB | {one.memory:,.0f} MB | {'yes' if one.holds else 'no'} |"
            for one in found
        ),
    ]


def write(folder: Path, found: Sequence[Growth], *, turns: int) -> tuple[Path, Path]:
    """Writes ``search.json`` and ``search.svg`` into ``folder``; gives their paths."""
    from matplotlib.figure import Figure  # noqa: PLC0415  (only for this)

    folder.mkdir(parents=True, exist_ok=True)
    data, plot = folder / "search.json", folder / "search.svg"
    sizes = [asdict(one) | {"ratio": one.ratio, "holds": one.holds} for one in found]
    record = {"turns": turns, "cores": os.cpu_count(), "load": os.getloadavg(), "sizes": sizes}
    data.write_text(json.dumps(record, indent=1), encoding="utf-8")
    drawing = Figure(figsize=(10, 4), layout="constrained")
    times, space = drawing.subplots(1, 2)
    passages = [one.passages for one in found]
    for name, label in (
        ("p95", "retrieval, 95th percentile"),
        ("p50", "retrieval, median"),
        ("all_p50", "comparing all"),
        ("meaning_p50", "search by meaning"),
    ):
        times.loglog(passages, [getattr(one, name) for one in found], "o-", label=label)
    times.axhline(MOST_MILLISECONDS, color="#b45309", linewidth=1)
    for name, label in (("disk", "on disk"), ("memory", "in memory")):
        space.loglog(passages, [getattr(one, name) for one in found], "o-", label=label)
    for axes, unit in ((times, "milliseconds"), (space, "MB")):
        axes.set_xlabel("passages")
        axes.set_ylabel(unit)
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    drawing.savefig(plot, metadata={"Date": None})
    return data, plot
