"""The page in a real browser: what a reader sees, and that nothing leaves this machine."""

import signal
import statistics
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
from axe_playwright_python.sync_playwright import Axe

from index.build import build
from index.library import Library
from models.errors import ModelError
from rag.records import REFUSAL, Answer, Citation, Event, Token
from tests.browser import (
    Scripted,
    find_browser,
    make_answer,
    make_citation,
    make_hit,
    open_browser,
    tell,
)
from tests.fakes import WordEmbedder, document
from ui.app import build_page
from ui.commands import choose_port
from ui.history import History
from ui.launch import launch
from ui.session import SECONDS_BETWEEN_DRAWINGS
from ui.turn import Turn

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
END = "In the end they left again."
HOSTILE = (
    "<script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">"
    "![x](http://example.com/x.png) ${document.title = 'taken'} {{value}} **bold**"
)


PLANES = document(
    f"# Planes\n\nIt rained all night.\n\n{QUOTE} {CREW}\n\n{'Nothing else came. ' * 400}{END}",
    id_="planes.md",
    title="Planes",
)
HOSTILE_FILE = document(f"It begins. {HOSTILE} It ends.", id_=HOSTILE, title=HOSTILE)


def quoted(number: int, quote: str, page: int | None = None) -> Citation:
    """A citation of PLANES."""
    start = PLANES.text.index(quote)
    return make_citation(
        number, quote, document="planes.md", title="Planes", page=page, start=start
    )


WORDS = 50
WRITTEN: dict[str, float] = {}
"""When each word of a slow answer was written: seconds of the clock."""


def slowly(answer: Answer) -> Iterator[Event]:
    """Ten words a second, as a model on a small machine writes."""
    for event in tell(answer, pause=lambda: time.sleep(0.1)):
        if isinstance(event, Token):
            WRITTEN[event.text.strip()] = time.time()
        yield event


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
    planes, crew = quoted(1, QUOTE, 3), quoted(2, CREW, 4)
    sentences: list[Any] = [
        ("Four planes landed on Tuesday.", "supported", [planes]),
        ("They brought 120 soldiers and much equipment.", "partly", [crew]),
        ("Nobody was hurt.", "unsupported", []),
    ]
    if "hostile" in question:
        evil = make_citation(1, HOSTILE, document=HOSTILE, title=HOSTILE)
        sentences = [(HOSTILE, "supported", [evil])]
        hits = [make_hit(HOSTILE, document=HOSTILE, title=HOSTILE)]
    if "far" in question:
        sentences[2] = ("They left.", "supported", [crew, quoted(3, END, 9)])
    if "endless" in question:
        sentences = [(" ".join(["word"] * 5000) + ".", "supported", [planes])]
    if "slowly" in question:
        sentences = [(" ".join(f"w{n}" for n in range(WORDS)), "supported", [planes])]
    if "long" in question:
        sentences = [("A sentence that fills the line from here to there.", "supported", [planes])]
        sentences *= 30
    answer = make_answer(question, sentences, hits=hits)
    if "Tuesday" in question:
        yield from tell(answer, pause=lambda: STEPS.acquire(timeout=30))
    if "slowly" in question:
        yield from slowly(answer)
    seconds = 0.01 if "long" in question else 0.05
    yield from tell(answer, pause=lambda: time.sleep(seconds))


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return History(tmp_path_factory.mktemp("data") / "conversations.sqlite", name="default")


@pytest.fixture(scope="module")
def address(history: History) -> Iterator[str]:
    page = build_page(
        Scripted(script, PLANES, HOSTILE_FILE),
        history,
        Library("default", embedder=WordEmbedder()),
        title="Footnote",
        examples=["Who came on Tuesday?"],
    )
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
        self.page.locator(".question", has_text=question).last.wait_for()

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

        def open_(*, path: str = "", **options: Any) -> Watched:
            profile = tmp_path / f"profile-{len(opened)}"
            context = stack.enter_context(open_browser(executable, profile, **options))
            watched = Watched(context.new_page())
            opened.append(watched)
            watched.page.goto(f"{address}{path}")
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
    note = page.locator("#note-1-2")
    assert CREW in note.inner_text()
    assert "planes.md, page 4" in note.inner_text()
    assert beside(page, mark, note)
    assert "only partly supported" in text.inner_text()
    assert "6.4 s · first word after 0.9 s · 54 tokens" in page.locator(".timings").inner_text()
    page.screenshot(path=tmp_path / "light.png")


def beside(page: "Page", left: Any, right: Any) -> bool:
    """Whether both are in sight, one at the left of the other."""
    one, two = left.bounding_box(), right.bounding_box()
    size = page.viewport_size
    assert one and two and size
    return bool(
        one["x"] + one["width"] < two["x"]
        and all(box["y"] >= 0 and box["y"] + box["height"] <= size["height"] for box in (one, two))
    )


