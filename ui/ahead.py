"""Reading for the question that is being typed, while the model has nothing else to do."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from models.errors import FootnoteError

_SHORTEST = 3
"""Words from which a question is worth reading for."""

log = logging.getLogger(__name__)


class Reads(Protocol):
    """What reads; the real one is ``rag.Chat``."""

    def read_ahead(self, question: str, *, is_wanted: Callable[[], bool]) -> None:
        """Does what can be done before ``question`` is asked, or any, while it is wanted."""


class Ahead:
    """Reads for one question at a time, always the newest, and never while one is answered."""

    def __init__(self) -> None:
        """Nothing is read yet."""
        self._wanted: tuple[Reads, str] | None = None
        self._answering = 0
        self._is_running = False
        self._guard = threading.Lock()  # of the three above
        self._reading = threading.Lock()  # held while a conversation reads

    def want(self, conversation: Reads, question: str) -> None:
        """Reads for ``question`` as soon as may be, in place of what was wanted before.

        An empty one stands for any that leans on the last answer.
        """
        if 0 < len(question.split()) < _SHORTEST:
            return
        with self._guard:
            if self._answering:
                return
            self._wanted = (conversation, question)
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._read, name="ahead", daemon=True).start()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing is read ahead meanwhile; what is being read ends at its next step."""
        with self._guard:
            self._answering += 1
            self._wanted = None
        try:
            with self._reading:
                pass
            yield
        finally:
            with self._guard:
                self._answering -= 1

    def _read(self) -> None:
        while True:
            with self._guard:
                if self._wanted is None:
                    self._is_running = False
                    return
                (conversation, question), self._wanted = self._wanted, None
            try:
                with self._reading:
                    conversation.read_ahead(question, is_wanted=self._is_wanted)
            except FootnoteError:
                pass  # who asks will be told
            except Exception:
                log.exception("Nothing was read ahead")

    def _is_wanted(self) -> bool:
        """Whether what is being read is still the newest, and nobody waits for the model."""
        with self._guard:
            return self._wanted is None and not self._answering
