"""The source beside the answer: a document as text, with the quote where it stands.

Pure functions, as in ``ui.render``. A long document is shown in parts.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from index.records import Document, Section
from index.sentences import Span
from rag.records import Citation
from ui.render import act, plain
from ui.turn import Turn

PART = 40_000
"""Characters of a document that are shown at once."""

_LISTED = 200
"""Sections that the list of contents names at most."""

_HEAD = 80  # characters of a section that are marked when it is opened

_NAMED = ("page", "slide", "sheet", "chapter", "message", "record")
"""Sections whose names do not stand in the text."""


@dataclass(frozen=True, slots=True)
class View:
    """What of which document is shown."""

    document: str
    cited: tuple[Citation, ...] = ()  # the quotes of one sentence, or of one note
    at: int = 0  # which of them is shown
    others: tuple[Citation, ...] = ()  # further quotes of the answer
    words: str = ""  # that are looked for
    found: int = 0  # which place of them is shown
    spot: Span | None = None  # a passage that is shown
    part: int | None = None  # which part the reader turned to

    @property
    def citation(self) -> Citation | None:
        """The quote that is shown."""
        return self.cited[self.at] if self.cited else None


def turned(view: View | None, turns: Sequence[Turn], pressed: Mapping[str, str]) -> View | None:
    """What is shown after the reader pressed something: see ``data-act`` in page.js.

    None if nothing is: the reader went back, or what was pressed is no longer there.
    """
    action = pressed.get("act", "")
    at = number_in(pressed, "at")
    match action:
        case "cite" | "note":
            number = number_in(pressed, "turn")
            found = [_view(turn, pressed) for turn in turns if turn.number == number]
            shown = found[0] if found else None
        case "open":
            answers = [turn for turn in turns if turn.sentences][-1:]
            others = [c for turn in answers for s in turn.sentences for c in s.citations]
            name = pressed.get("document", "")
            shown = View(name, others=tuple(dict.fromkeys(others)), spot=_spot(pressed))
        case "step" if view and view.cited:
            at %= len(view.cited)
            document = view.cited[at].document
            shown = replace(view, document=document, at=at, words="", found=0, part=None)
        case "find" if view:
            shown = replace(view, words=pressed.get("words", "").strip(), found=0, part=None)
        case "find-step" if view:
            shown = replace(view, found=at, part=None)
        case "section" if view:
            shown = View(view.document, others=view.others, spot=_spot(pressed))
        case "part" if view:
            shown = replace(view, part=at)
        case _:
            shown = None
    return shown


def _view(turn: Turn, pressed: Mapping[str, str]) -> View | None:
    """The quotes of a sentence, or the one of a note."""
    citations = {c.number: c for sentence in turn.sentences for c in sentence.citations}
    number, sentence = number_in(pressed, "number"), number_in(pressed, "sentence")
    cited: tuple[Citation, ...] = ()
    if number in citations:
        cited = (citations[number],)
    elif 0 <= sentence < len(turn.sentences):
        cited = turn.sentences[sentence].citations
    at = max(number_in(pressed, "at"), 0)
    if at >= len(cited):
        return None
    others = tuple(citation for citation in citations.values() if citation not in cited)
    return View(cited[at].document, cited, at, others=others)


def _spot(pressed: Mapping[str, str]) -> Span | None:
    """The passage of a point that was pressed."""
    start, end = number_in(pressed, "start"), number_in(pressed, "end")
    return Span(start, end) if 0 <= start < end else None


def number_in(pressed: Mapping[str, str], key: str) -> int:
    """What was pressed as a number; -1 if it is none."""
    try:
        return int(pressed.get(key, ""))
    except ValueError:
        return -1


def span_of(citation: Citation, document: Document) -> Span | None:
    """Where the quote stands in ``document`` as it is now, or None if it does no longer.

    If the document has changed, the nearest place to where it stood.
    """
    if document.text[citation.start : citation.end] == citation.quote:
        return Span(citation.start, citation.end)
    found = [match.start() for match in re.finditer(re.escape(citation.quote), document.text)]
    if not found:
        return None
    start = min(found, key=lambda place: abs(place - citation.start))
    return Span(start, start + len(citation.quote))


def places(text: str, words: str) -> list[Span]:
    """Where ``words`` stand in ``text``, whatever their case."""
    wanted, within = words.lower(), text.lower()
    if not wanted or len(within) != len(text):  # a letter whose small form is two
        wanted, within = words, text
    spans, start = [], within.find(wanted) if wanted else -1
    while start >= 0:
        spans.append(Span(start, start + len(wanted)))
        start = within.find(wanted, start + len(wanted))
    return spans


def opened(view: View, document: Document | None) -> str:
    """The document, its quote marked, with what leads through it."""
    if document is None:
        return _frame(
            view.document,
            _citation_steps(view),
            f'<p class="problem">The document {plain(view.document)} is not in the index any '
            f"more.</p>{_quote(view)}",
        )
    cited = span_of(view.citation, document) if view.citation else None
    found = places(document.text, view.words)
    spot = view.spot if view.spot and view.spot.end <= len(document.text) else None
    shown = found[view.found % len(found)] if found else cited or spot
    parts = _parts(document.text)
    number = view.part
    if number is None:
        number = _part_at(parts, shown.start if shown else 0)
    number = min(max(number, 0), len(parts) - 1)
    part = parts[number]
    if shown and view.part is None:  # what is shown is shown whole, also over the end of a part
        part = Span(part.start, max(part.end, shown.end))
    others = [span_of(one, document) for one in view.others if one.document == document.id]
    marks = [("passage", spot)] if spot else []
    marks += [("also", span) for span in others if span and span != cited]
    marks += [("found", span) for span in found]
    marks += [("cited", cited)] if cited else []
    gone = ""
    if view.citation and cited is None:
        gone = '<p class="problem">The document has changed; this quote is gone from it:</p>'
        gone += _quote(view)
    text = _marked(document, part, marks, shown)
    body = f'<div class="source-text" dir="auto" tabindex="0" aria-label="Text">{text}</div>'
    turned = _part_steps(view, number, len(parts))
    return _frame(
        document.title or document.id,
        act("Ask only this document", "only", document=document.id),
        _citation_steps(view),
        _facts(document),
        _search(view, len(found)),
        _contents(document),
        gone,
        turned,
        body,
        turned,
    )


def _frame(heading: str, *content: str) -> str:
    back = act("Back to the quotes", "close")
    return (
        f'<section class="reader" aria-label="Source" tabindex="-1" data-focus>'
        f'<div class="steps">{back}</div>'
        f'<h3 dir="auto">{plain(heading)}</h3>{"".join(content)}</section>'
    )


def _facts(document: Document) -> str:
    """What the document says of itself."""
    facts = filter(None, [document.id, document.author, document.date, document.source])
    also = (f"also in {copy}" for copy in document.copies)
    lines = "".join(f"<bdi>{plain(fact)}</bdi><br>" for fact in [*facts, *also])
    return f'<p class="place">{lines}{len(document.text):,} characters</p>'


def _quote(view: View) -> str:
    if view.citation is None:
        return ""
    return f'<blockquote dir="auto">{plain(view.citation.quote)}</blockquote>'


def _citation_steps(view: View) -> str:
    """Through the quotes of one sentence."""
    if view.citation is None:
        return ""
    where = f'<span class="quiet" dir="auto">{plain(view.citation.place)}</span>'
    count = len(view.cited)
    if count < 2:
        return f'<p class="steps">{where}</p>'
    return (
        f'<div class="steps">{act("Previous quote", "step", at=(view.at - 1) % count)}'
        f'<span role="status">Quote {view.at + 1} of {count}</span>'
        f"{act('Next quote', 'step', at=(view.at + 1) % count)}{where}</div>"
    )


def _search(view: View, count: int) -> str:
    """The words that are looked for in this document, and through their places."""
    number = view.found % count + 1 if count else 0
    result = f'<span role="status">{number} of {count}</span>' if view.words else ""
    steps = ""
    if count > 1:
        steps = act("Previous", "find-step", at=view.found - 1)
        steps += act("Next", "find-step", at=view.found + 1)
    return (
        '<div class="steps search" role="search">'
        f'<input name="words" type="search" aria-label="Find in this document"'
        f' placeholder="Find in this document" value="{plain(view.words)}">'
        f"{act('Find', 'find')}{result}{steps}</div>"
    )


def _contents(document: Document) -> str:
    """The sections, to turn to; no rows, which are many and say little by their names."""
    sections = [one for one in document.sections if one.kind != "row" and one.start < one.end]
    if len(sections) < 2:  # one is all of the document
        return ""
    items = "".join(f"<li>{_turn_to(one, document.text)}</li>" for one in sections[:_LISTED])
    more = len(sections) - _LISTED
    last = f"<li>and {more:,} more</li>" if more > 0 else ""
    return (
        f"<details><summary>Contents ({len(sections):,})</summary>"
        f'<ul class="contents" dir="auto">{items}{last}</ul></details>'
    )


def _turn_to(section: Section, text: str) -> str:
    """What turns to a section; its first line is marked then."""
    line = text.find("\n", section.start, section.end)
    end = min(section.end if line <= section.start else line, section.start + _HEAD)
    name = section.label if section.kind == "heading" else f"{section.kind} {section.label}"
    return act(name, "section", start=section.start, end=end)


def _part_steps(view: View, number: int, count: int) -> str:
    if count == 1:
        return ""
    before = act("Earlier text", "part", at=number - 1) if number else ""
    after = act("Later text", "part", at=number + 1) if number < count - 1 else ""
    return f'<div class="steps">{before}<span>Part {number + 1} of {count}</span>{after}</div>'


def _parts(text: str) -> list[Span]:
    """The text in stretches of at most ``PART`` characters, cut after a line if there is one."""
    parts, start = [], 0
    while len(text) - start > PART:
        end = text.rfind("\n", start + PART // 2, start + PART) + 1 or start + PART
        parts.append(Span(start, end))
        start = end
    return [*parts, Span(start, len(text))]


def _part_at(parts: Sequence[Span], offset: int) -> int:
    return next((at for at, part in enumerate(parts) if offset < part.end), len(parts) - 1)


def _marked(
    document: Document, part: Span, marks: Sequence[tuple[str, Span]], shown: Span | None
) -> str:
    """The text of a part, its marks as elements, and the names of sections before they begin."""
    names: dict[int, list[Section]] = {}
    for section in document.sections:
        if section.kind in _NAMED and part.start <= section.start < min(part.end, section.end):
            names.setdefault(section.start, []).append(section)
    # At each of these places a mark begins or ends, or a section begins.
    changes: dict[int, Counter[str]] = {place: Counter() for place in (part.start, part.end)}
    changes.update((place, Counter()) for place in names)
    for kind, span in marks:
        if span.start < part.end and part.start < span.end:
            begin, finish = max(span.start, part.start), min(span.end, part.end)
            changes.setdefault(begin, Counter())[kind] += 1
            changes.setdefault(finish, Counter())[kind] -= 1
    pieces: list[str] = []
    open_: Counter[str] = Counter()
    has_target = False
    for start, end in pairwise(sorted(changes)):
        pieces += map(_name, names.get(start, ()))
        open_.update(changes[start])
        text = plain(document.text[start:end])
        kinds = sorted(kind for kind, count in open_.items() if count)
        if not kinds:
            pieces.append(text)
            continue
        is_shown = shown is not None and shown.start <= start < shown.end and not has_target
        has_target |= is_shown
        target = ' id="shown"' if is_shown else ""
        pieces.append(f'<mark class="{" ".join(kinds)}"{target}>{text}</mark>')
    return "".join(pieces)


def _name(section: Section) -> str:
    return f'<span class="section">{plain(f"{section.kind} {section.label}")}</span>'