def shown(page: "Page") -> str:
    """What is marked in the open source, once it is in sight."""
    mark = page.locator("#shown")
    mark.wait_for()
    page.wait_for_function(
        """() => {
            const box = document.querySelector("#shown").getBoundingClientRect();
            return box.top >= 0 && box.bottom <= innerHeight;
        }"""
    )
    return str(mark.text_content())


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


def test_the_keyboard_alone_is_enough(open_page: Open) -> None:
    watched = open_page()
    page = watched.page
    page.keyboard.type("Who came?")  # the box has the focus from the beginning
    page.keyboard.press("Enter")
    watched.wait()
    page.get_by_label("Your question").focus()
    for _ in range(40):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.matches('sup a')"):
            break
    card = page.get_by_role("tooltip")
    card.wait_for()
    assert CREW in card.inner_text()  # the last mark is the first one backwards
    assert page.evaluate("document.activeElement.getAttribute('aria-describedby')") == "card"
    page.keyboard.press("Escape")
    card.wait_for(state="hidden")
    page.keyboard.press("Enter")
    assert shown(page) == CREW


def test_an_answer_is_rated_copied_edited_and_asked_again(open_page: Open) -> None:
    watched = open_page()
    page = watched.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    watched.ask("Who came first?")
    watched.wait()
    page.get_by_role("button", name="Bad answer").click()
    reason = page.get_by_role("textbox", name="Why? Kept on this machine")
    reason.fill("It is not about me")
    reason.press("Enter")
    page.get_by_text("Kept.").wait_for()
    page.get_by_role("button", name="Copy with footnotes").click()
    page.get_by_text("Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("Four planes landed on Tuesday. [1]")
    assert f"[1] “{QUOTE}”" in copied

    page.get_by_role("button", name="Edit the question").click()
    box = page.get_by_label("Your question")
    page.get_by_text("What you ask next takes its place.").wait_for()
    assert box.input_value() == "Who came first?"
    watched.ask("What is the capital?")
    watched.wait()
    assert page.locator(".question").all_inner_texts() == ["What is the capital?"]
    assert REFUSAL in page.locator(".answer").inner_text()
    watched.ask("Who came last?")
    watched.wait()
    page.get_by_role("button", name="Ask again").click()
    page.locator("article[aria-busy=true]").wait_for()
    watched.wait()
    assert page.locator(".question").all_inner_texts() == ["What is the capital?", "Who came last?"]
    assert page.locator("article").count() == 2


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


def index_two_texts(folder: Path) -> Path:
    folder.mkdir()
    (folder / "planes.md").write_text(PLANES.text)
    (folder / "talks.txt").write_text("The ministers spoke.")
    build(folder, embedder=WordEmbedder())
    return folder


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
    page.get_by_role("button", name="Bring the index up to date").click()
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

    # The notes of an earlier question are folded, and its marks still lead to the source.
    assert not page.locator("#note-3-1").is_visible()
    page.locator("a[href='#note-3-1']").click()
    assert shown(page) == QUOTE

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


def test_a_long_conversation_with_a_slow_model_stays_quick(
    open_page: Open, history: History
) -> None:
    turns = []
    for number in range(1, 31):
        turns.append(Turn(number, f"Question {number}?"))
        *_, done = script(turns[-1].question)
        turns[-1].take(done)
    history.save("thirty", "Thirty turns", turns)
    watched = open_page(path="?conversation=thirty")
    page = watched.page
    page.locator("article").nth(29).wait_for()
    page.evaluate(
        """() => {
            window.seen = {};
            new MutationObserver(() => {
                const text = document.querySelector("[aria-busy=true] .text")?.textContent ?? "";
                for (const word of text.split(" ")) window.seen[word] ??= Date.now() / 1000;
            }).observe(document.body, { subtree: true, childList: true, characterData: true });
        }"""
    )
    watched.ask("Who came slowly?")
    watched.wait()
    seen = page.evaluate("window.seen")
    waits = [seen[word] - written for word, written in WRITTEN.items() if word in seen]
    assert len(waits) > WORDS / 2
    assert statistics.median(waits) < 0.2
    asked = [*(turn.question for turn in turns), "Who came slowly?"]
    assert page.locator(".question").all_inner_texts() == asked
    assert page.locator("article").last.locator(".text").inner_text().count("w7 ") == 1
    saved = history.load("thirty")
    assert saved
    assert [turn.question for turn in saved[2]] == asked


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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_stands_in_the_way_of_assistive_technology(open_page: Open, scheme: str) -> None:
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
    page.get_by_role("textbox", name="Title").wait_for()
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
