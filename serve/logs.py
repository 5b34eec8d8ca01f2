"""What the server says of itself: one JSON object a line on stderr, without anybody's text.

Who runs a server reads its logs, and so do backups and collectors of logs. So they hold neither
a question nor an answer nor a line of a document, unless ``--log-text`` asks for them:

- A record of Footnote's own has a constant message; what belongs to it stands in fields. Numbers
  are told, and strings in the fields of ``NAMES`` alone, which hold no text of anybody.
- An error is told as its class and the places in the code that it came through. Its message is
  told if it is of ``_SPEAKING``, which never quote a question or a document; other messages do,
  such as a KeyError's, or one that shows the value that it did not like.
- What other packages log or print is told as who said it and where in their code: their messages
  are made of what they were given. Of uvicorn, which sees requests but not what they mean, the
  message stays, without its arguments.
"""

import io
import logging
import os
import sqlite3
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from models.errors import (
    AccountError,
    BusyError,
    ModelError,
    StoppingError,
    StoreError,
    TimeLimitError,
)

NAMES = frozenset("request route method outcome via user address index model at error".split())
"""Fields whose strings are told: who asked, and names that this program or its keeper gave."""

REQUEST: ContextVar[str] = ContextVar("request", default="")
"""The id of the request that is being answered."""

_OWN = frozenset({"models", "index", "rag", "ui", "serve", "footnote"})

_SPEAKING = (ModelError, StoreError, BusyError, TimeLimitError, StoppingError, AccountError)

_QUIET = ("uvicorn", "uvicorn.error", "uvicorn.asgi", "gradio", "mcp", "httpx", "openai", "fastapi")
"""Those that may bring handlers of their own; what they say goes the common way."""

_ERRORS, _FRAMES = 8, 12
"""At most so many errors that led to one another, and the last places of each."""

log = logging.getLogger(__name__)


def set_up(*, with_text: bool, stream: TextIO | None = None) -> ExitStack:
    """Send all that is logged or printed on stderr to ``stream`` (stderr itself), as JSON lines.

    Closing what it gives brings back what was before. With ``with_text``, records hold
    questions, answers and errors' messages, too.
    """
    undo = ExitStack()
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Formatter(with_text=with_text))
    handler.addFilter(_is_told)
    _take(undo, logging.getLogger(), logging.WARNING, [handler])
    for name in _OWN:
        _take(undo, logging.getLogger(name), logging.INFO, [])
    for name in _QUIET:
        _take(undo, logging.getLogger(name), logging.WARNING, [])
    for holder, name, replacement in (
        (sys, "stderr", _Printed(stream)),
        (sys, "unraisablehook", _unraisable),
        (threading, "excepthook", _ended),
        (warnings, "showwarning", _warned),
    ):
        undo.callback(setattr, holder, name, getattr(holder, name))
        setattr(holder, name, replacement)
    return undo


def _take(
    undo: ExitStack, logger: logging.Logger, level: int, handlers: list[logging.Handler]
) -> None:
    """Has ``logger`` speak through ``handlers``; without any, through the root's."""
    undo.callback(logger.setLevel, logger.level)
    undo.callback(setattr, logger, "handlers", logger.handlers)
    undo.callback(setattr, logger, "propagate", logger.propagate)
    logger.setLevel(level)
    logger.handlers = handlers
    logger.propagate = True


def _is_told(record: logging.LogRecord) -> bool:
    """Whether a record is told at all; gives it the id of its request.

    A package may set its logger's level when it is imported, as openai does, which would then
    log whole prompts. uvicorn's log of requests holds query strings; ``serve.logged`` has one.
    """
    if request := REQUEST.get():
        record.request = request
    if _is_own(record):
        return True
    return record.levelno >= logging.WARNING and record.name != "uvicorn.access"


def _is_own(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] in _OWN


