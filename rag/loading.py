"""How a model's weights are loaded: as its file has them, or repacked; as reads prompts faster.

llama.cpp can repack weights for the processor's wide instructions. Whether that pays depends on
the processor and on the kind of weights, so it is measured once, and remembered in the cache
folder for this file, this version of the library and this processor.
"""

import hashlib
import json
import os
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from models.errors import ModelError
from models.paths import loading_file
from models.progress import OnProgress, Progress
from models.verify import write_json

_TURNS = 3

_LONG_ENOUGH = 20.0
"""Seconds after which no further turn is begun: a large model is measured less often."""

_WORTH = 1.1
"""How many times as fast repacked weights must be read with: they take more memory."""

_TOLD_OF_PROCESSORS = ("model name", "flags", "CPU implementer", "CPU part", "Features")


@dataclass(frozen=True, slots=True)
class Speeds:
    """Tokens of a prompt that a model reads in a second."""

    as_stored: float
    repacked: float  # 0 if they cannot be read so

    @property
    def is_repacking_worth_it(self) -> bool:
        """Whether the model is to be loaded with repacked weights."""
        return self.repacked > _WORTH * self.as_stored

    @property
    def can_repack(self) -> bool:
        """Whether repacked weights, the library's default, can be used here at all."""
        return self.repacked > 0


class ReadingSpeed(Protocol):
    """What measures; the real one is ``rag.llama.reading_speed``."""

    def __call__(self, path: Path, *, is_repacked: bool) -> float:
        """Tokens of a prompt that the model at ``path`` reads in a second, loaded in that way."""


def remembered(path: Path) -> Speeds | None:
    """What was measured of the model at ``path`` on this machine; None if nothing is known."""
    with suppress(OSError, KeyError, TypeError, ValueError):
        known = _known()[_key(path)]
        return Speeds(as_stored=float(known["as_stored"]), repacked=float(known["repacked"]))
    return None


def measure_once(
    path: Path,
    speed: ReadingSpeed,
    *,
    on_progress: OnProgress,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Measures both ways of loading the model at ``path``, and remembers what was found.

    Nothing is measured that is known already or could not be remembered. A model that cannot be
    loaded is left to whoever uses it.
    """
    if remembered(path):
        return
    with suppress(OSError, ModelError):
        write_json(loading_file(), _known())
        speeds = _measured(path, speed, on_progress, clock)
        about = {"model": path.name, **asdict(speeds)}
        write_json(loading_file(), _known() | {_key(path): about})


def _measured(
    path: Path, speed: ReadingSpeed, on_progress: OnProgress, clock: Callable[[], float]
) -> Speeds:
    """The best of what was measured in turns: what else the machine does can only slow it."""
    as_stored: list[float] = []
    repacked: list[float] = []
    started = clock()
    while len(repacked) < _TURNS and (not repacked or clock() - started < _LONG_ENOUGH):
        stage = "Measuring how this machine reads fastest"
        on_progress(Progress(stage, len(repacked), _TURNS, "turns"))
        as_stored.append(speed(path, is_repacked=False))
        try:
            repacked.append(speed(path, is_repacked=True))
        except ModelError:  # then there is nothing to compare with
            return Speeds(max(as_stored), 0.0)
    return Speeds(max(as_stored), max(repacked))


def _known() -> dict[str, Any]:
    """What the file holds; a file missing or damaged holds nothing."""
    with suppress(OSError, ValueError):
        known = json.loads(loading_file().read_bytes())
        if isinstance(known, dict):
            return known
    return {}


def _key(path: Path) -> str:
    """What the speeds depend on: the file, the library, the processor. Raises OSError."""
    about = [path.name, path.stat().st_size, version("llama-cpp-python"), _processor()]
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()


def _processor() -> list[str]:
    """The processor's name and abilities, as far as the system tells them, and its cores."""
    about = [platform.machine(), platform.processor(), str(os.cpu_count())]
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        about += sorted({line for line in lines if line.startswith(_TOLD_OF_PROCESSORS)})
    return about
