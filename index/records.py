"""The records that cross a border of this package, in the order of the data's way."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

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
