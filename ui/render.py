"""What the page shows, as HTML: pure functions of a Turn.

Documents, questions and answers are other people's text. Each piece of it goes through
``plain`` on its way into the HTML, so it is always shown and never obeyed: no tag, no
Markdown, no image of theirs comes to life.
"""

import html
import re
from collections.abc import Iterable, Mapping, Sequence

from index.records import Hit
from models.progress import counted
from rag.line import Waiting
from rag.records import Citation, Sentence, Status, Timings
from ui.history import Kept
from ui.turn import Turn
from ui.user import User

EXCERPT = 280  # characters of a passage that are shown; its quotes are shown whole
SNIPPET = 90  # characters of a sentence that a note repeats

FLAGS: dict[Status, tuple[str, str]] = {
    "partly": (
        "only partly supported",
        "The quotes support a part of this sentence, not all of it.",
    ),
    "unsupported": (
        "not supported",
        "No passage of the documents was found that supports this sentence.",
    ),
}
"""The words beside a sentence that does not stand on its quotes, and their explanation."""


def plain(text: str, *, quote: bool = True) -> str:
    """``text`` as HTML that shows just these characters; with ``quote``, also in an attribute."""
    return html.escape(text.encode("utf-8", "replace").decode("utf-8"), quote=quote)


def alert(problem: str) -> str:
    """What went wrong, in the reader's words, told at once."""
    return f'<p class="problem" role="alert">{plain(problem)}</p>'


def shorten(text: str, limit: int) -> str:
    """``text`` on one line, cut with an ellipsis at a space near ``limit`` characters."""
    line = " ".join(text.split())
    if len(line) <= limit:
        return line
    cut = line[: limit + 1].rsplit(" ", 1)[0][:limit]
    return f"{cut}…"


def file_name(text: str) -> str:
    """``text`` as the name of a file, without an ending."""
    words = re.sub(r"[^\w-]+", " ", text)
    return shorten(words, 60).strip(" …") or "conversation"


def act(
    label: str, action: str, *, name: str = "", is_pressed: bool | None = None, **data: object
) -> str:
    """A button; page.js tells the server of ``action`` and ``data`` when it is pressed.

    ``name`` is what a screen reader says where ``label`` is only a sign; ``is_pressed`` is for
    one that stays pressed.
    """
    named = f' aria-label="{plain(name)}" title="{plain(name)}"' if name else ""
    pressed = "" if is_pressed is None else f' aria-pressed="{str(is_pressed).lower()}"'
    return (
        f'<button type="button" class="act" data-act="{action}"{_data(data)}{named}{pressed}>'
        f"{plain(label)}</button>"
    )


def _data(data: Mapping[str, object]) -> str:
    return "".join(f' data-{key}="{plain(str(value))}"' for key, value in data.items())


def status(turn: Turn, waiting: Waiting | None = None) -> str:
    """What happens now, in a few words; empty when the turn is over."""
    match turn.stage:
        case "waiting" if waiting:
            others = counted(waiting.ahead, "question")
            return f"{others} first, about {waiting.seconds:.0f} s…"
        case "waiting":
            return "Waiting for the model…"
        case "searching":
            return "Searching…"
        case "reading":
            return f"Reading {counted(len(turn.hits), 'passage')}…"
        case "writing":
            return "Writing…"
        case _:
            return ""


def menu() -> str:
    """What can be done with a conversation as a whole."""
    return (
        f'<div class="actions">{act("Save as text", "save", event="save", format="md")}'
        f"{act('Save as page', 'save', event='save', format='html')}</div>"
    )


def who(user: User) -> str:
    """Who has logged in, and the way out; nothing where nobody does."""
    if not user.name:
        return ""
    out = act("Log out", "logout")
    return f'<p class="who"><bdi>{plain(user.name)}</bdi> {out}</p>'


# The conversation, at the left


STAYS_HERE = "Questions, answers and documents stay on this machine."


