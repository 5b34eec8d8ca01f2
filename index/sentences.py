"""Where the sentences of a text begin and end; passages and citations both stand on them."""

import re
from dataclasses import dataclass
from itertools import pairwise

import sentencex

_WIDEST_WRAPPED_LINE = 100
"""Characters; a text that has a longer line was not wrapped by hand at a fixed width."""

_WRAPPED_SHARE = 0.6
"""A line shorter than this share of the widest line ended there on purpose."""

_LIST_ITEM_OR_HEADING = re.compile(r"\s*(?:[-*+•#>|]|\d{1,3}[.)]\s)")

_NAME = r"[^:;!?“”\"]{1,40}"
_ROW = re.compile(rf".*(?<!\S)\|(?!\S)|{_NAME}: [^;]*; {_NAME}: ")
_LONGEST_ROW = 400
"""Characters; a longer one has running text in its cells, and is read by its sentences."""


@dataclass(frozen=True, slots=True)
class Span:
    """Characters ``start`` up to ``end`` of a text."""

    start: int
    end: int


def sentence_spans(text: str) -> list[Span]:
    """The sentences of ``text`` in order, without the white space around them.

    A line break ends a sentence, except inside a paragraph that is wrapped by hand.
    Abbreviations, initials and quoted speech do not (sentencex, by Wikimedia). A row of a
    table is one sentence, unless it is longer than 400 characters.
    """
    sentences = (
        trimmed(text, start, end) for block in _blocks(text) for start, end in _borders(text, block)
    )
    return [sentence for sentence in sentences if sentence]


def is_row(line: str) -> bool:
    """Whether ``line`` is a row of a table: “value | value” or “Name: value; Name: value”."""
    return _ROW.match(line) is not None


def _borders(text: str, block: Span) -> list[tuple[int, int]]:
    part = text[block.start : block.end]
    if len(part) <= _LONGEST_ROW and is_row(part):
        return [(block.start, block.end)]
    return [
        (block.start + boundary["start_index"], block.start + boundary["end_index"])
        for boundary in sentencex.get_sentence_boundaries("en", part)
    ]


def trimmed(text: str, start: int, end: int) -> Span | None:
    """The span without the white space at its ends; None if nothing is left."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return Span(start, end) if start < end else None


def _blocks(text: str) -> list[Span]:
    """Stretches of ``text`` at whose ends a sentence ends in any case."""
    lines = [line.span() for line in re.finditer(r"[^\n]*\n?", text)]
    widest = max((end - start for start, end in lines), default=0)
    cuts = [0]
    for (start, end), (next_start, next_end) in pairwise(lines):
        line, next_line = text[start:end].strip(), text[next_start:next_end]
        is_wrapped = (
            widest <= _WIDEST_WRAPPED_LINE
            and len(line) >= _WRAPPED_SHARE * widest
            and next_line.strip()
            and not line.startswith("#")
            and not is_row(line)
            and not is_row(next_line)
            and not _LIST_ITEM_OR_HEADING.match(next_line)
        )
        if not is_wrapped:
            cuts.append(next_start)
    return [Span(start, end) for start, end in pairwise([*cuts, len(text)])]
