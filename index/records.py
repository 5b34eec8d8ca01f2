"""The records that cross a border of this package, in the order of the data's way."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Rows = NDArray[np.int64]

SectionKind = Literal["page", "slide", "sheet", "row", "chapter", "message", "record", "heading"]


@dataclass(frozen=True, slots=True)
class Section:
    """A named stretch of a document's text: ``document.text[start:end]``.

    ``label`` is what a reader looks for: a page's number, a sheet's name, a heading's words.
    Sections may lie in one another: a row in its sheet, a heading in its chapter.
    """

    kind: SectionKind
    label: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Document:
    """One file as text. All offsets anywhere count characters of ``text``."""

    id: str  # the file's path below the indexed folder, with forward slashes
    title: str  # as the document itself gives it; empty if it gives none
    text: str
    sha256: str  # of the file's bytes, in hex
    sections: tuple[Section, ...] = ()  # ordered by start; may be empty
    author: str = ""  # this and what follows as the document itself gives it; empty if it does not
    date: str = ""  # ISO 8601: when it was written or published
    source: str = ""  # the address that it was saved from
    copies: tuple[str, ...] = ()  # the ids of further files with the same bytes, not indexed again

    def section_at(self, offset: int, kind: SectionKind) -> str | None:
        """The label of the last section of that kind that holds ``offset``, or None."""
        labels = [
            section.label
            for section in self.sections
            if section.kind == kind and section.start <= offset < section.end
        ]
        return labels[-1] if labels else None

    def place_at(self, offset: int) -> str:
        """Where ``offset`` is, for a reader: “page 3”; “sheet Budget, row 17”; empty if unnamed."""
        parts = []
        for kind in get_args(SectionKind):
            label = self.section_at(offset, kind)
            if label:
                parts.append(f"“{label}”" if kind == "heading" else f"{kind} {label}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a document that is embedded and found as one: text[start:end]."""

    document: str  # Document.id
    title: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as an embedding model reads it: its vector, and one for each of its tokens."""

    vector: Vectors  # float32 (d,), unit length
    tokens: Vectors  # float32 (n, d), unit length: each token in its context
    spans: NDArray[np.int64]  # (n, 2): the characters of the text that each token is


@dataclass(frozen=True, slots=True)
class Match:
    """A row of an index that one search found. The searcher says the score's scale."""

    row: int  # of the passage in its generation
    score: float  # higher is better


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that a query found. Scores: higher is better."""

    passage: Passage
    score: float  # reciprocal-rank fusion of the two searches, at most 2 / 61
    similarity: float  # cosine of query and passage, -1 to 1


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that did not get into the index, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What one build did. Counts are of documents unless the name says otherwise."""

    folder: Path
    documents: int
    passages: int
    added: tuple[str, ...]
    changed: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]  # (old id, new id)
    removed: tuple[str, ...]
    copies: tuple[tuple[str, str], ...]  # (id of the copy, id of the document it is one of)
    unchanged: int
    embedded_passages: int
    skipped: tuple[Skipped, ...]
    seconds: float


class Embedder(Protocol):
    """What turns texts into vectors; the real one is in ``index.embed``."""

    @property
    def name(self) -> str:
        """The model's name in the catalogue."""

    @property
    def digest(self) -> str:
        """The sha256 of the model's weights: another digest, another index."""

    @property
    def dimension(self) -> int:
        """The number of components of a vector."""

    def embed(self, texts: list[str]) -> Vectors:
        """Vectors of documents' texts: float32, (len(texts), dimension), unit length."""

    def embed_query(self, text: str) -> Vectors:
        """The vector of a question: float32, (dimension,), unit length."""

    def read(self, texts: list[str]) -> list[Reading]:
        """``texts`` with a vector for each, and one for each of their tokens."""


class Reranker(Protocol):
    """What scores passages by reading each together with the query."""

    def scores(self, query: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """How well each text answers the query, float32 (n,): 0 to 1."""


class Entailment(Protocol):
    """What tells whether a text entails a sentence."""

    def probabilities(self, texts: Sequence[str], sentence: str) -> NDArray[np.float32]:
        """How likely each text entails the sentence, float32 (n,): 0 to 1."""
