"""Plain text, in whatever encoding it was written."""

import codecs
import re

from charset_normalizer import from_bytes

from index.formats.content import Content, clean, first_line_title
from models.errors import DocumentError

_BOMS = (  # UTF-32's first: its little-endian mark begins with UTF-16's
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# The encodings people's files are in. Left to try all that it knows, the guesser takes Russian
# in KOI8-R for Japanese, and Polish in ISO 8859-2 for Romanian.
_GUESSES = [
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp850", "cp866"),
    *("mac_roman", "iso8859_2", "iso8859_7", "koi8_r"),
    *("shift_jis", "euc_jp", "gb18030", "big5", "euc_kr"),
]
_HIGH_BYTES = bytes(range(128, 256))
_GUESS_FROM = 100_000  # bytes are enough to tell an encoding by
# Labels that mean more than they say: https://encoding.spec.whatwg.org/#names-and-labels
_WIDER = {"iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030"}

_CONTROL = re.compile("[\x01-\x08\x0e-\x1a\x1c-\x1f]")


def read(data: bytes) -> Content:
    """A plain text; its title is a first line that stands like one.

    Raises DocumentError if ``data`` is not text.
    """
    text = clean(decode(data))
    return Content(text, first_line_title(text))


def decode(data: bytes, *, declared: str | None = None) -> str:
    """``data`` as text: by its mark, as UTF-8, as ``declared``, or by the likeliest guess.

    Raises DocumentError if it is not text.
    """
    text = _decode(data, declared)
    if "\0" in text or len(_CONTROL.findall(text)) > max(2, len(text) // 50):
        raise DocumentError("is not text")
    return text


def _decode(data: bytes, declared: str | None) -> str:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    if b"\0" in data:
        return _decode_unmarked_utf16(data)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    text = _decode_as_declared(data, declared) if declared else None
    if text is not None:
        return text
    # One broken byte in a long UTF-8 file must not turn every accent into two letters.
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    if broken * 10 <= sum(not character.isascii() for character in text) - broken:
        return text
    return data.decode(_guess_encoding(data), "replace")


def _decode_unmarked_utf16(data: bytes) -> str:
    """UTF-16 has its zeros in every second byte; other files with zeros are not text."""
    for encoding, first in (("utf-16-le", 1), ("utf-16-be", 0)):
        zeros, others = data[first::2].count(0), data[1 - first :: 2].count(0)
        # Spaces, digits and line ends have such a zero in every language.
        if zeros > max(4, len(data) // 40) and others * 50 < zeros:
            return data.decode(encoding, "replace")
    raise DocumentError("is not text")


def _decode_as_declared(data: bytes, declared: str) -> str | None:
    try:
        name = codecs.lookup(declared).name
        return data.decode(_WIDER.get(name, name))
    except (LookupError, ValueError):  # no such encoding, or the label is wrong
        return None


def _guess_encoding(data: bytes) -> str:
    """The likeliest encoding, judged by the lines that are not plain ASCII."""
    sample, size = [], 0
    for line in data.splitlines():
        if not line.isascii():
            sample.append(line)
            size += len(line)
            if size > _GUESS_FROM:
                break
    guesses = from_bytes(b"\n".join(sample), cp_isolation=_GUESSES)
    best = guesses.best()
    if best is None:
        if len(data.translate(None, _HIGH_BYTES)) < len(data) * 0.9:
            raise DocumentError("is not text")
        return "utf-8"  # a text with some broken bytes in it
    for guess in guesses:
        # Of readings that look equally like writing, the commonest encoding is the right one.
        is_equal = guess.chaos <= best.chaos and guess.coherence >= best.coherence - 0.06
        if is_equal and "cp1252" in guess.could_be_from_charset:
            return "cp1252"
    return best.encoding
