"""The page in a real browser: conversations kept and saved."""

from pathlib import Path

from tests.page import QUOTE, Open, address, chat, history, open_page, pytestmark, shown


def test_conversations_are_kept_found_renamed_and_deleted(open_page: Open) -> None:
    watched = open_page()
    page = watched.page
    watched.ask("Who came by night?")
    watched.wait()
    page.reload()
    page.locator("article[aria-busy=false]").wait_for()
    assert "Who came by night?" in page.locator(".question").inner_text()
    page.get_by_role("link", name="Footnote 1").click()
    assert shown(page) == QUOTE
    page.get_by_role("button", name="New conversation").click()
    page.get_by_role("heading", name="Ask your documents").wait_for()
    watched.ask("Who came by day?")
    watched.wait()

    page.get_by_role("button", name="Toggle Sidebar").click()
    past = page.locator(".kept")
    page.get_by_label("Find a conversation").fill("by night")
    past.get_by_text("Who came by day?").wait_for(state="detached")
    past.get_by_role("button", name="Rename Who came by night?").click()
    title = past.get_by_role("textbox", name="Title")
    title.fill("The night")
    title.press("Enter")
    past.get_by_role("button", name="The night", exact=True).click()
    page.locator(".question", has_text="Who came by night?").wait_for()
    assert page.locator("article").count() == 1
    watched.ask("And who then?")
    watched.wait()
    assert page.locator("article").count() == 2
    past.get_by_role("button", name="Delete The night").click()
    past.get_by_role("button", name="Keep it").click()
    past.get_by_role("button", name="Delete The night").click()
    past.get_by_role("button", name="Delete for good").click()
    page.get_by_role("heading", name="Ask your documents").wait_for()
    page.get_by_label("Find a conversation").fill("")
    past.get_by_text("Who came by day?").wait_for()
    assert past.get_by_text("The night").count() == 0


def test_a_conversation_that_is_gone_is_told_where_it_was_asked_for(open_page: Open) -> None:
    watched = open_page()
    page = watched.page
    watched.ask("Who came by night?")
    watched.wait()
    page.locator("article[aria-busy=false]").wait_for()
    gone = page.url
    other = page.context.new_page()
    other.goto(gone)
    other.locator(".question", has_text="Who came by night?").wait_for()
    other.get_by_role("button", name="Toggle Sidebar").click()
    other.get_by_role("button", name="Delete Who came by night?").click()
    other.get_by_role("button", name="Delete for good").click()
    other.get_by_role("heading", name="Ask your documents").wait_for()
    told = "This conversation is not kept on this machine any more."

    page.get_by_role("button", name="New conversation").click()
    page.get_by_role("button", name="Toggle Sidebar").click()
    page.locator(".kept").get_by_text("Who came by night?").click()
    page.get_by_role("alert").filter(has_text=told).wait_for()
    page.locator(".kept", has_text="Who came by night?").wait_for(state="detached")
    page.goto(gone)
    page.get_by_role("alert").filter(has_text=told).wait_for()
    assert page.get_by_role("heading", name="Ask your documents").is_visible()
    other.close()


def test_what_must_wait_for_the_answer_says_so(open_page: Open) -> None:
    watched = open_page()
    page = watched.page
    watched.ask("Who came by night?")
    watched.wait()
    page.get_by_role("button", name="New conversation").click()
    page.get_by_role("button", name="Toggle Sidebar").click()
    watched.ask("Who came slowly?")
    page.locator("article[aria-busy=true]").wait_for()
    page.locator(".kept").get_by_text("Who came by night?").click()
    page.get_by_role("alert").filter(has_text="An answer is being written: stop it").wait_for()
    page.get_by_role("button", name="Stop").click()


def test_a_saved_page_opens_by_itself_and_its_marks_jump(open_page: Open, tmp_path: Path) -> None:
    watched = open_page()
    page = watched.page
    watched.ask("Who came to stay?")
    watched.wait()
    for button, ending in (("Save as page", "html"), ("Save as text", "md")):
        with page.expect_download() as download:
            page.get_by_role("button", name=button).click()
        assert download.value.suggested_filename == f"Who came to stay.{ending}"
        download.value.save_as(tmp_path / f"saved.{ending}")
    assert QUOTE in (tmp_path / "saved.md").read_text(encoding="utf-8")
    saved = page.context.new_page()
    saved.goto((tmp_path / "saved.html").as_uri())
    saved.get_by_role("link", name="Footnote 1").click()
    note = saved.locator("#note-1-1")
    assert QUOTE in note.inner_text()
    assert saved.evaluate("document.querySelector(':target').id") == "note-1-1"
    saved.close()
