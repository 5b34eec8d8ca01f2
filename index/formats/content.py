"""What every format has in common: clean text, blocks joined with offsets, titles."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from index.records import Section, SectionKind
from index.sentences import is_row

BlockKind = Literal["heading", "paragraph", "item", "row"]


@dataclass(frozen=True, slots=True)
class Content:
    """What a reader finds in one file. ``text`` is clean; offsets count its characters."""

    text: str
    title: str = ""  # this and what follows as the file itself gives it; empty if it does not
    sections: tuple[Section, ...] = ()
    author: str = ""
    date: str = ""  # ISO 8601, as precise as the file is: 2019, 2019-03-24, 2019-03-24T14:05:00
    source: str = ""  # the address that it was saved from


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a document that is set off from its neighbours."""

    kind: BlockKind
    text: str


@dataclass(frozen=True, slots=True)
class Part:
    """A page, a sheet, a message: a piece of a document that is read on its own."""

    kind: SectionKind
    label: str
    content: Content
    heading: str = ""  # a line to put above the text, if the text does not begin with one


@dataclass(frozen=True, slots=True)
class Heading:
    """Where a heading begins in a text, and its words."""

    start: int
    label: str


# Line ends of every kind: old Macs, form feeds, NEL, and Unicode's line and paragraph separators.
_LINE_END = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_SPACE = re.compile("[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")
# What has no shape on a page: control characters, soft hyphens, zero-width and bidirectional
# controls, lone surrogates, noncharacters, and the tag characters (invisible ASCII).
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffc\ud800-\udfff\ufdd0-\ufdef\U000e0000-\U000e007f"
    + "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
    + "]"
)
# The zero-width joiner and non-joiner are spelling in Persian, the Indic scripts and emoji;
# beside a space, a Latin letter, or punctuation they are litter.
_JOINED = "[^\x00-\u02af\u2000-\u206f\\s]"
_STRAY_JOINER = re.compile(f"(?<!{_JOINED})[\u200c\u200d]|[\u200c\u200d](?!{_JOINED})")

_MAX_TITLE = 200  # characters; longer ones are sentences, not names


def clean(text: str) -> str:
    """``text`` as it is indexed and quoted; cleaning clean text changes nothing.

    Lines end with ``\\n``, at most two in a row; every space is a plain one and none ends a
    line; characters without a shape are gone. The words, and their Unicode form, stay as
    the document has them.
    """
    text = _LINE_END.sub("\n", text)
    text = _UNSEEN.sub("", text)
    text = _SPACE.sub(" ", text)
    text = _STRAY_JOINER.sub("", text)
    text = "\n".join(line.rstrip() for line in text.split("\n"))
    return re.sub("\n{3,}", "\n\n", text).strip("\n")


def content_of(blocks: Iterable[Block]) -> Content:
    """``blocks`` as one text: items of a list and rows of a table on lines, the rest apart."""
    parts: list[str] = []
    headings: list[Heading] = []
    position = 0
    previous = None
    for block in blocks:
        text = clean(block.text).strip()
        if not text:
            continue
        if block.kind == "item":
            text = f"- {text}"
        if previous is not None:
            parts.append("\n" if _is_run_on(previous, Block(block.kind, text)) else "\n\n")
            position += len(parts[-1])
        if block.kind == "heading":
            headings.append(Heading(position, one_line(text)))
        parts.append(text)
        position += len(text)
        previous = Block(block.kind, text)
    joined = "".join(parts)
    return Content(joined, sections=heading_sections(joined, headings))


def _is_run_on(previous: Block, block: Block) -> bool:
    """Whether ``block`` goes on the line after ``previous``; it must not be read on from there."""
    if previous.kind == block.kind == "row":
        return is_row(previous.text) and is_row(block.text)
    return previous.kind == block.kind == "item"


def text_part(kind: SectionKind, label: str, text: str) -> Part:
    """A part that is plain text, cleaned."""
    return Part(kind, label, Content(clean(text).strip()))


def content_of_parts(parts: Iterable[Part]) -> Content:
    """The parts as one text, each with a section, also an empty one, and its own within it."""
    texts: list[str] = []
    sections: list[Section] = []
    position = 0
    for part in parts:
        if not part.content.text:
            sections.append(Section(part.kind, part.label, position, position))
            continue
        if texts:
            texts.append("\n\n")
            position += 2
        start = position
        if part.heading:
            texts.append(f"{part.heading}\n\n")
            position += len(texts[-1])
        end = position + len(part.content.text)
        sections.append(Section(part.kind, part.label, start, end))
        sections += (
            replace(section, start=section.start + position, end=section.end + position)
            for section in part.content.sections
        )
        texts.append(part.content.text)
        position = end
    return Content("".join(texts), sections=tuple(sections))


def heading_sections(text: str, headings: list[Heading]) -> tuple[Section, ...]:
    """A section from each heading to the next one, or to the end of ``text``."""
    end = Heading(len(text), "")
    return tuple(
        Section("heading", heading.label, heading.start, _end_of_words(text, following.start))
        for heading, following in pairwise([*headings, end])
    )


def _end_of_words(text: str, end: int) -> int:
    while end and text[end - 1].isspace():
        end -= 1
    return end


def one_line(text: str) -> str:
    """``text`` with every run of white space turned into one space."""
    return " ".join(text.split())


# --- titles ---

# What programs write into a title field when the author wrote nothing.
_NO_TITLE = re.compile(
    r"(untitled|unbenannt|sans titre|sin título)\b.*"
    r"|(microsoft (word|powerpoint|excel|publisher)|powerpoint) - .*"
    r"|((new |blank )?(word |microsoft )?document|doc|powerpoint presentation|presentation"
    r"|slide|layout|page|title|index|print)\W*\d*"
    r"|\S*\.(docx?|dotx?|pptx?|xlsx?|odt|rtf|txt|tex|dvi|ps|eps|pdf|html?|indd|qxd|fm|pmd|wpd|p65)",
    re.IGNORECASE,
)


def named_title(title: str) -> str:
    """``title`` on one line; empty if it is only a program's default, or has no letter."""
    title = one_line(clean(title))
    if not re.search(r"[^\W\d_]", title) or _NO_TITLE.fullmatch(title):
        return ""
    if len(title) > _MAX_TITLE:
        return title[:_MAX_TITLE].rsplit(" ", 1)[0].rstrip(" ,;:-–—") + "…"
    return title


def first_line_title(text: str) -> str:
    """The first line of ``text`` if it stands like a title: short, no full stop, text below it."""
    line, _, rest = text.partition("\n")
    line = line.strip()
    if not rest.strip() or len(line) > 120 or line.endswith((".", ",", ";", ":")):
        return ""
    # A line of running text also has text directly below it: then a title must be shorter than
    # such lines are, and the next line must not go on with a small letter.
    if not rest.startswith("\n") and (len(line) > 60 or rest.lstrip()[0].islower()):
        return ""
    return named_title(line)


def first_page_title(content: Content) -> str:
    """The title that the first page with text begins with, if it does."""
    first = next((section for section in content.sections if section.end), None)
    return first_line_title(content.text[: first.end]) if first else ""
