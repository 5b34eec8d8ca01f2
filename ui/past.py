"""The conversations of before, at the side of the page: found, opened, renamed and deleted.

What the history cannot do is told to the reader, and the page goes on.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

from models.errors import FootnoteError
from ui import render
from ui.history import History
from ui.parts import QUICK, html, warn
from ui.session import Conversation, Session, last_answer


class Past:
    """The components of the list, and what happens to them."""

    def __init__(self, history: History) -> None:
        """Lays the list out, at the side of the page."""
        self._history = history
        with gr.Sidebar(open=False, width=300, elem_classes="past"):
            html("<h2>Conversations</h2>")
            self.wanted = gr.Textbox(
                label="Find a conversation",
                show_label=False,
                placeholder="Find a conversation",
                container=False,
            )
            self.list = html("")

    def wire(self, session: gr.State) -> None:
        """``session`` is marked in the list."""
        self.wanted.change(self.listed, [self.wanted, session], [self.list], **QUICK)

    def listed(self, wanted: str, session: Session | None, **open_: str) -> dict[Any, Any]:
        """Those that hold the words ``wanted``; ``open_`` is for ``render.history``."""
        drawn: dict[Any, Any] = {}
        with _told():
            current = session.id if session else ""
            kept = self._history.find(wanted)
            drawn[self.list] = render.history(kept, current=current, **open_)
        return drawn

    def keep(self, session: Session) -> None:
        """Keeps the conversation as it is now."""
        with _told():
            session.id, session.saved = self._history.save(
                session.id, session.name, session.to_keep, since=session.saved
            )

    def resumed(self, id_: str, chat: Conversation) -> Session | None:
        """The conversation of that id, which goes on with ``chat``; None if it cannot."""
        with _told():
            found = self._history.load(id_)
            if found:
                title, saved, turns = found
                conversation = chat.fresh(after=last_answer(turns))
                return Session(conversation, turns, id=id_, title=title, saved=saved)
            gr.Warning("This conversation is not kept on this machine any more.")
        return None

    def rename(self, id_: str, title: str) -> None:
        """Gives a conversation another title."""
        with _told():
            self._history.rename(id_, title)

    def delete(self, id_: str) -> None:
        """Forgets a conversation."""
        with _told():
            self._history.delete(id_)


@contextmanager
def _told() -> Iterator[None]:
    """Tells the reader of a failure, and ends it there."""
    try:
        yield
    except FootnoteError as error:
        warn(error)
