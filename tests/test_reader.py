"""The source beside the answer: the quote is marked where it stands, and nothing comes to life."""

import time
from dataclasses import replace

import pytest

from index.records import Document, Section
from tests.browser import make_answer, make_citation
from tests.fakes import document
from tests.test_render import HOSTILE, TAGS, Page, answered
from ui.reader import PART, View, opened, places, span_of, turned

TEXT = "It rained. Four planes landed. It rained again. A hundred men got out."
NEWS = document(TEXT, id_="news.md", title="News")


def cite(number: int, quote: str, source: Document = NEWS):  # type: ignore[no-untyped-def]
    start = source.text.index(quote)
    return make_citation(number, quote, document=source.id, title=source.title, start=start)


PLANES, MEN = cite(1, "Four planes landed."), cite(2, "A hundred men got out.")


class Marks(Page):
    """Also keeps the text of each mark, by its classes."""

    def __init__(self, html: str) -> None:
        self.marks: list[tuple[str, str, bool]] = []
        super().__init__(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        super().handle_starttag(tag, attrs)
        if tag == "mark":
            found = dict(attrs)
            self.marks.append((found["class"] or "", "", found.get("id") == "shown"))

    def handle_data(self, data: str) -> None:
        super().handle_data(data)
        if self.open and self.open[-1] == "mark":
            kind, text, is_shown = self.marks.pop()
            self.marks.append((kind, text + data, is_shown))


def test_the_quote_is_marked_where_it_stands_and_the_others_too() -> None:
    page = Marks(opened(View("news.md", (PLANES,), others=(MEN,)), NEWS))
    assert page.marks == [("cited", PLANES.quote, True), ("also", MEN.quote, False)]
    assert TEXT in page.text
    assert page.open == []


def test_a_quote_that_moved_is_found_and_one_that_is_gone_is_said() -> None:
    moved = replace(NEWS, text=f"Corrected. {TEXT}")
    page = Marks(opened(View("news.md", (PLANES,)), moved))
    assert page.marks == [("cited", PLANES.quote, True)]
    gone = replace(NEWS, text="It rained.")
    page = Marks(opened(View("news.md", (PLANES,)), gone))
    assert page.marks == []
    assert f"this quote is gone from it:{PLANES.quote}" in page.text
    page = Marks(opened(View("news.md", (PLANES,)), None))
    assert f"news.md is not in the index any more.{PLANES.quote}" in page.text


def test_words_are_found_and_stepped_through() -> None:
    view = View("news.md", (PLANES,), words="RAINED")
    first = Marks(opened(view, NEWS))
    assert [mark for mark in first.marks if "found" in mark[0]] == [
        ("found", "rained", True),
        ("found", "rained", False),
    ]
    assert "1 of 2" in first.text
    last = Marks(opened(replace(view, found=-1), NEWS))
    assert "2 of 2" in last.text
    assert [is_shown for kind, _, is_shown in last.marks if kind == "found"] == [False, True]
    assert "0 of 0" in Marks(opened(replace(view, words="snow"), NEWS)).text
    within = Marks(opened(replace(view, words="planes"), NEWS))
    assert [text for kind, text, _ in within.marks if "cited" in kind] == [
        "Four ",
        "planes",
        " landed.",
    ]


@pytest.mark.parametrize(
    ("text", "words", "found"),
    [
        ("İstanbul, istanbul", "istanbul", [(10, 18)]),  # İ has two letters when it is small
        ("aaa", "aa", [(0, 2)]),
        ("a.b", ".", [(1, 2)]),
        ("abc", "", []),
    ],
)
def test_places(text: str, words: str, found: list[tuple[int, int]]) -> None:
    assert [(span.start, span.end) for span in places(text, words)] == found


def test_a_long_document_is_shown_in_parts_with_the_quote_in_sight() -> None:
    text = "".join(f"Line {number} of many.\n" for number in range(10_000))
    long = document(text, id_="long.md")
    quote = cite(1, "Line 7777 of many.", long)
    page = Marks(opened(View("long.md", (quote,)), long))
    assert page.marks == [("cited", quote.quote, True)]
    assert len(page.text) < 1.1 * PART
    parts = []
    number = 0
    while True:
        page = Marks(opened(View("long.md", part=number), long))
        parts.append(page.text[page.text.index("Line ") : page.text.rindex("many.\n") + 6])
        if "Later text" not in page.text:
            break
        number += 1
    assert "".join(parts) == text


def test_a_quote_over_the_end_of_a_part_is_marked_whole() -> None:
    before = "Nothing.\n" * (PART // 9 - 1)
    text = f"{before}Two planes\nlanded here\nat last. {'More. ' * PART}"
    long = document(text, id_="long.md")
    quote = cite(1, "Two planes\nlanded here\nat last.", long)
    page = Marks(opened(View("long.md", (quote,)), long))
    assert page.marks == [("cited", quote.quote, True)]


def test_of_two_equal_places_the_nearer_one_is_marked() -> None:
    said = "They landed. "
    old = document(f"{said}{'It rained. ' * 50}{said}", id_="a.md")
    start = old.text.rindex("They landed.")
    quote = make_citation(1, "They landed.", document="a.md", start=start)
    span = span_of(quote, replace(old, text=f"New. {old.text}"))
    assert span
    assert span.start == start + len("New. ")


@pytest.mark.slow
def test_a_word_that_is_everywhere_is_found_in_no_time() -> None:
    long = document("e" * 400_000, id_="long.md")
    started = time.monotonic()
    page = Marks(opened(View("long.md", words="e"), long))
    assert len(page.marks) == PART
    assert time.monotonic() - started < 20  # it took minutes once


def test_pages_are_named_where_they_begin() -> None:
    pages = (Section("page", "1", 0, 11), Section("page", "2", 11, len(TEXT)))
    text = Marks(opened(View("news.md"), replace(NEWS, sections=pages))).text
    assert "page 1It rained. page 2Four planes" in text


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_comes_to_life(text: str) -> None:
    evil = document(f"Before {text} after", id_=text, title=text)
    quote = cite(1, text, evil)
    page = Marks(opened(View(text, (quote, quote), words=text), evil))
    assert set(page.tags) <= TAGS
    assert page.open == []
    assert "".join(marked for _, marked, _ in page.marks).count(text) == 1


def test_what_is_pressed_leads_through_the_quotes() -> None:
    answer = make_answer("Who?", [("They.", "supported", [PLANES, MEN]), ("So.", "partly", [MEN])])
    turns = [answered(answer)]
    view = turned(None, turns, {"act": "cite", "turn": "1", "sentence": "0", "at": "1"})
    assert view
    assert (view.citation, view.others) == (MEN, ())
    view = turned(view, turns, {"act": "step", "at": "0"})
    assert view
    assert view.citation == PLANES
    view = turned(view, turns, {"act": "find", "words": " rain "})
    assert view
    assert (view.words, view.citation) == ("rain", PLANES)
    view = turned(view, turns, {"act": "find-step", "at": "3"})
    assert view
    assert view.found == 3
    assert turned(view, turns, {"act": "close"}) is None
    note = turned(None, turns, {"act": "note", "turn": "1", "number": "2"})
    assert note
    assert (note.cited, note.others) == ((MEN,), (PLANES,))
    opened = turned(None, turns, {"act": "open", "document": "news.md"})
    assert opened == View("news.md", others=(PLANES, MEN))


@pytest.mark.parametrize(
    "pressed",
    [
        {},
        {"act": "unknown"},
        {"act": "cite"},
        {"act": "cite", "turn": "9", "sentence": "0", "at": "0"},
        {"act": "cite", "turn": "1", "sentence": "9", "at": "0"},
        {"act": "cite", "turn": "1", "sentence": "-1", "at": "0"},
        {"act": "cite", "turn": "1", "sentence": "0", "at": "9"},
        {"act": "note", "turn": "1", "number": "x"},
        {"act": "step", "at": "1"},
        {"act": "find", "words": "rain"},
    ],
)
def test_what_is_not_there_shows_nothing(pressed: dict[str, str]) -> None:
    answer = make_answer("Who?", [("They.", "supported", [PLANES])])
    assert turned(None, [answered(answer)], pressed) is None


def test_sections_are_listed_to_turn_to() -> None:
    text = "One.\nIt rained.\nTwo.\nMen came. They left."
    two = text.index("Two.")
    sections = (
        Section("page", "1", 0, two),
        Section("heading", "<Two>", two, len(text)),
        Section("row", "9", two, len(text)),
    )
    source = Document(id="b.pdf", title="B", text=text, sha256="0" * 64, sections=sections)
    page = Marks(opened(View("b.pdf"), source))
    assert "Contents (2)page 1<Two>" in page.text
    assert "row 9" not in page.text
    pressed = {"act": "section", "start": str(two), "end": str(two + 4)}
    view = turned(View("b.pdf", words="rained"), [], pressed)
    assert view
    assert Marks(opened(view, source)).marks == [("passage", "Two.", True)]


def test_one_section_needs_no_list_and_many_are_cut() -> None:
    text = "word " * 300
    sections = tuple(Section("page", str(n), n * 5, n * 5 + 5) for n in range(300))
    many = Document(id="b.pdf", title="", text=text, sha256="0" * 64, sections=sections)
    assert "Contents (300)" in Marks(opened(View("b.pdf"), many)).text
    assert "and 100 more" in Marks(opened(View("b.pdf"), many)).text
    assert "Contents" not in Marks(opened(View("b.pdf"), replace(many, sections=sections[:1]))).text
