"""Workbooks of Excel and LibreOffice: one line of text for each row of each sheet."""

import datetime
import io
import zipfile
from typing import Any

import python_calamine

from index.formats.content import Content, Part, clean, content_of_parts, one_line
from index.formats.package import check_package, is_ole
from index.formats.rows import Cell, Row, table_content
from models.errors import DocumentError


def read(data: bytes) -> Content:
    """The rows of every sheet, hidden ones too, below the sheet's name.

    There is a section for each sheet, and in it one for each row that is not empty, labelled
    with its number in the sheet. Numbers are as they are stored, without the format of their
    cell: 0.03 for 3 %. Formulas give the value that was saved with them. Raises
    DocumentError if the file needs a password, is damaged, or is no workbook. A damaged file
    can make the library ask for more memory than there is, and end the process: an index is
    built in a sandbox.
    """
    is_old = is_ole(data)  # raises DocumentError if it is a newer one with a password
    try:
        if not is_old:
            _check(data)
        with python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data)) as workbook:
            return content_of_parts(
                _sheet(about.name, workbook.get_sheet_by_name(about.name))
                for about in workbook.sheets_metadata
                if about.typ == python_calamine.SheetTypeEnum.WorkSheet
            )
    except (DocumentError, MemoryError):
        raise
    except Exception as error:  # CalamineError, BadZipFile, zlib.error, EOFError, …
        # The library does not tell an old workbook with a password from a damaged one.
        why = "is damaged, or needs a password" if is_old else "is not a workbook, or is damaged"
        raise DocumentError(why) from error


def _check(data: bytes) -> None:
    check_package(data)
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        manifest = "META-INF/manifest.xml"
        if manifest in package.NameToInfo and b"encryption-data" in package.read(manifest):
            raise DocumentError("needs a password")


def _sheet(name: str, sheet: Any) -> Part:
    table = table_content(
        Row(number, tuple(Cell(*shown(value)) for value in cells))
        for number, cells in enumerate(sheet.iter_rows(), start=1)
    )
    name = one_line(clean(name))
    return Part("sheet", name, table, heading=name)


def shown(value: object) -> tuple[str, bool]:
    """A cell's value as a reader would write it, and whether it is text."""
    text = str(value)
    if isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, float):
        is_whole = value.is_integer() and abs(value) < 1e15
        text = str(int(value)) if is_whole else f"{value:.15g}"  # the digits that Excel keeps
    elif isinstance(value, datetime.datetime) and value.time() == datetime.time():
        text = value.date().isoformat()
    elif isinstance(value, datetime.datetime | datetime.time):
        is_to_the_minute = not (value.second or value.microsecond)
        text = value.isoformat(timespec="minutes" if is_to_the_minute else "seconds")
    elif isinstance(value, datetime.timedelta):
        text = _duration(value)
    return text, isinstance(value, str)


def _duration(value: datetime.timedelta) -> str:
    """Hours, minutes and seconds: 36:00:00 for a day and a half."""
    sign = "-" if value < datetime.timedelta() else ""
    minutes, seconds = divmod(round(abs(value.total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours}:{minutes:02}:{seconds:02}"
