"""The conversations of before, at the side of the page: found, opened, renamed and deleted.

What the history cannot do is told to the reader, and the page goes on.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import gradio as gr

from models.errors import FootnoteError
from ui import render
from ui.history import History
from ui.parts import QUICK, html, warn
from ui.session import Conversation, Session, last_answer
from ui.user import User, user_of


@dataclass(frozen=True, slots=True)
class Shown:
    """What of the conversations is listed, and to whom."""

    wanted: str  # words that they hold
    user: User


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
        self.wanted.change(self.find, [self.wanted, session], [self.list], **QUICK)

    def find(self, wanted: str, session: Session | None, request: gr.Request) -> dict[Any, Any]:
        """Those that hold the words ``wanted``."""
        return self.listed(Shown(wanted, user_of(request)), session)

    def listed(self, shown: Shown, session: Session | None, **open_: str) -> dict[Any, Any]:
        """Those of the user that hold the words; ``open_`` is for ``render.history``."""
        drawn: dict[Any, Any] = {self.list: gr.skip()}
        with _told():
            current = session.id if session else ""
            kept = self._history.of(shown.user.name).find(shown.wanted)
            drawn[self.list] = render.history(kept, current=current, **open_)
        return drawn

    def keep(self, session: Session, user: User) -> None:
        """Keeps the conversation as it is now."""
        with _told():
            session.id, session.saved = self._history.of(user.name).save(
                session.id, session.name, session.to_keep, since=session.saved
            )

    def resumed(self, id_: str, chat: Conversation, user: User) -> Session | None:
        """The conversation of that id, which goes on with ``chat``; None if it cannot."""
        with _told():
            found = self._history.of(user.name).load(id_)
            if found:
                title, saved, turns = found
                conversation = chat.fresh(after=last_answer(turns))
                return Session(conversation, turns, id=id_, title=title, saved=saved)
            gr.Warning("This conversation is not kept on this machine any more.")
        return None

    def rename(self, id_: str, title: str, user: User) -> None:
        """Gives a conversation another title."""
        with _told():
            self._history.of(user.name).rename(id_, title)

    def delete(self, id_: str, user: User) -> None:
        """Forgets a conversation."""
        with _told():
            self._history.of(user.name).delete(id_)


@contextmanager
def _told() -> Iterator[None]:
    """Tells the reader of a failure, and ends it there."""
    try:
        yield
    except FootnoteError as error:
        warn(error)
