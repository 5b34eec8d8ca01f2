"""Many ask at the same time: is an answer lost or another's, who waits how long, does memory grow?

    python -m benchmarks.load                       50 clients, a minute, 20 tokens a second
    python -m benchmarks.load --clients 50 --minutes 10
    python -m benchmarks.load --real --clients 5 --minutes 5

Each client is a user of its own, and asks again as soon as it has its answer: in turn as a whole,
as events, and as the model of OpenAI's; all the while it searches now and then. Without --real,
each question is about one of many documents that differ in two names, and the model copies from
what it is given: so an answer can be told from every other. Everything stays on this machine.
"""

import asyncio
import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import click
import httpx

from benchmarks.load_server import TOKENS_PER_SECOND, question, told
from benchmarks.scale import run_build
from index.build import SHIPPED_CORPUS
from models.paths import encoders_folder, loading_file, states_folder, weights_folder
from rag.records import REFUSAL
from serve.accounts import Accounts

DOCUMENTS = 500
"""Lighthouses. As many questions are asked before one is asked again."""

WORST = 3.0
"""The worst wait, in medians, that is fair enough."""

_SEARCH_EVERY = 10.0
"""Seconds, on the average, from one search of a client to the next."""

_SLOWEST = 600.0
"""Seconds for one answer; then it is taken for lost."""

_CORPUS_QUESTIONS = (
    "How many Russian soldiers landed near Caracas?",
    "Which Russian military officer was on the first plane?",
    "How did Moscow explain why its forces are there?",
    "How much are Russia's investments in Venezuela worth?",
    "How much cargo did the planes carry?",
    "Where in Venezuela did the two Russian planes land?",
)

_ANSWERS = re.compile(r'^footnote_answers_total\{outcome="(\w+)",via="\w+"\} ([\d.e+]+)$', re.M)


class Asked(NamedTuple):
    """A question, and how its answer is known."""

    question: str
    document: str = ""  # that alone must be cited, with …
    quote: str = ""  # … this alone


@dataclass
class Run:
    """What was seen."""

    process: "subprocess.Popen[bytes]"
    address: str
    seconds: float  # that are asked for
    answers: list[tuple[str, str]] = field(default_factory=list)  # question and text
    whole: list[float] = field(default_factory=list)  # seconds from a question to its answer
    searches: list[float] = field(default_factory=list)  # seconds of each
    memory: dict[int, float] = field(default_factory=dict)  # MB after so many percent of the time
    told: Counter[str] = field(default_factory=Counter)  # how often what went wrong
    examples: dict[str, str] = field(default_factory=dict)  # of each, the first
    by_client: Counter[int] = field(default_factory=Counter)
    began: float = field(default_factory=time.monotonic)

    @property
    def is_over(self) -> bool:
        """Whether nobody asks any more."""
        return time.monotonic() > self.began + self.seconds

    def count(self, what: str, example: object = "") -> None:
        """Counts something that went wrong."""
        self.told[what] += 1
        self.examples.setdefault(what, str(example)[:300])


# One client


