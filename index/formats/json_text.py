"""JSON: records with a text among their fields, or only fields."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from index.formats.content import Content, content_of_parts, named_title, one_line, text_part
from index.formats.metadata import iso_date, named_author, web_address
from index.formats.text import decode
from models.errors import DocumentError

# The first of each that a record has, in whatever case, is what its name says.
_TEXT = ("text", "body", "content", "article", "description", "abstract", "summary", "message")
_TITLE = ("title", "headline", "name", "subject")
_AUTHOR = ("author", "authors", "byline", "creator")
_DATE = (
    *("date", "published", "publishedat", "published_at", "datepublished", "date_published"),
    *("publication_date", "pubdate", "pub_date", "created", "created_at", "createdat"),
)
_SOURCE = ("url", "source", "link", "canonical_url")

_MAX_DEPTH = 4  # of dotted keys; what lies deeper is listed under the key it is in
_MAX_DIGITS = 4300  # of a number: what Python itself reads


class _Number(str):
    """A number as the file writes it, so that a quote of it is found there again."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class _Field:
    key: str  # dotted, below the record
    value: str


def read(data: bytes) -> Content:
    """A list of records, an object that holds one list of them, or one object.

    The records of a list have sections, labelled from 1. Raises DocumentError if ``data``
    is not JSON.
    """
    source = decode(data)
    try:
        value = parsed(source)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and "\n" not in source[: error.pos].strip():
            # The first line is JSON: many a file of one record a line is named .json.
            return content_of_records(parsed_lines(source))
        raise DocumentError(f"is not JSON at line {error.lineno}") from error
    if isinstance(value, list):
        return content_of_records(value)
    key = _key_of_records(value) if isinstance(value, dict) else None
    if key is None:
        content = content_of_parts([text_part("record", "", _record_text(value))])
        content = replace(content, sections=())
        return _with_metadata(content, value) if isinstance(value, dict) else content
    around = {name: inner for name, inner in value.items() if name != key}
    return _with_metadata(content_of_records(value[key], before=_record_text(around)), value)


def content_of_records(records: list[Any], *, before: str = "") -> Content:
    """``records`` as a text with a section for each, after the text ``before`` them."""
    parts = [
        text_part("record", str(number), _record_text(record))
        for number, record in enumerate(records, 1)
    ]
    content = content_of_parts([text_part("record", "", before), *parts])
    return replace(content, sections=content.sections[1:])


# --- from JSON to values ---


def parsed(source: str) -> Any:
    """The value in ``source``; its numbers are texts.

    Raises json.JSONDecodeError if it is not JSON, and DocumentError if it is, but holds
    what cannot be told: a key twice, or a number without end.
    """
    return json.loads(
        source,
        object_pairs_hook=_object,
        parse_int=_number,
        parse_float=_number,
        parse_constant=_refuse_constant,
    )


def parsed_lines(source: str) -> list[Any]:
    """The values of the lines of ``source``. Raises DocumentError with the line that is not one."""
    values = []
    for number, line in enumerate(source.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            values.append(parsed(line))
        except json.JSONDecodeError as error:
            raise DocumentError(f"is not JSON at line {number}") from error
        except DocumentError as error:
            raise DocumentError(f"{error} at line {number}") from error
    return values


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise DocumentError(f"has the key “{_shown(twice)}” twice in one object")
    return found


def _number(digits: str) -> _Number:
    if len(digits) > _MAX_DIGITS:
        raise DocumentError(f"holds a number of more than {_MAX_DIGITS:,} digits")
    return _Number(digits)


def _refuse_constant(name: str) -> Any:
    raise DocumentError(f"holds {name}, which is not JSON")


def _shown(key: str) -> str:
    return one_line(key[:50].encode("utf-8", "replace").decode())


# --- from values to text ---


def _key_of_records(value: dict[str, Any]) -> str | None:
    """The key of the one list of objects in ``value``; None if it is itself a record."""
    lists = [
        key
        for key, inner in value.items()
        if isinstance(inner, list) and inner and all(isinstance(one, dict) for one in inner)
    ]
    return lists[0] if len(lists) == 1 and _key_of(value, _TEXT) is None else None


def _record_text(record: Any) -> str:
    """The title, the other fields on one line, and the text; or all the fields on one line."""
    if not isinstance(record, dict):
        # A bare text, a bare number, or a row of them.
        return record if isinstance(record, str) else ", ".join(_leaves(record))
    text = _key_of(record, _TEXT)
    if text is None:
        return _line(record)
    title = _key_of(record, _TITLE)
    others = {key: value for key, value in record.items() if key not in (text, title)}
    blocks = [one_line(record[title]) if title is not None else "", _line(others), record[text]]
    return "\n\n".join(filter(None, blocks))


def _key_of(record: dict[str, Any], names: tuple[str, ...]) -> str | None:
    """The key of the first of ``names`` that ``record`` has as a text with words."""
    keys: dict[str, str] = {}
    for key, value in record.items():
        if isinstance(value, str) and not isinstance(value, _Number) and value.strip():
            keys.setdefault(key.lower(), key)
    return next((keys[name] for name in names if name in keys), None)


def _line(record: dict[str, Any]) -> str:
    return "; ".join(f"{field.key}: {field.value}" for field in _fields(record, "", 1))


def _fields(value: Any, key: str, depth: int) -> Iterator[_Field]:
    """The scalar fields in ``value``, an object or a list of objects; empty ones are left out."""
    inner = value.items() if isinstance(value, dict) else enumerate(value, start=1)
    for name, one in inner:
        path = f"{key}.{name}" if key else str(name)
        if depth < _MAX_DEPTH and (isinstance(one, dict) or _holds_objects(one)):
            yield from _fields(one, path, depth + 1)
        elif words := ", ".join(_leaves(one)):
            yield _Field(one_line(path), words)


def _holds_objects(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(one, dict) for one in value)


def _leaves(value: Any) -> Iterator[str]:
    """The scalars in ``value`` in order, however deep, each on one line."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += reversed(one.values())
        elif isinstance(one, list):
            waiting += reversed(one)
        elif isinstance(one, bool):
            yield "true" if one else "false"
        elif one is not None and (words := one_line(str(one))):
            yield words


def _with_metadata(content: Content, value: dict[str, Any]) -> Content:
    fields = {key.lower(): inner for key, inner in value.items()}
    texts = {key: inner for key, inner in fields.items() if isinstance(inner, str)}
    title = _key_of(value, _TITLE)
    authors = (", ".join(_names(fields.get(name))) for name in _AUTHOR)
    return replace(
        content,
        title=named_title(value[title]) if title is not None else "",
        author=next(filter(None, map(named_author, authors)), ""),
        date=next(filter(None, (_date(texts.get(name, "")) for name in _DATE)), ""),
        source=next(filter(None, (web_address(texts.get(name, "")) for name in _SOURCE)), ""),
    )


def _date(text: str) -> str:
    """A bare number is as likely a count of seconds, unless it is a year."""
    is_year = re.fullmatch(r"[12][0-9]{3}", text)
    return "" if isinstance(text, _Number) and not is_year else iso_date(text)


def _names(author: Any) -> list[str]:
    """The names in a text, an object with a name, or a list of either."""
    authors = author[:20] if isinstance(author, list) else [author]
    names = (one.get("name") if isinstance(one, dict) else one for one in authors)
    return [name for name in names if isinstance(name, str) and not isinstance(name, _Number)]
