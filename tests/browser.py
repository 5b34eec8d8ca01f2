"""For the tests of the page: conversations that follow a script, and a browser to look with."""

import os
import re
import shutil
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from index.records import Document, Hit, Passage
from rag.records import (
    REFUSAL,
    Answer,
    Citation,
    Done,
    Event,
    Retrieved,
    Sentence,
    SentenceDone,
    Status,
    Timings,
    Token,
)

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

Script = Callable[[str], Iterator[Event]]


class Scripted:
    """A conversation whose events a script decides."""

    def __init__(self, script: Script, *documents: Document) -> None:
        self.script = script
        self.questions: list[str] = []
        self.read_for: list[str] = []
        self.handed_out: list[Scripted] = []
        self.after: Answer | None = None
        self.chosen: list[str] | None = None
        self._documents = {document.id: document for document in documents}

    def read_ahead(self, question: str, *, is_wanted: Callable[[], bool]) -> None:
        self.read_for.append(question)

    def fresh(self, *, after: Answer | None = None) -> "Scripted":
        self.handed_out.append(Scripted(self.script, *self._documents.values()))
        self.handed_out[-1].after = after
        return self.handed_out[-1]

    def only(self, documents: Iterable[str] | None) -> None:
        self.chosen = None if documents is None else list(documents)

    def documents(self) -> list[str]:
        return sorted(self._documents)

    def document(self, id_: str) -> Document | None:
        return self._documents.get(id_)

    def stream(self, question: str) -> Iterator[Event]:
        self.questions.append(question)
        return self.script(question)


def make_hit(text: str, *, document: str = "notes.md", title: str = "Notes") -> Hit:
    passage = Passage(document=document, title=title, text=text, start=0, end=len(text))
    return Hit(passage=passage, score=0.03, similarity=0.6)


def make_citation(
    number: int,
    quote: str,
    *,
    document: str = "notes.md",
    title: str = "Notes",
    page: int | None = None,
    where: str = "",
    author: str = "",
    copies: tuple[str, ...] = (),
    start: int = 0,
) -> Citation:
    return Citation(
        number=number,
        quote=quote,
        document=document,
        title=title,
        sha256="0" * 64,
        start=start,
        end=start + len(quote),
        page=page,
        where=f"page {page}" if page else where,
        support=0.9,
        author=author,
        copies=copies,
    )


def make_answer(
    question: str,
    sentences: Sequence[tuple[str, Status, Sequence[Citation]]],
    *,
    hits: Sequence[Hit] = (),
) -> Answer:
    """An answer of these sentences, a space between them; without any, the refusal."""
    whole: list[Sentence] = []
    text = ""
    for sentence, status, citations in sentences:
        start = len(text) + (1 if text else 0)
        text += (" " if text else "") + sentence
        whole.append(Sentence(sentence, start, len(text), status, tuple(citations)))
    return Answer(
        question=question,
        query=question,
        text=text or REFUSAL,
        sentences=tuple(whole),
        is_refusal=not whole,
        hits=tuple(hits),
        model="scripted",
        timings=Timings(search=0.1, first_token=0.9, total=6.4, tokens=54),
    )


def tell(answer: Answer, *, pause: Callable[[], object] = lambda: None) -> Iterator[Event]:
    """The events that lead to ``answer``: word by word, with a pause before each."""
    pause()
    yield Retrieved(answer.hits)
    position = 0
    for sentence in answer.sentences:
        for word in re.findall(r"\s*\S+", answer.text[position : sentence.end]):
            pause()
            yield Token(word)
        position = sentence.end
        yield SentenceDone(sentence)
    yield Done(answer)


def free_port() -> int:
    """A port for a test; the system gives each of those that run side by side another."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def find_browser() -> str | None:
    """Chromium's path: FOOTNOTE_BROWSER, or the first one on the PATH."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = (shutil.which(name) for name in names)
    return os.environ.get("FOOTNOTE_BROWSER") or next(filter(None, found), None)


@contextmanager
def open_browser(
    executable: str,
    profile: Path,
    *,
    width: int = 1280,
    height: int = 800,
    scale: float = 1,
    scheme: Literal["light", "dark"] = "light",
) -> "Iterator[BrowserContext]":
    """Chromium with a new, empty profile, that asks nothing of the network by itself."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=executable,
            headless=True,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
            device_scale_factor=scale,
            viewport={"width": width, "height": height},
            color_scheme=scheme,
        )
        try:
            yield context
        finally:
            context.close()
