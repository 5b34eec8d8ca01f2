"""Speed, as ratios to the plain use of the same libraries on this machine in the same run.

Each pair of measurements is taken in turns, so that what else the machine does slows both. A ratio
is of the medians; its spread is that of the ratios of the turns.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from langchain_text_splitters import RecursiveCharacterTextSplitter

from index.build import SHIPPED_CORPUS, build
from index.embed import SentenceEmbedder
from index.sentences import sentence_spans
from models.paths import (
    bench_folder,
    encoders_folder,
    loading_file,
    states_folder,
    weights_folder,
)
from models.progress import OnProgress, Progress
from models.resolve import resolve_llm
from rag.bench_texts import real_passages
from rag.loading import remembered

QUESTIONS = [
    "Which Russian military officer was on the first plane?",
    "+And what did the second plane carry?",
    "Who leads the opposition in Venezuela?",
    "+When did he declare himself president?",
    "How did Moscow explain why its forces are there?",
    "~How many Russian soldiers landed near Caracas?",
    "~What has Rosneft invested in Venezuela?",
]
"""About the shipped corpus; see ``rag.bench_probe`` for the marks."""

_PROMPT = 700  # tokens, about what four passages are

_EMBEDDED = 128  # passages that are embedded in one turn

_MANY = 50  # questions after which memory is looked at
_ASSERTED = range(8, 31)  # words of a sentence that is made a question
_MOST_MEGABYTES = 2200.0


@dataclass(frozen=True, slots=True)
class Ratio:
    """Ours against the plain way."""

    name: str
    ours: float  # the median, or for shares the mean
    plain: float
    unit: str
    ratio: float  # of them, ours by the plain one's; of speeds, too
    low: float  # the lowest and the highest of the turns
    high: float
    limit: float  # that the ratio must keep
    is_least: bool = False  # whether the limit is the least that it may be, not the most

    @property
    def holds(self) -> bool:
        """Whether the limit is kept."""
        return self.ratio >= self.limit if self.is_least else self.ratio <= self.limit


def ratio(
    name: str,
    ours: Sequence[float],
    plain: Sequence[float],
    *,
    limit: float,
    unit: str = "s",
    is_least: bool = False,
    average: Callable[[Sequence[float]], float] = statistics.median,
) -> Ratio:
    """The ratio of what was measured in turns."""
    turns = [one / other for one, other in zip(ours, plain, strict=True)]
    one, other = average(ours), average(plain)
    return Ratio(name, one, other, unit, one / other, min(turns), max(turns), limit, is_least)


@contextmanager
def own_home() -> Iterator[Path]:
    """A FOOTNOTE_HOME without indexes, which has the user's models; it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="footnote-bench-") as place:
        home = Path(place)
        for folder in (weights_folder(), encoders_folder(), states_folder(), bench_folder()):
            folder.mkdir(parents=True, exist_ok=True)
            (home / folder.name).symlink_to(folder, target_is_directory=True)
        (home / loading_file().name).symlink_to(loading_file())
        before = os.environ.get("FOOTNOTE_HOME")
        os.environ["FOOTNOTE_HOME"] = place
        try:
            yield home
        finally:
            if before is None:
                del os.environ["FOOTNOTE_HOME"]
            else:
                os.environ["FOOTNOTE_HOME"] = before


def measure(parts: Sequence[str], *, turns: int, on_progress: OnProgress) -> list[Ratio]:
    """The ratios of ``parts``, each of ``PARTS``. Raises as ``index.build.build``."""
    with own_home() as home:
        return [one for part in parts for one in PARTS[part](home, turns, on_progress)]


# Start-up


def _start(home: Path, turns: int, on_progress: OnProgress) -> list[Ratio]:
    """From the start of the program to its help, and to the passages of a question."""
    build(SHIPPED_CORPUS, on_progress=on_progress)
    program = [sys.executable, "-m", "rag"]
    helped, passages, imported = [], [], []
    for turn in range(turns + 1):
        on_progress(Progress("Starting programs", turn, turns, "turns"))
        imported.append(_seconds([sys.executable, "-c", "import sentence_transformers"]))
        helped.append(_seconds([*program, "--help"]))
        passages.append(_until_passages([*program, "ask", QUESTIONS[0]]))
    # The first turn warmed the disk.
    return [
        ratio("help, to an import of the library", helped[1:], imported[1:], limit=0.15),
        ratio("ask to passages, to that import", passages[1:], imported[1:], limit=0.35),
    ]


