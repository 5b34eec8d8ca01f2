"""Under which address others come in, and what each of them may do how often."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from index.load import MAX_BYTES
from models.errors import AccountError
from serve.accounts import Accounts
from ui.local import HOSTS, host_name, origins_of

_MIB = 2**20

_URL = re.compile(r"https?://(\[[0-9a-f:]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Access:
    """Who is let in, and where. Without ``accounts``, nobody logs in, and this machine alone is.

    Raises AccountError where that would let everybody in, or ``url`` is none.
    """

    accounts: Accounts | None = None
    url: str | None = None  # where others reach it: https://footnote.example
    host: str = "127.0.0.1"  # where it listens
    api_per_minute: int = 120  # requests of one user, or one address, below /api, /v1 and /mcp
    all_per_minute: int = 1200  # and all of them; a page takes some sixty
    open_at_once: int = 64  # requests of one user, or one address; a page holds three
    sessions_per_minute: int = 60  # tabs that one user opens, or loads again
    largest_body: int = _MIB
    largest_upload: int = MAX_BYTES + _MIB  # the file, and the form around it
    piece_seconds: float = 20  # from one piece of a body to the next
    body_seconds: float = 600

    def __post_init__(self) -> None:
        """Lets nobody in by accident."""
        if self.url is not None and not _URL.fullmatch(self.url):
            raise AccountError(
                f"“{self.url}” is no address of a site: give one such as --url "
                "https://footnote.example, without a path."
            )
        if self.accounts is not None:
            return
        if self.host not in HOSTS:
            raise AccountError(
                f"Whoever reaches {self.host} could read the documents, for nobody must log in: "
                "run 'footnote users add NAME' first, or leave --host out."
            )
        if self.url is not None and urlsplit(self.url).hostname not in HOSTS:
            raise AccountError(
                f"Whoever reaches {self.url} could read the documents, for nobody must log in: "
                "run 'footnote users add NAME' first, or leave --url out."
            )

    @property
    def is_secure(self) -> bool:
        """Whether browsers come by TLS."""
        return self.url is not None and self.url.lower().startswith("https:")

    @property
    def cookie(self) -> str:
        """The name of the cookie that holds the session.

        Browsers take one that begins with “__Host-” over TLS and from this host alone, so no
        other site of the same domain can set it.
        """
        return "__Host-footnote" if self.is_secure else "footnote"

    def is_meant(self, host: str) -> bool:
        """Whether a request with this Host header may be for us."""
        name = host_name(host)
        if name is None:
            return False
        if name in HOSTS:
            return True
        if self.accounts is None:
            return False
        if self.url is not None:
            return name == urlsplit(self.url).hostname
        return self.host not in HOSTS

    def is_own(self, origin: str, host: str) -> bool:
        """Whether a page of this origin is ours, for a request with this Host header."""
        if self.url is None or host_name(host) in HOSTS:
            return origin in origins_of(host) or origin == self._origin
        return origin == self._origin

    @property
    def _origin(self) -> str | None:
        """What browsers call our pages; they leave out the port that the scheme has anyway."""
        if self.url is None:
            return None
        return re.sub(r"^(http:.*):80$|^(https:.*):443$", r"\1\2", self.url.lower())


def address_of(scope: Mapping[str, Any]) -> str:
    """Where a request comes from; of IPv6 the first half, for the other is the sender's choice."""
    client = scope.get("client")
    if not client:
        return ""
    try:
        address = ip_address(client[0].partition("%")[0])
    except ValueError:  # such as a test's
        return str(client[0])
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ip_network((address, 64), strict=False))
    return str(address)
