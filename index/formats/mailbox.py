"""Mailboxes: many messages in one file, each after a line that begins with "From "."""

import re
from collections.abc import Iterator

from index.formats.content import Content, Part, content_of_parts, text_part
from index.formats.mail import letter_of
from models.errors import DocumentError

# RFC 4155, appendix A: such a line holds an address and a time, and stands after an empty one;
# the first header is below it. Some programs write no more than "From " or "From - ".
_SEPARATOR = re.compile(
    rb"(?:\A|(?<=\n\n)|(?<=\r\n\r\n))From (?:[^\r\n]*\d\d:\d\d[^\r\n]*|[^\s]*[ ]*)\r?\n"
    rb"(?=[!-9;-~]+:|>From |\Z)"
)
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)  # a line of the text that looks like one


def read(data: bytes) -> Content:
    """The messages of a mailbox, with a section for each, labelled "3: Subject".

    Of a message that is encrypted or cannot be read, the headers are kept. Raises
    DocumentError if ``data`` is no mailbox.
    """
    return content_of_parts(_messages(data.lstrip(b"\r\n")))


def _messages(data: bytes) -> Iterator[Part]:
    separators = list(_SEPARATOR.finditer(data))
    if not separators or separators[0].start():
        raise DocumentError("is not a mailbox: it does not begin with a line “From …”")
    ends = [separator.start() for separator in separators[1:]] + [len(data)]
    for number, (separator, end) in enumerate(zip(separators, ends, strict=True), start=1):
        yield _message(number, data[separator.end() : end])


def _message(number: int, data: bytes) -> Part:
    data = _QUOTED.sub(rb"\1", data)
    try:
        letter = letter_of(data)
    except (DocumentError, RecursionError):
        try:
            letter = letter_of(data, is_bodied=False)
        except (DocumentError, RecursionError):
            return text_part("message", str(number), data.decode("utf-8", "replace"))
    label = f"{number}: {letter.subject}" if letter.subject else str(number)
    return text_part("message", label, letter.text)
