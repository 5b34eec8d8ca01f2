"""Where a model's server is: the address that a user gave, taken apart."""

import base64
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from models.errors import ModelError

_NO_ADDRESS = (
    "A model's server has an http or https address: give --llm one "
    "such as http://127.0.0.1:8080/v1."
)  # does not repeat what was given, which may hold a password


@dataclass(frozen=True, slots=True)
class Address:
    """The base of a server's API. What may be secret in it is never shown."""

    url: str  # for people, too: it has neither user nor query
    query: dict[str, str] = field(repr=False)
    basic: str = field(repr=False)  # the Authorization header of its user; empty without one

    def __str__(self) -> str:
        """As it is shown."""
        return self.url


def address_of(text: str) -> Address:
    """The address that ``text`` is; one without a path gets ``/v1``.

    Raises ModelError if it is no http or https address.
    """
    try:
        parts = urlsplit(text.strip())
        is_whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # such as a port that is no number
        is_whole = False
    if not is_whole or not text.isprintable() or " " in text.strip():
        raise ModelError(_NO_ADDRESS)
    user, at, place = parts.netloc.rpartition("@")
    return Address(
        url=f"{parts.scheme}://{place}{parts.path.rstrip('/') or '/v1'}",
        query=dict(parse_qsl(parts.query)),
        basic=f"Basic {base64.b64encode(unquote(user).encode()).decode()}" if at else "",
    )
