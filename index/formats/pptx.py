"""PowerPoint presentations: the text of each slide in reading order, and the speaker's notes."""

import io
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pptx
from pptx.enum.shapes import PP_PLACEHOLDER

from index.formats.content import (
    Block,
    BlockKind,
    Content,
    Part,
    clean,
    content_of,
    content_of_parts,
    named_title,
    one_line,
)
from index.formats.metadata import iso_date, named_author
from index.formats.package import check_package, is_ole
from models.errors import DocumentError

# What a slide repeats from its master.
_AROUND = {
    PP_PLACEHOLDER.DATE,
    PP_PLACEHOLDER.FOOTER,
    PP_PLACEHOLDER.HEADER,
    PP_PLACEHOLDER.SLIDE_NUMBER,
}
_LISTS = {PP_PLACEHOLDER.BODY, PP_PLACEHOLDER.OBJECT, PP_PLACEHOLDER.VERTICAL_BODY}

_BAND = 228_600  # EMU, a quarter of an inch; boxes that differ by less stand side by side


def read(data: bytes) -> Content:
    """The text of every slide, hidden ones too: its title, its shapes, then its notes.

    There is a section for each slide, labelled with its number, and in it one for its title.
    Shapes are read from top to bottom, and those side by side from left to right. Left out
    are charts, diagrams, text in pictures, and what the master puts on every slide. Raises
    DocumentError if the file needs a password, is damaged, or is of another kind.
    """
    if is_ole(data):
        raise DocumentError(
            "is not a PPTX file; PowerPoint or LibreOffice Impress can save it as one"
        )
    try:
        check_package(data)
        presentation = pptx.Presentation(io.BytesIO(data))
        slides = [_slide(slide) for slide in presentation.slides]
        properties = presentation.core_properties
        title = named_title(properties.title or "")
        author = named_author(properties.author or "")
        written = properties.created or properties.modified
    except (DocumentError, MemoryError, RecursionError):
        raise
    except Exception as error:
        # Like python-docx, it lets through what zipfile, zlib, lxml and its look-ups raise.
        raise DocumentError("is not a PPTX file, or is damaged") from error
    content = content_of_parts(
        Part("slide", str(number), content_of(blocks))
        for number, blocks in enumerate(slides, start=1)
    )
    headings = (block.text for blocks in slides for block in blocks if block.kind == "heading")
    return replace(
        content,
        title=title or next(filter(None, map(named_title, headings)), ""),
        author=author,
        date=iso_date(written.isoformat()) if written else "",
    )


def _slide(slide: Any) -> list[Block]:
    title = slide.shapes.title
    blocks = []
    if title is not None:
        blocks.append(Block("heading", one_line(clean(title.text_frame.text))))
    blocks += _shapes(shape for shape in slide.shapes if not _is_same(shape, title))
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        blocks += _paragraphs(slide.notes_slide.notes_text_frame, "paragraph")
    return blocks


def _is_same(shape: Any, title: Any) -> bool:
    return title is not None and shape.shape_id == title.shape_id


def _shapes(shapes: Iterable[Any]) -> Iterator[Block]:
    """The blocks of ``shapes`` and of those grouped in them, as they are read."""
    for shape in sorted(shapes, key=_place):
        if hasattr(shape, "shapes"):  # a group
            yield from _shapes(shape.shapes)
        elif getattr(shape, "has_table", False):
            yield from _rows(shape.table)
        elif shape.has_text_frame:
            kind = shape.placeholder_format.type if shape.is_placeholder else None
            if kind not in _AROUND:
                yield from _paragraphs(shape.text_frame, "item" if kind in _LISTS else "paragraph")


def _place(shape: Any) -> tuple[int, int]:
    return (shape.top or 0) // _BAND, shape.left or 0


def _paragraphs(frame: Any, kind: BlockKind) -> list[Block]:
    """The paragraphs of ``frame``; one alone is no list."""
    texts = [paragraph.text for paragraph in frame.paragraphs if paragraph.text.strip()]
    return [Block(kind if len(texts) > 1 else "paragraph", text) for text in texts]


def _rows(table: Any) -> Iterator[Block]:
    """A line for each row, cells apart."""
    for row in table.rows:
        words = [one_line(cell.text_frame.text) for cell in row.cells]
        filled = [word for word in words if word]
        if len(filled) > 1:
            yield Block("row", " | ".join(words))
        elif filled:
            yield Block("paragraph", filled[0])
