"""Tables as plain text, CSV and TSV: one line of text for each record."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator

from index.formats.content import Content
from index.formats.rows import Cell, Row, table_content
from index.formats.text import decode

# Where two of them part all records alike, the earlier one is meant: commas also stand in
# names and in numbers. (csv.Sniffer prefers the comma then, and takes names apart.)
_DELIMITERS = "\t;|,"
_SAMPLE = 20_000  # characters are enough to tell the delimiter by

_LETTER = re.compile(r"[^\W\d_]")
_TIMESTAMP = re.compile(r"\d{4}-?\d\d-?\d\dT[\d:.]*\S{0,6}")  # 2024-03-07T14:05:00Z
_YES_OR_NO = {"true", "false", "yes", "no"}


def read(data: bytes) -> Content:
    """The records of a table, with a section for each that counts them, header and all.

    Raises DocumentError if ``data`` is not text.
    """
    source = decode(data).replace("\r\n", "\n").replace("\r", "\n")
    delimiter = _delimiter(source)
    try:
        # A quotation mark that is never closed takes in the rest of the file, until the csv
        # module finds the cell too long.
        rows = list(_rows(source, delimiter, csv.QUOTE_MINIMAL))
    except csv.Error:
        rows = list(_rows(source, delimiter, csv.QUOTE_NONE))
    return table_content(rows)


def _delimiter(source: str) -> str:
    """What parts the most records of a sample into the same number of cells, two at least."""
    sample = source[:_SAMPLE]
    if len(source) > _SAMPLE:
        sample = sample[: sample.rfind("\n") + 1] or sample
    best, best_share = ",", 0.0
    for delimiter in _DELIMITERS:
        try:
            rows = list(_rows(sample, delimiter, csv.QUOTE_MINIMAL))
        except csv.Error:
            continue
        widths = Counter(len(row.cells) for row in rows if row.cells)
        width, count = widths.most_common(1)[0] if widths else (0, 0)
        if width > 1 and count / widths.total() > best_share:
            best, best_share = delimiter, count / widths.total()
    return best


def _rows(source: str, delimiter: str, quoting: int) -> Iterator[Row]:
    reader = csv.reader(
        io.StringIO(source, newline=""),
        delimiter=delimiter,
        quoting=quoting,  # type: ignore[arg-type]
        skipinitialspace=True,
    )
    for number, cells in enumerate(reader, start=1):
        yield Row(number, tuple(Cell(text, _is_text(text)) for text in cells))


def _is_text(text: str) -> bool:
    """Whether the cell can be the name of a column: it is not a number, a date, yes or no."""
    text = text.strip()
    if _TIMESTAMP.fullmatch(text) or text.casefold() in _YES_OR_NO:
        return False
    return _LETTER.search(text) is not None
