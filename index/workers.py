"""A build's work shared out with Ray: among processes on this machine, or machines of a cluster.

Each file and each chunk of texts is a task of Ray's. Ray finds it a worker and gives it to another
one if that worker, or its machine, is lost. Here is what Ray is not told of: results come back in
the order of what was given, and only so many tasks are under way that files do not fill the memory.
The workers need no folder: this process reads the bytes of one file after the other and sends them.
It alone writes, so a task that was done twice is written once.

Ray Data is not used: it reads in its workers, which do not have the folder; a task that ends its
worker it tries for ever; and it tells of lost blocks, not of which file. See ``docs/notes.md``.
"""

import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from index.encoders import Embedder, Vectors
from index.load import READERS
from index.sandbox import Sandbox
from index.split import PASSAGE_SIZE
from index.worker import File, Loaded, load_file, opened
from models.errors import DocumentError, FootnoteError, PassingError, WorkersError
from models.progress import OnProgress, Progress

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # it reports its use unless it is set before

import ray

TRIES = 4
"""Of one task whose worker is lost each time; then it is taken to be the task's own fault."""

_UNDER_WAY = 8
"""Tasks on each core that are sent before the oldest is done: one slow file stops no other."""

_BYTES_UNDER_WAY = 500_000_000
"""Of files that are sent and not yet read."""

_SECONDS_TO_ANSWER = 5.0
"""In which a cluster must answer; Ray itself would try for minutes."""

_PROGRAM = Path(__file__).resolve().parents[1]
"""Where the workers of this machine find what they do, also if it is not installed."""

_VERSION = (READERS, PASSAGE_SIZE)
"""What must be alike on all machines, with the embedding model, to make one index."""

_TASK = {"num_cpus": 1, "max_retries": TRIES - 1}
"""What Ray is told of each."""

_Item = TypeVar("_Item")


class RayWorkers:
    """A worker on each core; Ray is started, or joined, when the first work comes."""

    def __init__(
        self, address: str, embedder: Embedder, *, ocr: bool, on_progress: OnProgress
    ) -> None:
        """``address`` is a cluster's HOST:PORT; if it is empty, this machine does it alone.

        In a program that has started Ray itself, that one is used, and left running.
        """
        self._address = address
        self._embedder = embedder
        self._ocr = ocr
        self._on_progress = on_progress
        self._ours: _Session | None = None

    def __enter__(self) -> "RayWorkers":
        """Gives itself; leaving ends all that was started."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the workers, also in the middle of their work."""
        if self._ours:
            self._ours.end()

    def load(self, files: Iterable[tuple[Path, str]]) -> Iterator[Loaded | DocumentError]:
        """Each file, read and split; one that loses its worker ``TRIES`` times is not read."""
        task = ray.remote(**_TASK)(_load)

        def submit(file: File | DocumentError) -> Any:
            is_there = isinstance(file, File)
            return task.remote(file, self._ocr, _VERSION) if is_there else ray.put(file)

        found = (opened(path, id_, ocr=self._ocr) for path, id_ in files)
        for result in self._in_order(found, submit, size=_size):
            if isinstance(result, WorkersError):
                yield PassingError("ends the worker that reads it, perhaps for want of memory")
            else:
                yield result

    def embed(self, chunks: Iterable[list[str]]) -> Iterator[Vectors]:
        """The vectors of each chunk. Raises WorkersError if it cannot be had."""
        task = ray.remote(**_TASK)(_embed)
        embedder, digest = self._embedder, self._embedder.digest
        for result in self._in_order(chunks, lambda texts: task.remote(embedder, digest, texts)):
            if isinstance(result, WorkersError):
                raise result
            yield result

    def _in_order(
        self,
        items: Iterable[_Item],
        submit: Callable[[_Item], Any],
        *,
        size: Callable[[_Item], int] = lambda _: 0,
    ) -> Iterator[Any]:
        """The result of each item's task in the items' order; WorkersError of one that was lost.

        Items are taken as tasks end, so that not too much is under way.
        """
        limit = 0
        under_way: deque[tuple[Any, int]] = deque()
        bytes_under_way = 0
        for item in items:
            limit = limit or _UNDER_WAY * self._begin()
            while under_way and (
                len(under_way) >= limit or bytes_under_way + size(item) > _BYTES_UNDER_WAY
            ):
                task, its_bytes = under_way.popleft()
                yield _result(task)
                bytes_under_way -= its_bytes
            under_way.append((submit(item), size(item)))
            bytes_under_way += size(item)
        while under_way:
            yield _result(under_way.popleft()[0])

    def _begin(self) -> int:
        """Sees to it that Ray runs; how many workers it has."""
        if not ray.is_initialized():
            self._on_progress(Progress("Starting Ray", 0, 0, "workers"))
            self._ours = self._ours or _Session()
            self._ours.begin(self._address)
        return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _size(file: File | DocumentError) -> int:
    return len(file.data) if isinstance(file, File) else 0


