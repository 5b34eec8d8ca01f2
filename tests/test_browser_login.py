"""The page behind the gate, in a real browser: after a login, it gets all that it asks for."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import gradio as gr
import pytest
from axe_playwright_python.sync_playwright import Axe
from fastapi import FastAPI

from index.library import Library
from serve.access import Access
from serve.accounts import Accounts
from serve.gate import Gate
from serve.login import WRONG, login_routes
from tests.browser import Scripted, find_browser, open_browser
from tests.fakes import WordEmbedder
from tests.page import PLANES, index_two_texts, pytestmark, script
from tests.serving import running
from ui.app import build_page
from ui.history import History
from ui.launch import settings

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["pytestmark"]

PASSWORD = "four planes came down"


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    index_two_texts(tmp_path / "texts")
    accounts = Accounts(tmp_path / "users.json")
    accounts.add("desk-1", PASSWORD, may_manage=True)
    access = Access(accounts)
    app = FastAPI()
    app.routes.extend(login_routes(access))
    page = build_page(
        Scripted(script, PLANES),
        History(tmp_path / "conversations.sqlite", name="default"),
        Library("default", embedder=WordEmbedder()),
        title="Footnote",
        examples=[],
    )
    gr.mount_gradio_app(app, page, path="/", show_error=False, **settings())
    with running(Gate(app, access)) as address:
        yield address


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_from_login_to_logout(
    address: str, tmp_path: Path, scheme: Literal["light", "dark"]
) -> None:
    executable = find_browser()
    assert executable
    with open_browser(executable, tmp_path / "profile", scheme=scheme) as browser:
        page = browser.new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("response", lambda one: problems.extend([one.url] if one.status >= 400 else []))
        page.goto(address)
        assert page.url == f"{address}/login"
        assert Axe().run(page).response["violations"] == []
        page.keyboard.type("desk-1")  # the first field has the focus
        page.keyboard.press("Tab")
        page.keyboard.type("a wrong password")
        page.keyboard.press("Enter")
        assert page.get_by_role("alert").inner_text() == WRONG
        assert Axe().run(page).response["violations"] == []
        assert problems == [f"{address}/login"]
        problems.clear()

        log_in(page)
        assert page.url == f"{address}/"
        page.get_by_label("Your question").fill("Who came?")
        page.get_by_label("Your question").press("Enter")
        page.locator(".timings").wait_for()
        page.get_by_role("link", name="Footnote 1").click()
        page.locator("#shown").wait_for()
        page.get_by_role("tab", name="Documents").click()
        (tmp_path / "rain.txt").write_text("It rained all night.")
        page.locator("input[type=file]").first.set_input_files(tmp_path / "rain.txt")
        page.get_by_role("button", name="Read rain.txt").wait_for()
        page.get_by_role("tab", name="Map").click()
        page.locator(".js-plotly-plot .point").first.wait_for()
        page.get_by_role("tab", name="Chat").click()
        page.get_by_label("Your question").fill("Who came slowly?")
        page.get_by_label("Your question").press("Enter")
        page.get_by_role("button", name="Stop").click()
        page.get_by_text("Stopped").first.wait_for()
        assert problems == []

        page.evaluate("fetch('/logout', {method: 'POST'}).then(() => location = '/')")
        page.get_by_label("Password").wait_for()
        assert page.url == f"{address}/login"
        page.goto(f"{address}/?conversation=a1")
        assert page.url == f"{address}/login"


def log_in(page: "Page") -> None:
    page.get_by_label("Name").fill("desk-1")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_label("Your question").wait_for()
