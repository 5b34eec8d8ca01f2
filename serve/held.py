"""How many requests somebody has open at once: each holds a connection, and a page some streams."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from serve.refusal import Refusal


class Held:
    """At most ``most`` for each key; of a key without any, nothing is remembered."""

    def __init__(self, most: int) -> None:
        """Nobody has one open yet."""
        self._most = most
        self._open: Counter[str] = Counter()

    @contextmanager
    def one(self, key: str) -> Iterator[None]:
        """One more while it lasts. Raises Refusal if that is too many."""
        if self._open[key] >= self._most:
            raise Refusal(
                429,
                "busy",
                f"{self._most} requests of yours are open already: let some of them end.",
                headers={"Retry-After": "5"},
            )
        self._open[key] += 1
        try:
            yield
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]