class Client:
    """One user, who asks and asks."""

    def __init__(self, run: Run, number: int, token: str, asked: list[Asked], step: int) -> None:
        """Asks every ``step``-th of ``asked``, beginning with that of its ``number``."""
        self._run, self._number, self._step, self._asked = run, number, step, asked
        run.by_client[number] = 0
        self._http = httpx.AsyncClient(
            base_url=run.address,
            headers={"Authorization": f"Bearer {token}"},
            timeout=_SLOWEST,
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),  # there is no TLS to be verified
            trust_env=False,
        )

    async def ask_on(self) -> None:
        """Asks, and searches, until the time is over."""
        async with self._http:
            await asyncio.gather(self._ask_questions(), self._search_now_and_then())

    async def _search_now_and_then(self) -> None:
        chance = random.Random(self._number)  # noqa: S311
        while True:
            await asyncio.sleep(chance.uniform(0, 2 * _SEARCH_EVERY))
            if self._run.is_over:
                return
            await self._search(chance.choice(self._asked))

    async def _ask_questions(self) -> None:
        ways = (self._ask, self._ask_stream, self._ask_openai)
        at = 0
        while not self._run.is_over:
            asked = self._asked[(self._number + at * self._step) % len(self._asked)]
            began = time.monotonic()
            try:
                record = await ways[(self._number + at) % 3](asked.question)
            except httpx.HTTPError as error:
                self._run.count("lost", repr(error))
            else:
                if record is not None:
                    self._take(asked, record, time.monotonic() - began)
            at += 1

    async def _ask(self, text: str) -> dict[str, Any] | None:
        return await self._whole("/api/ask", {"question": text})

    async def _ask_openai(self, text: str) -> dict[str, Any] | None:
        messages = [{"role": "user", "content": text}]
        completion = await self._whole(
            "/v1/chat/completions", {"model": "footnote", "messages": messages}
        )
        record = (completion or {}).get("footnote")
        if completion and record:
            content = completion["choices"][0]["message"]["content"]
            if not content.startswith(record["text"].split(". ")[0]):
                self._run.count("mixed", content)
        return record

    async def _whole(self, path: str, sent: dict[str, Any]) -> dict[str, Any] | None:
        response = await self._http.post(path, json=sent)
        if response.status_code != 200:
            await self._refused(response)
            return None
        found: dict[str, Any] = response.json()
        return found

    async def _ask_stream(self, text: str) -> dict[str, Any] | None:
        name, tokens = "", ""
        sent = {"question": text}
        async with self._http.stream("POST", "/api/ask/stream", json=sent) as response:
            if response.status_code != 200:
                await response.aread()
                await self._refused(response)
                return None
            async for line in response.aiter_lines():
                key, _, value = line.partition(": ")
                if key == "event":
                    name = value
                elif key == "data" and name == "token":
                    tokens += json.loads(value)["text"]
                elif key == "data" and name == "done":
                    record: dict[str, Any] = json.loads(value)
                    if not record["is_refusal"] and not tokens.strip():
                        self._run.count("lost", f"no words before {record['text']}")
                    return record
        self._run.count("lost", f"the stream ended with {name}")
        return None

    async def _refused(self, response: httpx.Response) -> None:
        if response.status_code == 429:
            self._run.count("told to come again", response.text)
            await asyncio.sleep(float(response.headers["Retry-After"]))
        else:
            self._run.count("lost", f"{response.status_code} {response.text}")

    def _take(self, asked: Asked, record: dict[str, Any], seconds: float) -> None:
        run = self._run
        run.by_client[self._number] += 1
        run.whole.append(seconds)
        run.answers.append((asked.question, record["text"]))
        if record["question"] != asked.question:
            run.count("mixed", f"{asked.question} → {record['question']}")
        if record["is_refusal"]:
            run.count("refused", asked.question)
        elif asked.document:
            cited = {(one["document"], one["quote"]) for one in record["citations"]}
            if record["text"] != asked.quote or cited != {(asked.document, asked.quote)}:
                run.count("mixed", f"{asked.question} → {record['text']} {cited}")

    async def _search(self, asked: Asked) -> None:
        began = time.monotonic()
        try:
            response = await self._http.get("/api/search", params={"query": asked.question})
            response.raise_for_status()
        except httpx.HTTPError as error:
            self._run.count("searches lost", repr(error))
            return
        self._run.searches.append(time.monotonic() - began)
        first = response.json()["hits"][0]["passage"]["document"]
        if asked.document and first != asked.document:
            self._run.count("searches mixed", f"{asked.question} → {first}")


# What is asked


def write_lighthouses(folder: Path) -> list[Asked]:
    """A document for each, all alike but for two names."""
    chance = random.Random(7)  # noqa: S311
    letters = "bdfgklmnprstvz"
    names: dict[str, None] = {}
    while len(names) < 2 * DOCUMENTS:
        name = "".join(
            chance.choice(letters) + chance.choice("aeiou") for _ in range(4)
        ).capitalize() + chance.choice(letters)
        names[name] = None
    asked = []
    made = list(names)
    for name, keeper in zip(made[::2], made[1::2], strict=True):
        weather = " ".join(chance.choices(("Rain came.", "Fog came.", "A wind rose."), k=4))
        text = f"The log of {name}. {weather} {told(name, keeper)} {weather}\n"
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
        asked.append(Asked(question(name), f"{name}.txt", told(name, keeper)))
    return asked


def prepare(home: Path, *, clients: int, is_real: bool) -> tuple[list[Asked], list[str]]:
    """An index and users below ``home``; what to ask, and a token for each user."""
    home.mkdir()
    for known in (weights_folder(), encoders_folder(), states_folder(), loading_file()):
        if known.exists():
            (home / known.name).symlink_to(known)
    folder = home / "documents"
    shutil.copytree(SHIPPED_CORPUS, folder)
    asked = [Asked(text) for text in _CORPUS_QUESTIONS] if is_real else write_lighthouses(folder)
    run_build(folder, home)
    accounts = Accounts(home / "users.json")
    tokens = []
    for number in range(1, clients + 1):
        accounts.add(f"desk-{number}", None)
        tokens.append(accounts.new_token(f"desk-{number}"))
    return asked, tokens


# The server