def welcome(where: str = STAYS_HERE) -> str:
    """What stands in place of the conversation before the first question.

    ``where`` says what becomes of that question.
    """
    return (
        '<div class="welcome"><h2>Ask your documents</h2>'
        "<p>Under every sentence of an answer stands a footnote: the exact words that "
        "support it, and where they are. What no document supports is not said.</p>"
        f"<p>{plain(where)}</p></div>"
    )


def exchange(
    turn: Turn,
    *,
    is_last: bool = False,
    is_editing: bool = False,
    is_saved: bool = False,
    waiting: Waiting | None = None,
) -> str:
    """The question and its answer as far as it is known; the last one can be asked again.

    ``waiting`` says how long it may take until it is begun.

    In a saved page nothing can be done with it, and what the reader thinks of it is not there.
    """
    actions = "" if is_saved else _actions(turn, is_last=is_last)
    editing = ""
    if is_editing:
        stop = act("Leave it as it is", "keep")
        editing = f'<p class="quiet" role="status">What you ask next takes its place. {stop}</p>'
    return (
        f'<article class="turn" aria-busy="{"false" if turn.is_over else "true"}">'
        f'<p class="question" dir="auto">{plain(turn.question)}</p>{_asked(turn)}'
        f'<div class="answer">{_text(turn)}{_ending(turn, waiting)}{actions}'
        f"{editing}</div></article>"
    )


def _asked(turn: Turn) -> str:
    """Which documents were asked, if not all."""
    return _quiet(f"Asked only: {', '.join(turn.documents)}") if turn.documents else ""


def _actions(turn: Turn, *, is_last: bool) -> str:
    """What can be done with an answer that is over."""
    if not turn.is_over:
        return ""
    again = (
        [act("Ask again", "again", event="again"), act("Edit the question", "edit")]
        if is_last
        else []
    )
    if not turn.answer:
        return f'<div class="actions">{"".join(again)}</div>' if again else ""
    copy = (
        f'<button type="button" class="act" data-copy="{plain(str(turn.answer))}">'
        "Copy with footnotes</button>"
    )
    thumbs = "".join(
        act(
            sign,
            "rate",
            name=name,
            is_pressed=turn.rating == rating,
            turn=turn.number,
            rating=rating,
        )
        for sign, name, rating in (("Good", "Good answer", "up"), ("Bad", "Bad answer", "down"))
    )
    return f'<div class="actions">{copy}{"".join(again)}{thumbs}</div>{_reason(turn)}'


def _reason(turn: Turn) -> str:
    """Why the reader rated it so; it stays on this machine."""
    if not turn.rating:
        return ""
    return (
        '<div class="reason" data-form><input name="reason" aria-label="Why? Kept on this machine"'
        f' placeholder="Why? Kept on this machine" value="{plain(turn.reason)}">'
        f"{act('Keep', 'reason', turn=turn.number)}"
        f"{_quiet('Kept.') if turn.reason else ''}</div>"
    )


def conversation(turns: Iterable[Turn]) -> str:
    """Several exchanges, in their order; none of them is the last."""
    return "".join(exchange(turn) for turn in turns)


def _text(turn: Turn) -> str:
    """The answer's text, with the marks after each sentence that is checked."""
    if turn.answer and turn.answer.is_refusal:
        return f'<p class="refusal" dir="auto">{plain(turn.text)}</p>'
    text = turn.text if turn.is_over else turn.text.lstrip()
    pieces: list[str] = []
    position = 0
    for index, sentence in enumerate(turn.sentences):
        # While the text still grows its sentences may have been counted from another
        # start, so they are looked for, not trusted to be at [start:end].
        start = text.find(sentence.text, position)
        if start < 0:
            continue
        pieces += [plain(text[position:start]), _sentence(turn.number, index, sentence)]
        position = start + len(sentence.text)
    rest = plain(text[position:])
    return f'<p class="text" dir="auto">{"".join(pieces)}{rest}</p>' if pieces or rest else ""


