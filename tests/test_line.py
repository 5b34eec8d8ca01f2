"""Whose turn it is: fair, bounded, and never two answers at once."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from models.errors import BusyError, StoppingError, TimeLimitError
from rag.line import Limits, Line, Waiting


class Model:
    """Answers with two events, and notes who was answered, and how many at the same time."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.answered: list[str] = []
        self.at_once = self.most_at_once = 0
        self.closed: list[str] = []
        self._seconds = seconds
        self._guard = threading.Lock()

    def of(self, question: str) -> Callable[[], Iterator[str]]:
        def answer() -> Iterator[str]:
            with self._guard:
                self.at_once += 1
                self.most_at_once = max(self.most_at_once, self.at_once)
                self.answered.append(question)
            try:
                yield f"{question} begins"
                time.sleep(self._seconds)
                yield f"{question} ends"
            finally:
                with self._guard:
                    self.at_once -= 1
                    self.closed.append(question)

        return answer


async def all_of(events: AsyncGenerator[Any, None]) -> list[Any]:
    async with aclosing(events):
        return [event async for event in events]


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 20))


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():
        await asyncio.sleep(0.005)


def test_a_question_alone_does_not_wait() -> None:
    async def test() -> None:
        line = Line()
        events = await all_of(line.events("one", Model().of("q")))
        assert events == ["q begins", "q ends"]
        await until(lambda: line.answering == 0)
        assert line.waiting == 0

    run(test())


def test_one_after_the_other_and_everybody_is_told_how_many_come_first() -> None:
    async def test() -> None:
        line, model = Line(), Model(0.05)
        names = ["a", "b", "c"]
        told = await asyncio.gather(*(all_of(line.events(one, model.of(one))) for one in names))
        assert [events[-2:] for events in told] == [[f"{n} begins", f"{n} ends"] for n in names]
        assert model.answered == names
        assert model.most_at_once == 1
        assert [events[0] for events in told[1:]] == [Waiting(1, 15.0), Waiting(2, 30.0)]

    run(test())


def test_who_has_asked_much_waits_behind_who_has_asked_little() -> None:
    async def test() -> None:
        line, model = Line(), Model(0.02)
        asked = [("much", "m1"), ("much", "m2"), ("much", "m3"), ("little", "l1"), ("other", "o1")]
        await asyncio.gather(*(all_of(line.events(who, model.of(q))) for who, q in asked))
        # m1 was begun at once, before anybody else came.
        assert model.answered == ["m1", "l1", "o1", "m2", "m3"]

    run(test())


def test_who_asks_two_at_once_is_not_passed_by_those_who_always_come_again() -> None:
    async def test() -> None:
        line, model = Line(), Model(0.005)

        async def again_and_again(who: str) -> None:
            for number in range(20):
                await all_of(line.events(who, model.of(f"{who}{number}")))

        others = [asyncio.create_task(again_and_again(who)) for who in ("x", "y", "z")]
        await until(lambda: line.waiting == 2)
        await asyncio.gather(*(all_of(line.events("two", model.of(q))) for q in ("t1", "t2")))
        # Within each round everybody once: t2 is of the round after that of t1.
        assert model.answered.index("t1") <= 4
        assert model.answered.index("t2") <= 8
        await asyncio.gather(*others)

    run(test())


def test_who_looks_away_when_its_turn_comes_does_not_hold_the_model() -> None:
    async def test() -> None:
        line, model = Line(), Model(0.05)
        first = asyncio.create_task(all_of(line.events("a", model.of("a"))))
        await until(lambda: line.answering == 1)
        away = line.events("b", model.of("b"))
        assert isinstance(await anext(away), Waiting)
        await all_of(line.events("c", model.of("c")))
        assert model.closed == ["a", "b", "c"]
        assert await all_of(away) == ["b begins", "b ends"]  # which waits for it
        await first

    run(test())


