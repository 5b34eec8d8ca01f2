"""The records that cross a border of this package, in the order of the data's way."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from models.progress import OnProgress

Vectors = NDArray[np.float32]

SectionKind = Literal["page", "heading"]


@dataclass(frozen=True, slots=True)
class Section:
    """A named stretch of a document's text: ``document.text[start:end]``.

    ``label`` is what a reader looks for: a page's number, a heading's words.
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

    def section_at(self, offset: int, kind: SectionKind) -> str | None:
        """The label of the last section of that kind that holds ``offset``, or None."""
        labels = [
            section.label
            for section in self.sections
            if section.kind == kind and section.start <= offset < section.end
        ]
        return labels[-1] if labels else None


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a document that is embedded and found as one: text[start:end]."""

    document: str  # Document.id
    title: str
    text: str
    start: int
    end: int


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

    def embed(self, texts: list[str], *, on_progress: OnProgress | None = None) -> Vectors:
        """Vectors of ``texts``: float32, (len(texts), dimension), unit length."""
