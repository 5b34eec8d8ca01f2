"""Mail as it was saved, one message in a file: who wrote to whom and when, and the words."""

import codecs
import re
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import EmailMessage
from email.policy import EmailPolicy
from functools import lru_cache
from typing import Any

from index.formats.content import Content, clean, named_title, one_line
from index.formats.html import read as read_html
from index.formats.metadata import iso_date, named_author
from index.formats.text import decode
from models.errors import DocumentError

_SHOWN = ("Subject", "From", "To", "Cc", "Date")
# One of these is in every message; a file that has none is something else.
_USUAL = (*_SHOWN, "Message-ID", "Received", "Return-Path", "MIME-Version", "Content-Type")
_MAX_PARSED_HEADER = 2000  # characters; the parser's time grows with their square
_MAX_DECODED_HEADER = 20_000  # characters; longer ones are shown as they stand
_DECODES_NO_CHARSET = {"punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined"}
_INLINE_PGP = re.compile(r"\s*-----BEGIN PGP MESSAGE-----")
_SMIME = {"application/pkcs7-mime", "application/x-pkcs7-mime"}


@dataclass(frozen=True, slots=True)
class Letter:
    """A message: what is said of it, and its words. Each is empty if the message has none."""

    subject: str
    author: str
    date: str  # ISO 8601
    text: str
    is_encrypted: bool  # then the text is that of its headers alone


def read(data: bytes) -> Content:
    """A message: its headers, its text, and the names of what is attached to it.

    Raises DocumentError if it is encrypted, or if ``data`` is no message.
    """
    letter = letter_of(data)
    if letter.is_encrypted:
        raise DocumentError("is encrypted")
    return Content(letter.text, named_title(letter.subject), author=letter.author, date=letter.date)


def letter_of(data: bytes, *, is_bodied: bool = True) -> Letter:
    """The message in ``data``, or with ``is_bodied=False`` only what its headers say.

    Raises DocumentError if it is no message.
    """
    message = _parsed(data if is_bodied else re.split(rb"\r?\n\r?\n", data, maxsplit=1)[0])
    headers = {name: one_line(clean(_header(message, name))) for name in _SHOWN}
    lines = "\n".join(f"{name}: {value}" for name, value in headers.items() if value)
    body = _Body()
    if is_bodied:
        body.add(message)
    words = "\n\n".join(filter(None, (text.strip() for text in body.texts)))
    is_encrypted = body.is_encrypted or bool(_INLINE_PGP.match(words))
    attached = f"Attachments: {', '.join(body.attached)}" if body.attached else ""
    blocks = [lines] if is_encrypted else [lines, words, attached]
    return Letter(
        subject=headers["Subject"],
        author=named_author(_sender(message) or headers["From"]),
        date=iso_date(headers["Date"]) or iso_date(headers["Date"].partition(" (")[0]),
        text=clean("\n\n".join(filter(None, blocks))).strip(),
        is_encrypted=is_encrypted,
    )


# --- headers ---


class _Policy(EmailPolicy):
    """The standard library's, for hostile mail too: every header can be had as a text."""

    def header_fetch_parse(self, name: str, value: str) -> Any:
        if name.lower().startswith("content-"):
            value = value[:_MAX_PARSED_HEADER]  # no one reads it, and some of its readers are slow
        return _fetched(self, name, value)

    def fetched(self, name: str, value: str) -> Any:
        """The header ``name`` whose text in the message is ``value``."""
        value = re.sub(r"[\r\n]+", "", value)
        if not value.isascii():  # bytes that the parser could not read are kept as surrogates
            value = _decoded_header(value.encode("ascii", "surrogateescape"), "ascii")
        # Of a date the parser would make another, in its own words.
        if len(value) > _MAX_PARSED_HEADER or name.lower() == "date":
            return _plain(value)
        try:
            return self.header_factory(name, value)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 it raises IndexError, AttributeError, UnicodeError, …
            return _plain(value)


@lru_cache(maxsize=1000)
def _fetched(policy: _Policy, name: str, value: str) -> Any:
    """Each header is asked for many times, and many messages of a mailbox have the same."""
    return policy.fetched(name, value)


_POLICY = _Policy()


def _parsed(data: bytes) -> EmailMessage:
    data = data.removeprefix(codecs.BOM_UTF8).lstrip(b"\r\n")
    try:
        message = message_from_bytes(data, policy=_POLICY)
        is_message = any(name in message for name in _USUAL)
    except (MemoryError, RecursionError):
        raise
    except Exception as error:
        raise DocumentError("is not a mail message, or is damaged") from error
    if not is_message:
        raise DocumentError("is not a mail message")
    assert isinstance(message, EmailMessage)  # as the policy makes them
    return message


def _plain(value: str) -> str:
    """A header without the parser of its grammar: only its encoded words are decoded."""
    if len(value) > _MAX_DECODED_HEADER:
        return value
    try:
        return "".join(
            part if isinstance(part, str) else _decoded_header(part, charset)
            for part, charset in decode_header(value)
        )
    except (HeaderParseError, ValueError, LookupError):
        return value


def _header(message: EmailMessage, name: str) -> str:
    try:
        return str(message.get(name, ""))
    except (MemoryError, RecursionError):
        raise
    except Exception:  # noqa: BLE001 see _Policy
        return ""


