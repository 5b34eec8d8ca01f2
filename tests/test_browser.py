"""The page in a real browser: what a reader sees, and that nothing leaves this machine."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from models.errors import ModelError
from rag.records import REFUSAL, Event
from tests.browser import (
    Scripted,
    find_browser,
    make_answer,
    make_citation,
    make_hit,
    open_browser,
    tell,
)
from ui.app import SECONDS_BETWEEN_DRAWINGS, build_page, launch
from ui.commands import choose_port

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        find_browser() is None,
        reason="no browser: install chromium, or name one in FOOTNOTE_BROWSER",
    ),
]

QUOTE = "Four transport planes came down at Maiquetía airport on Tuesday."
CREW = "About 120 soldiers in civilian clothes left the aircraft."
HOSTILE = (
    "<script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">"
    "![x](http://example.com/x.png) ${document.title = 'taken'} {{value}} **bold**"
)


STEPS = threading.Semaphore(0)
"""What the answer about Tuesday waits for: one for its passages, then one for each word."""


def script(question: str) -> Iterator[Event]:
    """Answers after what the question asks for."""
    hits = [make_hit(f"{QUOTE} {CREW}", document="planes.md", title="Planes")]
    if "damaged" in question:
        raise ModelError("The model is damaged; run 'footnote models pull'.")
    if "capital" in question:
        yield from tell(make_answer(question, [], hits=hits))
        return
    planes = make_citation(1, QUOTE, document="planes.md", title="Planes", page=3)
    crew = make_citation(2, CREW, document="planes.md", title="Planes", page=4)
    sentences: list[Any] = [
        ("Four planes landed on Tuesday.", "supported", [planes]),
        ("They brought 120 soldiers and much equipment.", "partly", [crew]),
        ("Nobody was hurt.", "unsupported", []),
    ]
    if "hostile" in question:
        evil = make_citation(1, HOSTILE, document=HOSTILE, title=HOSTILE)
        sentences = [(HOSTILE, "supported", [evil])]
        hits = [make_hit(HOSTILE, document=HOSTILE, title=HOSTILE)]
    if "endless" in question:
        sentences = [(" ".join(["word"] * 5000) + ".", "supported", [planes])]
    if "long" in question:
        sentences = [("A sentence that fills the line from here to there.", "supported", [planes])]
        sentences *= 30
    answer = make_answer(question, sentences, hits=hits)
    if "Tuesday" in question:
        yield from tell(answer, pause=lambda: STEPS.acquire(timeout=30))
    seconds = 0.01 if "long" in question else 0.05
    yield from tell(answer, pause=lambda: time.sleep(seconds))


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    page = build_page(Scripted(script), title="Footnote", examples=["Who came on Tuesday?"])
    yield launch(page, host="127.0.0.1", port=choose_port("127.0.0.1", None))
    page.close(verbose=False)


@dataclass
class Watched:
    """A tab, and what it did that nobody should see."""

    page: "Page"
    errors: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "console",
            lambda line: self.errors.append(line.text) if line.type == "error" else None,
        )
        self.page.on("request", lambda request: self._note(request.url))
        self.page.on("websocket", lambda socket: self._note(socket.url))

    def _note(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and parts.hostname != "127.0.0.1":
            self.strangers.append(url)

    def ask(self, question: str) -> None:
        box = self.page.get_by_label("Your question")
        box.fill(question)
        box.press("Enter")

    def wait(self) -> None:
        """Until the answer is whole."""
        self.page.locator("article[aria-busy=false]").last.wait_for()
        self.page.locator("article[aria-busy=true]").wait_for(state="detached")
        self.page.get_by_role("button", name="Ask", exact=True).wait_for()


Open = Callable[..., Watched]


@pytest.fixture
def open_page(address: str, tmp_path: Path) -> Iterator[Open]:
    """Opens the page in a browser of its own; afterwards nothing strange may have happened."""
    executable = find_browser()
    assert executable is not None
    opened: list[Watched] = []
    with ExitStack() as stack:

        def open_(**options: Any) -> Watched:
            profile = tmp_path / f"profile-{len(opened)}"
            context = stack.enter_context(open_browser(executable, profile, **options))
            watched = Watched(context.new_page())
            opened.append(watched)
            watched.page.goto(address)
            watched.page.get_by_label("Your question").wait_for()
            return watched

        yield open_
    for watched in opened:
        assert watched.errors == []
        assert watched.strangers == []


@contextmanager
def another_tab(watched: Watched) -> Iterator[Watched]:
    page = watched.page.context.new_page()
    page.goto(watched.page.url)
    page.get_by_label("Your question").wait_for()
    yield Watched(page)
    page.close()


def test_an_answer_grows_and_its_marks_lead_to_the_quotes(open_page: Open, tmp_path: Path) -> None:
    watched = open_page()
    page = watched.page
    page.get_by_role("button", name="Who came on Tuesday?").click()
    page.locator(".status", has_text="Searching…").wait_for()
    STEPS.release()
    page.locator(".status", has_text="Reading 1 passage…").wait_for()
    assert CREW in page.locator(".sources").inner_text()  # before the model wrote a word
    STEPS.release()
    page.locator(".status", has_text="Writing…").wait_for()
    text = page.locator(".answer .text")
    assert text.inner_text() == "Four"
    time.sleep(2 * SECONDS_BETWEEN_DRAWINGS)
    STEPS.release(5)
    page.get_by_role("link", name="Footnote 1").wait_for()  # its sentence is checked
    assert page.locator("#note-1-1 blockquote").inner_text() == QUOTE
    assert "Nobody" not in text.inner_text()
    STEPS.release(100)
    watched.wait()
    assert "Nobody was hurt." in text.inner_text()
    assert page.get_by_role("button", name="Who came on Tuesday?").count() == 0

    mark = page.get_by_role("link", name="Footnote 2")
    mark.click()
    note = page.locator("#note-1-2")
    assert page.url.endswith("/#note-1-2")
    assert CREW in note.inner_text()
    assert "planes.md, page 4" in note.inner_text()
    assert colour(note) != colour(page.locator("#note-1-1"))
    assert beside(page, mark, note)
    assert "only partly supported" in text.inner_text()
    assert "6.4 s · first word after 0.9 s · 54 tokens" in page.locator(".timings").inner_text()
    page.screenshot(path=tmp_path / "light.png")


def colour(locator: Any) -> str:
    return str(locator.evaluate("element => getComputedStyle(element).backgroundColor"))


def beside(page: "Page", left: Any, right: Any) -> bool:
    """Whether both are in sight, one at the left of the other."""
    one, two = left.bounding_box(), right.bounding_box()
    size = page.viewport_size
    assert one and two and size
    return bool(
        one["x"] + one["width"] < two["x"]
        and all(box["y"] >= 0 and box["y"] + box["height"] <= size["height"] for box in (one, two))
    )


def test_hostile_text_is_shown_as_text(open_page: Open) -> None:
    watched = open_page()
    page = watched.page
    watched.ask(f"hostile {HOSTILE}")
    watched.wait()
    for place in (".question", ".answer .text", "#note-1-1 blockquote", "#note-1-1 cite"):
        assert HOSTILE in page.locator(place).inner_text()
    assert page.locator("article img, article script, .sources img, .sources script").count() == 0
    assert page.title() == "Footnote"


def test_a_refusal_an_error_and_a_follow_up(open_page: Open) -> None:
    watched = open_page()
    page = watched.page
    watched.ask("What is the capital of France?")
    watched.wait()
    assert REFUSAL in page.locator(".answer").last.inner_text()
    assert "Closest passages found" in page.locator(".sources").inner_text()

    watched.ask("Is it damaged?")
    page.get_by_role("alert").wait_for()
    watched.wait()
    alert = page.get_by_role("alert").inner_text()
    assert alert == "The model is damaged; run 'footnote models pull'."
    assert page.get_by_label("Your question").input_value() == "Is it damaged?"

    watched.ask("Who came?")
    page.locator("#note-3-1").wait_for()
    watched.wait()
    watched.ask("Who else?")
    page.locator("#note-4-1").wait_for()
    watched.wait()
    assert page.locator("article").count() == 4

    # The notes of an earlier question are folded, and its marks unfold them.
    earlier = page.locator("#note-3-1")
    assert not earlier.is_visible()
    page.locator("a[href='#note-3-1']").click()
    earlier.wait_for(state="visible")

    page.get_by_role("button", name="New conversation").click()
    page.get_by_role("heading", name="Ask your documents").wait_for()
    assert page.locator("article").count() == 0
    watched.ask("Who came?")
    page.locator("#note-1-1").wait_for()
    watched.wait()


def test_stop_keeps_what_is_written(open_page: Open) -> None:
    watched = open_page()
    page = watched.page
    watched.ask("endless")
    page.locator(".answer .text").wait_for()
    assert page.get_by_role("button", name="New conversation").is_disabled()
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped.").wait_for()
    watched.wait()
    assert page.locator(".answer .text").inner_text().startswith("word")
    watched.ask("Who came?")
    page.locator("#note-2-1").wait_for()
    watched.wait()


def test_two_tabs_do_not_mix(open_page: Open) -> None:
    watched = open_page()
    with another_tab(watched) as other:
        watched.ask("endless, in the first tab")
        watched.page.locator(".answer .text").wait_for()
        other.ask("Who came, in the second tab?")
        other.page.get_by_text("Waiting for the model…").first.wait_for()
        watched.page.get_by_role("button", name="Stop").click()
        other.page.locator("#note-1-1").wait_for()
        other.wait()
        watched.wait()
        assert "second" not in watched.page.locator("body").inner_text()
        assert "first tab" not in other.page.locator("body").inner_text()
        assert other.errors == other.strangers == []


def test_a_closed_tab_frees_the_model(open_page: Open) -> None:
    watched = open_page()
    with another_tab(watched) as other:
        other.ask("endless")
        other.page.locator(".answer .text").wait_for()
    watched.ask("Who came?")
    watched.page.locator("#note-1-1").wait_for()
    watched.wait()


def test_the_end_of_a_long_answer_stays_in_sight(open_page: Open) -> None:
    watched = open_page(height=500)
    watched.ask("long")
    watched.wait()
    box = watched.page.locator(".timings").bounding_box()
    assert box is not None
    assert 0 < box["y"] < 500


def test_a_narrow_screen_has_the_sources_below(open_page: Open, tmp_path: Path) -> None:
    watched = open_page(width=380, height=760)
    page = watched.page
    watched.ask("Who came?")
    watched.wait()
    composer = page.get_by_label("Your question").bounding_box()
    sources = page.locator(".sources").bounding_box()
    assert composer and sources
    assert sources["y"] >= composer["y"] + composer["height"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    page.screenshot(path=tmp_path / "narrow.png", full_page=True)


def test_dark_is_dark_and_legible(open_page: Open, tmp_path: Path) -> None:
    watched = open_page(scheme="dark")
    page = watched.page
    watched.ask("Who came?")
    watched.wait()
    page.screenshot(path=tmp_path / "dark.png")
    ground = luminance(page, "body", "backgroundColor")
    for place in (".answer .text", ".timings", "sup a", "blockquote", ".place", ".use"):
        ink = luminance(page, place, "color")
        assert (ink + 0.05) / (ground + 0.05) >= 4.5, place  # WCAG 2.2, 1.4.3


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


def test_sigterm_ends_the_server_cleanly() -> None:
    program = (
        "from tests.browser import Scripted; from ui.commands import choose_port, serve;"
        "port = choose_port('127.0.0.1', None);"
        "serve(Scripted(lambda question: iter(())), host='127.0.0.1', port=port, is_opening=False)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline().startswith("The chat is at http://127.0.0.1:")
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=30) == 0
        assert server.stdout.read().strip() == ""
