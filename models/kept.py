"""Files that are made once and taken the next time: whole as they were written, or not there.

A file is named NAME-SHA256.SUFFIX, by the digest of its own bytes: what was damaged is known.
"""

import glob
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from models.verify import file_sha256


def take(folder: Path, name: str, *, suffix: str) -> Path | None:
    """The file that was kept under ``name``; None if there is none. Damaged ones are removed."""
    for path in folder.glob(f"{glob.escape(name)}-*{suffix}"):
        with suppress(OSError):
            if path.stem.endswith(file_sha256(path)):
                return path
            path.unlink()
    return None


def keep(folder: Path, name: str, write: Callable[[Path], None], *, suffix: str) -> Path:
    """Has ``write`` write a file, and keeps it under ``name``.

    Raises OSError if there is no room for it, and what ``write`` raises; then nothing is kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{name}-{os.getpid()}.part"
    try:
        write(part)
        return part.replace(folder / f"{name}-{file_sha256(part)}{suffix}")
    finally:
        part.unlink(missing_ok=True)
