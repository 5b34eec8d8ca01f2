"""One question on the page, and what is known of its answer so far."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from index.records import Hit
from rag.records import Answer, Done, Event, Retrieved, Sentence, SentenceDone, Token

Stage = Literal[
    "waiting",  # asked, and the model is busy with somebody else's question
    "searching",
    "reading",  # passages are found; the model reads them
    "writing",
    "answered",
    "stopped",  # by the reader
    "failed",  # ``problem`` says why
]

Rating = Literal["up", "down"]


@dataclass(slots=True)
class Turn:
    """A question and its answer, growing while the events come in."""

    number: int  # within its conversation, from 1
    question: str
    stage: Stage = "waiting"
    text: str = ""  # of the answer, as far as it is written
    checked: list[Sentence] = field(default_factory=list)  # finished while writing
    hits: tuple[Hit, ...] = ()
    answer: Answer | None = None
    problem: str = ""
    rating: Rating | None = None  # by the reader
    documents: tuple[str, ...] = ()  # that were asked alone; none if all were
    reason: str = ""  # for the rating, in the reader's words

    @property
    def is_over(self) -> bool:
        """Nothing further will come."""
        return self.stage in ("answered", "stopped", "failed")

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        """The sentences that are checked: of the final answer, once it is there."""
        return self.answer.sentences if self.answer else tuple(self.checked)

    def take(self, event: Event) -> None:
        """Add what ``event`` tells."""
        match event:
            case Retrieved(hits):
                self.hits = hits
                self.stage = "reading"
            case Token(text):
                self.text += text
                self.stage = "writing"
            case SentenceDone(sentence):
                self.checked.append(sentence)
            case Done(answer):
                self.answer = answer
                self.text = answer.text
                self.hits = answer.hits
                self.stage = "answered"

    def rate(self, rating: str, reason: str) -> None:
        """The reader's thumb, pressed again to take it back; or the reason for it."""
        for known in get_args(Rating):
            if rating == known:
                self.rating = None if rating == self.rating else known
                self.reason = ""
                return
        if self.rating:
            self.reason = " ".join(reason.split())

    def stop(self) -> None:
        """The reader wants no more of it."""
        self.stage = "stopped"

    def fail(self, problem: str) -> None:
        """It ended with an error; ``problem`` is a sentence for the reader."""
        self.problem = problem
        self.stage = "failed"
