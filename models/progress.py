"""How far a long task is, for whoever draws a progress bar."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long task is.

    ``stage`` is what is happening, for a person: "Fetching qwen3-4b". ``total`` is 0 while
    nobody can know how long it takes.
    """

    stage: str
    done: int
    total: int
    unit: str  # "bytes", "documents", "passages"


OnProgress = Callable[[Progress], None]


def counted(number: int, noun: str) -> str:
    """A number of things for a person: ``1 passage``, ``2,000 passages``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def readable_bytes(count: int) -> str:
    """``count`` bytes for a person, in decimal units as disks are sold: ``1.1 GB``."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit in ("bytes", "kB") else f"{amount:,.1f} {unit}"
