"""A file into a document: its text, by the reader of its format."""

import hashlib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from index.formats.content import Content
from index.records import Document
from models.errors import DocumentError, PassingError

MAX_BYTES = 100_000_000

READERS = 2
"""Changes when some format's reader would give another text: then all is read again."""

_FORMATS = {  # suffix: module below index.formats
    ".txt": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".pdf": "pdf",
    ".docx": "docx",
    ".pptx": "pptx",
    ".xlsx": "sheets",
    ".xlsm": "sheets",
    ".xls": "sheets",
    ".ods": "sheets",
    ".csv": "tabular",
    ".tsv": "tabular",
    ".epub": "epub",
    ".eml": "mail",
    ".mbox": "mailbox",
    ".json": "json_text",
    ".jsonl": "json_lines",
    ".ndjson": "json_lines",
}
SUFFIXES = frozenset(_FORMATS)
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff"})
"""Of scans and photographs: read only by request, for it takes seconds a page and a program."""

_IS_IMAGE = "is an image; run with --ocr to have it read"
_IS_SCAN = "holds no text: it is a scan; run with --ocr to have it read by Tesseract"


def reason_not_to_read(path: Path, *, ocr: bool) -> str | None:
    """Why a file with this name is not read; None if it is."""
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return None if ocr else _IS_IMAGE
    return None if suffix in SUFFIXES else f"format {suffix} is not supported"


def load_document(
    path: Path,
    *,
    id: str,  # noqa: A002
    ocr: bool = False,
) -> Document:
    """The file at ``path`` as a document with this ``id``; loading it again gives the same.

    With ``ocr``, Tesseract reads images, and each PDF that holds no text of its own. Raises
    DocumentError if the file cannot be read, is not what its suffix says, needs a password, is
    larger than 100 MB, or holds no text; the message is a clause: "needs a password". It is a
    PassingError if the same bytes may be readable another time: Tesseract is missing.
    """
    if reason := reason_not_to_read(path, ocr=ocr):
        raise DocumentError(reason)
    return read_document(file_bytes(path), suffix=path.suffix.lower(), id=id, ocr=ocr)


def read_document(
    data: bytes,
    *,
    suffix: str,
    id: str,  # noqa: A002
    ocr: bool = False,
) -> Document:
    """``load_document`` of a file with these bytes and this ``suffix``, in lower case."""
    try:
        if suffix in IMAGE_SUFFIXES:
            content = _function("ocr", "read_image")(data)
        else:
            content = _function(_FORMATS[suffix], "read")(data)
        if suffix == ".pdf" and ocr and not content.text:
            content = _function("ocr", "read_scan")(data)
    except RecursionError as error:
        raise DocumentError("is nested too deeply to be read") from error
    except MemoryError as error:
        raise DocumentError("needs more memory than there is") from error
    if not content.text:
        raise DocumentError(_IS_SCAN if suffix == ".pdf" and not ocr else "holds no text")
    return Document(
        id=id,
        title=content.title,
        text=content.text,
        sha256=hashlib.sha256(data).hexdigest(),
        sections=content.sections,
        author=content.author,
        date=content.date,
        source=content.source,
    )


def _function(module: str, name: str) -> Callable[[bytes], Content]:
    """Imported only now for start-up time: most folders need one or two of the libraries."""
    function: Callable[[bytes], Content] = getattr(import_module(f"index.formats.{module}"), name)
    return function


def file_bytes(path: Path) -> bytes:
    """Its bytes; PassingError if they cannot be read, DocumentError if none or too many."""
    try:
        if path.exists() and not path.is_file():
            raise DocumentError("is not a regular file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PassingError(why_unread(error)) from error
    if not data:
        raise DocumentError("is empty")
    if len(data) > MAX_BYTES:
        raise DocumentError("is larger than 100 MB")
    return data


def why_unread(error: OSError) -> str:
    """The reason as a clause: “cannot be read: permission denied”."""
    return f"cannot be read: {(error.strerror or type(error).__name__).lower()}"
