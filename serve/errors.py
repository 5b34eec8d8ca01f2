"""What a failure is in HTTP: a status, and one sentence in the body."""

import math

from pydantic import BaseModel

from models.errors import (
    AccountError,
    BusyError,
    DocumentError,
    FootnoteError,
    HistoryError,
    ModelError,
    QuestionError,
    StoppingError,
    StoreError,
    TimeLimitError,
    WorkersError,
)

_STATUSES: dict[type[FootnoteError], int] = {
    QuestionError: 400,
    DocumentError: 400,
    BusyError: 429,
    StoreError: 503,
    ModelError: 503,
    HistoryError: 503,
    AccountError: 503,
    StoppingError: 503,
    WorkersError: 503,
    TimeLimitError: 504,
}


class Problem(BaseModel):
    """What is wrong, and what mends it."""

    type: str
    message: str


class Problems(BaseModel):
    """The body of every failure below /api."""

    error: Problem


def status_of(error: FootnoteError) -> int:
    """The status of a response that tells of ``error``."""
    return next((code for kind, code in _STATUSES.items() if isinstance(error, kind)), 500)


def error_body(error: FootnoteError) -> dict[str, dict[str, str]]:
    """The body of that response: ``{"error": {"type": …, "message": …}}``."""
    return body(type(error).__name__.removesuffix("Error").lower(), str(error))


def body(type_: str, message: str) -> dict[str, dict[str, str]]:
    """The body of a failure that is told otherwise than by an error of ours."""
    return Problems(error=Problem(type=type_, message=message)).model_dump()


def headers_of(error: FootnoteError) -> dict[str, str]:
    """Further headers of that response: when it is worth asking again."""
    if isinstance(error, BusyError):
        return {"Retry-After": str(math.ceil(error.seconds))}
    return {}
