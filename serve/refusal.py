"""A request that is not answered: a status, one sentence, and what the client should know."""

import math
from collections.abc import Mapping

from starlette.responses import JSONResponse, Response

from serve.errors import body


class Refusal(Exception):  # noqa: N818  (it is an answer; nothing failed)
    """Told in place of a response, in the same form as the failures below /api."""

    def __init__(
        self, status: int, type_: str, message: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        """``message`` is one sentence, for the user."""
        super().__init__(message)
        self.status, self.type, self.message = status, type_, message
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """What is sent. The connection ends, for nobody reads what else may come on it."""
        headers = {"Connection": "close", **self.headers}
        return JSONResponse(body(self.type, self.message), self.status, headers)


def too_often(seconds: float) -> Refusal:
    """Come again after so many seconds."""
    return Refusal(
        429,
        "busy",
        f"That was too often: try again in {math.ceil(seconds)} seconds.",
        headers={"Retry-After": str(math.ceil(seconds))},
    )
