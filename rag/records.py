"""The records of an answer, and the events that lead to it."""

from dataclasses import dataclass, field
from typing import Literal

from index.records import Hit
from rag.answerable import Signs

Status = Literal["supported", "partly", "unsupported", "missing"]
"""How far the quotes support a sentence; “missing” says what of the question none answers."""

REFUSAL = "The documents do not say."
"""The one refusal: code, page and tests all use this constant."""

MISSING = "The documents do not say: "
"""What stands before the part of a question that they do not answer, when they do the rest."""

DIFFERING = "Another document gives another number: “{}”"
"""What is added to an answer when the documents do not agree."""

UNSUPPORTED = "[not in the documents]"
"""The mark of a sentence that nothing supports; only a lenient chat shows such sentences."""


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a sentence stands in a document: a fact that can be checked again later.

    ``quote`` equals the text of the document, whose file has this ``sha256``, from
    character ``start`` up to ``end``.
    """

    number: int  # the footnote's mark in the answer, from 1
    quote: str
    document: str  # Document.id: the file's path below the indexed folder
    title: str
    sha256: str
    start: int
    end: int
    page: int | None  # for formats that have pages, counted from 1
    where: str  # within the document, for a reader: “page 3”, “sheet Budget, row 17”; may be ""
    support: float  # how likely it is that the quote supports its sentence, 0 to 1
    author: str = ""  # this and what follows as the document gives it
    date: str = ""
    source: str = ""  # the address it was saved from
    copies: tuple[str, ...] = ()  # further files with the same content

    @property
    def place(self) -> str:
        """Where the quote stands, for a reader: ``report.pdf, page 3``."""
        return ", ".join(filter(None, [self.document, self.where]))

    @property
    def origin(self) -> str:
        """Who wrote it, when, and where it is from: ``Ann Lee, 2019-03-24, https://…``."""
        return ", ".join(filter(None, [self.author, self.date, self.source]))


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of an answer: ``answer.text[start:end] == text``."""

    text: str
    start: int
    end: int
    status: Status
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds of each stage of one answer, from the moment the question came."""

    search: float = 0.0
    first_token: float | None = None  # from question to first token; None if none was made
    total: float = 0.0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """A question's answer: text, its sentences, and the citations under them.

    ``print(answer)`` gives the text with marks such as [1], then the quotes.
    """

    question: str
    query: str  # what was searched for: the question, with what it points back to
    text: str
    sentences: tuple[Sentence, ...]
    is_refusal: bool
    hits: tuple[Hit, ...]
    model: str
    signs: Signs | None = None  # what spoke for an answer; None if no passage was found
    timings: Timings = field(default_factory=Timings)

    @property
    def citations(self) -> tuple[Citation, ...]:
        """Every citation once, in the order of their numbers."""
        by_number = {c.number: c for s in self.sentences for c in s.citations}
        return tuple(by_number[number] for number in sorted(by_number))

    @property
    def marked_text(self) -> str:
        """The text with the citations' numbers, or “not in the documents”, after each sentence."""
        if not self.sentences:
            return self.text
        pieces = []
        position = 0
        for sentence in self.sentences:
            marks = "".join(f"[{citation.number}]" for citation in sentence.citations)
            if not marks and sentence.status != "missing":
                marks = UNSUPPORTED
            pieces.append(f"{self.text[position : sentence.end]} {marks}".rstrip())
            position = sentence.end
        return "".join(pieces) + self.text[position:]

    def __str__(self) -> str:
        """The text with its marks, then each footnote: quote and place."""
        notes = [
            "\n    ".join(
                [
                    f"[{c.number}] “{' '.join(c.quote.split())}”",  # on one line, whatever it holds
                    c.place,
                    *filter(None, [c.origin]),
                    *(f"also in {copy}" for copy in c.copies),
                ]
            )
            for c in self.citations
        ]
        return "\n\n".join([self.marked_text, "\n".join(notes)]) if notes else self.marked_text


@dataclass(frozen=True, slots=True)
class Said:
    """A turn of before, on which a question may lean; an ``Answer`` is one, too."""

    question: str
    text: str


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Event: the search has ended; these passages will be read."""

    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """Event: the model wrote a further piece of text."""

    text: str


@dataclass(frozen=True, slots=True)
class SentenceDone:
    """Event: a sentence is finished and checked."""

    sentence: Sentence


@dataclass(frozen=True, slots=True)
class Done:
    """Event: the answer is whole. Always the last event, and the only one of its kind.

    Its text can differ from the tokens seen before: sentences that nothing supports are
    left out, and an answer with none left is the refusal.
    """

    answer: Answer


Event = Retrieved | Token | SentenceDone | Done
