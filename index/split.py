"""Documents into passages, along paragraphs and sentences, each with its exact place."""

import re
from collections.abc import Iterable
from itertools import accumulate, pairwise

from index.records import Document, Passage
from index.sentences import Span, sentence_spans, trimmed

PASSAGE_SIZE = 700
"""Characters at most; about 120 words, which the default embedder reads without cutting."""

_HEAD_SHARE = 5
"""A piece shorter than a fifth of a passage is not found on its own: the next one takes it."""

_BOILERPLATE_LINE = re.compile(
    r"""(?: error:\s*content\ is\ protected
          | (?:share|tweet|pin|e-?mail|print|like|follow)
            (?:\s+(?:this|us|on|via|to|it|article|story|post|page|facebook|twitter|whatsapp|x))*
          | (?:advertisement|sponsored(?:\ content)?|promoted)s?
          | (?:subscribe|sign\ (?:up|in)|log\ in)
            (?:\ (?:now|here|today|to\ (?:our|the)\ newsletter|for\ (?:our|the)\ newsletter))?
          | (?:read|related|more)\ (?:more|also|articles?|posts?|stories)
          | (?:leave|post|add)\ a\ (?:comment|reply) | comments? | no\ comments
          | skip\ to\ (?:main\ )?content | back\ to\ top | menu | search | loading
          | (?:we\ use|accept(?:\ all)?|manage)\ cookies
          | all\ rights\ reserved | (?:copyright|©)[^.]{0,60} | featured\ image:?.{0,40}
          | click\ here(?:\ to\ .{0,40})? )
        \s*[:!.…>»]*""",
    re.VERBOSE | re.IGNORECASE,
)
"""A line that a web page puts around its text; it says nothing, so it is not searched."""


def is_boilerplate(line: str) -> bool:
    """Whether a line of a saved page is furniture: share buttons, notices, cookies."""
    return _BOILERPLATE_LINE.fullmatch(line.strip()) is not None


def split(document: Document, *, size: int = PASSAGE_SIZE) -> list[Passage]:
    """The passages of ``document`` in order; ``document.text[start:end] == text`` of each.

    Passages do not overlap and break at the end of a paragraph if possible, else of a line,
    a sentence, a word. They are at most ``size`` characters long, or 1.4 times that with a
    heading taken in. Lines of boilerplate are in none of them.
    """
    return [
        Passage(
            document=document.id,
            title=document.title,
            text=document.text[span.start : span.end],
            start=span.start,
            end=span.end,
        )
        for stretch in _stretches(document.text)
        for span in _pieces(document.text, stretch, size)
    ]


def _stretches(text: str) -> list[Span]:
    """What lies between the lines of boilerplate."""
    stretches = []
    start = 0
    for line in re.finditer(r"[^\n]+", text):
        if is_boilerplate(line.group()):
            stretches.append(Span(start, line.start()))
            start = line.end()
    stretches.append(Span(start, len(text)))
    return stretches


def _pieces(text: str, stretch: Span, size: int) -> list[Span]:
    """The passages' spans within one stretch of ``text``.

    The splitter is told where sentences end by a mark that the text does not hold. Since
    it drops nothing and its pieces do not overlap, their lengths give their places.
    """
    part = text[stretch.start : stretch.end]
    mark = next(chr(code) for code in range(0xE000, 0xF8FF) if chr(code) not in part)
    ends = [0, *(sentence.end for sentence in sentence_spans(part)), len(part)]
    marked = mark.join(part[start:end] for start, end in pairwise(ends))
    # Imported when there is something to split, for it takes half a second, and a question
    # splits nothing.
    from langchain_text_splitters import RecursiveCharacterTextSplitter  # noqa: PLC0415

    splitter = RecursiveCharacterTextSplitter(
        separators=["\n\n", "\n", mark, " ", ""],
        keep_separator="end",
        strip_whitespace=False,
        chunk_size=size,
        chunk_overlap=0,
        length_function=lambda piece: len(piece) - piece.count(mark),
    )
    lengths = [len(piece) - piece.count(mark) for piece in splitter.split_text(marked)]
    borders = accumulate(lengths, initial=stretch.start)
    spans = [trimmed(text, start, end) for start, end in pairwise(borders)]
    return [
        span
        for span in _with_heads(filter(None, spans), size)
        if any(map(str.isalnum, text[span.start : span.end]))
    ]


def _with_heads(spans: Iterable[Span], size: int) -> list[Span]:
    """The spans, each very short one (a heading, a byline) joined to the one after it."""
    joined: list[Span] = []
    for span in spans:
        if joined and joined[-1].end - joined[-1].start < size // _HEAD_SHARE:
            joined[-1] = Span(joined[-1].start, span.end)
        else:
            joined.append(span)
    return joined
