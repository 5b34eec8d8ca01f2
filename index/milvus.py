"""Milvus, as far as an index needs it: the one file that knows pymilvus and milvus-lite.

A cluster is named by its address, and asked for with the token in FOOTNOTE_STORE_TOKEN. A file
is opened by the embedded milvus-lite: its server runs in this process and listens on a socket in a
folder that only this user may enter, for it asks for no password. What goes wrong leaves this
file as a StoreError.
"""

import atexit
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import numpy as np

from index.encoders import Vectors
from models.errors import StoreError

os.environ.setdefault("PYTHON_DOTENV_DISABLED", "1")  # pymilvus would take settings from .env files

import grpc
from pymilvus import DataType, Function, FunctionType, MilvusClient
from pymilvus.exceptions import ErrorCode, MilvusException

for _library in ("pymilvus", "milvus_lite"):  # what they would print is told in words
    logging.getLogger(_library).setLevel(logging.CRITICAL + 1)

TOKEN = "FOOTNOTE_STORE_TOKEN"
"""The environment variable with the token, or “user:password”, for a cluster."""

MOST_ROWS = 1000
"""Rows that are asked for by number at once; Milvus gives up to 16,384."""

LONGEST_TEXT = 16_000
"""Characters of a text in Milvus: it allows 65,535 bytes, and a character has up to four."""

_SECONDS = 30.0
"""How long an answer is waited for, with all attempts."""
_BUILDING_SECONDS = 24 * 3600.0
"""And the building of an index."""

_BETWEEN_LOOKS = 0.2
"""Seconds between two looks at whether an index is made."""

_NOT_LOADED = 101  # Milvus's code; that of a collection that is not there, pymilvus knows
_NO_CONNECTION = 2
_NO_ENTRY = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)


class MissingCollectionError(StoreError):
    """A collection is not there, or not loaded."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a collection."""

    name: str
    kind: Literal["integer", "text", "words", "vector"]  # "words": text that BM25 searches, too
    dimension: int = 0  # of a vector


@dataclass(frozen=True, slots=True)
class Lookup:
    """How the field of that name is searched."""

    name: str
    kind: str  # Milvus's name of the type of index
    metric: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """A row that a search found."""

    score: float  # higher is better: cosine, or BM25
    row: dict[str, Any]  # its fields


BM25 = "bm25"
"""The field that Milvus makes of the one whose words are searched."""

_WORDS = {"tokenizer": "standard"}
"""Words come as stems already (``index.lexical``): they are only to be parted at the spaces."""


