"""The page of the first start: it says what is missing, fetches and builds it, with progress."""

import threading
from collections.abc import Iterator
from typing import Any

import gradio as gr

from index.library import Library
from index.records import BuildReport
from index.stores import open_store
from models.catalog import default, entries
from models.errors import ModelError
from models.progress import OnProgress, readable_bytes
from models.resolve import resolve_embedder, resolve_llm
from rag.generate import measure_once
from ui.documents import following
from ui.parts import QUICK, html
from ui.render import plain

_WAIT_FOR_THE_CHAT = """() => {
    const own = window.gradio_config.app_id;
    setInterval(async () => {
        const answer = await fetch("/config").catch(() => null);
        if (answer?.ok && (await answer.json()).app_id !== own) location.reload();
    }, 1000);
}"""
"""The chat comes to the same address, and until then nothing may answer there."""


def missing(
    name: str, model: str | None, *, store: str | None = None, llm: str | None = None
) -> list[str]:
    """What must be fetched or built before the index ``name`` in ``store`` can be asked.

    For a reader. That is no model that writes, if a server does: ``llm`` is its address. Raises
    ModelError if ``model`` is none that can be fetched.
    """
    found = []
    try:
        resolve_embedder()
    except ModelError:
        found.append(_download(default("embedder").name))
    try:
        if not llm:
            resolve_llm(model)
    except ModelError:
        if model is not None and all(entry.name != model for entry in entries()):
            raise
        found.append(_download(model or default("llm").name))
    if open_store(store).current(name) is None:
        found.append(f"the index of the documents in {Library(name, store=store).folder}")
    return found


def _download(name: str) -> str:
    (size,) = (entry.size for entry in entries() if entry.name == name)
    return f"the model {name}: {readable_bytes(size)} to download"


class SetupPage:
    """Says what is missing, and gets it when the reader says so."""

    def __init__(
        self,
        wanted: list[str],
        *,
        name: str,
        store: str | None = None,
        model: str | None,
        llm: str | None = None,
        title: str,
    ) -> None:
        """``wanted`` is of ``missing``; ``is_done`` is set when all of it is there."""
        self._name, self._store, self._model, self._llm = name, store, model, llm
        self.is_done = threading.Event()
        self.blocks = gr.Blocks(title=title, fill_width=True, analytics_enabled=False)
        with self.blocks, gr.Column(elem_classes="shelf"):
            items = "".join(f"<li>{plain(one)}</li>" for one in wanted)
            html(
                f'<div class="welcome"><h2>{plain(title)} is not set up yet</h2>'
                f"<p>Still missing:</p><ul>{items}</ul><p>A download is kept on this machine and "
                "checked; it goes on where it stopped.</p></div>"
            )
            self.begin = gr.Button("Set it up", variant="primary", scale=0, min_width=160)
            self.news = html("")
            self.begin.click(
                self.get,
                None,
                [self.news, self.begin],
                concurrency_limit=1,
                show_progress="hidden",
                api_visibility="private",
            )
            self.blocks.load(None, None, None, js=_WAIT_FOR_THE_CHAT, **QUICK)
        self.blocks.queue(api_open=False)

    def get(self) -> Iterator[dict[Any, Any]]:
        """Fetch and build all that is missing."""
        for drawn in following(self._work):
            yield {self.news: drawn, self.begin: gr.update(interactive=False)}
        if missing(self._name, self._model, store=self._store, llm=self._llm):
            yield {self.begin: gr.update(value="Try again", interactive=True)}
        else:
            yield {self.news: '<p role="status">Ready. Opening the chat…</p>'}
            self.is_done.set()

    def _work(self, on_progress: OnProgress) -> BuildReport:
        resolve_embedder(fetch=True, on_progress=on_progress)
        if not self._llm:
            path = resolve_llm(self._model, fetch=True, on_progress=on_progress)
            measure_once(path, on_progress=on_progress)
        return Library(self._name, store=self._store).build(on_progress)