def _sentence(turn_number: int, index: int, sentence: Sentence) -> str:
    marks = "".join(
        f'<a href="#note-{turn_number}-{citation.number}"'
        f' aria-label="Footnote {citation.number}"'
        f"{_data(_card(citation))}"
        f"{_data({'act': 'cite', 'turn': turn_number, 'sentence': index, 'at': at})}>"
        f"[{citation.number}]</a>"
        for at, citation in enumerate(sentence.citations)
    )
    if sentence.status in FLAGS:
        words, explanation = FLAGS[sentence.status]
        flag = f' <small class="flag" title="{plain(explanation)}">{plain(words)}</small>'
    else:
        flag = ""
    return (
        f'<span class="sentence {sentence.status}" id="sentence-{turn_number}-{index}">'
        f"{plain(sentence.text)}</span>" + (f"<sup>{marks}</sup>" if marks else "") + flag
    )


def _card(citation: Citation) -> dict[str, object]:
    """What page.js shows while a mark is pointed at."""
    title = f"{citation.title} · " if citation.title else ""
    return {"quote": citation.quote, "place": f"{title}{citation.place}"}


def _ending(turn: Turn, waiting: Waiting | None = None) -> str:
    """The line under the answer: what happens now, why it ended, or how long it took."""
    if turn.answer:
        above = alert(turn.problem) if turn.problem else ""  # of having asked it again
        if turn.answer.is_refusal:
            found = "The closest passages found are listed under Sources." if turn.hits else ""
            above += f'<p class="quiet">No passage supports an answer. {found}</p>'
        return f'{above}<p class="timings">{plain(_timings(turn.answer.timings))}</p>'
    if turn.stage == "failed":
        return f'<p class="problem" role="alert" dir="auto">{plain(turn.problem)}</p>'
    if turn.stage == "stopped":
        return '<p class="quiet">Stopped.</p>'
    return f'<p class="status" role="status">{plain(status(turn, waiting))}</p>'


def _timings(timings: Timings) -> str:
    parts = [_seconds(timings.total)]
    if timings.first_token is not None:
        parts.append(f"first word after {_seconds(timings.first_token)}")
    if timings.tokens:
        parts.append(counted(timings.tokens, "token"))
    return " · ".join(parts)


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 0.1 else "less than 0.1 s"


# The conversations of before


def history(kept: Iterable[Kept], *, current: str, renaming: str = "", deleting: str = "") -> str:
    """The list of conversations; one may be getting another title, or be about to be deleted.

    ``current``, ``renaming`` and ``deleting`` are ids.
    """
    items = "".join(
        f"<li{' aria-current=true' if one.id == current else ''}>"
        f"{_title_of(one) if one.id == renaming else _kept(one, is_deleting=one.id == deleting)}"
        "</li>"
        for one in kept
    )
    return f'<ul class="kept">{items}</ul>' if items else _quiet("No conversation is here.")


def _title_of(one: Kept) -> str:
    return (
        '<div class="reason" data-form><input name="title" aria-label="Title" data-focus'
        f' value="{plain(one.title)}">{act("Keep", "retitle", id=one.id)}</div>'
    )


def _kept(one: Kept, *, is_deleting: bool) -> str:
    title = shorten(one.title, SNIPPET)
    if is_deleting:
        below = act("Delete for good", "delete", id=one.id) + act("Keep it", "list")
    else:
        when = f"{one.changed.astimezone():%Y-%m-%d %H:%M}"
        below = (
            f'<time datetime="{one.changed.isoformat()}">{when}</time> '
            f"{act('Rename', 'rename', id=one.id, name=f'Rename {title}')}"
            f"{act('Delete', 'deleting', id=one.id, name=f'Delete {title}')}"
        )
    return f'{act(title, "resume", id=one.id)}<span class="quiet">{below}</span>'


