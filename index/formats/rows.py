"""Rows of a table as lines of text, each of which can be read and quoted on its own."""

from collections.abc import Iterable
from dataclasses import dataclass

from index.formats.content import Content, clean, one_line
from index.records import Section
from index.sentences import is_row
from models.errors import DocumentError

_LONGEST_NAME = 100
"""Characters; what is longer is no column's name. It would also be repeated in every line."""

_LONGEST_TEXT = 500_000_000
"""Characters. The names of the columns can make the text many times as long as the file."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What one cell shows. ``is_text`` is false for a number, a date, a yes or no."""

    text: str
    is_text: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One row; ``number`` is its place in the table as a reader counts, from 1."""

    number: int
    cells: tuple[Cell, ...]  # cells[i] is in column i; the empty ones have no text


def table_content(rows: Iterable[Row]) -> Content:
    """One line for each row that is not empty, with a section that names its number.

    If the first row that has two cells filled names the columns, the lines below it are
    “Name: value; Name: value”, without the empty cells, and it has no line of its own
    unless nothing is below. Otherwise a line is its cells: “value | value”. A line that
    could be taken for running text is set apart by blank lines.

    Raises DocumentError if the text has more than 500 million characters.
    """
    parts: list[str] = []
    sections: list[Section] = []
    position = 0
    previous = ""
    for number, line in _lines([row for row in map(_tidy, rows) if _filled(row)]):
        if previous:
            parts.append("\n" if is_row(previous) and is_row(line) else "\n\n")
            position += len(parts[-1])
        sections.append(Section("row", str(number), position, position + len(line)))
        parts.append(line)
        position += len(line)
        if position > _LONGEST_TEXT:
            raise DocumentError("is a table of more than 500 million characters")
        previous = line
    return Content("".join(parts), sections=tuple(sections))


def _tidy(row: Row) -> Row:
    """The row with each cell's text clean and on one line."""
    cells = tuple(Cell(one_line(clean(cell.text)), cell.is_text) for cell in row.cells)
    return Row(row.number, cells)


def _filled(row: Row) -> list[Cell]:
    return [cell for cell in row.cells if cell.text]


def _lines(rows: list[Row]) -> Iterable[tuple[int, str]]:
    """The number and the line of each of ``rows``, none of which is empty."""
    # Above the names of the columns often stands what the table is about, in one cell.
    first = next((place for place, row in enumerate(rows) if len(_filled(row)) > 1), len(rows))
    names: tuple[str, ...] = ()
    for place, row in enumerate(rows):
        if place == first and _is_header(row) and place + 1 < len(rows):
            names = tuple(cell.text.rstrip(" :") for cell in row.cells)
        elif names:
            yield row.number, _named(row, names)
        else:
            yield row.number, _joined(row)


def _is_header(row: Row) -> bool:
    """Whether the row's cells can be the names of columns: texts, short, no two the same."""
    cells = _filled(row)
    names = {cell.text.casefold() for cell in cells}
    are_names = all(cell.is_text and len(cell.text) <= _LONGEST_NAME for cell in cells)
    return are_names and len(names) == len(cells)


def _named(row: Row, names: tuple[str, ...]) -> str:
    padded = names + ("",) * (len(row.cells) - len(names))
    return "; ".join(
        f"{name}: {cell.text}" if name else cell.text
        for name, cell in zip(padded, row.cells, strict=False)
        if cell.text
    )


def _joined(row: Row) -> str:
    """The cells up to the last filled one; a row with one cell filled is just that."""
    filled = _filled(row)
    if len(filled) == 1:
        return filled[0].text
    end = max(place for place, cell in enumerate(row.cells) if cell.text) + 1
    start = next(place for place, cell in enumerate(row.cells) if cell.text)
    return " | ".join(cell.text for cell in row.cells[start:end])
