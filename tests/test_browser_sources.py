"""The page in a real browser: where quotes stand, the documents, and the map."""

from pathlib import Path

from tests.page import (
    CREW,
    END,
    QUOTE,
    Open,
    address,
    chat,
    history,
    index_two_texts,
    open_page,
    pytestmark,
    shown,
)


def test_a_mark_shows_its_quote_and_leads_to_the_source(open_page: Open) -> None:
    watched = open_page()
    page = watched.page
    watched.ask("Who came, with far quotes?")
    watched.wait()
    card = page.get_by_role("tooltip")
    assert not card.is_visible()
    mark = page.get_by_role("link", name="Footnote 1").first
    mark.hover()
    assert QUOTE in card.inner_text()
    assert "Planes · planes.md, page 3" in card.inner_text()
    card.hover()  # it stays, to be read
    assert card.is_visible()
    page.get_by_label("Your question").hover()
    card.wait_for(state="hidden")

    mark.click()
    assert shown(page) == QUOTE
    assert page.locator("mark.also").all_text_contents() == [CREW, END]
    page.get_by_role("button", name="Back to the quotes").click()
    page.locator("#note-1-1").wait_for()
    page.locator("#note-1-3").get_by_role("button", name="Show in the source").click()
    assert shown(page) == END  # far below

    # A sentence with two quotes: from the one to the other and back.
    page.get_by_role("link", name="Footnote 3").click()
    page.get_by_text("Quote 2 of 2").wait_for()
    page.get_by_role("button", name="Next quote").click()
    page.get_by_text("Quote 1 of 2").wait_for()
    assert shown(page) == CREW

    finder = page.get_by_role("searchbox", name="Find in this document")
    finder.fill("RAINED")
    finder.press("Enter")
    page.get_by_text("1 of 1", exact=True).wait_for()
    assert shown(page) == "rained"


def test_some_documents_alone_are_asked(open_page: Open) -> None:
    watched = open_page()
    page = watched.page
    page.get_by_role("button", name="All documents are asked").click()
    page.get_by_label("Ask only these documents").click()
    page.get_by_role("option", name="planes.md").click()
    page.get_by_text("1 document asked").wait_for()
    page.keyboard.press("Escape")
    watched.ask("Who came?")
    watched.wait()
    assert "Asked only: planes.md" in page.locator("article").inner_text()

    page.get_by_role("button", name="New conversation").click()
    page.get_by_text("All documents are asked").wait_for()
    watched.ask("Who came?")
    watched.wait()
    page.get_by_role("link", name="Footnote 1").click()
    page.get_by_role("button", name="Ask only this document").click()
    page.get_by_text("1 document asked").wait_for()
    watched.ask("Who else?")
    watched.wait()
    assert "Asked only: planes.md" in page.locator("article").last.inner_text()


def test_documents_are_added_left_out_and_read(open_page: Open, tmp_path: Path) -> None:
    folder = index_two_texts(tmp_path / "texts")
    watched = open_page()
    page = watched.page
    watched.ask("Who came?")
    watched.wait()
    page.get_by_role("tab", name="Documents").click()
    rows = page.locator("tbody tr")
    rows.first.wait_for()
    assert rows.count() == 2
    assert "Planes" in rows.first.inner_text()

    page.locator("input[type=file]").set_input_files(
        {"name": "ships.txt", "mimeType": "text/plain", "buffer": b"Three ships sank."}
    )
    page.locator("pre", has_text="added 1:").wait_for()
    page.get_by_role("button", name="Leave out talks.txt").click()
    page.locator("pre", has_text="removed 1:").wait_for()
    page.get_by_role("button", name="Take in talks.txt").wait_for()
    assert [name.split("\n")[0] for name in page.locator("tbody th").all_inner_texts()] == [
        "planes.md",
        "ships.txt",
    ]
    assert (folder / "talks.txt").exists()
    (folder / "more.txt").write_text("It rained.")
    (folder / "tool.exe").write_bytes(b"MZ")
    page.get_by_role("button", name="Bring the index up to date").click()
    page.get_by_role("button", name="Read more.txt").wait_for()
    assert "tool.exe: format .exe is not supported" in page.locator(".problems").inner_text()
    page.get_by_label("Find a document").fill("SHIPS")
    page.get_by_text("1 document.").wait_for()
    assert page.locator("tbody th").all_inner_texts() == ["ships.txt"]
    page.get_by_label("Find a document").fill("")
    page.get_by_role("button", name="Read more.txt").wait_for()
    page.locator("input[type=file]").set_input_files(
        {"name": "virus.exe", "mimeType": "text/plain", "buffer": b"MZ"}
    )
    page.get_by_role("alert").wait_for()
    assert "“virus.exe” is not added: format .exe" in page.get_by_role("alert").inner_text()

    page.get_by_role("button", name="Read planes.md").click()
    page.get_by_role("region", name="Source").wait_for()
    assert page.locator("mark.also").all_text_contents() == [QUOTE, CREW]


def test_the_map_shows_the_passages_and_leads_to_them(open_page: Open, tmp_path: Path) -> None:
    index_two_texts(tmp_path / "texts")
    watched = open_page()
    page = watched.page
    watched.ask("Who came?")
    watched.wait()
    page.get_by_role("tab", name="Map").click()
    points = page.locator(".js-plotly-plot .trace").first.locator(".point")
    points.first.wait_for()
    legend = page.locator(".js-plotly-plot .legend")
    assert legend.locator(".legendtext").all_text_contents() == [
        "planes.md",
        "talks.txt",
        "the last question",
    ]
    box = points.first.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.locator(".hoverlayer", has_text="It rained all night.").wait_for()
    page.mouse.down()
    page.mouse.up()
    assert "It rained all night." in shown(page)

    # Without a pointer: what was found is a list, too. The bars lead to their documents.
    page.get_by_role("tab", name="Map").click()
    found = page.get_by_role("listitem").filter(has_text="planes.md: Four transport")
    found.get_by_role("button", name="Read").press("Enter")
    page.get_by_role("region", name="Source").wait_for()
    page.get_by_role("tab", name="Map").click()
    bars = page.locator(".js-plotly-plot").nth(1).locator(".point")
    bars.nth(1).scroll_into_view_if_needed()
    box = bars.nth(1).bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.get_by_role("heading", name="talks.txt").wait_for()