def _sender(message: EmailMessage) -> str:
    """Each sender as “Name <address>”, or as the bare one of them that there is."""
    try:
        addresses = message["From"].addresses
        senders = [
            f"{address.display_name} <{address.addr_spec}>"
            if address.display_name and address.addr_spec
            else address.display_name or address.addr_spec
            for address in addresses
        ]
    except (MemoryError, RecursionError):
        raise
    except Exception:  # noqa: BLE001 there is no such header, or it could not be parsed
        return ""
    return ", ".join(filter(None, senders))


# --- the body ---


class _Body:
    """What a walk through the parts of a message finds."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.attached: list[str] = []
        self.is_encrypted = False

    def add(self, part: EmailMessage) -> None:
        """Take the words of ``part`` and of all that is in it."""
        kind = part.get_content_type()
        if kind == "multipart/encrypted" or (kind in _SMIME and not _is_only_signed(part)):
            self.is_encrypted = True
        elif kind == "multipart/alternative" and part.is_multipart():
            self._add_one_of(_parts(part))
        elif part.is_multipart() and kind.startswith("multipart/"):
            for inner in _parts(part):
                self.add(inner)
        else:
            text = _text(part, kind) if _is_text(part) else None
            if text is None:
                self.attached.append(_name(part))
            else:
                self.texts.append(text)

    def _add_one_of(self, parts: list[EmailMessage]) -> None:
        """Take the first of ``parts`` in plain text that says something, else the first other."""
        plain_first = sorted(parts, key=lambda part: part.get_content_type() != "text/plain")
        chosen = _Body()
        for part in plain_first:
            attempt = _Body()
            attempt.add(part)
            self.attached += attempt.attached
            self.is_encrypted |= attempt.is_encrypted
            if not any(text.strip() for text in chosen.texts):
                chosen = attempt
        self.texts += chosen.texts


def _parts(part: EmailMessage) -> list[EmailMessage]:
    inner: Any = part.get_payload()
    return list(inner)


def _is_text(part: EmailMessage) -> bool:
    """Whether ``part`` is there to be read, also if it is a multipart without its boundary."""
    if part.is_multipart() or _disposition(part) == "attachment":
        return False
    kind = part.get_content_type()
    return kind.startswith("multipart/") or (
        kind in ("text/plain", "text/html") and not _file_name(part)
    )


def _text(part: EmailMessage, kind: str) -> str | None:
    """The words of ``part``, or None if it holds none, whatever it says."""
    data = _bytes(part)
    if data.count(0) < len(data) / 100:
        data = data.replace(b"\0", b"")
    try:
        text = _decoded(data, _charset(part))
    except DocumentError:
        return None
    if kind != "text/html":
        return text
    if not text.strip():
        return ""
    try:
        return read_html(text.encode("utf-8", "replace")).text
    except DocumentError:  # there is nothing in it
        return ""


def _bytes(part: EmailMessage) -> bytes:
    try:
        data = part.get_payload(decode=True)
    except (MemoryError, RecursionError):
        raise
    except Exception:  # noqa: BLE001 what the decoders raise; then it is shown as it stands
        data = str(part.get_payload()).encode("ascii", "surrogateescape")
    return data if isinstance(data, bytes) else b""


def _decoded(data: bytes, charset: str | None) -> str:
    """As ``charset`` if that is right, else like other texts; DocumentError if it is none."""
    try:
        name = codecs.lookup(charset or "").name
    except (LookupError, ValueError):
        name = ""
    if name in _DECODES_NO_CHARSET:
        name = ""
    # Encodings that a text in ASCII can be taken for are not told by their bytes.
    if name.startswith(("iso2022", "hz", "utf-7", "utf-16", "utf-32")):
        try:
            return data.decode(name)
        except ValueError:
            pass
    return decode(data, declared=name if name != "ascii" else None)


def _decoded_header(data: bytes, charset: str | None) -> str:
    """Too short to guess its encoding by: what says nothing better is Western."""
    try:
        if charset is None or charset == "ascii":
            return decode(data, declared="cp1252")
        return _decoded(data, charset)
    except DocumentError:
        return data.decode("latin-1")


def _charset(part: EmailMessage) -> str | None:
    try:
        return part.get_content_charset()
    except Exception:  # noqa: BLE001 see _Policy
        return None


def _disposition(part: EmailMessage) -> str:
    try:
        return part.get_content_disposition() or ""
    except Exception:  # noqa: BLE001 see _Policy
        return ""


def _is_only_signed(part: EmailMessage) -> bool:
    try:
        return str(part.get_param("smime-type", "")).lower() in ("signed-data", "certs-only")
    except Exception:  # noqa: BLE001 see _Policy
        return False


def _file_name(part: EmailMessage) -> str:
    try:
        name = part.get_filename() or ""
    except Exception:  # noqa: BLE001 see _Policy
        return ""
    return one_line(clean(_plain(name)))


def _name(part: EmailMessage) -> str:
    """What is attached, by its file's name, by the subject of a message in it, or by its kind."""
    return _file_name(part) or _inner_subject(part) or part.get_content_type()


def _inner_subject(part: EmailMessage) -> str:
    if part.get_content_type() != "message/rfc822" or not part.is_multipart():
        return ""
    return next((one_line(clean(_header(inner, "Subject"))) for inner in _parts(part)), "")