class _Formatter(JsonFormatter):
    """A record as one JSON object; see the module."""

    def __init__(self, *, with_text: bool) -> None:
        super().__init__(json_ensure_ascii=False)
        self._with_text = with_text

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        time = datetime.fromtimestamp(record.created, UTC)
        log_data["time"] = time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        log_data["level"] = record.levelname
        log_data["logger"] = record.name
        given = {name: value for name, value in vars(record).items() if name not in RESERVED_ATTRS}
        if self._with_text:
            log_data["event"] = record.getMessage()
            log_data.update(given)
            if record.exc_info:
                log_data["traceback"] = "".join(traceback.format_exception(record.exc_info[1]))
            return
        is_own = _is_own(record)
        if is_own or record.name.startswith("uvicorn"):
            log_data["event"] = str(record.msg).partition("\n")[0]
        else:
            log_data["event"] = "another package's message"
            log_data["at"] = f"{record.filename}:{record.lineno}"
        log_data.update(
            (name, value)
            for name, value in given.items()
            if name == "request" or (is_own and _is_nobodys_text(name, value))
        )
        if record.exc_info and record.exc_info[1]:
            log_data["errors"] = list(told(record.exc_info[1]))


def _is_nobodys_text(name: str, value: object) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and name in NAMES)


def told(error: BaseException) -> Iterator[dict[str, Any]]:
    """What may be told of ``error`` and of those that led to it, each as a JSON object."""
    waiting, seen = [error], set[int]()
    while waiting and len(seen) < _ERRORS:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield {"type": type(one).__qualname__, **_words(one), "at": _places(one.__traceback__)}
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
        led = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
        waiting += [led] if led else []


def _words(error: BaseException) -> dict[str, str]:
    """The error's message, if there is one that quotes nobody."""
    if isinstance(error, _SPEAKING):
        return {"message": str(error)}
    if isinstance(error, sqlite3.Error):  # its message may hold the words that were searched for
        return {"message": getattr(error, "sqlite_errorname", "")}
    if isinstance(error, OSError) and error.errno:  # its message may hold a document's name
        return {"message": os.strerror(error.errno)}
    return {}


def _places(trace: TracebackType | None) -> list[str]:
    places = []
    for frame, line in traceback.walk_tb(trace):
        module = frame.f_globals.get("__name__", "?")
        places.append(f"{module}:{line} {frame.f_code.co_qualname}")
    return places[-_FRAMES:]


# What does not come through a logger

_TOLD = "_footnote_is_told"


class _Printed(io.TextIOBase):
    """In the place of stderr. What is printed there becomes a record.

    Gradio prints the errors of a page's events, with their messages.
    """

    encoding = "utf-8"

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._thread = threading.local()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()

    def flush(self) -> None:
        self._stream.flush()

    def write(self, text: str) -> int:
        # What logging prints when it fails itself would come back here without an end.
        if text.strip() and not getattr(self._thread, "is_writing", False):
            self._thread.is_writing = True
            try:
                self._record(text)
            finally:
                self._thread.is_writing = False
        return len(text)

    def _record(self, text: str) -> None:
        error = sys.exc_info()[1]
        if error is None:
            place = sys._getframe(2)  # who called ``write``, for there is no other way to know it
            at = f"{place.f_globals.get('__name__', '?')}:{place.f_lineno}"
            log.warning("something was printed", extra={"at": at, "text": text.rstrip()})
        elif not vars(error).get(_TOLD):  # it is printed line by line
            vars(error)[_TOLD] = True
            log.error("an error was printed", exc_info=error)


def _ended(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        log.error("a thread ended in an error", exc_info=args.exc_value)


def _unraisable(args: "sys.UnraisableHookArgs") -> None:
    if args.exc_value is not None:
        log.error("an error that nobody could take", exc_info=args.exc_value)


def _warned(  # noqa: PLR0917  (as ``warnings`` calls it)
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    at = f"{os.path.basename(filename)}:{lineno}"  # noqa: PTH119  (may be no path)
    log.warning("a warning", extra={"error": category.__name__, "at": at, "text": str(message)})
