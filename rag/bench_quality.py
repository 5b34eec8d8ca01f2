"""Quality beside speed: the same questions to Footnote and to the plain use of the libraries.

Questions with known answers are asked of both; of those for which only the documents are known
that answer them, the vectors are compared, in 8 bits and in float32.
"""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ir_measures
import numpy as np
from ir_measures import nDCG

from index.build import SHIPPED_CORPUS
from index.embed import SentenceEmbedder
from index.embed_reference import ReferenceEncoder
from index.encoders import Vectors
from index.generation import embedded_text
from index.load import read_document
from index.split import split
from models.progress import OnProgress, Progress
from models.resolve import resolve_embedder
from rag.bench import QUESTIONS, Ratio, own_home, prepare, ratio, run_probe
from rag.draft import is_refusal
from rag.questions import Question, drawn, holds_answer, read_questions, write_documents

_AT_A_TIME = 200
"""Texts that are embedded by one way before the other has its turn."""

_DEPTH = 10
"""Documents that are looked at of each question."""

_LEAST_QUALITY = 0.995
"""Of the nDCG of float32."""

_Told = tuple[Question, dict[str, Any]]
"""A question, and what ``rag.bench_probe`` tells of it."""


def measure(questions: Path, *, sample: int, turns: int, on_progress: OnProgress) -> list[Ratio]:
    """The ratios for ``questions``, as of ``footnote eval``; a file's are about the briefings.

    Only a ``sample`` of them is asked, in as many parts as there are ``turns``; but nearest
    vectors are searched for all. Raises EvaluationError if they cannot be read.
    """
    known = read_questions(questions)
    with own_home() as home:
        folder = write_documents(questions) if questions.is_dir() else SHIPPED_CORPUS
        if not any(question.answers for question in known):
            return _vectors(known, folder, on_progress)
        prepare(home, folder, on_progress)
        return _answers(drawn(known, sample, seed=0), home, turns, on_progress)


def _answers(
    questions: Sequence[Question], home: Path, turns: int, on_progress: OnProgress
) -> list[Ratio]:
    """Each part of the questions is asked of both, so that what else runs slows both."""
    size = -(-len(questions) // turns)
    runs: dict[str, list[list[_Told]]] = {"ours": [], "plain": []}
    for at in range(0, len(questions), size):
        part = questions[at : at + size]
        for which, found in runs.items():
            on_progress(Progress(f"Asking, {which}", at, len(questions), "questions"))
            # What comes first counts from the program's start, and is left out.
            told = run_probe(which, home, [QUESTIONS[0], *_lines(part)])[1:-1]
            found.append(list(zip(part, told, strict=True)))
    return [
        *(
            ratio(name, *(_medians(found, stage) for found in runs.values()), limit=limit)
            for name, stage, limit in (
                ("a question's first word", "first", 0.45),
                ("its last word", "last", 0.6),
            )
        ),
        *(
            ratio(
                name, *([_share(found, is_answerable)] for found in runs.values()),
                limit=1.0, unit="%", is_least=True,
            )
            for name, is_answerable in (
                ("gold answer in the answer", True),
                ("refused, of what is not answered", False),
            )
            if any(question.is_answerable == is_answerable for question in questions)
        ),
    ]  # fmt: skip


def _lines(questions: Sequence[Question]) -> list[str]:
    """The questions as ``rag.bench_probe`` takes them, conversations marked."""
    before = ["", *(question.conversation for question in questions)]
    return [
        "+" * bool(one.conversation and one.conversation == last) + one.text
        for last, one in zip(before, questions, strict=False)
    ]


def _medians(runs: list[list[_Told]], stage: str) -> list[float]:
    return [statistics.median(told[stage] for _, told in run) for run in runs]


def _share(runs: list[list[_Told]], is_answerable: bool) -> float:
    """Of how many of those questions in 100 the answer is right; one of none counts as a half."""
    right = [
        holds_answer(text, question) if is_answerable else is_refusal(text)
        for run in runs
        for question, told in run
        for text in [told["text"]]
        if question.is_answerable == is_answerable
    ]
    return 100 * max(sum(right), 0.5) / len(right)


def _vectors(questions: Sequence[Question], folder: Path, on_progress: OnProgress) -> list[Ratio]:
    """How fast the documents are embedded, and how well the nearest vectors answer."""
    documents = [
        read_document(file.read_bytes(), suffix=file.suffix, id=file.name)
        for file in sorted(folder.glob("*.md"))
    ]
    passages = [passage for document in documents for passage in split(document)]
    texts = [embedded_text(passage.title, passage.text) for passage in passages]
    ways = (SentenceEmbedder().embed, ReferenceEncoder(resolve_embedder()).embed)
    speeds: list[list[float]] = [[], []]
    vectors: list[list[Vectors]] = [[], []]
    for at in range(0, len(texts), _AT_A_TIME):
        on_progress(Progress("Embedding, ours and the library's", at, len(texts), "passages"))
        some = texts[at : at + _AT_A_TIME]
        for embed, speed, made in zip(ways, speeds, vectors, strict=True):
            started = time.monotonic()
            made.append(embed(some))
            speed.append(len(some) / (time.monotonic() - started))
    asked = [question.text for question in questions]
    ids = [passage.document for passage in passages]
    gains = [
        _gain(questions, ids, np.concatenate(made), embed(asked))
        for embed, made in zip(ways, vectors, strict=True)
    ]
    return [
        ratio("embedding", *speeds, limit=3.0, unit="passages/s", is_least=True),
        ratio(
            "nDCG@10 of the nearest vectors", *([gain] for gain in gains),
            limit=_LEAST_QUALITY, unit="", is_least=True,
        ),
    ]  # fmt: skip


def _gain(
    questions: Sequence[Question], ids: Sequence[str], vectors: Vectors, asked: Vectors
) -> float:
    """nDCG@10 (Järvelin and Kekäläinen 2002) of the documents with the nearest passages."""
    relevant, run = {}, {}
    for question, vector in zip(questions, asked, strict=True):
        relevant[question.id] = {gold.document: gold.grade for gold in question.gold}
        best: dict[str, float] = {}
        for at in np.argsort(-(vectors @ vector), kind="stable"):
            best.setdefault(ids[at], float(vectors[at] @ vector))
            if len(best) == _DEPTH:
                break
        run[question.id] = best
    return float(ir_measures.calc_aggregate([nDCG @ _DEPTH], relevant, run)[nDCG @ _DEPTH])
