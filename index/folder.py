"""Which files a folder holds for an index, and why the others are left out."""

import os
from collections.abc import Iterator
from pathlib import Path

from pathspec import GitIgnoreSpec

from index.load import reason_not_to_read, why_unread
from index.records import Skipped
from models.errors import DocumentError

IGNORE_FILE = ".footnoteignore"
"""In the indexed folder: patterns of what to leave out, as git has them in .gitignore."""


def document_files(folder: Path, *, ocr: bool = False) -> tuple[list[Path], list[Skipped]]:
    """The files below ``folder`` that can be read, and those that cannot, each sorted by path.

    Hidden files and folders, the lock files of open Word documents, and what
    ``.footnoteignore`` names are in neither list.
    A link is followed only to a file inside ``folder``. Images can be read only with
    ``ocr``. Raises DocumentError if ``folder`` is not a folder.
    """
    if not folder.is_dir():
        raise DocumentError(
            f"“{folder}” is not a folder: run 'footnote index FOLDER' with one that exists."
        )
    files: list[Path] = []
    skipped: list[Skipped] = []
    home = folder.resolve()
    ignored = _ignored(folder)
    for path in _walk(folder, ignored, skipped):
        reason = _reason_to_skip(path, home, ocr=ocr)
        if reason is None:
            files.append(path)
        else:
            skipped.append(Skipped(_shown(path, folder), reason))
    files.sort(key=lambda path: path.relative_to(folder).as_posix())
    skipped.sort(key=lambda skip: skip.path)
    return files, skipped


def _ignored(folder: Path) -> GitIgnoreSpec:
    try:
        lines = (folder / IGNORE_FILE).read_text(encoding="utf-8-sig").splitlines()
        return GitIgnoreSpec.from_lines(lines)
    except FileNotFoundError:
        return GitIgnoreSpec([])
    except (OSError, ValueError) as error:  # not UTF-8, or no pattern
        raise DocumentError(
            f"{folder / IGNORE_FILE} cannot be used ({error}): mend or remove it."
        ) from error


def _walk(folder: Path, ignored: GitIgnoreSpec, skipped: list[Skipped]) -> Iterator[Path]:
    """Every visible file, and every link to a folder; folders that are closed to us are skipped."""

    def note(error: OSError) -> None:
        skipped.append(Skipped(_shown(Path(error.filename), folder), why_unread(error)))

    for place, folders, names in os.walk(folder, onerror=note):
        below = Path(place).relative_to(folder)
        folders[:] = [
            name
            for name in folders
            if not (name.startswith(".") or ignored.match_file(f"{(below / name).as_posix()}/"))
        ]
        links = [name for name in folders if Path(place, name).is_symlink()]
        for name in [*links, *names]:
            if not name.startswith((".", "~$")) and not ignored.match_file(below / name):
                yield Path(place, name)


def _reason_to_skip(path: Path, home: Path, *, ocr: bool) -> str | None:
    reason = None
    try:
        path.name.encode("utf-8")
        if path.is_symlink():
            reason = _reason_not_to_follow(path, home)
        elif not path.is_file():
            reason = "is not a regular file"
    except UnicodeEncodeError:
        return "has a name that is not UTF-8"
    except OSError as error:
        return why_unread(error)
    if not path.suffix:
        return reason or "has no suffix that tells its format"
    return reason or reason_not_to_read(path, ocr=ocr)


def _reason_not_to_follow(link: Path, home: Path) -> str | None:
    if not link.exists():
        return "is a link to nothing"
    target = link.resolve()
    if not target.is_relative_to(home):
        return "is a link out of the folder"
    return None if target.is_file() else "is a link to another folder"


def _shown(path: Path, folder: Path) -> str:
    """The path below ``folder`` with forward slashes, fit to be printed and stored."""
    return os.fsencode(path.relative_to(folder).as_posix()).decode("utf-8", "replace")
