"""Script in everything that is anybody's text, on the served page in a real browser: none runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.browser import find_browser, open_browser
from tests.page import HOSTILE, Watched, pytestmark
from tests.team import KEEPER, PASSWORD, Team, serving

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["pytestmark"]

RUNS = "<img src=x onerror=\"document.title = 'taken'\">"
LINK = "<a href=\"javascript:document.title='taken'\">link</a>"
NAME = f"{RUNS}{LINK.replace('/', '')} ${{document.title='taken'}}.md"
"""A file's name; it may hold no slash."""

SENTENCE = f"Four transport planes {RUNS} {LINK} came down at Caracas on Tuesday."
QUESTION = f"How many transport planes came down at Caracas? {HOSTILE}"
ATTRIBUTE = '" onfocus="document.title=\'taken\'" autofocus x="'
"""Ends an attribute that is not guarded."""

WIDE = "Ünï.k@desk-1_x"
"""A user's name of every kind of character that may be in one."""


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    files = {NAME: f"# {HOSTILE}\n\n{SENTENCE}\n\n{HOSTILE}\n", "other.md": "It rained.\n"}
    with serving(tmp_path / "team", files=files, written=SENTENCE) as team:
        monkeypatch.setenv("FOOTNOTE_HOME", str(team.home))
        team.accounts.add(WIDE, PASSWORD, may_manage=True)
        yield team


def log_in(page: "Page", name: str, password: str = PASSWORD) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def assert_untouched(page: "Page", title: str = "Footnote") -> None:
    """Nothing ran that could; an image that fails to load takes a moment for it."""
    page.wait_for_timeout(200)
    assert page.title() == title
    assert page.locator("img[src=x], a[href^=javascript]").count() == 0


@pytest.fixture
def watched(team: Team, tmp_path: Path) -> Iterator[Watched]:
    """A tab in a browser in which nobody has logged in yet; nothing strange may happen in it."""
    executable = find_browser()
    assert executable
    with open_browser(executable, tmp_path / "profile") as browser:
        watched = Watched(browser.new_page())
        watched.page.goto(f"{team.address}/login")
        yield watched
        assert watched.errors == [], watched.errors
        assert watched.strangers == []


def test_no_text_comes_to_life(watched: Watched, tmp_path: Path) -> None:
    page = watched.page
    log_in(page, WIDE)
    page.get_by_label("Your question").wait_for()
    page.locator(".who").wait_for()
    assert page.locator(".who bdi").inner_text() == WIDE
    ask_and_read(watched)
    rate_and_rename(page)
    look_at_the_documents(page)
    look_at_what_is_saved(page, tmp_path / "saved.html")


def ask_and_read(watched: Watched) -> None:
    page = watched.page
    watched.ask(QUESTION)
    watched.wait()
    assert RUNS in page.locator(".question").inner_text()
    assert RUNS in page.locator(".answer").inner_text()
    assert NAME in page.locator(".sources").inner_text()
    assert_untouched(page)
    page.get_by_role("link", name="Footnote 1").first.hover()
    page.locator("#card").wait_for()
    assert_untouched(page)
    page.get_by_role("link", name="Footnote 1").first.click()
    page.locator("#shown").first.wait_for()
    page.get_by_label("Find in this document").fill(RUNS)
    page.get_by_label("Find in this document").press("Enter")
    page.locator(".reader mark.found").first.wait_for()
    assert_untouched(page)
    page.get_by_role("button", name="Ask only this document").click()
    page.get_by_text("1 document asked").wait_for()
    assert_untouched(page)


def rate_and_rename(page: "Page") -> None:
    page.get_by_role("button", name="Bad answer").click()
    page.get_by_label("Why? Kept on this machine").fill(HOSTILE)
    page.get_by_label("Why? Kept on this machine").press("Enter")
    page.get_by_text("Kept.", exact=True).wait_for()
    assert page.get_by_label("Why? Kept on this machine").input_value() == HOSTILE
    page.get_by_role("button", name="Toggle Sidebar").click()
    past = page.locator(".kept")
    past.get_by_role("button", name="Rename").click()
    title = past.get_by_role("textbox", name="Title")
    assert title.input_value() == QUESTION
    title.fill(f"{ATTRIBUTE} {HOSTILE}")
    title.press("Enter")
    past.get_by_text("onfocus").first.wait_for()
    assert_untouched(page)
    page.get_by_label("Find a conversation").fill(HOSTILE)
    past.get_by_text("onfocus").first.wait_for()
    page.get_by_label("Find a conversation").fill(f"nothing {RUNS}")
    page.get_by_text("No conversation is here.").wait_for()
    assert_untouched(page)
    page.get_by_role("button", name="Toggle Sidebar").click()


