"""PDF: pages of lines that are put together again to paragraphs."""

import re
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pypdfium2

from index.formats.content import (
    Content,
    content_of_parts,
    first_page_title,
    named_title,
    text_part,
)
from index.formats.metadata import iso_date, named_author
from models.errors import DocumentError

_PDFIUM = threading.Lock()  # the library is not thread-safe

# A line and its end. For a hyphen that divides a word at the end of a line, pdfium puts U+FFFE
# (some of its functions U+0002) in place of both.
_LINE = re.compile("([^\r\n\ufffe\x02]+)([\ufffe\x02]?)")
_HYPHEN = re.compile(r"(?<=\w)[-\u2010]$")
_BULLET = re.compile("[•‣▪◦●○■□·] ")
_ITEM = re.compile(r"[–—*-] |\(?(\d{1,3}|[a-z]|[ivx]{1,4})[.)] |\d+(\.\d+)+ ", re.IGNORECASE)
_END_OF_SENTENCE = re.compile(r"[.!?:;…][\"'”’»)\]]*$")
_NO_SPACES = re.compile("[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")  # Chinese, Japanese


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a page and where it stands, in points; ``bottom`` grows up the page."""

    text: str
    is_divided: bool  # a hyphen stood at its end and is not in ``text``
    left: float
    right: float
    bottom: float
    height: float  # of its letters, so a measure of their size
    first_word: float  # the width of its first word


def read(data: bytes) -> Content:
    """The text of a PDF, with a section for each page, also for an empty or unreadable one.

    The text of a scan is empty. Raises DocumentError if the file needs a password, or is
    damaged so that no page can be read.
    """
    with _PDFIUM, closing(_open(data)) as document:
        title = named_title(_property(document, "Title"))
        author = named_author(_property(document, "Author"))
        date = iso_date(_property(document, "CreationDate"))
        pages = _pages(document)
    spacing = _usual_spacing(pages)
    compounds = {word.casefold() for page in pages for word in _compounds(page)}
    content = content_of_parts(
        text_part("page", str(number), _page_text(page, spacing, compounds))
        for number, page in enumerate(pages, start=1)
    )
    return replace(content, title=title or first_page_title(content), author=author, date=date)


def page_images(data: bytes, *, dots_per_inch: int, max_pixels: int) -> Iterator[Any]:
    """Each page as a grey PIL image, made when it is asked for; None for one that is unreadable.

    A page that would have more than ``max_pixels`` is drawn smaller. Raises DocumentError
    like ``read``.
    """
    with _PDFIUM:
        document = _open(data)
        count = len(document)
    try:
        for number in range(count):
            with _PDFIUM:
                image = _image(document, number, dots_per_inch / 72, max_pixels)
            yield image
    finally:
        with _PDFIUM:
            document.close()


def _image(document: Any, number: int, scale: float, max_pixels: int) -> Any:
    try:
        with closing(document[number]) as page:
            width, height = page.get_size()  # points, 72 to an inch
            scale = min(scale, (max_pixels / max(width * height, 1)) ** 0.5)
            with closing(page.render(scale=scale, grayscale=True)) as bitmap:
                return bitmap.to_pil().copy()
    except (pypdfium2.PdfiumError, AssertionError, ValueError):
        return None


def _open(data: bytes) -> Any:
    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD:
            raise DocumentError("needs a password") from error
        raise DocumentError("is not a PDF file, or is damaged") from error


def _property(document: Any, name: str) -> str:
    try:
        return str(document.get_metadata_value(name))
    except (UnicodeDecodeError, pypdfium2.PdfiumError):  # not UTF-16, whatever the file says
        return ""


def _pages(document: Any) -> list[list[_Line]]:
    """The lines of each page; one that cannot be read has none, as long as another can be."""
    pages: list[list[_Line]] = []
    unread: Exception | None = None
    readable = 0
    for number in range(len(document)):
        try:
            pages.append(_lines(document, number))
            readable += 1
        except (pypdfium2.PdfiumError, AssertionError) as error:
            unread = error  # pypdfium2 asserts that pdfium counts right
            pages.append([])
    if not readable:
        raise DocumentError("is not a PDF file, or is damaged") from unread
    return pages


def _lines(document: Any, number: int) -> list[_Line]:
    """The lines of a page that have words, in the order in which the file writes them."""
    with closing(document[number]) as page, closing(page.get_textpage()) as letters:
        text = letters.get_text_range(errors="surrogatepass")
        text = text.replace("\uf0b7", "•")  # the bullet of the font Symbol, as Word writes it
        return [
            _line(letters, text, found) for found in _LINE.finditer(text) if not found[1].isspace()
        ]


def _line(letters: Any, text: str, found: re.Match[str]) -> _Line:
    words = found[1].rstrip()
    start = found.end(1) - len(found[1].lstrip())
    words = words.strip()
    letter = re.search(r"\w", words)  # signs come from other fonts, and are of other sizes
    first = _box(letters, text, start)
    last = _box(letters, text, start + len(words) - 1)
    word_end = _box(letters, text, start + len(words.split()[0]) - 1)
    size = _box(letters, text, start + letter.start()) if letter else first
    bare = _HYPHEN.sub("", words)
    return _Line(
        text=bare,
        is_divided=bool(found[2]) or bare != words,
        left=min(first.left, last.left),
        right=max(first.right, last.right),
        bottom=size.bottom,
        height=size.top - size.bottom,
        first_word=max(first.right, word_end.right) - min(first.left, word_end.left),
    )


@dataclass(frozen=True, slots=True)
class _Box:
    left: float
    bottom: float
    right: float
    top: float


def _box(letters: Any, text: str, position: int) -> _Box:
    """The place of the character at ``position`` of the page's text, in its font's full height.

    pdfium counts in UTF-16, and it counts characters that the text does not show.
    """
    if not text.isascii():
        position = len(text[:position].encode("utf-16-le", "surrogatepass")) // 2
    index = pypdfium2.raw.FPDFText_GetCharIndexFromTextIndex(letters, position)
    try:
        return _Box(*letters.get_charbox(index, loose=True))
    except pypdfium2.PdfiumError:  # the character has no place of its own
        return _Box(0, 0, 0, 0)


# --- from lines to paragraphs ---


def _usual_spacing(pages: list[list[_Line]]) -> float:
    """From one line of running text to the next, in heights of its letters: the lower quartile."""
    steps = sorted(
        (line.bottom - below.bottom) / line.height
        for lines in pages
        for line, below in pairwise(lines)
        if 0 < line.height <= line.bottom - below.bottom <= 3 * line.height
    )
    return steps[len(steps) // 4] if steps else 1.2


def _compounds(lines: list[_Line]) -> list[str]:
    """The words with a hyphen that is not at the end of a line: there it is part of them."""
    return [word for line in lines for word in re.findall(r"\w+-\w+", line.text)]


def _page_text(lines: list[_Line], spacing: float, compounds: set[str]) -> str:
    parts: list[str] = []
    for number, line in enumerate(lines):
        parts.append(line.text)
        if number + 1 < len(lines):
            neighbours = lines[max(0, number - 6) : number + 7]
            parts.append(_between(line, lines[number + 1], neighbours, spacing, compounds))
        elif line.is_divided:
            parts.append("-")
    return "".join(parts)


def _between(
    line: _Line, below: _Line, neighbours: list[_Line], spacing: float, compounds: set[str]
) -> str:
    """What joins two lines: nothing, a hyphen or a space; or an end of line or paragraph."""
    if line.is_divided:
        return _hyphen(line.text, below.text, compounds)
    if min(line.height, below.height) <= 0:
        return "\n"  # one has no place
    if _is_one_row(line, below):
        return " "
    is_ended = _has_room(line, below, neighbours)
    if _is_set_off(line, below, spacing, is_ended=is_ended):
        return "\n\n"
    if is_ended or _is_item(below, line):
        return "\n"
    return "" if _NO_SPACES.match(line.text[-1]) and _NO_SPACES.match(below.text) else " "


def _is_item(line: _Line, above: _Line) -> bool:
    """Whether ``line`` begins an item of a list; dates and dashes also begin lines of prose."""
    if not _ITEM.match(line.text):
        return bool(_BULLET.match(line.text))
    return bool(_END_OF_SENTENCE.search(above.text) or _ITEM.match(above.text))


def _is_one_row(line: _Line, below: _Line) -> bool:
    """Whether pdfium took a row apart: at a wide gap, or around an exponent."""
    smaller = min(line.height, below.height)
    tops = (line.bottom + line.height, below.bottom + below.height)
    overlap = min(tops) - max(line.bottom, below.bottom)
    is_beside = below.left > line.right - smaller / 2
    return overlap > smaller * (0.3 if is_beside else 0.8)


def _is_set_off(line: _Line, below: _Line, spacing: float, *, is_ended: bool) -> bool:
    """Whether ``below`` begins a new block: in other letters, after a gap, or in a new column."""
    smaller, taller = sorted((line.height, below.height))
    step = line.bottom - below.bottom
    if step < 0:  # up: a new column, perhaps in the middle of a sentence
        return is_ended or bool(_END_OF_SENTENCE.search(line.text))
    return taller > 1.2 * smaller or step > 1.2 * spacing * taller


def _has_room(line: _Line, below: _Line, neighbours: list[_Line]) -> bool:
    """Whether the next line's first word would have fitted: then the line was ended on purpose."""
    edge = max(
        other.right
        for other in neighbours
        if abs(other.left - line.left) < 4 * line.height and other.height <= 1.2 * line.height
    )
    space = line.height / 4
    return line.right + space + below.first_word < edge


def _hyphen(before: str, after: str, compounds: set[str]) -> str:
    """Nothing if the hyphen only divided the word at the end of the line, else the hyphen."""
    start = re.search(r"\w*$", before)
    end = re.match(r"\w*", after)
    assert start and end  # they match anything
    if f"{start[0]}-{end[0]}".casefold() in compounds:
        return "-"
    return "" if start[0][-1:].isalpha() and end[0][:1].islower() else "-"
