"""Where others ask: the page's neighbours, scripts and tools, all by one line and one way."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from index.records import Document, Hit
from models.errors import BusyError, FootnoteError, QuestionError
from rag.acceptable import LONGEST_QUESTION, acceptable, check_question, is_text
from rag.chat import Chat
from rag.line import Line, Waiting
from rag.records import Answer, Done, Event, Said, SentenceDone
from serve.metrics import Metrics
from ui.user import User

_SEARCHES = 2
"""Searches at the same time; each takes a core for some hundredths of a second."""

_MOST_CHOSEN, _LONGEST_NAME = 1000, 1000
"""Documents that a question may name, and characters of each: all are compared with all."""


class Desk:
    """Answers for many, one after the other, and says how long each will have to wait."""

    def __init__(
        self,
        chat: Chat,
        *,
        line: Line | None = None,
        metrics: Metrics | None = None,
        is_ready: Callable[[], bool] = lambda: True,
    ) -> None:
        """Every question is asked of a ``chat.fresh()``, in ``line``, which the page shares.

        ``is_ready`` tells whether the model has been loaded.
        """
        self.chat = chat
        self.metrics = metrics or Metrics()
        self.line = line or Line(on_turn=self.metrics.waited)
        self.metrics.follow(
            waiting=lambda: self.line.waiting, answering=lambda: self.line.answering
        )
        self.is_ready = is_ready
        self._searching = asyncio.Semaphore(_SEARCHES)

    async def events(
        self,
        question: str,
        *,
        user: User,
        via: str,
        after: Said | None = None,
        documents: Sequence[str] | None = None,
    ) -> AsyncGenerator[Waiting | Event, None]:
        """What leads to the answer to ``question``: the waiting, then what ``Chat.stream`` gives.

        It may lean on ``after``, and is asked of ``documents`` alone, if they are given. ``via``
        is the way by which it came, for the metrics. Raises QuestionError at once, and what
        ``Line.events`` raises. Closing it stops the model.
        """
        self.metrics.asked(via)
        has_ended = False
        try:
            question = check_question(acceptable(question))
            chat = self.chat.fresh(after=_as_read(after))
            # Whoever comes first after a build opens the new index; the others go on meanwhile.
            await asyncio.to_thread(chat.only, _acceptable(documents))
            events = self.line.events(user.name, lambda: chat.stream(question))
            async with aclosing(events):
                async for event in events:
                    if isinstance(event, SentenceDone):
                        self.metrics.written(event.sentence)
                    if isinstance(event, Done):
                        has_ended = True
                        self.metrics.answered(event.answer, via)
                    yield event
        except BusyError:
            has_ended = True
            self.metrics.turned_away(via)
            raise
        except Exception as error:
            has_ended = True
            self.metrics.failed(via, error)
            raise
        finally:
            if not has_ended:
                self.metrics.stopped(via)

    async def ask(
        self,
        question: str,
        *,
        user: User,
        via: str,
        after: Said | None = None,
        documents: Sequence[str] | None = None,
    ) -> Answer:
        """The whole answer; see ``events``."""
        events = self.events(question, user=user, via=via, after=after, documents=documents)
        return await last_answer(events)

    async def search(
        self, query: str, *, limit: int, documents: Sequence[str] | None = None
    ) -> list[Hit]:
        """The passages that ``query`` finds, best first. Raises QuestionError as ``events``."""
        query, chosen = check_question(acceptable(query)), _acceptable(documents)

        def find() -> list[Hit]:
            chat = self.chat.fresh()
            chat.only(chosen)
            return chat.search(query, limit=limit)

        async with self._searching:
            return await asyncio.to_thread(find)

    def document(self, id_: str) -> Document | None:
        """The document with that id, or None."""
        return self.chat.document(id_)

    def documents(self) -> list[str]:
        """The ids of all documents, sorted."""
        return self.chat.documents()


def _acceptable(documents: Sequence[str] | None) -> Sequence[str] | None:
    """``documents``, None if there are none. Raises QuestionError if too many, or no text."""
    if not documents:
        return None
    if len(documents) > _MOST_CHOSEN:
        raise QuestionError(
            f"{len(documents):,} documents are named, more than the {_MOST_CHOSEN:,} that can be: "
            "give a pattern such as “2019/*”."
        )
    if not all(len(name) <= _LONGEST_NAME and is_text(name) for name in documents):
        raise QuestionError(
            f"A document is named by something that is no text, or has more than {_LONGEST_NAME:,} "
            "characters: give ids as the list of documents has them."
        )
    return documents


def _as_read(after: Said | None) -> Said | None:
    """What is read of the exchange before: not more than of a question."""

    def read(text: str) -> str:
        return text[:LONGEST_QUESTION].encode(errors="replace").decode()

    return Said(read(after.question), read(after.text)) if after else None


async def last_answer(events: AsyncGenerator[Waiting | Event, None]) -> Answer:
    """The answer that ``events`` end with."""
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Done):
                return event.answer
    raise FootnoteError("The answer ended before it was whole: ask again.")
