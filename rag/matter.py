"""What there is to answer a question from: passages, their sentences, and which of them answer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from index.encoders import Reading
from index.records import Document, Hit
from rag.choose import Choice, Judge, choose
from rag.evidence import Evidences, Excerpt
from rag.generate import Generate
from rag.prompt import Message, answer_messages, points_back
from rag.records import REFUSAL
from rag.topic import topic_of

PASSAGES = 8
"""Passages that are found for a question; the model reads the sentences of them that matter."""

_LEAST_SIMILARITY = 0.2
"""Cosine below which a passage has nothing to do with a question (all-MiniLM-L6-v2)."""


class Search(Protocol):
    """What finds passages and vouches for their text. The real one is ``index.Index``."""

    def current(self) -> "Search":
        """Itself, or what has taken its place since the documents were indexed again."""

    def search(self, query: str, *, limit: int) -> list[Hit]:
        """The best passages for ``query``, best first."""

    def document(self, id_: str, /) -> Document | None:
        """The document with that id."""

    def document_ids(self) -> list[str]:
        """The id of every document that is searched, sorted."""

    def only(self, documents: Iterable[str] | None, /) -> "Search":
        """The same, in those of its documents alone; itself if it is None."""

    def read(self, texts: list[str]) -> list[Reading]:
        """``texts`` with a vector for each, and one for each of their tokens."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The last question and answer, and the passages that were read for them."""

    question: str
    answer: str
    hits: tuple[Hit, ...]

    @property
    def texts(self) -> list[str]:
        """What a new question can point back to."""
        return [self.question] if self.answer == REFUSAL else [self.question, self.answer]


class Matter:
    """What there is to answer a question from; each step is taken when it is first wanted."""

    def __init__(
        self, question: str, last: Turn | None, search: Search, generate: Generate
    ) -> None:
        """``last`` is the last turn, on which the question may lean."""
        self.key = (question, last, search)
        self.question = question
        self.last = last if points_back(question) else None
        before = self.last.texts if self.last else []
        self.topic = topic_of(question)  # what the documents may tell about without the model
        self.query = " ".join([*before, self.topic or question])
        self.judge = Judge(generate, question, before)
        self._search = search

    @cached_property
    def hits(self) -> tuple[Hit, ...]:
        """The passages that were found; none if none has to do with the question."""
        found = self._search.search(self.query, limit=PASSAGES)
        return tuple(found) if any(h.similarity >= _LEAST_SIMILARITY for h in found) else ()

    @cached_property
    def evidences(self) -> Evidences:
        """Their sentences, and those that were read for the last question."""
        beside = _new(self.last.hits if self.last else (), self.hits)
        return Evidences([*self.hits, *beside], self._search.read)

    @cached_property
    def choice(self) -> Choice:
        """The sentences that an answer is written from."""
        return choose(self.evidences, self.judge)

    @cached_property
    def excerpts(self) -> list[Excerpt]:
        """They as something to read."""
        return self.evidences.in_context(self.choice.evidence)

    def likeliest(self) -> list[Excerpt]:
        """Sentences that the next question may ask for if it leans on this one.

        Of those that are judged then, three in four are the two nearest to this question or the
        one that follows the nearest: docs/notes.md.
        """
        near = [item for _, item in self.evidences.nearest([self.question], limit=2)]
        likely = dict.fromkeys([*near, *map(self.evidences.after, near[:1])])
        return [one for item in likely if item for one in self.evidences.in_context([item])]

    def messages(self, excerpts: Sequence[Excerpt] | None = None) -> list[Message]:
        """What the answer is asked for with, from the chosen sentences or from ``excerpts``."""
        read = self.excerpts if excerpts is None else excerpts
        return answer_messages(self.question, read, before=self.judge.before)


def _new(hits: Iterable[Hit], known: Iterable[Hit]) -> list[Hit]:
    """Those of ``hits`` whose passages are not among the ``known``."""
    passages = {hit.passage for hit in known}
    return [hit for hit in hits if hit.passage not in passages]