def test_who_goes_away_is_noticed_also_at_the_moment_of_an_event() -> None:
    """The wait for a next event may not swallow that it was cancelled."""

    async def test() -> None:
        def often() -> Iterator[str]:
            while True:
                time.sleep(0.0005)
                yield "word"

        line = Line(limits=Limits(whole=5))
        for _ in range(30):
            task = asyncio.create_task(all_of(line.events("a", often)))
            await asyncio.sleep(0.005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    run(test())


def test_several_are_answered_at_once_where_that_is_allowed() -> None:
    async def test() -> None:
        line, model = Line(at_once=3), Model(0.1)
        await asyncio.gather(*(all_of(line.events("", model.of(str(n)))) for n in range(9)))
        assert model.most_at_once == 3
        assert sorted(model.answered) == sorted(map(str, range(9)))

    run(test())


def test_only_so_many_may_wait_and_the_others_are_told_when_to_come_again() -> None:
    async def test() -> None:
        line, model = Line(most=2), Model(0.1)
        first = [asyncio.create_task(all_of(line.events("", model.of("q")))) for _ in range(3)]
        await until(lambda: line.waiting == 2)
        with pytest.raises(BusyError, match="2 questions wait already: ask again in 15") as full:
            await all_of(line.events("", model.of("late")))
        assert full.value.seconds == 15.0
        assert "late" not in model.answered
        await asyncio.gather(*first)

    run(test())


def test_nobody_takes_the_whole_line() -> None:
    async def test() -> None:
        line, model = Line(most_of_one=1), Model(0.1)
        own = [asyncio.create_task(all_of(line.events("one", model.of("q")))) for _ in range(2)]
        await until(lambda: line.waiting == 1)
        with pytest.raises(BusyError, match="1 questions of yours wait already"):
            await all_of(line.events("one", model.of("more")))
        await asyncio.gather(*own, all_of(line.events("other", model.of("o"))))
        assert model.answered.count("o") == 1

    run(test())


def test_who_goes_away_while_waiting_leaves_the_line() -> None:
    async def test() -> None:
        line, model = Line(), Model(0.1)
        first = asyncio.create_task(all_of(line.events("a", model.of("a"))))
        await until(lambda: line.answering == 1)
        gone = asyncio.create_task(all_of(line.events("b", model.of("b"))))
        await until(lambda: line.waiting == 1)
        gone.cancel()
        await until(lambda: line.waiting == 0)
        await all_of(line.events("c", model.of("c")))
        await first
        assert model.answered == ["a", "c"]

    run(test())


def test_who_goes_away_while_answered_stops_the_model_before_the_next_is_begun() -> None:
    async def test() -> None:
        line, model = Line(), Model(0.15)
        events = line.events("a", model.of("a"))
        assert await anext(events) == "a begins"
        await events.aclose()
        assert line.answering == 1  # it is still in its step
        await all_of(line.events("b", model.of("b")))
        assert model.closed == ["a", "b"]
        assert model.most_at_once == 1

    run(test())


def test_an_error_is_raised_where_it_is_waited_for_and_the_next_has_its_turn() -> None:
    async def test() -> None:
        def broken() -> Iterator[str]:
            yield "begins"
            raise ZeroDivisionError

        line = Line()
        with pytest.raises(ZeroDivisionError):
            await all_of(line.events("a", broken))
        # The one before may still be about to leave.
        events = await all_of(line.events("a", Model().of("q")))
        assert [one for one in events if not isinstance(one, Waiting)] == ["q begins", "q ends"]

    run(test())


def test_a_step_may_take_only_so_long_but_keeps_its_turn_until_it_has_ended() -> None:
    async def test() -> None:
        line, model = Line(limits=Limits(step=0.05)), Model(0.4)
        with pytest.raises(TimeLimitError, match="took longer than it may"):
            await all_of(line.events("a", model.of("a")))
        assert line.answering == 1
        await until(lambda: line.answering == 0)
        assert model.closed == ["a"]

    run(test())


def test_the_whole_answer_may_take_only_so_long() -> None:
    def endless() -> Iterator[str]:
        while True:
            time.sleep(0.01)
            yield "word"

    async def test() -> None:
        line = Line(limits=Limits(whole=0.1))
        with pytest.raises(TimeLimitError, match="took longer than it may"):
            await all_of(line.events("a", endless))
        await until(lambda: line.answering == 0)

    run(test())


def test_an_answer_that_nobody_reads_has_the_same_limit() -> None:
    async def test() -> None:
        ended = threading.Event()

        def endless() -> Iterator[str]:
            try:
                while True:
                    time.sleep(0.001)
                    yield "word"
            finally:
                ended.set()

        line = Line(limits=Limits(whole=0.1))
        events = line.events("a", endless)
        assert await anext(events) == "word"
        await until(ended.is_set)
        with pytest.raises(TimeLimitError, match="took longer than it may"):
            await all_of(events)

    run(test())


def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.line._TOLD_EVERY", 0.02)

    async def test() -> None:
        line, model = Line(limits=Limits(waiting=0.05)), Model(0.3)
        first = asyncio.create_task(all_of(line.events("a", model.of("a"))))
        await until(lambda: line.answering == 1)
        with pytest.raises(TimeLimitError, match="waited for more than"):
            await all_of(line.events("b", model.of("b")))
        await first
        assert model.answered == ["a"]

    run(test())


def test_when_it_stops_the_answer_ends_and_who_waits_is_turned_away() -> None:
    async def test() -> None:
        line, model = Line(), Model(0.1)
        first = asyncio.create_task(all_of(line.events("a", model.of("a"))))
        await until(lambda: line.answering == 1)
        second = asyncio.create_task(all_of(line.events("b", model.of("b"))))
        await until(lambda: line.waiting == 1)
        await line.stop(within=5)
        assert await first == ["a begins", "a ends"]
        with pytest.raises(StoppingError, match="is being stopped"):
            await second
        with pytest.raises(StoppingError):
            await all_of(line.events("c", model.of("c")))
        assert model.answered == ["a"]

    run(test())


def test_an_answer_that_does_not_end_in_time_is_told_so() -> None:
    async def test() -> None:
        line, model = Line(), Model(0.5)
        first = asyncio.create_task(all_of(line.events("a", model.of("a"))))
        await until(lambda: line.answering == 1)
        await line.stop(within=0.05)
        with pytest.raises(StoppingError):
            await first

    run(test())


def test_the_estimate_follows_what_answers_take() -> None:
    async def test() -> None:
        line, model = Line(), Model(0.0)
        for _ in range(30):
            await all_of(line.events("a", model.of("a")))
            await until(lambda: line.answering == 0)
        slow = Model(0.1)
        first = asyncio.create_task(all_of(line.events("a", slow.of("a"))))
        await until(lambda: line.answering == 1)
        waiting = await anext(line.events("b", slow.of("b")))
        assert isinstance(waiting, Waiting)
        assert waiting == Waiting(1, 1.0)  # 15 s at first; 30 quick ones bring it to the least
        await first

    run(test())


def test_what_was_waited_is_told() -> None:
    async def test() -> None:
        waits: list[float] = []
        line, model = Line(on_turn=waits.append), Model(0.1)
        await asyncio.gather(*(all_of(line.events(n, model.of(n))) for n in ("a", "b")))
        assert waits[0] < 0.05 <= waits[1]

    run(test())
