"""The body of a request, as far as it is not too large and does not come too slowly."""

from dataclasses import dataclass

import anyio
from starlette.datastructures import Headers
from starlette.types import Message, Receive

from serve.refusal import Refusal


def _too_large() -> Refusal:
    return Refusal(413, "too_large", "This is larger than what is taken here.")


def check_framing(headers: Headers, *, most: int) -> None:
    """Raises Refusal if it is not certain where the body ends, or it is larger than ``most``."""
    lengths = headers.getlist("content-length")
    if (lengths and "transfer-encoding" in headers) or len(lengths) > 1:
        raise Refusal(400, "request", "Send either a Content-Length or a Transfer-Encoding.")
    if not lengths:
        return
    if not (lengths[0].isascii() and lengths[0].isdigit()):
        raise Refusal(400, "request", "The Content-Length is no number.")
    if len(lengths[0]) > 18 or int(lengths[0]) > most:
        raise _too_large()


@dataclass(slots=True)
class Body:
    """What is received of a request; raises Refusal where it is too large or too slow."""

    receive: Receive
    most: int  # bytes
    piece_seconds: float
    seconds: float
    refusal: Refusal | None = None  # that was raised
    _size: int = 0
    _deadline: float | None = None
    _is_whole: bool = False

    async def __call__(self) -> Message:
        """The next piece; what comes after the last one may take as long as it likes."""
        if self._is_whole:
            return await self.receive()
        try:
            return await self._piece()
        except Refusal as refusal:
            self.refusal = refusal
            raise

    async def _piece(self) -> Message:
        now = anyio.current_time()
        if self._deadline is None:
            self._deadline = now + self.seconds
        try:
            with anyio.fail_after(min(self.piece_seconds, self._deadline - now)):
                message = await self.receive()
        except TimeoutError as error:
            raise Refusal(408, "too_slow", "This came too slowly: send it again.") from error
        if message["type"] == "http.request":
            self._size += len(message.get("body", b""))
            self._is_whole = not message.get("more_body", False)
        if self._size > self.most:
            raise _too_large()
        return message

    async def whole(self) -> bytes | None:
        """All of it; None if whoever sends it is gone."""
        pieces = []
        while not self._is_whole:
            message = await self()
            if message["type"] != "http.request":
                return None
            pieces.append(message.get("body", b""))
        return b"".join(pieces)


def replayed(body: bytes, receive: Receive) -> Receive:
    """Gives ``body`` once more, and then what else comes."""
    is_given = False

    async def receive_again() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again
