"""What documents say of themselves: dates as ISO 8601, and names of authors."""

import re
from datetime import datetime
from email.utils import parsedate_tz

from index.formats.content import clean, one_line

# --- dates ---

_TIME = r"(?:[T ]+(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d+)?)?"
_TIME += r"(?: ?(?:Z|UTC|GMT|[+-]\d\d:?(?:\d\d)?))?)?"
_ISO = re.compile(
    r"(?P<year>\d{4})(?:(?P<gap>[-/.])(?P<month>\d{1,2})(?:(?P=gap)(?P<day>\d{1,2})"
    + _TIME
    + ")?)?",
    re.ASCII | re.IGNORECASE,
)
# 20190324, 20190324T140500Z, and D:20190324140500+01'00' as a PDF has it (ISO 32000-1, 7.9.4)
_DIGITS = re.compile(
    r"(?P<pdf>D:)?(?P<year>\d{4})(?:(?P<month>\d\d)(?:(?P<day>\d\d)"
    r"(?:T?(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)?)?)?)?(?:Z|[+-]\d\d)?[\d':]*",
    re.ASCII,
)
_DOTS = re.compile(r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})" + _TIME, re.ASCII)
_SLASHES = re.compile(r"(?P<one>\d{1,2})/(?P<two>\d{1,2})/(?P<year>\d{4})" + _TIME, re.ASCII)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<name>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,? )?"
_WORDS = tuple(
    re.compile(_WEEKDAY + words + "(?:,? at)?,?" + _TIME, re.ASCII | re.IGNORECASE)
    for words in (
        r"(?P<day>\d{1,2})(?:st|nd|rd|th)?(?: of)?[ -]" + _MONTH + r",?[ -](?P<year>\d{4})",
        _MONTH + r" (?P<day>\d{1,2})(?:st|nd|rd|th)?,? (?P<year>\d{4})",
        _MONTH + r",? (?P<year>\d{4})",
    )
)
# Where the clocks of programs begin: what they write when they know no date.
_EPOCHS = {"0001-01-01", "1601-01-01", "1899-12-30", "1904-01-01", "1970-01-01", "1980-01-01"}

_MAX_DATE = 100  # characters


def iso_date(text: str) -> str:
    """The date that ``text`` is, in ISO 8601 and as precise as it is; empty if it is none.

    The time is what the clock of the writer showed, without its zone. Which number is the
    month in 3/4/2019 cannot be known, so that is no date; nor are the days on which the
    clocks of programs begin, like 1 January 1970.
    """
    text = one_line(text) if len(text) <= 10 * _MAX_DATE else ""
    if not text or len(text) > _MAX_DATE:
        return ""
    date = _from_fields(text) or _from_mail(text)
    return "" if date[:10] in _EPOCHS else date


def _from_fields(text: str) -> str:
    for pattern in (_ISO, _DIGITS, _DOTS, _SLASHES, *_WORDS):
        found = pattern.fullmatch(text)
        if found:
            return _date_of(found.groupdict())
    return ""


def _date_of(fields: dict[str, str | None]) -> str:
    if fields.get("one") and fields.get("two"):
        first, second = int(fields["one"] or 0), int(fields["two"] or 0)
        if first <= 12 and second <= 12 and first != second:
            return ""  # the day first, or the month?
        day, month = (first, second) if first > 12 else (second, first)
        fields |= {"day": str(day), "month": str(month)}
    if fields.get("name"):
        fields["month"] = str(_MONTHS.index((fields["name"] or "").lower()[:3]) + 1)
    if "pdf" in fields and not fields["pdf"] and fields["month"] and not fields["day"]:
        return ""  # six digits alone are as likely a number
    names = ("year", "month", "day", "hour", "minute", "second")
    values = [int(value) for name in names if (value := fields.get(name)) is not None]
    return _iso(values)


def _from_mail(text: str) -> str:
    """As RFC 5322, 3.3, writes it: Sun, 24 Mar 2019 14:05:00 +0100."""
    try:
        found = parsedate_tz(text)
    except Exception:  # noqa: BLE001 it promises None for what it cannot read, and raises for some
        return ""
    # It makes a date of many things, among them "24 Mar"; every one here has its year and time.
    if found is None or not re.search(r"\b[0-9]{4}\b.*:|:.*\b[0-9]{4}\b", text):
        return ""
    return _iso(list(found[:6]))


def _iso(values: list[int]) -> str:
    """Year, month, day, hour, minute, second, as far as they are known."""
    try:
        moment = datetime(*[*values, 1, 1][: max(3, len(values))])  # type: ignore[arg-type]
    except (ValueError, OverflowError):  # no such day
        return ""
    if not 1000 <= moment.year <= 2999 and moment.year != 1:
        return ""
    length = {1: 4, 2: 7, 3: 10}.get(len(values), 19)
    return moment.isoformat(timespec="seconds")[:length]


# --- authors ---

# What programs write into an author field when nobody has told them a name.
_NO_AUTHOR = re.compile(
    r"(admin|administrator|user|unknown|owner|root|guest|default|anonymous|author|none|null|test"
    r"|(microsoft|ms)( office)?( user)?|office( user)?|windows( user)?|(home|pc|local) user"
    r"|user ?name|your name|python-docx|python-pptx|openpyxl|xlsxwriter|apache poi"
    r"|preinstalled|customer|valued .*customer|hp|dell|lenovo|acer|asus|toshiba"
    r"|benutzer|utilisateur|usuario|utente)\W*\d*",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"(?:https?:|www\.|@)", re.IGNORECASE)

_MAX_AUTHOR = 200  # characters; longer lists of authors are cut


def named_author(author: str) -> str:
    """``author`` on one line; empty if it is only a program's default, a link, or no letters."""
    author = one_line(clean(author)).strip(" ,;")
    is_named = re.search(r"[^\W\d_]", author) and not _ADDRESS.match(author)
    if not is_named or _NO_AUTHOR.fullmatch(author):
        return ""
    if len(author) > _MAX_AUTHOR:
        return author[:_MAX_AUTHOR].rsplit(" ", 1)[0].rstrip(" ,;") + "…"
    return author


def web_address(text: str) -> str:
    """``text`` if it is the whole address of a page on the web, else nothing."""
    text = clean(text).strip()
    is_address = len(text) <= 2000 and re.fullmatch(r"https?://[^\s/<>\"]+\S*", text, re.IGNORECASE)
    return text if is_address else ""
