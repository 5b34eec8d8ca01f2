"""Scans and photographs of pages: text that Tesseract recognises in them."""

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from index.formats.content import (
    Content,
    content_of_parts,
    first_page_title,
    text_part,
)
from index.formats.pdf import page_images
from index.formats.pdf import read as read_pdf
from models.errors import DocumentError, PassingError

try:
    import pytesseract
    from PIL import Image, ImageOps, ImageSequence
except ImportError:  # the extra "ocr" is not installed
    pytesseract = None

_DOTS_PER_INCH = 300  # what Tesseract's manual asks for, "Improving the quality of the output"
_MAX_PIXELS = 40_000_000  # of a page that is drawn: four times A4 at 300 dpi
_MAX_IMAGE_PIXELS = 80_000_000  # below 89 million, at which Pillow warns of a bomb
_TOO_LARGE = "has more than 80 million pixels"
_MAX_SECONDS = 300  # for a page
_MAX_FRAMES = 1000  # of an image file

_HOW_TO_INSTALL = (
    "is a scan; to have it read install Tesseract (Debian: apt-get install tesseract-ocr; "
    "macOS: brew install tesseract) and `pip install footnote[ocr]`"
)


def read_scan(data: bytes, *, languages: str = "eng") -> Content:
    """The text of a PDF whose pages are images, with a section for each page.

    ``languages`` are Tesseract's codes, "eng+deu". Raises PassingError if Tesseract or one
    of its languages is missing, DocumentError if the PDF needs a password or is damaged.
    """
    _check_tesseract(languages)
    says = read_pdf(data)  # it may name its title, author and date though it holds no text
    images = page_images(data, dots_per_inch=_DOTS_PER_INCH, max_pixels=_MAX_PIXELS)
    content = _recognised(images, languages)
    return replace(content, title=says.title or content.title, author=says.author, date=says.date)


def read_image(data: bytes, *, languages: str = "eng") -> Content:
    """The text in an image; of a TIFF file with several pages, with a section for each.

    Raises PassingError if Tesseract or one of its languages is missing, DocumentError if the
    image is damaged or has more than 80 million pixels.
    """
    _check_tesseract(languages)
    content = _recognised(_frames(data), languages)
    return content if len(content.sections) > 1 else replace(content, sections=())


def _check_tesseract(languages: str) -> None:
    if pytesseract is None:
        raise PassingError(_HOW_TO_INSTALL)
    try:
        installed = set(pytesseract.get_languages())
    except (OSError, RuntimeError, ValueError) as error:  # no such program, or it does not run
        raise PassingError(_HOW_TO_INSTALL) from error
    for language in languages.split("+"):
        if language not in installed:
            raise PassingError(
                f"cannot be read by Tesseract: its language “{language}” is not installed "
                f"(Debian: apt-get install tesseract-ocr-{language})"
            )


def _frames(data: bytes) -> Iterator[Any]:
    try:
        with Image.open(io.BytesIO(data)) as image:
            for number, frame in enumerate(ImageSequence.Iterator(image)):
                _check_frame(number, frame)
                yield ImageOps.exif_transpose(frame).convert("L")
    except (DocumentError, MemoryError, RecursionError):
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DocumentError(_TOO_LARGE) from error
    except Exception as error:
        # Of damaged images Pillow lets through what its decoders raise: OSError, SyntaxError,
        # ValueError, struct.error, EOFError, zlib.error, …
        raise DocumentError("is not an image, or is damaged") from error


def _check_frame(number: int, frame: Any) -> None:
    """Before it is decoded."""
    if number == _MAX_FRAMES:
        raise DocumentError(f"has more than {_MAX_FRAMES} pages")
    if frame.width * frame.height > _MAX_IMAGE_PIXELS:
        raise DocumentError(_TOO_LARGE)


def _recognised(images: Iterable[Any], languages: str) -> Content:
    content = content_of_parts(
        text_part("page", str(number), "" if image is None else _text(image, languages))
        for number, image in enumerate(images, start=1)
    )
    return replace(content, title=first_page_title(content))


def _text(image: Any, languages: str) -> str:
    try:
        text = pytesseract.image_to_string(image, lang=languages, timeout=_MAX_SECONDS)
    except OSError as error:
        raise PassingError("cannot be read by Tesseract") from error
    except (RuntimeError, ValueError) as error:
        raise DocumentError("cannot be read by Tesseract") from error
    return "\n\n".join(_joined(block.split("\n")) for block in re.split(r"\n\s*\n", text))


def _joined(lines: list[str]) -> str:
    """The lines of one block: those that are filled to their end run on in the next one."""
    widest = max(map(len, lines))
    joined = ""
    for number, line in enumerate(lines):
        joined += line
        if number + 1 == len(lines):
            break
        if re.search(r"[^\W\d_]-$", line) and lines[number + 1][:1].islower():
            joined = joined[:-1]
        else:
            joined += " " if len(line) >= 0.7 * widest else "\n"
    return joined
