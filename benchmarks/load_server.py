"""What ``benchmarks.load`` asks: everything that is served, in a process of its own.

``python -m benchmarks.load_server PORT WAITS [--real]``, over the index and with the users below
FOOTNOTE_HOME. When it is stopped, it writes to the file WAITS how many seconds each question waited
for its turn.
"""

import asyncio
import json
import re
import time
from collections.abc import Generator
from pathlib import Path

import click

from index.library import Library
from index.search import Index
from models.paths import conversations_file, users_file
from rag.chat import Chat
from rag.generate import Piece
from rag.line import Line
from rag.prompt import Message
from serve.access import Access
from serve.accounts import Accounts
from serve.app import About, application
from serve.desk import Desk
from serve.logs import set_up
from serve.metrics import Metrics
from serve.server import server
from ui.history import History

TOKENS_PER_SECOND = 20

_NO_LIMIT = 1_000_000
"""Requests a minute: who asks too often is not what is measured."""

_TOKEN = re.compile(r"\s*\S{1,4}")


def told(name: str, keeper: str) -> str:
    """The sentence of a document, which nobody else's answer may hold."""
    return f"The lighthouse {name} was kept by {keeper} in the old days."


def question(name: str) -> str:
    """What that sentence answers."""
    return f"Who kept the lighthouse {name} in the old days?"


class Copyist:
    """Writes the sentence about the lighthouse that is asked about, at ``TOKENS_PER_SECOND``.

    It finds it in what it is given to read: what belongs to another question, it would write, too.
    """

    name = "copyist"

    def __call__(self, messages: list[Message], *, max_tokens: int) -> Generator[Piece, None, None]:
        """The answer."""
        asked = messages[-1]["content"]
        found = re.search(told(_name_in(asked), r"\w+"), asked)
        for token in _TOKEN.findall(found[0] if found else "It is not there.")[:max_tokens]:
            time.sleep(1 / TOKENS_PER_SECOND)
            yield Piece(token, (-0.1,))

    def read(self, messages: list[Message], *, place: str | None = None) -> None:
        """Nothing is read ahead."""

    def yes(self, messages: list[Message]) -> float:
        """Whether that sentence is there."""
        asked = messages[-1]["content"]
        return 3.0 if re.search(told(_name_in(asked), r"\w+"), asked) else -3.0


def _name_in(asked: str) -> str:
    return str(re.findall(r"Who kept the lighthouse (\w+) ", asked)[-1])


@click.command()
@click.argument("port", type=int)
@click.argument("waits_file", metavar="WAITS", type=click.Path(path_type=Path))
@click.option("--real", "is_real", is_flag=True, help="With the default model.")
def main(port: int, waits_file: Path, *, is_real: bool) -> None:
    """Serve until SIGTERM."""
    chat = Chat.open() if is_real else Chat(search=Index.open(), generate=Copyist())
    metrics, waits = Metrics(), list[float]()

    def waited(seconds: float) -> None:
        waits.append(seconds)
        metrics.waited(seconds)

    line = Line(on_turn=waited)
    desk = Desk(chat, line=line, metrics=metrics, is_ready=lambda: chat.is_ready)
    access = Access(Accounts(users_file()), api_per_minute=_NO_LIMIT, all_per_minute=_NO_LIMIT)
    about = About(index_name="default", model_name=chat.model)
    history = History(conversations_file(), name="default")
    with set_up(with_text=False):
        app = application(desk, history, Library("default"), access=access, about=about)
        asyncio.run(server(app, line, host="127.0.0.1", port=port, grace=30).serve())
    waits_file.write_text(json.dumps(waits))


if __name__ == "__main__":
    main()