def _seconds(command: list[str]) -> float:
    started = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603
    return time.monotonic() - started


def _until_passages(command: list[str]) -> float:
    started = time.monotonic()
    with subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr
        while line := process.stderr.readline():
            if line.startswith(b"Reading"):
                break
        seconds = time.monotonic() - started
        process.terminate()
    return seconds


# Questions


def prepare(home: Path, folder: Path, on_progress: OnProgress) -> None:
    """Indexes ``folder``, and writes into ``home`` what the plain chain searches in.

    Its passages are as LangChain's tutorials make them: 1,000 characters, 200 of them shared with
    the one before. They are embedded beforehand.
    """
    build(folder, on_progress=on_progress)
    splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200)
    files = sorted(folder.glob("*.md"))
    texts = [one for file in files for one in splitter.split_text(file.read_text(encoding="utf-8"))]
    (home / "passages.json").write_text(json.dumps(texts), encoding="utf-8")
    on_progress(Progress("Embedding the plain chain's passages", 0, 0, "passages"))
    np.save(home / "vectors.npy", [one.vector for one in SentenceEmbedder().read(texts)])


def _answers(home: Path, turns: int, on_progress: OnProgress) -> list[Ratio]:
    """From Enter to the first word and to the last one; the memory of it."""
    prepare(home, SHIPPED_CORPUS, on_progress)
    runs: dict[str, list[list[dict[str, Any]]]] = {"ours": [], "plain": []}
    for turn in range(turns):
        for which, found in runs.items():
            on_progress(Progress(f"Asking, {which}", turn, turns, "turns"))
            found.append(run_probe(which, home, QUESTIONS))

    def seconds(which: str, stage: str, marks: str) -> list[float]:
        """Of each turn, the median over the questions with one of those marks."""
        return [
            statistics.median(one[stage] for one in run[:-1] if one["mark"] in marks)
            for run in runs[which]
        ]

    def both(name: str, stage: str, marks: str, limit: float) -> Ratio:
        return ratio(
            name, seconds("ours", stage, marks), seconds("plain", stage, marks), limit=limit
        )

    cold = seconds("plain", "first", "0")
    return [
        both("cold question to first word", "first", "0", 0.45),
        ratio(
            "follow-up to first word, to a cold one",
            seconds("ours", "first", "+"),
            cold,
            limit=0.15,
        ),
        both("follow-up to first word, to a warm one", "first", "+", 0.45),
        both("typed ahead, Enter to first word", "first", "~", 0.10),
        both("Enter to last word", "last", "+-", 0.6),
        ratio(
            "memory at its peak",
            [run[-1]["megabytes"] for run in runs["ours"]],
            [run[-1]["megabytes"] for run in runs["plain"]],
            limit=1.0,
            unit="MB",
        ),
    ]


