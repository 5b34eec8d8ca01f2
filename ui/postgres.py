"""A connection to PostgreSQL that does not wait for ever."""

import time
from collections.abc import Generator
from typing import Any

import psycopg


class ImpatientConnection(psycopg.Connection[Any]):
    """Ends when the server is silent for too long: it may be gone without a farewell.

    libpq's own limits do not see a server that is stopped, or a proxy whose server is gone.
    """

    patience: float | None = None
    """Seconds for each exchange with the server."""

    def wait(self, gen: Generator[Any, Any, Any], *arguments: Any, **options: Any) -> Any:
        """What the exchange ``gen`` ends with. Raises OperationalError if it takes too long."""
        if self.patience is None:
            return super().wait(gen, *arguments, **options)
        try:
            return super().wait(_limited(gen, self.patience), *arguments, **options)
        except _SilentError:
            self.close()  # the answer may still come, and would be taken for another's
            raise


class _SilentError(psycopg.OperationalError):
    pass


def _limited(gen: Generator[Any, Any, Any], seconds: float) -> Generator[Any, Any, Any]:
    """The same exchange. It is woken several times a second, also when nothing has come."""
    end = time.monotonic() + seconds
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > end:
                raise _SilentError(f"it was silent for {seconds:g} seconds")
            wanted = gen.send(ready)
    except StopIteration as ended:
        return ended.value
