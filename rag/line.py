"""Whose turn it is: one model, and many who ask it.

A question waits in the event loop and is answered in a thread. Turns go round: nobody has a second
one in a round, and who has asked much waits behind who has asked little. An answer is written as
fast as the model writes, however slowly it is read. A question that nobody waits for any more keeps
its turn until the model has really stopped, so that no two answers are written into one another.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import TypeVar

from models.errors import BusyError, StoppingError, TimeLimitError

T = TypeVar("T")

_FIRST_GUESS = 15.0
"""Seconds that an answer is expected to take before any has been given."""

_NEWEST = 0.2
"""What the last answer counts in the mean of their seconds."""

_TOLD_EVERY = 1.0
"""Seconds after which one who waits is told again how long it may take."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Event: others come first."""

    ahead: int  # questions that come before this one, those being answered among them
    seconds: float  # that this may take


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds that each stage of a question may take."""

    waiting: float = 900.0  # in the line
    step: float = 180.0  # from one event to the next: the search, the first word, …
    whole: float = 600.0  # from its turn to the whole answer


class _End:
    """Nothing further comes."""


@dataclass(eq=False)
class _Place:
    """Of one question: in the line, and then at the model."""

    round: int
    number: int
    who: str
    start: Callable[[], Iterator[object]]
    came: float  # seconds of the monotonic clock
    is_turn: asyncio.Event = field(default_factory=asyncio.Event)
    is_wanted: bool = True  # somebody still follows its answer
    began: float = 0.0  # as ``came``
    told: "asyncio.Queue[object]" = field(default_factory=asyncio.Queue)

    @property
    def order(self) -> tuple[int, int]:
        """The least is the next."""
        return self.round, self.number


class Line:
    """The questions that wait for the model. For use within one event loop."""

    def __init__(
        self,
        *,
        at_once: int = 1,
        most: int = 64,
        most_of_one: int = 4,
        limits: Limits | None = None,
        on_turn: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        """``at_once`` are answered at the same time; ``most`` may wait, ``most_of_one`` of a user.

        A question that belongs to no user (an empty name) counts as one of its own. ``on_turn``
        is told of each question that has its turn how many seconds it waited.
        """
        self.limits = limits or Limits()
        self._on_turn = on_turn
        self._at_once, self._most, self._most_of_one = at_once, most, most_of_one
        self._waiting: list[_Place] = []
        self._answering: set[_Place] = set()
        self._round = 0  # of the last turn that was given
        self._served: set[str] = set()  # who had a turn in this round
        self._numbers = itertools.count()
        self._seconds = _FIRST_GUESS
        self._is_stopping = False
        self._threads = ThreadPoolExecutor(at_once, "answer")

    @property
    def waiting(self) -> int:
        """Questions that wait."""
        return len(self._waiting)

    @property
    def answering(self) -> int:
        """Questions that are being answered."""
        return len(self._answering)

    @property
    def is_stopping(self) -> bool:
        """No further question is taken."""
        return self._is_stopping

    async def events(
        self, who: str, start: Callable[[], Iterator[T]]
    ) -> AsyncGenerator[Waiting | T, None]:
        """What ``start`` yields, in a thread, when it is the turn of ``who``; before, the waiting.

        Raises BusyError if too many wait, TimeLimitError if a stage takes too long, StoppingError
        if the program ends, and what ``start`` raises. Closing it stops the answer at its next
        step.
        """
        place = self._join(who, start)
        try:
            async with aclosing(self._until_turn(place)) as waiting:
                async for one in waiting:
                    yield one
            async with aclosing(self._followed(place)) as events:
                async for event in events:
                    yield event  # type: ignore[misc]  # what ``start`` yields
        finally:
            place.is_wanted = False
            if place in self._waiting:
                self._waiting.remove(place)

    async def stop(self, *, within: float, unless: Callable[[], bool] = lambda: False) -> None:
        """Turns all away who wait, and gives who is being answered so many seconds to be done.

        ``unless`` it is to end at once, which is asked again and again.
        """
        self._is_stopping = True
        for place in self._waiting:
            place.is_turn.set()
        end = time.monotonic() + within
        while self._answering and time.monotonic() < end and not unless():
            await asyncio.sleep(0.05)
        for place in self._answering:
            place.is_wanted = False
            place.told.put_nowait(_stopping())
        self._threads.shutdown(wait=False)

    # In the line

    def _join(self, who: str, start: Callable[[], Iterator[object]]) -> _Place:
        if self._is_stopping:
            raise _stopping()
        if len(self._waiting) >= self._most:
            seconds = self._estimate(len(self._waiting) // 2)
            raise BusyError(
                f"{len(self._waiting)} questions wait already: ask again in {seconds:.0f} seconds.",
                seconds=seconds,
            )
        rounds = [place.round for place in self._waiting if who and place.who == who]
        if len(rounds) >= self._most_of_one:
            raise BusyError(
                f"{len(rounds)} questions of yours wait already: ask again when one is answered.",
                seconds=self._estimate(1),
            )
        if who in self._served:
            rounds.append(self._round)
        round_ = max([self._round, *(of_own + 1 for of_own in rounds)])
        place = _Place(round_, next(self._numbers), who, start, time.monotonic())
        self._waiting.append(place)
        self._give_turns()
        return place

    def _give_turns(self) -> None:
        while self._waiting and len(self._answering) < self._at_once and not self._is_stopping:
            place = min(self._waiting, key=lambda one: one.order)
            self._waiting.remove(place)
            self._answering.add(place)
            if place.round > self._round:
                self._round = place.round
                self._served.clear()
            if place.who:
                self._served.add(place.who)
            place.began = time.monotonic()
            self._on_turn(place.began - place.came)
            # Now, not when whoever asked looks again: the others are not to wait for that.
            self._threads.submit(self._answer, place, asyncio.get_running_loop())
            place.is_turn.set()

    async def _until_turn(self, place: _Place) -> AsyncGenerator[Waiting, None]:
        """Tells how long it may take, until it is the turn of ``place``."""
        while not place.is_turn.is_set():
            before = sum(one.order < place.order for one in self._waiting)
            ahead = len(self._answering) + before
            yield Waiting(ahead, self._estimate(ahead))
            # Not “wait_for”: that of Python 3.11 can swallow that whoever asked has gone.
            with suppress(TimeoutError):
                async with asyncio.timeout(_TOLD_EVERY):
                    await place.is_turn.wait()
            if time.monotonic() > place.came + self.limits.waiting and not place.is_turn.is_set():
                raise TimeLimitError(
                    f"The question waited for more than {self.limits.waiting:.0f} seconds, so many "
                    "came before it: ask it again later."
                )
        if place in self._waiting:  # nobody has a turn any more
            raise _stopping()

    def _estimate(self, ahead: int) -> float:
        return max(1.0, self._seconds * ahead / self._at_once)

    # At the model

    def _answer(self, place: _Place, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread: tells every event, until nobody wants them any more."""

        def tell(news: object) -> None:
            loop.call_soon_threadsafe(place.told.put_nowait, news)

        with suppress(RuntimeError):  # the loop has ended, and with it all who would listen
            try:
                events = place.start()
                try:
                    for event in events:
                        if not place.is_wanted:
                            break
                        self._check_time(place)
                        tell(event)
                finally:
                    if isinstance(events, Generator):
                        events.close()
            except Exception as error:  # noqa: BLE001  (raised again where it is waited for)
                tell(error)
            else:
                tell(_End())
            finally:
                loop.call_soon_threadsafe(self._end, place)

    def _end(self, place: _Place) -> None:
        self._seconds += _NEWEST * (time.monotonic() - place.began - self._seconds)
        self._answering.discard(place)
        self._give_turns()

    def _check_time(self, place: _Place) -> None:
        """Raises TimeLimitError: also of an answer that is read too slowly, or by nobody."""
        if time.monotonic() > place.began + self.limits.whole:
            raise self._took_too_long()

    async def _followed(self, place: _Place) -> AsyncGenerator[object, None]:
        """The events of the answer at ``place`` as they come."""
        while True:
            left = place.began + self.limits.whole - time.monotonic()
            try:
                async with asyncio.timeout(max(min(self.limits.step, left), 0.0)):
                    news = await place.told.get()
            except TimeoutError as error:
                raise self._took_too_long() from error
            if isinstance(news, _End):
                return
            if isinstance(news, Exception):
                raise news
            yield news

    def _took_too_long(self) -> TimeLimitError:
        return TimeLimitError(
            "The answer took longer than it may "
            f"({self.limits.step:.0f} seconds for a step, {self.limits.whole:.0f} in all): "
            "ask something shorter, or try again when less is asked."
        )


def _stopping() -> StoppingError:
    return StoppingError("Footnote is being stopped: ask again when it has started anew.")
