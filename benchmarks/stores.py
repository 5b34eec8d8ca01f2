"""Fifty questions asked of both stores: do local files and Milvus find, and answer, the same?

    python -m benchmarks.stores [SQUAD] [--store URL] [--answers] [--output FILE.json]

Asks the questions of ``tests/questions.json`` whose answer stands in the shipped documents, and as
many of SQUAD, a folder in the BEIR format with ``questions.jsonl``, as make fifty. Both indexes are
built from the same files, in a home of their own; Milvus is by default the embedded milvus-lite.
Of each question it compares which gold passages are among the best five, and lists every
difference: of those, of the five, of their order, and with ``--answers`` of what a model writes.
"""

import json
import re
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import click

from index.build import SHIPPED_CORPUS, build
from index.records import Hit, Passage
from index.search import Index
from models.terminal import progress_bar
from rag.bench import own_home
from rag.chat import Chat
from rag.generate import load_model
from rag.questions import Question, drawn, read_questions, write_documents

_ASKED = 50
_BEST = 5
_KINDS = ("files", "Milvus")
_QUESTIONS = Path(__file__).parents[1] / "tests" / "questions.json"


@dataclass(frozen=True)
class Asked:
    """A question about the documents of one index."""

    text: str
    index: str
    is_gold: Callable[[Passage], bool] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Compared:
    """What the two stores gave for a question."""

    question: str
    gold: tuple[list[str], list[str]]  # places of the gold passages among the best five
    best: tuple[list[str], list[str]]  # places of all of these
    score: float  # the largest difference of the scores of a passage that both found
    answers: tuple[str, str] = ("", "")

    @property
    def differences(self) -> list[str]:
        """In what they differ; the first that is named is the one that matters most."""
        found = []
        if set(self.gold[0]) != set(self.gold[1]):
            found.append(f"gold: {self.gold[0]} and {self.gold[1]}")
        if set(self.best[0]) != set(self.best[1]):
            only = [sorted(set(a) - set(b)) for a, b in (self.best, self.best[::-1])]
            found.append(f"best {_BEST}: only files {only[0]}, only Milvus {only[1]}")
        elif self.best[0] != self.best[1]:
            found.append(f"order: {self.best[0]} and {self.best[1]}")
        if self.answers[0] != self.answers[1]:
            found.append(f"answers: “{self.answers[0]}” and “{self.answers[1]}”")
        return found


def shipped_questions() -> list[Asked]:
    """The questions about the shipped documents that can be asked alone and answered."""
    conversations = json.loads(_QUESTIONS.read_text(encoding="utf-8"))["conversations"]
    turns = [turn for conversation in conversations for turn in conversation["turns"]]
    return [
        Asked(turn["question"], "shipped", _holding(turn["evidence"]))
        for turn in turns
        if turn.get("evidence") and turn["kind"] != "follow-up"
    ]


def _holding(evidence: Sequence[str]) -> Callable[[Passage], bool]:
    return lambda passage: any(re.search(pattern, passage.text) for pattern in evidence)


def _of_document(question: Question) -> Callable[[Passage], bool]:
    documents = {gold.document for gold in question.gold}
    return lambda passage: passage.document in documents


def place(passage: Passage) -> str:
    """Where a passage stands, for a reader of the report."""
    return f"{passage.document}:{passage.start}-{passage.end}"


def compare(asked: Asked, hits: tuple[list[Hit], list[Hit]], answers: tuple[str, str]) -> Compared:
    """What is the same in what was found, and what is not."""
    places = [[place(hit.passage) for hit in found] for found in hits]
    gold = [[place(hit.passage) for hit in found if asked.is_gold(hit.passage)] for found in hits]
    scores = [{place(hit.passage): hit.score for hit in found} for found in hits]
    both = scores[0].keys() & scores[1].keys()
    apart = max((abs(scores[0][one] - scores[1][one]) for one in both), default=0.0)
    return Compared(asked.text, (gold[0], gold[1]), (places[0], places[1]), apart, answers)


@click.command()
@click.argument("squad", required=False, type=click.Path(path_type=Path, exists=True))
@click.option("--store", help="A Milvus.  [default: milvus-lite, in a file of its own]")
@click.option("--answers", is_flag=True, help="Have the model answer, too: minutes.")
@click.option("--output", type=click.Path(path_type=Path), help="A file for all that was found.")
def main(squad: Path | None, store: str | None, answers: bool, output: Path | None) -> None:
    """Compare the two stores over fifty questions."""
    asked = shipped_questions()
    with own_home() as home, progress_bar() as on_progress:
        folders = {"shipped": SHIPPED_CORPUS}
        if squad:
            folders["squad"] = write_documents(squad)
            answerable = [one for one in read_questions(squad) if one.is_answerable]
            more = drawn(answerable, _ASKED - len(asked), seed=0)
            asked += [Asked(one.text, "squad", _of_document(one)) for one in more]
        places = (None, store or str(home / "stores.db"))
        indexes: dict[str, tuple[Index, Index]] = {}
        for name, folder in folders.items():
            for kind, url in zip(_KINDS, places, strict=True):
                started = time.monotonic()
                report = build(folder, name=name, store=url, on_progress=on_progress)
                seconds = time.monotonic() - started
                click.echo(f"{kind}: {report.passages} passages of “{name}” in {seconds:.1f} s")
            indexes[name] = (Index.open(name, store=places[0]), Index.open(name, store=places[1]))
        model = load_model() if answers else None
        times: tuple[list[float], list[float]] = ([], [])
        found = []
        for one in asked:
            hits: list[list[Hit]] = []
            texts = ["", ""]
            for at, index in enumerate(indexes[one.index]):
                index.embedder.embed_query(one.text)  # the same work for both, before the clock
                started = time.perf_counter()
                hits.append(index.search(one.text, limit=_BEST))
                times[at].append(1000 * (time.perf_counter() - started))
                if model:
                    texts[at] = str(Chat(search=index, generate=model).ask(one.text))
            found.append(compare(one, (hits[0], hits[1]), (texts[0], texts[1])))
    _tell(found, times)
    if output:
        output.write_text(
            json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=2), "utf-8"
        )


def _tell(found: Sequence[Compared], times: tuple[list[float], list[float]]) -> None:
    """Prints the counts, and every difference."""
    same_gold = sum(set(one.gold[0]) == set(one.gold[1]) for one in found)
    same_best = sum(set(one.best[0]) == set(one.best[1]) for one in found)
    same_order = sum(one.best[0] == one.best[1] for one in found)
    click.echo(f"{len(found)} questions, the best {_BEST} passages of each")
    click.echo(f"  with a gold passage, files   {sum(bool(one.gold[0]) for one in found)}")
    click.echo(f"  with a gold passage, Milvus  {sum(bool(one.gold[1]) for one in found)}")
    click.echo(f"  the same gold passages       {same_gold}")
    click.echo(f"  the same passages            {same_best}")
    click.echo(f"  in the same order            {same_order}")
    if any(one.answers[0] for one in found):
        same = sum(one.answers[0] == one.answers[1] for one in found)
        click.echo(f"  the same answer, to the letter, with its quotes: {same}")
    click.echo(f"  scores apart by at most      {max(one.score for one in found):.3f}")
    medians = [statistics.median(some) for some in times]
    click.echo(f"  milliseconds, median         files {medians[0]:.1f}, Milvus {medians[1]:.1f}")
    for one in found:
        for difference in one.differences:
            click.echo(f"- {one.question}\n    {difference}")


if __name__ == "__main__":
    main()
