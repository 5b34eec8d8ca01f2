"""The tab of the documents: added, left out, and the index brought up to date."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from index.load import MAX_BYTES
from index.records import BuildReport
from models.progress import OnProgress, readable_bytes
from ui.documents import Shelf, following, listed
from ui.parts import QUICK, html, pressed
from ui.render import alert
from ui.session import Conversation, offered
from ui.user import User, user_of

_NOT_YOURS = "Only who manages the documents may change them."


class DocumentsTab:
    """The components of the tab, and what happens to them."""

    def __init__(self, shelf: Shelf) -> None:
        """Lays the tab out, among the tabs of the page."""
        self._shelf = shelf
        with (
            gr.Tab("Documents", id="documents") as self.tab,
            gr.Column(elem_classes="shelf"),
        ):
            self.files = gr.File(label="Add documents", file_count="multiple", height=140)
            self.about_files = html(
                f'<p class="quiet">Up to {readable_bytes(MAX_BYTES)} each. They are copied into '
                "the folder below; nothing leaves this machine.</p>"
            )
            self.rebuild = gr.Button("Bring the index up to date", size="sm", scale=0)
            self.news = html("")
            self.words = gr.Textbox(
                label="Find a document",
                placeholder="Find a document",
                show_label=False,
                container=False,
            )
            self.table = html("")
        self.managing = [self.files, self.about_files, self.rebuild]

    def offered_to(self, user: User) -> dict[Any, Any]:
        """Only who may manage the documents is shown how."""
        return {one: gr.update(visible=user.may_manage) for one in self.managing}

    def wire(self, chosen: gr.Dropdown, chat: Conversation) -> None:
        """``chosen`` offers the documents of ``chat``, also when they have changed."""
        self._chosen, self._chat = chosen, chat
        building: dict[str, Any] = {
            "concurrency_id": "build",
            "concurrency_limit": 1,
            "show_progress": "hidden",
            "api_visibility": "private",
        }
        changed = [self.news, self.table, self.files, chosen]
        self.tab.select(self.show, [self.words], [self.table], **QUICK)
        self.words.change(
            self.show, [self.words], [self.table], trigger_mode="always_last", **QUICK
        )
        self.rebuild.click(self.bring_up_to_date, [self.words], changed, **building)
        self.files.upload(self.add, [self.words, self.files], changed, **building)
        self.table.shelve(self.shelve, [self.words], changed, **building)

    def show(self, words: str, request: gr.Request) -> dict[Any, Any]:
        """The documents as they are now, those with ``words`` in their names."""
        may_manage = user_of(request).may_manage
        return {self.table: listed(self._shelf, words.strip(), may_manage=may_manage)}

    def bring_up_to_date(self, words: str, request: gr.Request) -> Iterator[dict[Any, Any]]:
        """Build the index again."""
        yield from self._build(lambda: None, words, request)

    def add(self, words: str, files: list[str], request: gr.Request) -> Iterator[dict[Any, Any]]:
        """Take the files in, and build."""
        paths = list(map(Path, files))

        def take() -> None:
            try:
                self._shelf.add(paths)
            finally:
                for path in paths:
                    path.unlink(missing_ok=True)  # what the browser sent is copied now

        yield from self._build(take, words, request)

    def shelve(
        self, words: str, event: gr.EventData, request: gr.Request
    ) -> Iterator[dict[Any, Any]]:
        """Leave a document out or take it in again, and build."""
        found = pressed(event)
        change = self._shelf.leave_out if found["act"] == "leave-out" else self._shelf.take_in
        yield from self._build(lambda: change(found["id"]), words, request)

    def _build(
        self, change: Callable[[], object], words: str, request: gr.Request
    ) -> Iterator[dict[Any, Any]]:
        if not user_of(request).may_manage:
            yield {self.news: alert(_NOT_YOURS)}
            return

        def work(on_progress: OnProgress) -> BuildReport:
            change()
            return self._shelf.build(on_progress)

        for news in following(work):
            yield {self.news: news}
        yield {
            **self.show(words, request),
            self.files: None,
            self._chosen: gr.update(choices=offered(self._chat)),
        }