class Milvus:
    """One Milvus, connected to when it is first asked; may be used from several threads."""

    def __init__(self, url: str) -> None:
        """``url`` is http(s)://HOST:PORT, milvus-lite:FILE, or a file that ends with “.db”.

        Raises StoreError if it is none of these, or holds a password.
        """
        self.url = url
        self.file = _file(url)
        self._lock = threading.Lock()
        self._connected: MilvusClient | None = None
        self._embedded: _Embedded | None = None

    def close(self) -> None:
        """Closes the connection, and with it the file; the next call opens it again."""
        with self._lock:
            if self._connected:
                self._connected.close()
            if self._embedded:
                self._embedded.close()
            self._connected = self._embedded = None

    @property
    def _client(self) -> MilvusClient:
        with self._lock:
            if self._connected is None:
                uri, token = self.url, os.environ.get(TOKEN, "")
                if self.file:
                    self._embedded = _Embedded(self.file)
                    uri, token = self._embedded.uri, ""
                try:
                    self._connected = MilvusClient(uri=uri, token=token, timeout=_SECONDS)
                except BaseException:
                    if self._embedded:
                        self._embedded.close()
                    raise
            return self._connected

    @contextmanager
    def _asked(self) -> Iterator[MilvusClient]:
        """The client; what it raises leaves as StoreError."""
        try:
            yield self._client
        except (MilvusException, grpc.RpcError) as error:
            raise self._error(error) from error

    def _error(self, error: MilvusException | grpc.RpcError) -> StoreError:
        if _is_no_entry(error):
            return StoreError(
                f"{self.url} does not let this program in: set {TOKEN} to its token, or to "
                "user:password."
            )
        code: Any = error.code() if isinstance(error, grpc.Call) else None
        message = error.details() if isinstance(error, grpc.Call) else str(error)
        if isinstance(error, MilvusException):
            code, message = error.code, error.message
        if code in (ErrorCode.COLLECTION_NOT_FOUND, _NOT_LOADED):
            return MissingCollectionError(
                f"A collection is missing in {self.url} ({message}): build the index again."
            )
        if code in (_NO_CONNECTION, grpc.StatusCode.UNAVAILABLE):
            return StoreError(f"No Milvus answers at {self.url}: start it, or correct --store.")
        return StoreError(
            f"Milvus at {self.url} cannot do this ({message}): see its log, then run it again."
        )

    # --- collections ---

    def collections(self, prefix: str) -> list[str]:
        """The names of the collections that begin so, sorted."""
        with self._asked() as client:
            names = client.list_collections(timeout=_SECONDS)
        return sorted(name for name in names if name.startswith(prefix))

    def create(self, name: str, fields: Sequence[Field]) -> None:
        """Makes an empty collection; the first of ``fields`` is what its rows are named by."""
        kinds: dict[str, tuple[DataType, dict[str, Any]]] = {
            "integer": (DataType.INT64, {}),
            "text": (DataType.VARCHAR, {"max_length": 65_535}),
            "words": (
                DataType.VARCHAR,
                {"max_length": 65_535, "enable_analyzer": True, "analyzer_params": _WORDS},
            ),
        }
        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        for one in fields:
            type_, options = kinds.get(one.kind, (DataType.FLOAT_VECTOR, {"dim": one.dimension}))
            schema.add_field(one.name, type_, is_primary=one is fields[0], **options)
            if one.kind == "words":
                schema.add_field(BM25, DataType.SPARSE_FLOAT_VECTOR)
                schema.add_function(Function(BM25, FunctionType.BM25, [one.name], [BM25]))
        with self._asked() as client:
            client.create_collection(name, schema=schema, timeout=_SECONDS)

    def field_names(self, name: str) -> list[str]:
        """The names of the fields of a collection."""
        with self._asked() as client:
            described = client.describe_collection(name, timeout=_SECONDS)
        return [one["name"] for one in described["fields"]]

    def drop(self, name: str) -> None:
        """Removes a collection, if it is there."""
        with self._asked() as client:
            client.drop_collection(name, timeout=_SECONDS)

    def alias(self, alias: str) -> str | None:
        """The name of the collection that ``alias`` stands for, or None."""
        try:
            with self._asked() as client:
                return str(client.describe_alias(alias, timeout=_SECONDS)["collection_name"])
        except StoreError as error:
            if _is_no_alias(error.__cause__):
                return None
            raise

    def point(self, alias: str, name: str) -> None:
        """From now on ``alias`` stands for that collection, and for no other."""
        do = "create_alias" if self.alias(alias) is None else "alter_alias"
        with self._asked() as client:
            getattr(client, do)(name, alias, timeout=_SECONDS)

    # --- rows ---

    def insert(self, name: str, rows: list[dict[str, Any]]) -> None:
        """Adds rows, each a value for every field."""
        with self._asked() as client:
            client.insert(name, rows, timeout=_BUILDING_SECONDS)

    def put(self, name: str, row: dict[str, Any]) -> None:
        """Adds a row in the place of the one of the same name."""
        with self._asked() as client:
            client.upsert(name, [row], timeout=_SECONDS)

    def finish(self, name: str, lookups: Sequence[Lookup]) -> None:
        """Writes what was added to the disk, makes its indexes, and loads them."""
        with self._asked() as client:
            client.flush(name, timeout=_BUILDING_SECONDS)
            params = client.prepare_index_params()
            for one in lookups:
                metric = {"metric_type": one.metric} if one.metric else {}
                # Nested: pymilvus would mix the options with the rest, and milvus-lite, unlike
                # Milvus, then takes none of them.
                options = {"params": one.options} if one.options else {}
                params.add_index(one.name, one.kind, index_name=one.name, params=options, **metric)
            # pymilvus would wait for each of them, and half a second at the least.
            client.create_index(name, params, timeout=_BUILDING_SECONDS, sync=False)
            for one in lookups:
                while (state := _state(client, name, one.name)) != "Finished":
                    if state == "Failed":
                        raise StoreError(
                            f"Milvus at {self.url} cannot make the index of “{one.name}”: see "
                            "its log, then run it again."
                        )
                    time.sleep(_BETWEEN_LOOKS)
        self.load(name)

    def load(self, name: str) -> None:
        """Has a collection answer; nothing happens if it does already."""
        with self._asked() as client:
            client.load_collection(name, timeout=_BUILDING_SECONDS)

    def count(self, name: str) -> int:
        """The number of rows of a loaded collection."""
        with self._asked() as client:
            (counted,) = client.query(
                name, output_fields=["count(*)"], consistency_level="Strong", timeout=_SECONDS
            )
        return int(counted["count(*)"])

    def some(self, name: str, where: str, fields: list[str]) -> list[dict[str, Any]]:
        """The rows for which ``where`` holds, in any order; there must not be many."""
        with self._asked() as client:
            rows = client.query(name, where, fields, consistency_level="Strong", timeout=_SECONDS)
        return [dict(row) for row in rows]

    def every(self, name: str, where: str, fields: list[str]) -> Iterator[dict[str, Any]]:
        """The rows for which ``where`` holds, however many, by what they are named by."""
        with self._asked() as client:
            pages = client.query_iterator(
                name, batch_size=MOST_ROWS, filter=where, output_fields=fields, timeout=_SECONDS
            )
        try:
            while True:
                with self._asked():
                    rows = pages.next()
                if not rows:
                    return
                yield from (dict(row) for row in rows)
        finally:
            pages.close()

    def search(
        self,
        name: str,
        field: str,
        queries: Vectors | Sequence[str],
        *,
        limit: int,
        fields: list[str],
        where: str = "",
        options: dict[str, Any] | None = None,
    ) -> list[list[Found]]:
        """For each of ``queries``, vectors or words, the rows that are nearest, best first.

        Only rows for which ``where`` holds; with what they have in ``fields``.
        """
        metric = "BM25" if field == BM25 else "IP"
        with self._asked() as client:
            found = client.search(
                name,
                data=list(queries),
                anns_field=field,
                filter=where,
                limit=limit,
                output_fields=fields,
                search_params={"metric_type": metric, "params": options or {}},
                timeout=_SECONDS,
            )
        # milvus-lite gives BM25 as a distance, below zero.
        sign = -1 if metric == "BM25" and self._has_distances(found) else 1
        return [
            [Found(sign * float(hit["distance"]), dict(hit["entity"])) for hit in hits]
            for hits in found
        ]

    @staticmethod
    def _has_distances(found: Any) -> bool:
        return any(hit["distance"] < 0 for hits in found for hit in hits)


