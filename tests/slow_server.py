"""A served chat whose model takes its time, in a process of its own: to be stopped and left.

``python -m tests.slow_server PORT GRACE PAUSE``: the seconds that running answers have when it is
stopped, and those that each word of an answer takes. Asked about a report, the model writes what
stands there; ``LONG`` words if it is asked for all of it.
"""

import asyncio
import re
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

from index.library import Library
from index.records import Document
from rag.chat import Chat
from rag.generate import Piece
from rag.line import Line
from rag.prompt import Message
from serve.access import Access
from serve.app import About, application
from serve.desk import Desk
from serve.server import server
from tests.fakes import ListSearch, ScriptedModel, document
from ui.history import History

NAMES = ("Alder", "Birch", "Cedar", "Dogwood", "Ebony", "Maple", "Hazel", "Juniper")
"""Of the reports."""

LONG = 200
"""Words that are written of a report that is asked about slowly."""


def said(name: str, number: int) -> str:
    """The one sentence that answers ``question(name)``."""
    return f"In report {name} the harbour master counted {number} boats."


def question(name: str) -> str:
    """What a report is asked."""
    return f"How many boats did the harbour master count in report {name}?"


def slow_question(name: str) -> str:
    """The same, for an answer that takes long."""
    return f"How many boats did the harbour master slowly count in report {name}?"


def report(name: str, number: int) -> Document:
    """A document of one report."""
    text = f"The sea was calm. {said(name, number)} Later it rained."
    return document(text, id_=f"{name}.txt")


class Copyist(ScriptedModel):
    """Writes the sentence about the report that is asked for, from what it is given to read."""

    name = "copyist"

    def __init__(self, *, pause: float = 0.0) -> None:
        super().__init__()
        self.pause = pause
        self.is_writing = False

    def __call__(self, messages: list[Message], *, max_tokens: int) -> Generator[Piece, None, None]:
        self.asked.append(messages)
        asked = messages[-1]["content"]
        name = _name_in(asked)
        [sentence] = set(re.findall(rf"In report {name} [^.]+\.", asked))
        times = LONG // len(sentence.split()) if "slowly" in asked else 1
        self.is_writing = True
        try:
            for piece in re.findall(r"\S+\s*", " ".join([sentence] * times)):
                time.sleep(self.pause)
                self.pieces_written += 1
                yield Piece(piece, (-0.1,))
        finally:
            self.is_writing = False

    def yes(self, messages: list[Message]) -> float:
        asked = messages[-1]["content"]
        return 3.0 if f"In report {_name_in(asked)} " in asked else -3.0


def _name_in(asked: str) -> str:
    return str(re.findall(r"in report (\w+)\?", asked)[-1])


def main(port: int, grace: float, pause: float) -> None:
    """Serves until SIGTERM."""
    search = ListSearch(*(report(name, 100 + at) for at, name in enumerate(NAMES)))
    line = Line()
    with tempfile.TemporaryDirectory() as folder:
        app = application(
            Desk(Chat(search=search, generate=Copyist(pause=pause)), line=line),
            History(Path(folder) / "conversations.sqlite", name="default"),
            Library("default"),
            access=Access(),
            about=About(index_name="default", model_name="copyist"),
        )
        asyncio.run(server(app, line, host="127.0.0.1", port=port, grace=grace).serve())


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
