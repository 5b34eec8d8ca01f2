"""For the tests of several copies of a served chat: those who ask, and what was kept of them."""

import json
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx

from tests.copies import Copy
from tests.relay import relay
from tests.serving import wait_until
from tests.slow_server import NAMES, question
from ui.history import History
from ui.turn import Turn


class BrokenOffError(Exception):
    """An answer ended before it was whole, and the client sees that."""


FAILURES = (httpx.HTTPError, BrokenOffError)


class Tab:
    """The page in a browser's tab, as far as questions go."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._session = secrets.token_hex(8)
        self._numbers: dict[str, int] = {}
        self.warnings: list[str] = []
        for one in client.get("/config").raise_for_status().json()["dependencies"]:
            self._numbers.setdefault(one["api_name"], one["id"])

    def take(self, asked: str) -> str:
        """Asks, and gives the id under which the conversation is kept, as in the address."""
        outputs = self._step("take_question", asked, None)
        [id_] = (one for one in outputs if re.fullmatch("[0-9a-f]{16}", str(one)))
        return str(id_)

    def finish(self) -> str:
        """What is drawn of the answer in the end."""
        self._step("draw_answer", None)
        return str(self._step("settle", "", None, ""))

    def open(self, id_: str) -> str:
        """What is drawn of the conversation that the address names."""
        return str(self._step("come_back", query=f"?conversation={id_}"))

    def _step(self, name: str, *inputs: object, query: str = "") -> list[Any]:
        sent = {"fn_index": self._numbers[name], "session_hash": self._session, "data": inputs}
        self._client.post(f"/gradio_api/queue/join{query}", json=sent).raise_for_status()
        asked = {"session_hash": self._session}
        with self._client.stream("GET", "/gradio_api/queue/data", params=asked) as response:
            for line in response.iter_lines():
                told = json.loads(line[6:] if line.startswith("data: ") else "{}")
                if told.get("msg") == "log":
                    self.warnings.append(told["log"])
                if told.get("msg") == "process_completed":
                    assert told["success"], told
                    return list(told["output"]["data"])
        raise BrokenOffError


class Reader:
    """Asks one question after the other; what breaks off is asked again.

    ``on_page`` and ``of_api`` assert that what they are given is the whole answer to a question:
    what is drawn of it, and its record.
    """

    def __init__(
        self,
        client: httpx.Client,
        questions: Sequence[str],
        *,
        on_page: Callable[[str, str], None],
        of_api: Callable[[str, dict[str, Any]], None],
    ) -> None:
        self.client = client
        self.asking = list(questions)
        self._on_page, self._of_api = on_page, of_api
        self.answered: list[str] = []
        self.taken: list[str] = []  # of which the page said that they are kept
        self.broken = 0

    def questions(self) -> Iterator[str]:
        """Until each is answered."""
        for asked in self.asking:
            while asked not in self.answered:
                assert self.broken < 5
                yield asked

    def read_page(self) -> None:
        """As a browser: when the copy is gone, the page is loaded again."""
        tab: Tab | None = None
        id_ = ""
        for asked in self.questions():
            try:
                if tab is None:
                    tab = Tab(self.client)
                    shown = tab.open(id_)
                    assert all(one in shown for one in self.taken)
                id_ = tab.take(asked)
                self.taken.append(asked)
                self._on_page(asked, tab.finish())
                assert not tab.warnings
                self.answered.append(asked)
            except FAILURES:
                self.broken += 1
                tab = None

    def ask_api(self) -> None:
        """As a program; every second time it has the answer told as it comes."""
        for asked in self.questions():
            try:
                answer = self._streamed(asked) if len(self.answered) % 2 else self._whole(asked)
                self._of_api(asked, answer)
                self.answered.append(asked)
            except FAILURES:
                self.broken += 1

    def _whole(self, asked: str) -> dict[str, Any]:
        answer = self.client.post("/api/ask", json={"question": asked}).raise_for_status()
        return dict(answer.json())

    def _streamed(self, asked: str) -> dict[str, Any]:
        name = ""
        with self.client.stream("POST", "/api/ask/stream", json={"question": asked}) as response:
            response.raise_for_status()
            for line in response.iter_lines():
                key, _, value = line.partition(": ")
                if key == "event":
                    name = value
                if (key, name) == ("data", "done"):
                    return dict(json.loads(value))
        raise BrokenOffError


def client_of(address: str, token: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=address, headers=headers, timeout=120, trust_env=False)


def turns_of(place: Path | str, name: str) -> list[Turn]:
    """Every turn that is kept of that reader."""
    with closing(History(place, name="default", owner=name)) as history:
        found = [history.load(kept.id) for kept in history.find()]
    return [one for each in found if each for one in each[2]]


def ask_while_one_is_killed(
    copies: Sequence[Copy],
    tokens: Sequence[str],
    questions: int,
    *,
    after: int,
    seconds: tuple[float, float],
    on_page: Callable[[str, str], None],
    of_api: Callable[[str, dict[str, Any]], None],
) -> tuple[list[Reader], list[Reader]]:
    """A reader for each of ``tokens``, half of them on the page, half by the API.

    Every second one is on the second copy. The first is killed when ``after`` questions are
    answered. ``seconds`` is how long that may take, and then the rest of each.
    """
    first, second = copies
    with ExitStack() as stack:
        proxies = [
            stack.enter_context(relay(first.port, second.port)),
            stack.enter_context(relay(second.port, first.port)),
        ]
        readers = [
            Reader(
                stack.enter_context(client_of(proxies[at % 2].address, token)),
                [question(NAMES[(at + one) % len(NAMES)]) for one in range(questions)],
                on_page=on_page,
                of_api=of_api,
            )
            for at, token in enumerate(tokens)
        ]
        half = len(readers) // 2
        with ThreadPoolExecutor(len(readers)) as threads:
            reading = [threads.submit(one.read_page) for one in readers[:half]]
            reading += [threads.submit(one.ask_api) for one in readers[half:]]
            wait_until(
                lambda: sum(len(one.answered) for one in readers) >= after, seconds=seconds[0]
            )
            first.kill()
            for ended in reading:
                ended.result(seconds[1])
        assert second.process.poll() is None
    return readers[:half], readers[half:]