def run_probe(which: str, home: Path, lines: Sequence[str]) -> list[dict[str, Any]]:
    """What ``rag.bench_probe`` tells of each question, and last of its memory."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "rag.bench_probe", which, str(home)],
        input="\n".join(lines) + "\n",
        env=os.environ | {"FOOTNOTE_STARTED": str(time.time())},
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


# Memory


def _memory(home: Path, _turns: int, on_progress: OnProgress) -> list[Ratio]:
    """What a chat holds after many questions, each of them another one: sentences of the texts."""
    prepare(home, SHIPPED_CORPUS, on_progress)
    texts = [file.read_text(encoding="utf-8") for file in sorted(SHIPPED_CORPUS.glob("*.md"))]
    sentences = [" ".join(t[s.start : s.end].split()) for t in texts for s in sentence_spans(t)]
    long_ones = [one for one in sentences if len(one.split()) in _ASSERTED]
    asked = [f"Is it true that {one}" for one in long_ones[:: len(long_ones) // _MANY or 1]]
    on_progress(Progress(f"Asking {_MANY} questions", 0, 0, "questions"))
    after = [one["megabytes"] for one in run_probe("ours", home, asked[:_MANY])[:-1]]
    return [
        ratio("memory after 50 questions", after[-1:], [_MOST_MEGABYTES], limit=1.0, unit="MB"),
        ratio("after 50, to after 10", after[-1:], after[9:10], limit=1.05, unit="MB"),
    ]


# Reading a prompt


def can_compare_reading(path: Path) -> bool:
    """Whether the library can read with its defaults on this machine; some end the process."""
    speeds = remembered(path)
    return speeds is None or speeds.can_repack


def _reading(_home: Path, turns: int, on_progress: OnProgress) -> list[Ratio]:
    """Tokens of a prompt that are read in a second; nothing where the default cannot run."""
    # Not at the top, for what the others do not need.
    from rag.generate import CONTEXT_TOKENS, LlamaCpp  # noqa: PLC0415
    from rag.llama import usual_llama  # noqa: PLC0415

    path = resolve_llm()
    if not can_compare_reading(path):
        return []
    model = LlamaCpp(path)._llama
    usual = usual_llama(path, context_tokens=CONTEXT_TOKENS)
    text = "\n".join(file.read_text(encoding="utf-8") for file in SHIPPED_CORPUS.glob("*.md"))
    tokens = model.tokenize(text.encode())[:_PROMPT]
    speeds: dict[Any, list[float]] = {model: [], usual: []}
    for turn in range(turns):
        on_progress(Progress("Reading prompts", turn, turns, "turns"))
        for one, found in speeds.items():
            one.reset()
            started = time.monotonic()
            one.eval(tokens)
            found.append(len(tokens) / (time.monotonic() - started))
    return [
        ratio(
            "reading a prompt", speeds[model], speeds[usual],
            limit=1.5, unit="tokens/s", is_least=True,
        )
    ]  # fmt: skip


# Embedding


def _embedding(_home: Path, turns: int, on_progress: OnProgress) -> list[Ratio]:
    """Passages that are embedded in a second."""
    from index.embed_reference import ReferenceEncoder  # noqa: PLC0415  (imports PyTorch)
    from models.resolve import resolve_embedder  # noqa: PLC0415

    texts = real_passages(_EMBEDDED)
    ways: list[Callable[[list[str]], object]] = [
        SentenceEmbedder().embed,
        ReferenceEncoder(resolve_embedder()).embed,
    ]
    speeds: list[list[float]] = [[], []]
    for way in ways:
        way(texts[:4])
    for turn in range(turns):
        on_progress(Progress("Embedding", turn, turns, "turns"))
        for way, found in zip(ways, speeds, strict=True):
            started = time.monotonic()
            way(texts)
            found.append(len(texts) / (time.monotonic() - started))
    return [ratio("embedding", *speeds, limit=3.0, unit="passages/s", is_least=True)]


PARTS: dict[str, Callable[[Path, int, OnProgress], list[Ratio]]] = {
    "start": _start,
    "answers": _answers,
    "memory": _memory,
    "reading": _reading,
    "embedding": _embedding,
}
"""What can be measured, in the order in which it is."""


def table(ratios: Sequence[Ratio]) -> list[str]:
    """The ratios as lines of a Markdown table."""
    rows = [
        f"| {one.name} | {_shown(one.ours)} {one.unit} | {_shown(one.plain)} {one.unit} "
        f"| {one.ratio:.2f} | {one.low:.2f} to {one.high:.2f} "
        f"| {'at least' if one.is_least else 'at most'} {one.limit:.2f} "
        f"| {'yes' if one.holds else 'no'} |"
        for one in ratios
    ]
    head = "| what | Footnote | plain | ratio | of the turns | wanted | kept |"
    return [head, "|---|---|---|---|---|---|---|", *rows]


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def write(folder: Path, ratios: Sequence[Ratio], *, turns: int) -> tuple[Path, Path]:
    """Writes ``bench.json`` and ``bench.svg`` into ``folder``; gives their paths."""
    from matplotlib.figure import Figure  # noqa: PLC0415  (only for this)

    folder.mkdir(parents=True, exist_ok=True)
    data, plot = folder / "bench.json", folder / "bench.svg"
    record = {"turns": turns, "cores": os.cpu_count(), "ratios": [asdict(one) for one in ratios]}
    data.write_text(json.dumps(record, indent=1), encoding="utf-8")
    drawing = Figure(figsize=(8, 0.8 + 0.36 * len(ratios)), layout="constrained")
    axes = drawing.subplots()
    shown = list(ratios)[::-1]
    spread = [[one.ratio - one.low for one in shown], [one.high - one.ratio for one in shown]]
    places = range(len(shown))
    axes.barh(places, [one.ratio for one in shown], xerr=np.abs(spread), color="#8fb3d9")
    axes.plot([one.limit for one in shown], places, "|", markersize=16, color="#b45309")
    axes.set_yticks(places, [one.name for one in shown])
    axes.set_xlabel("ratio to plain use; the mark is the limit")
    axes.spines[["top", "right"]].set_visible(False)
    drawing.savefig(plot, metadata={"Date": None})
    return data, plot
