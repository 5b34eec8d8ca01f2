"""Where an index lies on the disk: generations side by side, and one pointer to the current one.

    indexes/NAME/current                 the name of the current generation, and the sha256 of
                                         its manifest, which has those of its other files
    indexes/NAME/lock                    held by whoever builds; lock.owner says who
    indexes/NAME/generations/000007/     vectors.npy  passages.sqlite  manifest.json, and, of
                                         many passages, cells.faiss: see ``index.vectors``

A generation is written whole, flushed to disk, and only then named in ``current``, which is
replaced by a rename: whenever a build dies, the old generation is still the current one.
Readers keep the generation that they opened. The one before the current is kept for those
who are just opening it; older ones are removed.
"""

import json
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from index.generation import checked_name, damaged, rebuild_command
from models.errors import StoreError
from models.paths import indexes_folder
from models.verify import file_sha256

VECTORS, CELLS = "vectors.npy", "cells.faiss"
PASSAGES, MANIFEST = "passages.sqlite", "manifest.json"


def index_path(name: str) -> Path:
    """The folder of the index ``name``; it may not exist. Raises StoreError on a bad name."""
    return indexes_folder() / checked_name(name)


def current_generation(name: str) -> Path | None:
    """The folder of the current generation; None if the index was never built.

    Raises StoreError if the pointer, or the manifest that it vouches for, is damaged.
    """
    pointer = index_path(name) / "current"
    text = ""
    while True:
        before = text
        try:
            text = pointer.read_text(encoding="ascii")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise StoreError(damaged(name, "its pointer cannot be read")) from error
        parts = re.fullmatch(r"(\d{6,}) ([0-9a-f]{64})\n", text)
        if not parts:
            raise StoreError(damaged(name, "its pointer is not a generation's name"))
        folder = pointer.parent / "generations" / parts[1]
        with suppress(OSError):
            if file_sha256(folder / MANIFEST) == parts[2]:
                return folder
        if text == before:  # else a build has replaced it in between
            raise StoreError(damaged(name, "its manifest is missing or damaged"))


def remembered_folder(name: str) -> Path | None:
    """The documents' folder of the index ``name``, also if it is damaged; None if never built.

    As the current generation says, whether the folder is there or not (a disk may be
    unmounted); if that is damaged, the newest that is there. Raises StoreError if it was
    built but no generation can say from what.
    """
    generations = index_path(name) / "generations"
    current = None
    with suppress(StoreError):
        current = current_generation(name)
        if current is None:
            return None
    for generation in reversed(numbered(generations)) if generations.is_dir() else ():
        with suppress(OSError, ValueError, TypeError, KeyError):
            manifest = json.loads((generation / MANIFEST).read_text(encoding="utf-8"))
            folder = Path(manifest["folder"])
            if generation == current or (current is None and folder.is_dir()):
                return folder
    raise StoreError(
        f"The index “{name}” cannot tell which folder it was made from: "
        f"run '{rebuild_command(name)} FOLDER'."
    )


@contextmanager
def writing(name: str) -> Iterator[None]:
    """Holds the index for one writer. Raises StoreError if another process has it."""
    folder = index_path(name)
    lock = FileLock(folder / "lock", timeout=0)
    owner = folder / "lock.owner"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        owner.write_text(f"process {os.getpid()}, since {datetime.now():%H:%M:%S}", "utf-8")
    except Timeout as error:
        raise StoreError(
            f"The index “{name}” is being built by {_owner(owner)}: wait until it has ended."
        ) from error
    except OSError as error:
        lock.release()
        raise StoreError(unwritable(folder, error)) from error
    try:
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def _owner(path: Path) -> str:
    """Who holds the lock; its note may not be there yet."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return "another process"


def numbered(generations: Path) -> list[Path]:
    """The folders of all generations, the oldest first; one may be half written."""
    return sorted(path for path in generations.iterdir() if path.name.isdigit())


def unwritable(folder: Path, error: OSError | sqlite3.Error) -> str:
    """What a user is told when an index cannot be written to ``folder``."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (
        f"The index cannot be written to “{folder}” ({reason}): make room there, or set "
        "FOOTNOTE_HOME to another folder; an index from before still answers."
    )