@contextmanager
def serving(home: Path, *, token: str, is_real: bool) -> Iterator[tuple[Any, str]]:
    """The server's process and address, once it answers; it is stopped afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks.load_server", str(port), str(home / "waits.json")]
    with (
        (home / "server.log").open("wb") as log,
        subprocess.Popen(  # noqa: S603
            [*command, *(["--real"] if is_real else [])],
            env=os.environ | {"FOOTNOTE_HOME": str(home)},
            cwd=Path(__file__).parents[1],
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_until_ready(process, address, token, home / "server.log")
            yield process, address
            process.send_signal(signal.SIGTERM)
            code = process.wait(60)
            if code:
                raise click.ClickException(f"The server ended with {code}.")
        finally:
            process.kill()


def _wait_until_ready(
    process: "subprocess.Popen[bytes]", address: str, token: str, log: Path
) -> None:
    """Until models and index are loaded: a first search, which is not counted, says so."""
    end = time.monotonic() + 300
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(f"{address}/api/health").json()["status"] == "ok":
                by = {"Authorization": f"Bearer {token}"}
                for path in ("/api/search?query=boats", "/api/documents", "/metrics"):
                    httpx.get(address + path, headers=by, timeout=60).raise_for_status()
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    raise click.ClickException(f"The server did not start: {log.read_text()[-2000:]}")


async def _watch_memory(run: Run) -> None:
    for percent in (10, 50, 100):
        await asyncio.sleep(run.began + run.seconds * percent / 100 - time.monotonic())
        status = Path(f"/proc/{run.process.pid}/status")
        if status.exists():
            found = re.search(r"^VmRSS:\s+(\d+) kB", status.read_text(), re.M)
            run.memory[percent] = int(found[1]) / 1000 if found else 0.0


async def _ask_all(run: Run, tokens: list[str], asked: list[Asked]) -> None:
    clients = [
        Client(run, number, token, asked, len(tokens)) for number, token in enumerate(tokens)
    ]
    run.began = time.monotonic()
    await asyncio.gather(_watch_memory(run), *(client.ask_on() for client in clients))


def _count_of_server(address: str, token: str) -> int:
    """Answers that the server says it has given, refusals among them."""
    by = {"Authorization": f"Bearer {token}"}
    page = httpx.get(f"{address}/metrics", headers=by).raise_for_status().text
    found = _ANSWERS.findall(page)
    return sum(int(float(count)) for outcome, count in found if outcome in ("answered", "refused"))


@click.command()
@click.option("--clients", default=50, show_default=True, type=click.IntRange(1, 200))
@click.option("--minutes", default=1.0, show_default=True, type=click.FloatRange(0.1, 60))
@click.option("--real", "is_real", is_flag=True, help="With the default model, on the briefings.")
def main(*, clients: int, minutes: float, is_real: bool) -> None:
    """Measure a served chat while CLIENTS ask at the same time."""
    # So that it ends the server, too, when it is ended.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="footnote-load-") as place:
        home = Path(place, "home")
        asked, tokens = prepare(home, clients=clients, is_real=is_real)
        with serving(home, token=tokens[0], is_real=is_real) as (process, address):
            run = Run(process, address, minutes * 60)
            asyncio.run(_ask_all(run, tokens, asked))
            given = _count_of_server(address, tokens[0])
            if given != len(run.answers):
                run.count("lost or doubled", f"{given} given, {len(run.answers)} received")
        waits = json.loads((home / "waits.json").read_text())
    writer = "the default model" if is_real else f"a model of {TOKENS_PER_SECOND} tokens a second"
    click.echo(f"{clients} clients for {minutes:g} minutes, and {writer}:\n")
    is_fair = _report(run, waits, is_real=is_real)
    if not is_fair or any("lost" in what or "mixed" in what for what in run.told):
        sys.exit(1)


def _report(run: Run, waits: list[float], *, is_real: bool) -> bool:
    """Prints what was seen; whether the waiting was fair."""
    if is_real:
        _find_mixed(run)
    elif run.told["refused"]:  # each could be answered
        run.told["lost"] += run.told["refused"]
    least = min(run.by_client.values(), default=0)
    click.echo(
        f"answers {len(run.answers)} ({least} to {max(run.by_client.values(), default=0)} of a "
        f"client), lost {run.told['lost']}, mixed {run.told['mixed']}, refused "
        f"{run.told['refused']}, told to come again (429) {run.told['told to come again']}"
    )
    for what, example in run.examples.items():
        click.echo(f"  {what}, {run.told[what]} times, such as: {example}")
    click.echo("\n| seconds | median | p95 | worst | worst / median |")
    click.echo("|---|---|---|---|---|")
    for what, seconds in (
        ("wait for its turn", waits),
        ("until the whole answer", run.whole),
        ("/api/search", run.searches),
    ):
        _show(what, seconds)
    first, *_, last = run.memory.values()
    shown = ", ".join(f"{of:.0f} MB at {percent} %" for percent, of in run.memory.items())
    click.echo(f"\nserver's memory {shown} of the time; growth {last - first:+.1f} MB")
    return bool(waits) and max(waits) <= WORST * median(waits)


def _show(what: str, seconds: list[float]) -> None:
    if not seconds:
        return
    ordered = sorted(seconds)
    middle, worst = median(ordered), ordered[-1]
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    digits = 3 if middle < 1 else 1
    click.echo(
        f"| {what} | {middle:.{digits}f} | {p95:.{digits}f} | {worst:.{digits}f} "
        f"| {worst / max(middle, 1e-9):.2f} |"
    )


def _find_mixed(run: Run) -> None:
    """Of the real model: an answer that is what another question is answered with."""
    usual = {
        asked: Counter(text for one, text in run.answers if one == asked).most_common(1)[0][0]
        for asked in {asked for asked, _ in run.answers}
    }
    for asked, text in run.answers:
        others = set(usual.values()) - {usual[asked], REFUSAL}
        if text in others:
            run.count("mixed", f"{asked} → {text}")
        elif text != usual[asked]:
            run.count("told otherwise", f"{asked} → {text}")


if __name__ == "__main__":
    main()
