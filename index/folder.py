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
    for path in _walk(folder, ignored(folder), skipped):
        reason = _reason_to_skip(path, home, ocr=ocr)
        if reason is None:
            files.append(path)
        else:
            skipped.append(Skipped(_shown(path, folder), reason))
    files.sort(key=lambda path: path.relative_to(folder).as_posix())
    skipped.sort(key=lambda skip: skip.path)
    return files, skipped


def ignore_lines(folder: Path) -> list[str]:
    """The lines of the folder's ``.footnoteignore``; none if there is none.

    Raises DocumentError if it cannot be read.
    """
    try:
        return (folder / IGNORE_FILE).read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:  # not UTF-8
        raise _unusable(folder, error) from error


def ignored(folder: Path) -> GitIgnoreSpec:
    """The patterns of the folder's ``.footnoteignore``. Raises as ``ignore_lines``."""
    try:
        return GitIgnoreSpec.from_lines(ignore_lines(folder))
    except ValueError as error:  # no pattern
        raise _unusable(folder, error) from error


def _unusable(folder: Path, error: Exception) -> DocumentError:
    return DocumentError(f"{folder / IGNORE_FILE} cannot be used ({error}): mend or remove it.")


def is_hidden(name: str) -> bool:
    """Whether files of that name are no documents: hidden ones, and Word's lock files."""
    return name.startswith((".", "~$"))


def _walk(folder: Path, left_out: GitIgnoreSpec, skipped: list[Skipped]) -> Iterator[Path]:
    """Every visible file, and every link to a folder; folders that are closed to us are skipped."""

    def note(error: OSError) -> None:
        skipped.append(Skipped(_shown(Path(error.filename), folder), why_unread(error)))

    for place, folders, names in os.walk(folder, onerror=note):
        below = Path(place).relative_to(folder)
        folders[:] = [
            name
            for name in folders
            if not (name.startswith(".") or left_out.match_file(f"{(below / name).as_posix()}/"))
        ]
        links = [name for name in folders if Path(place, name).is_symlink()]
        for name in [*links, *names]:
            if not is_hidden(name) and not left_out.match_file(below / name):
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
