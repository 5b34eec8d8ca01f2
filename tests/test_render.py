"""What the page shows of a turn: every text whole and escaped, every mark with its note."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.records import REFUSAL, Answer, Done, Retrieved, Sentence, SentenceDone, Timings, Token
from tests.browser import make_answer, make_citation, make_hit
from ui import render
from ui.turn import Turn

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](http://example.com/x.png) [y](javascript:alert(1)) **z** `code`",
    '" onmouseover="alert(1)" x="',
    "' onfocus='alert(1)",
    "</p></li></article><iframe src=http://example.com>",
    "&lt;b&gt; &amp; &#x3C;b&#x3E;",
    "{{constructor}} ${alert(1)} `",
    "<!-- open",
    "עברית وعربية \u202eright to left",
    "W" * 3000,
    "👩‍👩‍👧‍👦 🏳️‍🌈 e\u0301",
    "a\x00b \ufffe",
]

TAGS = set(
    "article p div span sup a small ol li h2 h3 blockquote cite bdi details summary button input"
    " section mark br ul time".split()
)
ATTRIBUTES = set(
    "class dir id href title role tabindex type name value placeholder datetime aria-label"
    " aria-busy aria-pressed aria-current".split()
)


class Page(HTMLParser):
    """Reads HTML as a browser would, and keeps what it finds."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("br", "input", "meta"):  # these have no end
            self.open.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.attributes if key == name]


def answered(answer: Answer, number: int = 1) -> Turn:
    turn = Turn(number=number, question=answer.question)
    turn.take(Done(answer))
    return turn


def whole_page(turn: Turn) -> str:
    return render.exchange(turn) + render.sources(turn) + render.earlier_sources([turn])


def two_sentences() -> Answer:
    planes = make_citation(1, "Four planes came down on Tuesday.", title="Planes", page=3)
    crew = make_citation(2, "A hundred men got out.", title="", where="“Crew”", author="Ann")
    return make_answer(
        "Who came?",
        [
            ("Four planes landed.", "supported", [planes]),
            ("They brought 100 soldiers.", "partly", [planes, crew]),
            ("Nobody was hurt.", "unsupported", []),
        ],
        hits=[make_hit("Four planes came down on Tuesday. A hundred men got out.")],
    )


@given(st.text())
def test_any_text_is_shown_as_it_is(text: str) -> None:
    page = Page(f'<p title="{render.plain(text)}">{render.plain(text)}</p>')
    assert page.tags == ["p"]
    shown = text.encode("utf-8", "replace").decode("utf-8")
    assert page.text == shown
    assert page.attributes == [("title", shown)]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_comes_to_life_wherever_it_stands(text: str) -> None:
    citation = make_citation(
        1, text, document=text, title=text, where=text, author=text, copies=(text,)
    )
    answer = make_answer(text, [(text, "partly", [citation])], hits=[make_hit(text, title=text)])
    failed = Turn(number=2, question=text, text=text)
    failed.fail(text)
    for turn in (answered(answer), failed):
        page = Page(whole_page(turn))
        assert page.open == []
        assert set(page.tags) <= TAGS
        names = {name for name, _ in page.attributes}
        assert {name for name in names if not name.startswith("data-")} <= ATTRIBUTES
        assert all(target.startswith("#") for target in page.values("href"))
    page = Page(render.exchange(answered(answer)))
    assert page.text.count(text) == 2  # the question, the answer
    page = Page(render.sources(answered(answer)))
    assert page.text.count(text) >= 5  # the quote, the title, the place, the author, a copy


def test_marks_lead_to_the_notes_and_back() -> None:
    turn = answered(two_sentences(), number=3)
    talk, sources = Page(render.exchange(turn)), Page(render.sources(turn))
    assert talk.values("href") == ["#note-3-1", "#note-3-1", "#note-3-2"]
    assert set(talk.values("href")) == {f"#{id_}" for id_ in sources.values("id")}
    assert {target.removeprefix("#") for target in sources.values("href")} < set(talk.values("id"))
    assert "landed.[1] They brought 100 soldiers.[1][2]" in talk.text


