"""For the tests of the page in a browser: the page of a scripted conversation, and its readers."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from index.build import build
from index.library import Library
from models.errors import ModelError
from rag.records import Answer, Citation, Event, Token
from tests.browser import (
    Scripted,
    find_browser,
    free_port,
    make_answer,
    make_citation,
    make_hit,
    open_browser,
    tell,
)
from tests.fakes import WordEmbedder, document
from ui.app import build_page
from ui.history import History
from ui.launch import launch

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
def chat() -> Scripted:
    return Scripted(script, PLANES, HOSTILE_FILE)


@pytest.fixture(scope="module")
def address(chat: Scripted, history: History) -> Iterator[str]:
    page = build_page(
        chat,
        history,
        Library("default", embedder=WordEmbedder()),
        title="Footnote",
        examples=["Who came on Tuesday?"],
    )
    yield launch(page, host="127.0.0.1", port=free_port())
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


def index_two_texts(folder: Path) -> Path:
    folder.mkdir()
    (folder / "planes.md").write_text(PLANES.text)
    (folder / "talks.txt").write_text("The ministers spoke.")
    build(folder, embedder=WordEmbedder())
    return folder
