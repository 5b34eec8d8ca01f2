"""A conversation as a file: all of it is there, and nothing in it comes to life."""

import pytest

from tests.browser import make_answer, make_citation
from tests.test_render import HOSTILE, Page, answered, two_sentences
from ui.export import as_markdown, as_page
from ui.turn import Turn


def test_markdown_has_every_answer_and_footnote() -> None:
    stopped = Turn(2, "And then?", text="They", stage="stopped")
    text = as_markdown("Planes", [answered(two_sentences()), stopped])
    assert text.startswith("# Planes\n\n## Who came?\n\nFour planes landed. \\[1\\] They")
    assert "> \\[1\\] “Four planes came down on Tuesday.”  \n> Planes; notes.md, page 3\n" in text
    assert text.endswith("## And then?\n\nThey\n\n(Stopped.)\n")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_page_stands_alone_and_its_marks_lead_to_the_quotes(text: str) -> None:
    quote = make_citation(1, text, document=text, title=text)
    turns = [
        answered(make_answer(text, [(text, "supported", [quote])]), number=number)
        for number in (1, 2)
    ]
    turns[0].rate("down", "")
    turns[0].rate("", "a private reason")
    html = as_page(text, turns)
    assert "a private reason" not in html
    assert "<button" not in html
    page = Page(html)
    targets = {target.removeprefix("#") for target in page.values("href")}
    assert targets <= set(page.values("id"))
    assert targets >= {"note-1-1", "note-2-1", "sentence-1-0"}
    assert not {"script", "img", "iframe", "link"} & set(page.tags)
    assert page.text.count(text) >= 2 * 3  # twice a question, an answer and a quote
