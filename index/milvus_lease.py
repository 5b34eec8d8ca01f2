"""One writer at a time, whichever machine it is on: the making of a collection is the lock.

A collection can be made once under a name. Who makes ``PREFIX_lock_000001`` has the lease; its one
row says who that is, and when it was last renewed. A lease that was not renewed for long, or whose
process has ended on this machine, has been left behind: the next one takes the number after it.
Before an index is switched the lease is looked at again, so a writer that was taken for dead, while
it only slept, switches nothing.
"""

import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from index.milvus import Field, Lookup, Milvus, MissingCollectionError
from models.errors import StoreError

_RENEWED_EVERY = 30.0
_LEFT_BEHIND_AFTER = 300.0
"""Seconds. The clocks of the machines may differ by less than that."""

_TOKEN = re.compile(r"by_([0-9a-f]{32})_(\d+)")
"""The field that says who made a collection, and when: the row is there only a moment later."""


@dataclass(frozen=True, slots=True)
class _Holder:
    """Who has a lease, as others see it."""

    collection: str
    token: str
    host: str
    process: int
    since: str
    renewed: float  # seconds since 1970

    def is_left_behind(self, *, is_alone: bool) -> bool:
        """``is_alone``: no other process can use this Milvus."""
        if is_alone and self.process and self.process != os.getpid():
            return True
        if self.host == socket.gethostname() and self.process and not _is_running(self.process):
            return True
        return time.time() - self.renewed > _LEFT_BEHIND_AFTER

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}, since {self.since}"


class Lease:
    """The right to write one index."""

    def __init__(self, milvus: Milvus, prefix: str, name: str) -> None:
        """``prefix`` begins the names of the collections of the index ``name``."""
        self._milvus = milvus
        self._prefix = f"{prefix}_lock_"
        self._name = name
        self._token = f"by_{uuid.uuid4().hex}_{int(time.time())}"
        self._since = f"{datetime.now():%H:%M:%S}"
        self._collection = ""

    @contextmanager
    def held(self) -> Iterator[None]:
        """Holds it, and renews it meanwhile. Raises StoreError if another one has it."""
        self._take()
        is_over = threading.Event()
        renewing = threading.Thread(target=self._renew_until, args=(is_over,), daemon=True)
        renewing.start()
        try:
            yield
        finally:
            is_over.set()
            renewing.join()
            self._milvus.drop(self._collection)

    def check(self) -> None:
        """Raises StoreError if another writer has taken over."""
        holders = self._holders()
        if [holder.token for holder in holders] != [self._token]:
            raise StoreError(
                f"Another process has begun to build the index “{self._name}”, for this one did "
                "not renew its lease: nothing was changed; wait until it has ended."
            )

    def _take(self) -> None:
        before = self._holders()
        is_alone = self._milvus.file is not None
        for holder in before:
            if not holder.is_left_behind(is_alone=is_alone):
                raise StoreError(self._told(holder))
        numbers = [int(holder.collection.removeprefix(self._prefix)) for holder in before]
        self._collection = f"{self._prefix}{max(numbers, default=0) + 1:06d}"
        failure = None
        try:
            self._milvus.create(
                self._collection,
                [
                    Field("row", "integer"), Field("host", "text"), Field("process", "integer"),
                    Field("since", "text"), Field("renewed", "integer"),
                    Field(self._token, "vector", 2),
                ],
            )  # fmt: skip
        except StoreError as error:  # most likely another one was quicker
            failure = error
        known = {holder.token for holder in before}
        now = self._holders()
        for holder in now:
            if holder.token not in known and holder.token != self._token:
                if self._token in {one.token for one in now}:
                    self._milvus.drop(self._collection)
                raise StoreError(self._told(holder)) from failure
        if failure:
            raise failure
        self._milvus.finish(self._collection, [Lookup(self._token, "FLAT", "IP")])
        self._renew()
        for holder in before:
            self._milvus.drop(holder.collection)

    def _renew_until(self, is_over: threading.Event) -> None:
        while not is_over.wait(_RENEWED_EVERY):
            with suppress(StoreError):  # ``check`` tells if it was too long
                self._renew()

    def _renew(self) -> None:
        self._milvus.put(
            self._collection,
            {
                "row": 0, "host": socket.gethostname(), "process": os.getpid(),
                "since": self._since, "renewed": int(time.time()), self._token: [0.0, 0.0],
            },
        )  # fmt: skip

    def _holders(self) -> list[_Holder]:
        """Who has made a lease and not dropped it."""
        found = (self._holder(name) for name in self._milvus.collections(self._prefix))
        return [holder for holder in found if holder]

    def _holder(self, collection: str) -> _Holder | None:
        try:
            tokens = map(_TOKEN.fullmatch, self._milvus.field_names(collection))
            token = next(filter(None, tokens))
        except (MissingCollectionError, StopIteration):  # dropped in between; or none of ours
            return None
        try:
            fields = ["host", "process", "since", "renewed"]
            (found,) = self._milvus.some(collection, "row == 0", fields)
            row = {field: found[field] for field in fields}
        except (StoreError, ValueError):  # its row is not there yet
            row = {"host": "", "process": 0, "since": "just now", "renewed": int(token[2])}
        return _Holder(collection, token.group(), **row)

    def _told(self, holder: _Holder) -> str:
        who = str(holder) if holder.process else "another process"
        return f"The index “{self._name}” is being built by {who}: wait until it has ended."


def _is_running(process: int) -> bool:
    """Whether there is such a process on this machine; on Windows nothing can tell."""
    if os.name == "nt":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it is another user's
    return True
