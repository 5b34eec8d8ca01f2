"""`footnote chat` as a user starts it: the real program, the real model, a real browser.

`make screenshots` runs this and keeps the pictures for the README and docs/use.md.
"""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from index.build import SHIPPED_CORPUS
from index.load import load_document
from tests.browser import find_browser, open_browser

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        find_browser() is None,
        reason="no browser: install chromium, or name one in FOOTNOTE_BROWSER",
    ),
]

FOOTNOTE = [sys.executable, "-m", "rag"]


@pytest.mark.usefixtures("home_with_models")
def test_the_page_sets_itself_up_and_answers_with_a_quote_of_the_corpus(tmp_path: Path) -> None:
    chat = subprocess.Popen([*FOOTNOTE, "chat", "--no-open"], stdout=subprocess.PIPE, text=True)
    try:
        assert chat.stdout
        lines = iter(chat.stdout.readline, "")
        address = next(
            found[0] for line in lines if (found := re.search(r"http://127\.0\.0\.1:\d+", line))
        )
        executable = find_browser()
        assert executable
        with open_browser(executable, tmp_path / "profile") as browser:
            page = browser.new_page()
            page.goto(address)
            page.get_by_text("the index of the documents in").wait_for()
            page.get_by_role("button", name="Set it up").click()
            page.get_by_label("Your question").wait_for(timeout=180_000)
            page.get_by_label("Your question").fill("Who was on the first Russian plane?")
            page.get_by_label("Your question").press("Enter")
            page.locator(".timings").wait_for(timeout=180_000)
            page.get_by_role("button", name="Ask again").wait_for()
            pictures = Path(os.environ.get("FOOTNOTE_SCREENSHOTS", tmp_path))
            page.screenshot(path=pictures / "answer.png")
            assert "Tonkoshkurov" in page.locator(".answer .text").inner_text()
            note = page.locator("#note-1-1")
            quote = note.locator("blockquote").inner_text()
            documents = [load_document(path, id=path.name) for path in SHIPPED_CORPUS.glob("*.md")]
            (source,) = [document for document in documents if quote in document.text]
            assert source.id in note.inner_text()
            assert "Tonkoshkurov" in quote
            mark = page.get_by_role("link", name="Footnote 1")
            mark.click()
            assert page.locator("#shown").text_content() == quote
            page.get_by_label("Your question").hover()
            mark.hover()
            assert quote in page.get_by_role("tooltip").inner_text()
            page.screenshot(path=pictures / "source.png")
            page.get_by_role("tab", name="Documents").click()
            page.locator("tbody tr").first.wait_for()
            assert page.locator("tbody tr").count() == len(documents)
            folder = page.locator(".shelf .quiet bdi")  # of this machine, so nobody else's business
            page.screenshot(path=pictures / "documents.png", mask=[folder], mask_color="#e7e5e4")
            page.get_by_role("tab", name="Map").click()
            page.locator(".js-plotly-plot .point").first.wait_for(timeout=60_000)
            page.screenshot(path=pictures / "map.png")
    finally:
        chat.send_signal(signal.SIGINT)
        chat.communicate(timeout=60)
    assert chat.returncode == 0