def test_a_note_has_quote_title_place_and_its_sentences() -> None:
    text = Page(render.sources(answered(two_sentences()))).text
    assert "1Four planes came down on Tuesday.Planes notes.md, page 3" in text
    assert "Supports Four planes landed.Supports in part They brought 100 soldiers." in text
    assert "2A hundred men got out.notes.md, “Crew”Ann" in text  # this document has no title
    assert "1 passage found" in text


def test_a_sentence_without_full_support_says_so() -> None:
    page = Page(render.exchange(answered(two_sentences())))
    assert "soldiers.[1][2] only partly supported Nobody was hurt. not supported" in page.text
    assert "No passage of the documents was found that supports this sentence." in page.values(
        "title"
    )


def test_the_last_line_has_seconds_and_tokens() -> None:
    answer = two_sentences()
    assert "6.4 s · first word after 0.9 s · 54 tokens" in render.exchange(answered(answer))
    quick = replace(answer, timings=Timings(total=0.26, tokens=1))
    assert '"timings">0.3 s · 1 token<' in render.exchange(answered(quick))
    instant = replace(answer, timings=Timings(total=0.04))
    assert '"timings">less than 0.1 s<' in render.exchange(answered(instant))


def test_a_refusal_lists_the_closest_passages_and_no_notes() -> None:
    turn = answered(make_answer("Capital?", [], hits=[make_hit("Planes landed.")]))
    assert REFUSAL in Page(render.exchange(turn)).text
    page = Page(render.sources(turn))
    assert page.text == "Closest passages foundPlanes landed.Notes notes.md"
    assert page.values("id") == []
    assert render.earlier_sources([turn]) == ""


def test_a_refusal_with_nothing_found_says_that() -> None:
    turn = answered(make_answer("Capital?", []))
    assert Page(render.sources(turn)).text == "No passage comes near it."
    assert "closest" not in render.exchange(turn)


def test_a_growing_answer_shows_what_is_known() -> None:
    answer = two_sentences()
    turn = Turn(number=1, question="Who came?")
    assert "Waiting for the model…" in render.exchange(turn)
    turn.stage = "searching"
    assert Page(render.sources(turn)).text == "Searching…"

    turn.take(Retrieved(answer.hits))
    assert 'aria-busy="true"' in render.exchange(turn)
    assert "Reading 1 passage…" in render.exchange(turn)
    assert "Passages foundFour planes came down" in Page(render.sources(turn)).text

    turn.take(Token(" Four planes landed. They"))
    turn.take(SentenceDone(answer.sentences[0]))
    text = Page(render.exchange(turn)).text
    assert text == "Who came?Four planes landed.[1] TheyWriting…"
    assert "1Four planes came down on Tuesday." in Page(render.sources(turn)).text

    turn.stop()
    assert 'aria-busy="false"' in render.exchange(turn)
    assert Page(render.exchange(turn)).text.endswith("TheyStopped.")


def test_a_sentence_that_is_not_in_the_text_adds_nothing_to_it() -> None:
    turn = Turn(number=1, question="?", stage="writing", text="One. Two.")
    turn.checked = [Sentence("Zero.", 0, 5, "supported"), Sentence("Two.", 5, 9, "supported")]
    assert Page(render.exchange(turn)).text == "?One. Two.Writing…"


def test_an_error_stands_under_its_question() -> None:
    turn = Turn(number=1, question="Who came?")
    turn.fail("The model is damaged.")
    page = Page(render.exchange(turn))
    assert page.text == "Who came?The model is damaged."
    assert page.values("role") == ["alert"]


def test_earlier_notes_are_folded_newest_first() -> None:
    answer = two_sentences()
    turns = [
        answered(replace(answer, question="First?"), number=1),
        answered(make_answer("Refused?", []), number=2),
        answered(replace(answer, question="Third?"), number=3),
    ]
    page = Page(render.earlier_sources(turns))
    assert page.tags.count("details") == 2
    assert page.text.index("Third?") < page.text.index("First?")


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("one two", 7, "one two"),
        ("one\n  two", 7, "one two"),
        ("one two three", 9, "one two…"),
        ("one two three", 7, "one two…"),
        ("unbroken", 4, "unbr…"),
        ("", 4, ""),
    ],
)
def test_shorten(text: str, limit: int, short: str) -> None:
    assert render.shorten(text, limit) == short