# The sources, at the right


def no_sources() -> str:
    """What stands in place of the sources before the first question."""
    return '<p class="quiet">The quotes under an answer will stand here.</p>'


def sources(turn: Turn) -> str:
    """The notes of a turn, and the passages that were found for it."""
    notes = quotes(turn)
    passages = _passages(turn.hits)
    if turn.answer and turn.answer.is_refusal:
        return _headed("Closest passages found", passages) or _quiet("No passage comes near it.")
    if notes and turn.is_over:
        found = f"{counted(len(turn.hits), 'passage')} found"
        folded = f"<details><summary>{found}</summary>{passages}</details>" if passages else ""
        return notes + folded
    if notes:
        now = ""
    elif turn.answer:
        now = _quiet("No quote stands under this answer.")
    else:
        now = _quiet(status(turn))
    return notes + now + _headed("Passages found", passages)


def earlier_sources(turns: Sequence[Turn]) -> str:
    """The notes of the questions before, newest first, folded."""
    return "".join(
        f'<details class="earlier"><summary dir="auto">{plain(shorten(turn.question, SNIPPET))}'
        f"</summary>{notes}</details>"
        for turn in reversed(turns)
        if (notes := quotes(turn))
    )


def quotes(turn: Turn, *, is_saved: bool = False) -> str:
    """The numbered quotes, each with its place and the sentences it stands under.

    In a saved page they lead to no source.
    """
    citations: dict[int, Citation] = {}
    uses: dict[int, list[str]] = {}
    for index, sentence in enumerate(turn.sentences):
        supports = "Supports in part" if sentence.status == "partly" else "Supports"
        use = (
            f'<p class="use">{supports} <a href="#sentence-{turn.number}-{index}" dir="auto">'
            f"{plain(shorten(sentence.text, SNIPPET))}</a></p>"
        )
        for citation in sentence.citations:
            citations[citation.number] = citation
            uses.setdefault(citation.number, []).append(use)
    items = "".join(
        f'<li id="note-{turn.number}-{number}"><span class="number">{number}</span>'
        f'<blockquote dir="auto">{plain(citations[number].quote)}</blockquote>'
        f"{_place(citations[number].title, citations[number].place)}"
        f"{_origin(citations[number])}"
        f"{''.join(uses[number])}"
        f"{'' if is_saved else act('Show in the source', 'note', turn=turn.number, number=number)}"
        "</li>"
        for number in sorted(citations)
    )
    return f'<ol class="notes">{items}</ol>' if items else ""


def _passages(hits: Iterable[Hit]) -> str:
    """The passages that the search found, best first."""
    items = "".join(
        f'<li><p class="excerpt" dir="auto">{plain(shorten(hit.passage.text, EXCERPT))}</p>'
        f"{_place(hit.passage.title, hit.passage.document)}</li>"
        for hit in hits
    )
    return f'<ol class="passages">{items}</ol>' if items else ""


def _place(title: str, place: str) -> str:
    """Title and place; many a document gives itself no title."""
    named = f'<cite dir="auto">{plain(title)}</cite> ' if title else ""
    return f'<p class="place">{named}<bdi>{plain(place)}</bdi></p>'


def _origin(citation: Citation) -> str:
    """Who wrote the document and when, and where else it stands."""
    also = [f"also in {copy}" for copy in citation.copies]
    lines = filter(None, [citation.origin, *also])
    return "".join(f'<p class="place"><bdi>{plain(line)}</bdi></p>' for line in lines)


def _headed(heading: str, content: str) -> str:
    return f"<h3>{plain(heading)}</h3>{content}" if content else ""


def told(words: str) -> str:
    """What did not go as it should."""
    return f'<p class="told" role="alert">{plain(words)}</p>'


def _quiet(words: str) -> str:
    return f'<p class="quiet">{plain(words)}</p>' if words else ""
