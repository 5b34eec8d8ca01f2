"""JSON Lines: a record on each line."""

from index.formats.content import Content
from index.formats.json_text import content_of_records, parsed_lines
from index.formats.text import decode


def read(data: bytes) -> Content:
    """The records of a file, with a section for each, labelled from 1.

    Raises DocumentError with the first line that is not JSON: of a file that says more than
    can be read, nothing is read.
    """
    return content_of_records(parsed_lines(decode(data)))
