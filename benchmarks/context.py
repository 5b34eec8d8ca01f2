"""How much an answer is written from, and how good it is then.

    python -m benchmarks.context QUESTIONS [--sample N]

QUESTIONS are as ``footnote eval`` takes them. Everything but what the model reads when it writes
stays the same: the search, the judged sentences, the check, the refusal.
"""

from collections.abc import Callable, Generator
from functools import cached_property
from pathlib import Path
from statistics import mean, median
from unittest.mock import patch

import click

from index.build import SHIPPED_CORPUS, build
from index.search import Index
from models.terminal import progress_bar
from rag.chat import Chat
from rag.evaluate import evaluate, figures
from rag.evidence import Excerpt
from rag.generate import InBackground, LlamaCpp, Piece, load_model
from rag.matter import Matter
from rag.prompt import Message
from rag.questions import drawn, index_name, read_questions, write_documents

_FIGURES = (
    "Gold answer in the answer",
    "Right answers whose quotes hold the gold answer",
    "Refused, of what the documents do not answer",
)


def _best(count: int) -> Callable[[Matter], list[Excerpt]]:
    return lambda matter: matter.evidences.in_context(matter.choice.evidence[:count])


def _whole(count: int) -> Callable[[Matter], list[Excerpt]]:
    return lambda matter: [Excerpt(hit, hit.passage.text) for hit in matter.hits[:count]]


def _around(matter: Matter) -> list[Excerpt]:
    return [matter.evidences.passage_of(item) for item in matter.choice.evidence[:1]]


WAYS: dict[str, Callable[[Matter], list[Excerpt]]] = {
    "the chosen sentence": _best(1),
    "up to three sentences (taken)": _best(3),
    "the passage of the chosen one": _around,
    "the best two passages": _whole(2),
    "the best four passages": _whole(4),
}


class _Counting(LlamaCpp):
    """The model, and how many tokens it was given to write from."""

    def __init__(self, model: LlamaCpp) -> None:
        self.__dict__ = model.__dict__
        self.tokens: list[int] = []

    def __call__(self, messages: list[Message], *, max_tokens: int) -> Generator[Piece, None, None]:
        self.tokens.append(len(self._llama.tokenize(messages[-1]["content"].encode())))
        yield from super().__call__(messages, max_tokens=max_tokens)


@click.command()
@click.argument("questions", type=click.Path(path_type=Path, exists=True))
@click.option("--sample", default=60, show_default=True, help="Questions that are asked.")
def compare(questions: Path, sample: int) -> None:
    """Prints a line of a Markdown table for each way."""
    asked = drawn(read_questions(questions), sample, seed=0)
    name = index_name(questions) if questions.is_dir() else "default"
    with progress_bar() as on_progress:
        folder = write_documents(questions) if questions.is_dir() else SHIPPED_CORPUS
        build(folder, name=name, on_progress=on_progress)
        loading = load_model()
        assert isinstance(loading, InBackground)
        loaded = loading._model.result()
        assert isinstance(loaded, LlamaCpp)
        lines = []
        for way, excerpts in WAYS.items():
            model = _Counting(loaded)
            index = Index.open(name)
            reads = cached_property(excerpts)
            reads.__set_name__(Matter, "excerpts")
            with patch.object(Matter, "excerpts", reads):
                chat = Chat(search=index, generate=model)
                cases = evaluate(asked, index, chat=chat, on_progress=on_progress)
            found = {figure.name: figure.value for figure in figures(cases)}
            firsts = [case.seconds[s] for case in cases for s in case.seconds if "first" in s]
            shares = " | ".join(f"{found[figure]:.1%}" for figure in _FIGURES if figure in found)
            tokens, first = mean(model.tokens), median(firsts)
            lines.append(f"| {way} | {tokens:.0f} | {first:.1f} s | {shares} |")
    click.echo("\n".join(lines))


if __name__ == "__main__":
    compare()
