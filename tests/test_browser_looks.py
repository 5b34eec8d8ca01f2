"""The page in a real browser: legible, narrow or wide, for everybody."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.page import (
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

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_a_narrow_screen_has_the_sources_below(open_page: Open, tmp_path: Path) -> None:
    watched = open_page(width=380, height=760)
    page = watched.page
    watched.ask("Who came?")
    watched.wait()
    composer = page.get_by_label("Your question").bounding_box()
    sources = page.locator(".sources").bounding_box()
    assert composer and sources
    assert sources["y"] >= composer["y"] + composer["height"]
    page.screenshot(path=tmp_path / "narrow.png", full_page=True)
    fits_in_every_tab(page, tmp_path, width=380)


def fits_in_every_tab(page: "Page", tmp_path: Path, *, width: int) -> None:
    index_two_texts(tmp_path / "texts")
    for tab, sign in (
        ("Chat", page.get_by_label("Your question")),
        ("Documents", page.get_by_role("button", name="Read talks.txt")),
        ("Map", page.get_by_role("heading", name="What the index holds")),
    ):
        page.get_by_role("tab", name=tab).click()
        sign.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, tab


def test_all_can_be_read_at_twice_the_size(open_page: Open, tmp_path: Path) -> None:
    watched = open_page(width=640, height=400, scale=2)  # 1280 by 800 points, magnified
    page = watched.page
    watched.ask("Who came?")
    watched.wait()
    page.get_by_role("link", name="Footnote 1").click()
    assert shown(page) == QUOTE
    page.screenshot(path=tmp_path / "large.png")
    fits_in_every_tab(page, tmp_path, width=640)


def test_dark_is_dark_and_legible(open_page: Open, tmp_path: Path) -> None:
    watched = open_page(scheme="dark")
    page = watched.page
    watched.ask("Who came?")
    watched.wait()
    page.screenshot(path=tmp_path / "dark.png")
    ground = luminance(page, "body", "backgroundColor")
    places = [".answer .text", ".timings", "sup a", "blockquote", ".place", ".use"]
    inks = {place: luminance(page, place, "color") for place in places}
    index_two_texts(tmp_path / "texts")
    page.get_by_role("tab", name="Documents").click()
    page.get_by_role("button", name="Read talks.txt").wait_for()
    inks |= {place: luminance(page, place, "color") for place in (".shelf td", ".shelf th")}
    for place, ink in inks.items():
        assert (ink + 0.05) / (ground + 0.05) >= 4.5, place  # WCAG 2.2, 1.4.3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_stands_in_the_way_of_assistive_technology(
    open_page: Open, tmp_path: Path, scheme: str
) -> None:
    watched = open_page(scheme=scheme)
    page = watched.page
    found = hurdles(page)
    watched.ask("Who came, with far quotes?")
    watched.wait()
    found |= hurdles(page)
    page.get_by_role("link", name="Footnote 1").click()
    shown(page)
    page.get_by_role("button", name="Bad answer").click()
    page.get_by_role("textbox", name="Why? Kept on this machine").wait_for()
    page.get_by_role("button", name="All documents are asked").click()
    page.get_by_role("button", name="Toggle Sidebar").click()
    page.get_by_role("button", name="Rename").first.click()
    title = page.get_by_role("textbox", name="Title")
    title.wait_for()
    page.wait_for_function("document.activeElement.name === 'title'")
    found |= hurdles(page)
    page.get_by_role("button", name="Toggle Sidebar").click()
    index_two_texts(tmp_path / "texts")
    page.get_by_role("tab", name="Documents").click()
    page.get_by_role("button", name="Read talks.txt").wait_for()
    found |= hurdles(page)
    page.get_by_role("tab", name="Map").click()
    page.locator(".js-plotly-plot").nth(1).wait_for()
    found |= hurdles(page)
    assert found == set()


def hurdles(page: "Page") -> set[str]:
    """What axe-core finds that is serious or worse."""
    violations = Axe().run(page).response["violations"]
    return {
        f"{one['id']}: {node['html']}"
        for one in violations
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    }


def luminance(page: "Page", selector: str, style: str) -> float:
    """Relative luminance, 0 to 1, of a colour (WCAG 2.2)."""
    value: str = page.locator(selector).first.evaluate(
        "(element, style) => getComputedStyle(element)[style]", style
    )
    parts = [float(part) / 255 for part in value[value.index("(") + 1 : -1].split(",")[:3]]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