def _result(task: Any) -> Any:
    """What the task gave. Raises what it raised, if that is a failure with a remedy."""
    try:
        return ray.get(task)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, FootnoteError):
            raise error.cause from error
        if isinstance(error.cause, ImportError):
            raise WorkersError(_OTHER_VERSION) from error
        raise
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError):
        return WorkersError(
            f"Some passages ended {TRIES} workers, one after the other: see that each machine has "
            "memory for them, and run the same command again; the index from before still answers."
        )
    except ray.exceptions.RayError as error:
        raise WorkersError(
            f"Ray has lost what it was doing ({type(error).__name__}): run the same command again, "
            "or without --workers; the index from before still answers."
        ) from error


# --- in the workers ---

_OTHER_VERSION = (
    "A worker does not have this version of Footnote: install the same one on every machine of "
    "the cluster, and fetch its models there with 'footnote models pull'."
)


def _load(file: File, ocr: bool, version: tuple[int, int]) -> Loaded | DocumentError:
    if version != _VERSION:
        raise WorkersError(_OTHER_VERSION)
    return load_file(file, _sandbox(ocr))


@cache
def _sandbox(ocr: bool) -> Sandbox:
    """This worker's own, for all its files; it ends with the worker."""
    return Sandbox(ocr=ocr)


def _embed(embedder: Embedder, digest: str, texts: list[str]) -> Vectors:
    if embedder.digest != digest:
        raise WorkersError(_OTHER_VERSION)
    return embedder.embed(texts)


# --- Ray itself ---


class _Session:
    """Ray, as long as this build needs it."""

    def begin(self, address: str) -> None:
        """Starts Ray on this machine, where nobody else reaches it, or joins a cluster."""
        self._builds_clusters = ray._private.ray_constants.ENABLE_RAY_CLUSTER
        self._is_main = threading.current_thread() is threading.main_thread()
        self._on_sigterm = signal.getsignal(signal.SIGTERM)
        # It tells of each lost worker in a page of text; what matters comes as an error.
        ray._private.worker._worker_logs_enabled = False
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        self._folder = None
        if address:
            _join(address, quiet)
            return
        # Its logs and what does not fit into memory; the path must be short, for it holds sockets.
        place = "/tmp" if Path("/tmp").is_dir() else None  # noqa: S108
        self._folder = tempfile.mkdtemp(prefix="footnote-", dir=place)
        path = os.environ.get("PYTHONPATH")
        # Where Ray builds no clusters, it listens on the loopback alone.
        ray._private.ray_constants.ENABLE_RAY_CLUSTER = False
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_PROGRAM), path]))
        try:
            ray.init(
                address="local",
                include_dashboard=False,
                _temp_dir=self._folder,
                **quiet,
            )
        finally:
            del os.environ["PYTHONPATH"]
            if path is not None:
                os.environ["PYTHONPATH"] = path

    def end(self) -> None:
        """Ends what was started, and leaves a cluster as it was."""
        ray.shutdown()
        ray._private.ray_constants.ENABLE_RAY_CLUSTER = self._builds_clusters
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._is_main:  # Ray has put its own in its place
            signal.signal(signal.SIGTERM, self._on_sigterm)


def _join(address: str, quiet: dict[str, Any]) -> None:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=_SECONDS_TO_ANSWER).close()
        ray.init(address=address, **quiet)
    except (OSError, ValueError, RuntimeError, ray.exceptions.RayError, SystemExit) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WorkersError(
            f"No Ray cluster can be joined at “{address}” ({reason}): start one with 'ray start "
            "--head' and join it on this machine with 'ray start --address=HOST:PORT', or write "
            "--workers ray for the cores of this machine."
        ) from error
