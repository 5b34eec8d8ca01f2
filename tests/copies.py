"""For the tests of several copies of a served chat: they, each in a process of its own."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.browser import free_port
from tests.serving import wait_until

REPOSITORY = Path(__file__).parents[1]

PORT = "PORT"
"""Stands in a command in the place of the copy's port."""


@dataclass
class Copy:
    """A running copy."""

    port: int
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


@contextmanager
def started(commands: Sequence[Sequence[str]]) -> Iterator[list[Copy]]:
    """A copy for each of Python's command lines, once all answer."""
    with ExitStack() as stack:
        begun = []
        for command in commands:
            port = free_port()
            filled = [str(port) if one == PORT else one for one in command]
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, *filled], cwd=REPOSITORY, stderr=subprocess.DEVNULL
                )
            )
            stack.callback(process.kill)
            begun.append(Copy(port, process))
        for one in begun:
            wait_until(lambda one=one: is_up(one), seconds=120)  # type: ignore[misc]
        yield begun


def is_up(copy: Copy) -> bool:
    assert copy.process.poll() is None
    try:
        return httpx.get(f"http://127.0.0.1:{copy.port}/api/health", trust_env=False).is_success
    except httpx.TransportError:
        return False
