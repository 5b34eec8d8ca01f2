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


@dataclass(frozen=True, slots=True)
class Span:
    """Characters ``start`` up to ``end`` of a text."""

    start: int
    end: int


def sentence_spans(text: str) -> list[Span]:
    """The sentences of ``text`` in order, without the white space around them.

    A line break ends a sentence, except inside a paragraph that is wrapped by hand.
    Abbreviations, initials and quoted speech do not (sentencex, by Wikimedia).
    """
    return [
        sentence
        for block in _blocks(text)
        for boundary in sentencex.get_sentence_boundaries("en", text[block.start : block.end])
        if (
            sentence := trimmed(
                text,
                block.start + boundary["start_index"],
                block.start + boundary["end_index"],
            )
        )
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
            and not _LIST_ITEM_OR_HEADING.match(next_line)
        )
        if not is_wrapped:
            cuts.append(next_start)
    return [Span(start, end) for start, end in pairwise([*cuts, len(text)])]