def look_at_the_documents(page: "Page") -> None:
    page.get_by_role("tab", name="Documents").click()
    page.get_by_label("Find a document").fill(RUNS)
    page.get_by_role("button", name="Leave out").first.click()
    page.locator(".left-out").wait_for()
    assert NAME in page.locator(".left-out").inner_text()
    assert_untouched(page)
    page.get_by_role("button", name="Take in").click()
    page.locator(".left-out").wait_for(state="detached")
    page.get_by_role("tab", name="Map").click()
    point = page.locator(".js-plotly-plot .point").first
    point.wait_for()
    point.hover(force=True)
    assert_untouched(page)
    page.get_by_role("tab", name="Chat").click()


def look_at_what_is_saved(page: "Page", file: Path) -> None:
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as page").click()
    download.value.save_as(file)
    saved = page.context.new_page()
    saved.goto(file.as_uri())
    assert RUNS in saved.locator("body").inner_text()
    saved.wait_for_timeout(200)
    assert saved.title() != "taken"
    assert saved.locator("img, script, a[href^=javascript]").count() == 0
    saved.close()


def test_no_name_and_no_address_comes_to_life_at_the_login(team: Team, watched: Watched) -> None:
    page = watched.page
    page.goto(f"{team.address}/login?{quote(RUNS)}#{quote(RUNS)}")
    page.locator("[name=username]").evaluate("input => input.maxLength = 9999")
    log_in(page, RUNS, RUNS)
    page.get_by_role("alert").wait_for()
    assert "onerror" not in page.content()
    assert_untouched(page, "Log in – Footnote")
    watched.errors.clear()  # the status of the response
    log_in(page, KEEPER)
    page.get_by_label("Your question").wait_for()
    page.goto(f"{team.address}/?conversation={quote(RUNS)}&__theme={quote(RUNS)}")
    page.get_by_label("Your question").wait_for()
    assert_untouched(page)


PATHS = [
    "/api/search?query={}",
    "/api/documents?words={}",
    "/api/documents/{}",
    "/api/{}",
    "/api/version?{}",
    "/v1/models/{}",
    "/config?page={}&deep_link={}",
    "/?deep_link={}",
    "/?page={}",
    "/{}",
    "/assets/{}",
    "/gradio_api/info?{}",
    "/gradio_api/queue/data?session_hash={}",
    "/gradio_api/file={}",
    "/logout?{}",
]


def test_no_answer_is_a_page_with_anybodys_text(team: Team, tmp_path: Path) -> None:
    executable = find_browser()
    assert executable
    texts = [RUNS, HOSTILE, f'"></script>{RUNS}', f"\r\nContent-Type: text/html\r\n\r\n{RUNS}"]
    with open_browser(executable, tmp_path / "profile") as browser:
        page = browser.new_page()
        page.goto(f"{team.address}/login")
        log_in(page, KEEPER)
        page.get_by_label("Your question").wait_for()
        for path in PATHS:
            for text in texts:
                answered = page.goto(team.address + path.replace("{}", quote(text, safe="")))
                assert answered
                type_ = answered.headers["content-type"].partition(";")[0]
                is_page = type_ == "text/html"
                assert is_page == (path == "/?deep_link={}"), path
                assert RUNS not in (page.content() if is_page else "")
                page.wait_for_timeout(50)
                assert "taken" not in page.title()
                assert page.locator("img[src=x]").count() == 0
        page.goto(f"{team.address}/api/docs?{quote(RUNS)}#{quote(RUNS)}")
        page.locator(".swagger-ui .info").wait_for()
        page.wait_for_timeout(200)
        assert "taken" not in page.title()
