"""One conversation on the page: what was asked, and how an answer is followed."""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

from index.records import Document
from models.errors import FootnoteError, QuestionError
from rag.records import Answer, Event
from ui.reader import View
from ui.turn import Turn

SECONDS_BETWEEN_DRAWINGS = 1 / 15  # Gradio compares the whole value at each one

MOST_OFFERED = 1000
"""Documents that can be chosen from a list; others are found among the documents."""

UNEXPECTED = "Something went wrong inside Footnote; the terminal it runs in shows the details."

log = logging.getLogger(__name__)


class Conversation(Protocol):
    """What the page talks to; the real one is ``rag.Chat``."""

    def stream(self, question: str) -> Iterator[Event]:
        """The events of one answer, the last of them Done."""

    def read_ahead(self, question: str, *, is_wanted: Callable[[], bool]) -> None:
        """Does for ``question`` what can be done before it is asked, while it is wanted."""

    def fresh(self, *, after: Answer | None = None) -> Self:
        """A new conversation about the same documents, which may lean on ``after``."""

    def only(self, documents: Iterable[str] | None) -> None:
        """From the next question on, asks those documents alone; all, if it is None."""

    def documents(self) -> list[str]:
        """The ids of all documents that can be asked, sorted."""

    def document(self, id_: str) -> Document | None:
        """The document with that id, or None."""


@dataclass(slots=True)
class Session:
    """What one browser tab has asked so far, in one conversation."""

    conversation: Conversation
    turns: list[Turn] = field(default_factory=list)
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    title: str = ""  # as it is kept; empty at first
    saved: str = ""  # when it was kept last; empty if it was not
    chosen: list[str] = field(default_factory=list)  # the documents to ask; none: all
    view: View | None = None  # the source that is open
    is_editing: bool = False  # the next question takes the place of the last one
    stopping: threading.Event = field(default_factory=threading.Event)
    _replaced: Turn | None = None  # by the question that is being answered
    _asked: tuple[str, ...] = ()  # the documents that ``conversation`` asks

    @property
    def is_busy(self) -> bool:
        """An answer is on its way."""
        return bool(self.turns) and not self.turns[-1].is_over

    @property
    def name(self) -> str:
        """The title, or else the first question."""
        return self.title or (self.turns[0].question if self.turns else "")

    def ask(self, question: str) -> None:
        """Take a question; ``answer`` will work on it."""
        self._replaced = None
        if self.is_editing:
            self._replaced = self.turns.pop()
            self._lean_on_last()
        self.is_editing = False
        self.stopping.clear()
        self.turns.append(Turn(len(self.turns) + 1, question, documents=tuple(self.chosen)))

    @property
    def to_keep(self) -> list[Turn]:
        """The turns that are worth keeping now: what is being replaced stays till then."""
        return [*self.turns[:-1], self._replaced] if self._replaced else self.turns

    def put_back(self) -> None:
        """The answer that stood here before, if there is none in its place."""
        turn = self.turns[-1]
        if self._replaced and not turn.answer:
            self._replaced.problem = turn.problem
            self.turns[-1] = self._replaced
            self._lean_on_last()
        self._replaced = None

    def fail(self, problem: str) -> None:
        """The last question gets no answer; ``problem`` says why."""
        self.turns[-1].fail(problem)
        self.put_back()

    def _lean_on_last(self) -> None:
        """The conversation as it is after the last turn that stands."""
        self.conversation = self.conversation.fresh(after=last_answer(self.turns))
        self._asked = ()

    def events(self) -> Iterator[Event]:
        """Those of the last question. Raises QuestionError if a chosen document is gone."""
        turn = self.turns[-1]
        gone = set(turn.documents) - set(self.conversation.documents())
        if gone:
            raise QuestionError(
                f"{', '.join(sorted(gone))}: not among the documents any more; choose others "
                "above the question, or none to ask all."
            )
        self._ask_only(turn.documents)
        return self.conversation.stream(turn.question)

    def typing(self) -> Conversation | None:
        """What a question that is being typed will be asked of; None while one is answered."""
        known = set(self.conversation.documents())
        if self.is_busy or self.is_editing or not known.issuperset(self.chosen):
            return None
        self._ask_only(tuple(self.chosen))
        return self.conversation

    def _ask_only(self, documents: tuple[str, ...]) -> None:
        if documents != self._asked:
            self.conversation.only(documents or None)
            self._asked = documents

    def turn(self, number: int) -> Turn | None:
        """The turn of that number."""
        return self.turns[number - 1] if 0 < number <= len(self.turns) else None


def offered(chat: Conversation, chosen: Sequence[str] = ()) -> list[str]:
    """The documents to choose from; of many only the first, and those that are ``chosen``."""
    first = chat.documents()[:MOST_OFFERED]
    return [*first, *(one for one in chosen if one not in first)]


def last_answer(turns: list[Turn]) -> Answer | None:
    """What a next question may lean on."""
    return next((turn.answer for turn in reversed(turns) if turn.answer), None)


def answer(session: Session, *, clock: Callable[[], float] = time.monotonic) -> Iterator[Turn]:
    """Answer the last question of ``session``, giving its turn each time it is worth drawing.

    If it was asked in place of another and gets no answer, the other one is given at last.

    That is at each new stage and each checked sentence, and in between as often as
    ``SECONDS_BETWEEN_DRAWINGS`` allows. Errors end in the turn, never here.
    """
    turn = session.turns[-1]
    events: Iterator[Event] = iter(())
    turn.stage = "searching"
    try:
        yield turn
        drawn = clock()
        events = session.events()
        for event in events:
            known = (turn.stage, len(turn.checked))
            turn.take(event)
            if turn.is_over:
                break
            if session.stopping.is_set():
                turn.stop()
                break
            is_news = (turn.stage, len(turn.checked)) != known
            if is_news or clock() - drawn >= SECONDS_BETWEEN_DRAWINGS:
                yield turn
                drawn = clock()
    except FootnoteError as error:
        turn.fail(str(error))
    except Exception:
        log.exception("No answer", extra={"question": turn.question})
        turn.fail(UNEXPECTED)
    finally:
        if not turn.is_over:  # the tab was closed, or the stream ended before Done
            turn.stop()
        if close := getattr(events, "close", None):
            close()
        session.put_back()
    yield session.turns[-1]