def _state(client: MilvusClient, name: str, field: str) -> str:
    return str(client.describe_index(name, field, timeout=_SECONDS)["state"])


def as_vectors(values: Sequence[Any]) -> Vectors:
    """Vectors as Milvus gives them as float32, (n, d)."""
    return np.asarray(values, dtype=np.float32)


def _is_no_entry(error: BaseException | None) -> bool:
    """Whether Milvus refused the token: pymilvus may tell it as a lost connection."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:  # it also raises an error from itself
        if isinstance(error, grpc.Call) and error.code() in _NO_ENTRY:
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def _is_no_alias(error: BaseException | None) -> bool:
    """Milvus says so with a code of its own (1600), milvus-lite with that of a collection."""
    return isinstance(error, MilvusException) and (
        error.code in (ErrorCode.COLLECTION_NOT_FOUND, 1600) or "alias not found" in error.message
    )


def _file(url: str) -> Path | None:
    """The file of the embedded Milvus, or None if ``url`` is the address of a cluster."""
    scheme, _, rest = url.partition(":")
    if scheme in ("http", "https"):
        parts = urlsplit(url)
        if parts.username or parts.password:
            raise StoreError(
                f"The URL of a store holds no password, for others may see it: set {TOKEN} to "
                "user:password, and leave it out of --store."
            )
        if parts.hostname:
            return None
    elif scheme == "milvus-lite" and rest:
        return Path(rest).expanduser().resolve()
    elif url.endswith(".db"):
        return Path(url).expanduser().resolve()
    raise StoreError(
        f"“{url}” is no store: give http://HOST:19530 for a Milvus cluster, or a file that ends "
        "with .db for the embedded milvus-lite."
    )


class _Embedded:
    """milvus-lite on a file, in this process."""

    def __init__(self, file: Path) -> None:
        """Raises StoreError if it is not installed, or the file is in use, or none of its own."""
        try:
            from milvus_lite.adapter.grpc.server import (  # noqa: PLC0415  (a cluster needs none)
                start_server_in_thread,
            )
            from milvus_lite.exceptions import DataDirLockedError, MilvusLiteError  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise StoreError(
                "milvus-lite is not installed: run \"pip install 'footnote[milvus]'\"."
            ) from error
        self._folder = tempfile.mkdtemp(prefix="footnote-")
        socket = f"{self._folder}/socket"
        self.uri = f"unix:{socket}"
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._server, self._files, _ = start_server_in_thread(
                str(file), host="unix", port=socket
            )
        except (MilvusLiteError, OSError) as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            if isinstance(error, DataDirLockedError):
                raise StoreError(
                    f"“{file}” is in use by another process, and milvus-lite allows one: end "
                    "that, or let both ask one server (docs/use.md, “Search on Milvus”)."
                ) from error
            raise StoreError(
                f"milvus-lite cannot open “{file}” ({error}): give another file with --store."
            ) from error
        atexit.register(self.close)

    def close(self) -> None:
        """Ends the server and lets go of the file."""
        atexit.unregister(self.close)
        self._server.stop(grace=0).wait()
        with suppress(OSError):
            self._files.close()
        shutil.rmtree(self._folder, ignore_errors=True)
