"""The conversations of before, at the side of the page: found, opened, renamed and deleted.

Whatever happens here happens outside Gradio's queue, from where its warnings reach nobody.
"""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from models.errors import HistoryError
from ui import render
from ui.history import History
from ui.parts import QUICK, html
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
        with gr.Sidebar(open=False, width=300, elem_classes="past") as self.side:
            html("<h2>Conversations</h2>")
            self.wanted = gr.Textbox(
                label="Find a conversation",
                show_label=False,
                placeholder="Find a conversation",
                container=False,
            )
            self.list = html("")
        self.drawn = [self.side, self.list]

    def wire(self, session: gr.State) -> None:
        """``session`` is marked in the list."""
        self.wanted.change(self.find, [self.wanted, session], [self.list], **QUICK)

    def find(self, wanted: str, session: Session | None, request: gr.Request) -> dict[Any, Any]:
        """Those that hold the words ``wanted``."""
        return self.listed(Shown(wanted, user_of(request)), session)

    def listed(self, shown: Shown, session: Session | None, **open_: str) -> dict[Any, Any]:
        """Those of the user that hold the words; ``open_`` is for ``render.history``.

        If they cannot be read, why not stands in their place.
        """
        current = session.id if session else ""
        try:
            kept = self._history.of(shown.user.name).find(shown.wanted)
        except HistoryError as error:
            return {self.list: render.told(str(error))}
        return {self.list: render.history(kept, current=current, **open_)}

    def told(self, shown: Shown, session: Session | None, error: HistoryError) -> dict[Any, Any]:
        """What did not go as it should, above them; the side is opened for it."""
        listed = self.listed(shown, session)[self.list]
        return {self.list: render.told(str(error)) + listed, self.side: gr.update(open=True)}

    def keep(self, session: Session, user: User) -> None:
        """Keeps the conversation as it is now. Raises HistoryError, as the following do."""
        session.id, session.saved = self._history.of(user.name).save(
            session.id, session.name, session.to_keep, since=session.saved
        )

    def resumed(self, id_: str, chat: Conversation, user: User) -> Session:
        """The conversation of that id, which goes on with ``chat``."""
        found = self._history.of(user.name).load(id_)
        if not found:
            raise HistoryError("This conversation is not kept on this machine any more.")
        title, saved, turns = found
        conversation = chat.fresh(after=last_answer(turns))
        return Session(conversation, turns, id=id_, title=title, saved=saved)

    def rename(self, id_: str, title: str, user: User) -> None:
        """Gives a conversation another title."""
        self._history.of(user.name).rename(id_, title)

    def delete(self, id_: str, user: User) -> None:
        """Forgets a conversation."""
        self._history.of(user.name).delete(id_)
