"""Files into documents: which files a folder holds, and the text of each."""

import hashlib
import os
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

from index.formats.content import Content
from index.records import Document, Skipped
from models.errors import DocumentError

MAX_BYTES = 100_000_000

_FORMATS = {  # suffix: module below index.formats
    ".txt": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".pdf": "pdf",
    ".docx": "docx",
}
SUFFIXES = frozenset(_FORMATS)


def document_files(folder: Path) -> tuple[list[Path], list[Skipped]]:
    """The files below ``folder`` that can be read, and those that cannot, each sorted by path.

    Hidden files and folders, and the lock files of open Word documents, are in neither list.
    A link is followed only to a file inside ``folder``. Raises DocumentError if ``folder``
    is not a folder.
    """
    if not folder.is_dir():
        raise DocumentError(f"{folder} is not a folder; name one: footnote index FOLDER")
    files: list[Path] = []
    skipped: list[Skipped] = []
    home = folder.resolve()
    for path in _walk(folder, skipped):
        reason = _reason_to_skip(path, home)
        if reason is None:
            files.append(path)
        else:
            skipped.append(Skipped(_shown(path, folder), reason))
    files.sort(key=lambda path: path.relative_to(folder).as_posix())
    skipped.sort(key=lambda skip: skip.path)
    return files, skipped


def _walk(folder: Path, skipped: list[Skipped]) -> Iterator[Path]:
    """Every visible file, and every link to a folder; folders that are closed to us are skipped."""

    def note(error: OSError) -> None:
        skipped.append(Skipped(_shown(Path(error.filename), folder), _why_unread(error)))

    for place, folders, names in os.walk(folder, onerror=note):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = [name for name in folders if Path(place, name).is_symlink()]
        for name in [*links, *names]:
            if not name.startswith((".", "~$")):
                yield Path(place, name)


def _reason_to_skip(path: Path, home: Path) -> str | None:
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
        return _why_unread(error)
    if not path.suffix:
        return reason or "has no suffix that tells its format"
    if path.suffix.lower() not in SUFFIXES:
        return reason or f"format {path.suffix.lower()} is not supported"
    return reason


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


def load_document(path: Path, *, id: str, sha256: str | None = None) -> Document:  # noqa: A002
    """The file at ``path`` as a document with this ``id``; loading it again gives the same.

    ``sha256`` is computed from the file's bytes if it is not given. Raises DocumentError if
    the file cannot be read, is not what its suffix says, needs a password, is larger than
    100 MB, or holds no text; the message is a clause: "needs a password".
    """
    if path.suffix.lower() not in SUFFIXES:
        raise DocumentError(f"format {path.suffix.lower()} is not supported")
    data = _bytes(path)
    # Imported here for start-up time: most folders need one or two of the libraries.
    read: Callable[[bytes], Content] = import_module(
        f"index.formats.{_FORMATS[path.suffix.lower()]}"
    ).read
    try:
        content = read(data)
    except RecursionError as error:
        raise DocumentError("is nested too deeply to be read") from error
    except MemoryError as error:
        raise DocumentError("needs more memory than there is") from error
    if not content.text:
        raise DocumentError("holds no text")
    return Document(
        id=id,
        title=content.title,
        text=content.text,
        sha256=sha256 or hashlib.sha256(data).hexdigest(),
        sections=content.sections,
    )


def _bytes(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise DocumentError("is not a regular file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DocumentError(_why_unread(error)) from error
    if not data:
        raise DocumentError("is empty")
    if len(data) > MAX_BYTES:
        raise DocumentError("is larger than 100 MB")
    return data


def _why_unread(error: OSError) -> str:
    return f"cannot be read: {(error.strerror or type(error).__name__).lower()}"
