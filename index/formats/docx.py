"""Word documents: paragraphs, headings, lists and tables in the order of the page."""

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import docx
from docx.enum.style import WD_STYLE_TYPE

from index.formats.content import (
    Block,
    BlockKind,
    Content,
    content_of,
    first_line_title,
    named_title,
    one_line,
)
from index.formats.metadata import iso_date, named_author
from index.formats.package import check_package, is_ole
from models.errors import DocumentError

_TEMPLATE_DATE = "2013-12-23T23:15:00"  # of python-docx's own template, in all that is made of it

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_TEXT = {f"{_W}t", "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"}
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
# What python-docx passes over when it lists paragraphs and runs, and their words with it:
# content controls (the cover pages of templates are made of them), insertions with tracked
# changes on, old smart tags. So the tree is walked here; python-docx opens it and names styles.
_AROUND_BLOCKS = {f"{_W}{name}" for name in ("sdt", "sdtContent", "ins", "moveTo", "customXml")}
_NOT_TEXT = {_FALLBACK, *(f"{_W}{name}" for name in ("pPr", "rPr", "del", "moveFrom", "rt"))}
_SIGNS = {f"{_W}tab": "\t", f"{_W}br": "\n", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "-"}


def read(data: bytes) -> Content:
    """The text of a Word document, with a section for each heading.

    Left out are headers, footers, footnotes, comments, and text that was deleted with
    tracked changes on. Raises DocumentError if the file needs a password, is damaged, or
    is of another kind.
    """
    if is_ole(data):
        raise DocumentError("is not a DOCX file; Word or LibreOffice can save it as one")
    try:
        check_package(data)
        document = docx.Document(io.BytesIO(data))
        blocks = list(_blocks(document.element.body, _Styles(document)))
        title = named_title(document.core_properties.title or "")
        author = named_author(document.core_properties.author or "")
        created = document.core_properties.created
    except (DocumentError, MemoryError, RecursionError):
        raise
    except Exception as error:
        # Of damaged files, python-docx lets through what zipfile, zlib, lxml and its own
        # look-ups raise: BadZipFile, zlib.error, XMLSyntaxError, KeyError, AttributeError, …
        raise DocumentError("is not a DOCX file, or is damaged") from error
    content = content_of(blocks)
    heading = next((named_title(block.text) for block in blocks if block.kind == "heading"), "")
    date = iso_date(created.isoformat()) if created else ""
    return replace(
        content,
        title=title or heading or first_line_title(content.text),
        author=author,
        date="" if date == _TEMPLATE_DATE else date,
    )


class _Styles:
    """What a paragraph is, by its style; each style is looked up once."""

    def __init__(self, document: Any) -> None:
        self._part = document.part
        self._kinds: dict[str | None, BlockKind] = {}

    def kind(self, paragraph: Any) -> BlockKind:
        """Whether ``paragraph`` (a w:p) is a heading, an item of a list, or neither."""
        name = paragraph.style
        if name not in self._kinds:
            self._kinds[name] = self._kind_of_style(
                self._part.get_style(name, WD_STYLE_TYPE.PARAGRAPH)
            )
        kind = self._kinds[name]
        is_numbered = paragraph.pPr is not None and paragraph.pPr.numPr is not None
        return "item" if kind == "paragraph" and is_numbered else kind

    def _kind_of_style(self, style: Any) -> BlockKind:
        """By the English names that Word itself keeps for its styles in every language."""
        for _ in range(10):  # a style can be based on another
            if style is None:
                break
            name = style.name or ""
            if name == "Title" or name.startswith("Heading"):
                return "heading"
            if name.startswith("List"):
                return "item"
            style = style.base_style
        return "paragraph"


def _blocks(container: Any, styles: _Styles) -> Iterator[Block]:
    """The paragraphs and tables of a body, a table cell or a text box, in order."""
    for element in container:
        if element.tag == f"{_W}p":
            yield Block(styles.kind(element), "".join(_words(element)))
            for box in element.iter(f"{_W}txbxContent"):
                if next(box.iterancestors(_FALLBACK), None) is None:
                    yield from _blocks(box, styles)
        elif element.tag == f"{_W}tbl":
            for row in element.iter(f"{_W}tr"):
                if next(row.iterancestors(f"{_W}tbl")) is element:
                    yield from _row(row, styles)
        elif element.tag in _AROUND_BLOCKS:
            yield from _blocks(element, styles)


def _row(row: Any, styles: _Styles) -> Iterator[Block]:
    """One line, cells apart; a row with one cell filled is a frame around what it holds."""
    cells = [list(_blocks(cell, styles)) for cell in row.iter(f"{_W}tc") if _row_of(cell) is row]
    filled = [blocks for blocks in cells if any(block.text.strip() for block in blocks)]
    if len(filled) == 1:
        yield from filled[0]
    elif filled:
        words = [one_line(" ".join(block.text for block in blocks)) for blocks in cells]
        yield Block("row", " | ".join(words))


def _row_of(cell: Any) -> Any:
    return next(cell.iterancestors(f"{_W}tr"))


def _words(element: Any) -> Iterator[str]:
    """The text of a paragraph, without that of the text boxes anchored in it."""
    for child in element:
        if child.tag in _TEXT:
            yield child.text or ""
        elif child.tag in _SIGNS:
            yield _SIGNS[child.tag]
        elif child.tag not in _NOT_TEXT and child.tag != f"{_W}txbxContent":
            yield from _words(child)
