"""The page in a real browser: asking and answering."""

import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.records import REFUSAL
from tests.browser import Scripted
from tests.page import (
    CREW,
    HOSTILE,
    QUOTE,
    STEPS,
    WORDS,
    WRITTEN,
    Open,
    address,
    another_tab,
    chat,
    history,
    open_page,
    pytestmark,
    script,
    shown,
)
from ui.history import History
from ui.session import SECONDS_BETWEEN_DRAWINGS
from ui.turn import Turn

if TYPE_CHECKING:
    from playwright.sync_api import Page


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
    # What is opened gets the focus, and what opened it gets it back.
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Source"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator("#note-1-1").wait_for()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Footnote 2"
    page.get_by_role("button", name="Edit the question").press("Enter")
    page.get_by_text("What you ask next takes its place.").wait_for()
    page.keyboard.type(" Really?")
    assert "Really?" in page.get_by_label("Your question").input_value()


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


def test_while_a_question_is_typed_it_is_read_for(open_page: Open, chat: Scripted) -> None:
    watched = open_page()
    before = len(chat.handed_out)
    watched.ask("Who came?")
    watched.wait()
    watched.page.get_by_label("Your question").press_sequentially("Who came by plane?", delay=30)
    for _ in range(100):
        read = [text for one in chat.handed_out[before:] for text in one.read_for]
        if "Who came by plane?" in read:
            break
        time.sleep(0.1)
    assert read[-1] == "Who came by plane?"
    assert len(read) <= 3  # not at every key
    watched.page.get_by_label("Your question").press("Enter")
    watched.page.locator(".question", has_text="by plane").wait_for()
    watched.wait()
    assert watched.page.locator("article").count() == 2


def test_a_first_question_is_read_for_by_the_conversation_that_answers_it(
    open_page: Open, chat: Scripted
) -> None:
    watched = open_page()
    before = len(chat.handed_out)
    watched.page.get_by_label("Your question").press_sequentially("Who came by plane?", delay=30)
    for _ in range(100):
        readers = [one for one in chat.handed_out[before:] if "Who came by plane?" in one.read_for]
        if readers:
            break
        time.sleep(0.1)
    watched.page.get_by_label("Your question").press("Enter")
    watched.page.locator(".question", has_text="by plane").wait_for()
    watched.wait()
    assert watched.page.locator("article").count() == 1
    assert [one for one in chat.handed_out[before:] if one.questions] == readers


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
