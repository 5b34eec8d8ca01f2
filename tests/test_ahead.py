"""Reading for a question that is being typed: the newest one, and never beside an answer."""

import threading
from collections.abc import Callable

import pytest

from tests.browser import Scripted, make_answer, tell
from ui.ahead import Ahead


class Slow(Scripted):
    """Reads until it is not wanted any more, or is let go."""

    def __init__(self) -> None:
        super().__init__(lambda question: tell(make_answer(question, [])))
        self.begun = threading.Semaphore(0)
        self.go = threading.Event()
        self.whole: list[str] = []

    def read_ahead(self, question: str, *, is_wanted: Callable[[], bool]) -> None:
        super().read_ahead(question, is_wanted=is_wanted)
        self.begun.release()
        while is_wanted():
            if self.go.wait(0.01):
                self.whole.append(question)
                return


@pytest.fixture
def chat() -> Slow:
    return Slow()


def begun(chat: Slow) -> None:
    assert chat.begun.acquire(timeout=10)


def test_the_newest_question_takes_the_place_of_the_one_before(chat: Slow) -> None:
    ahead = Ahead()
    ahead.want(chat, "Who came on")
    begun(chat)
    ahead.want(chat, "Who came on Tuesday?")
    begun(chat)
    chat.go.set()
    with ahead.paused():
        assert chat.whole in ([], ["Who came on Tuesday?"])
    assert chat.read_for == ["Who came on", "Who came on Tuesday?"]


def test_nothing_is_read_while_a_question_is_answered(chat: Slow) -> None:
    ahead = Ahead()
    ahead.want(chat, "Who came on Tuesday?")
    begun(chat)
    with ahead.paused():  # does not wait for the end of the reading, which would never come
        ahead.want(chat, "Who else came then?")
    assert chat.read_for == ["Who came on Tuesday?"]
    assert chat.whole == []
    ahead.want(chat, "And who came then?")
    begun(chat)
    with ahead.paused():
        pass


def test_two_words_are_no_question_yet_and_a_failure_ends_nothing(
    chat: Slow, caplog: pytest.LogCaptureFixture
) -> None:
    ahead = Ahead()
    ahead.want(chat, "Who came")

    class Broken(Slow):
        def read_ahead(self, question: str, *, is_wanted: Callable[[], bool]) -> None:
            self.begun.release()
            raise ZeroDivisionError(question)

    broken = Broken()
    ahead.want(broken, "Who came on Tuesday?")
    begun(broken)
    with ahead.paused():
        pass
    ahead.want(chat, "Who came on Monday?")
    begun(chat)
    with ahead.paused():
        pass
    assert chat.read_for == ["Who came on Monday?"]
    assert "Nothing was read ahead" in caplog.text  # before the next question was read
    assert "ZeroDivisionError: Who came on Tuesday?" in caplog.text
