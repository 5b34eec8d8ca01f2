"""What is on this machine, and whether its bytes are the right ones.

A digest is computed once and remembered, with the file's size and time of change, in
``verified.json`` in the folder of weights; a file that changed is read again.
"""

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from models import paths
from models.catalog import Entry, ModelFile
from models.errors import ModelError
from models.progress import OnProgress, Progress


@dataclass(frozen=True, slots=True)
class Copy:
    """A model found on this machine. ``damage`` says what is wrong with it, if anything is."""

    path: Path
    damage: str | None = None


def places(entry: Entry) -> tuple[Path, ...]:
    """Where ``entry`` may lie, in the order in which it is looked for."""
    return (paths.dropped_folder() / entry.place, paths.weights_folder() / entry.place)


def find_copy(
    entry: Entry, *, again: bool = False, on_progress: OnProgress | None = None
) -> Copy | None:
    """The copy of ``entry`` to use: the first intact one, else the first damaged one, else None.

    ``again`` reads every byte even of files that were verified before. Raises ModelError when
    a file cannot be read.
    """
    damaged: Copy | None = None
    for place in places(entry):
        if not place.exists():
            continue
        copy = Copy(place, damage_of(entry, place, again=again, on_progress=on_progress))
        if copy.damage is None:
            return copy
        damaged = damaged or copy
    return damaged


def damage_of(
    entry: Entry, place: Path, *, again: bool = False, on_progress: OnProgress | None = None
) -> str | None:
    """What is wrong with the files of ``entry`` at ``place``, in a clause; None if nothing is.

    Raises ModelError when a file cannot be read.
    """
    done = 0

    def report(count: int) -> None:
        if on_progress:
            on_progress(Progress(f"Checking {entry.name}", done + count, entry.size, "bytes"))

    for file in entry.files:
        damage = _damage_of_file(entry.file_at(place, file), file, again=again, on_bytes=report)
        if damage is not None:
            return damage
        done += file.size
    return None


def sha256_of(
    path: Path, *, again: bool = False, on_bytes: Callable[[int], None] | None = None
) -> str:
    """The sha256 of a file, in hex; remembered until the file changes, unless ``again``.

    ``on_bytes`` is told how many bytes were read so far. Raises ModelError when the file
    cannot be read.
    """
    try:
        stamp = _stamp(path)
        known = {} if again else _remembered().get(str(path.resolve()), {})
        if "sha256" in known and stamp.items() <= known.items():
            return str(known["sha256"])
        digest = file_sha256(path, on_bytes=on_bytes)
    except OSError as failure:
        raise ModelError(f"{path} cannot be read: {failure.strerror}.") from failure
    _remember(path, stamp | {"sha256": digest})
    return digest


def trust(path: Path, digest: str) -> None:
    """Remembers that ``path`` has been read, as it is now, and has this sha256."""
    _remember(path, _stamp(path) | {"sha256": digest})


def weights_digest(place: Path) -> str:
    """The sha256, in hex, of a model's weights: a file itself, or a folder's model.safetensors.

    Raises ModelError when there are no weights at ``place`` or they cannot be read.
    """
    weights = place / "model.safetensors" if place.is_dir() else place
    if not weights.is_file():
        raise ModelError(f"There are no weights at {weights}: name a model that is there.")
    return sha256_of(weights)


def _damage_of_file(
    path: Path, file: ModelFile, *, again: bool, on_bytes: Callable[[int], None]
) -> str | None:
    if not path.is_file():
        return f"{file.path} is missing"
    if (size := path.stat().st_size) != file.size:
        return f"{file.path} has {size:,} bytes instead of {file.size:,}"
    if (digest := sha256_of(path, again=again, on_bytes=on_bytes)) != file.sha256:
        return f"the sha256 of {file.path} is {digest} instead of {file.sha256}"
    return None


def file_sha256(path: Path, *, on_bytes: Callable[[int], None] | None = None) -> str:
    """The sha256 of a file's bytes, in hex; ``on_bytes`` is told how many were read so far.

    Raises OSError if it cannot be read.
    """
    digest, done = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while block := stream.read(1 << 22):
            digest.update(block)
            done += len(block)
            if on_bytes:
                on_bytes(done)
    return digest.hexdigest()


def _stamp(path: Path) -> dict[str, int | str]:
    state = path.stat()
    return {"bytes": state.st_size, "mtime_ns": state.st_mtime_ns}


def _remembered() -> dict[str, dict[str, int | str]]:
    """What ``verified.json`` holds, for each path; a file missing or damaged holds nothing."""
    try:
        known = json.loads((paths.weights_folder() / "verified.json").read_bytes())
        return {path: dict(facts) for path, facts in known.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _remember(path: Path, facts: dict[str, int | str]) -> None:
    known = {old: about for old, about in _remembered().items() if Path(old).exists()}
    # Where nothing can be written, the file is simply read again at the next start.
    with suppress(OSError):
        write_json(paths.weights_folder() / "verified.json", known | {str(path.resolve()): facts})


def write_json(path: Path, value: object) -> None:
    """Writes ``value`` so that a reader of ``path`` sees the old content or the new, never half.

    Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        beside.write_text(json.dumps(value, indent=1), encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
