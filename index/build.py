"""A folder of documents into the next generation of an index; only changes are embedded."""

import hashlib
import random
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import numpy as np

from index.embed import SentenceEmbedder
from index.encoders import Embedder, Vectors
from index.generation import FORMAT, Manifest, Reader, Store, Writer, embedded_text
from index.load import READERS
from index.plan import Known, Plan, make_plan
from index.records import BuildReport, Passage, Skipped
from index.sentences import sentence_spans
from index.split import PASSAGE_SIZE
from index.stores import open_store
from index.vectors import is_exact
from index.worker import Alone, Loaded, Workers
from models.errors import DocumentError, StoreError, WorkersError
from models.progress import OnProgress, Progress

SHIPPED_CORPUS = Path(__file__).resolve().parents[1] / "corpus"
"""The documents that come with the program: what a first run indexes."""

_CHUNK = 256
"""Texts that are embedded at once, and after which progress is told."""

_QUERIES = 400
"""Sentences with which an approximate search is measured: its recall of 0.99 to about 0.005."""


def build(
    folder: Path | None = None,
    *,
    name: str = "default",
    store: Store | str | None = None,
    ocr: bool | None = None,
    dry_run: bool = False,
    workers: str | None = None,
    embedder: Embedder | None = None,
    on_progress: OnProgress | None = None,
) -> BuildReport:
    """Brings the index ``name`` up to date with ``folder``.

    Without a folder: the one that the index was made from, or at first the shipped corpus.
    ``store`` is where it is kept, or the URL of that, as ``Index.open`` has it.
    ``ocr`` has Tesseract read images and scanned PDFs; by default as the last time. With
    ``dry_run`` nothing is written: the report says what a build would do, as far as that
    can be told without reading the new files. One unreadable file never stops the rest; the
    report says why it was skipped. ``workers`` shares the work out: "ray" among processes on
    all cores of this machine, "ray=HOST:PORT" among the machines of that Ray cluster; the index
    is the same. Raises DocumentError if the folder is missing or holds no readable document (the
    index stays as it was), StoreError if another process builds this index or it cannot be
    written, ModelError if the embedding model is not on this machine, WorkersError if workers
    are wanted that cannot be had, or were lost.
    """
    started = time.monotonic()
    embedder = embedder or SentenceEmbedder()
    report = on_progress or (lambda progress: None)
    store = open_store(store)
    with nullcontext() if dry_run else store.writing(name):
        old = _old_generation(store, name)
        try:
            folder = folder or store.remembered_folder(name) or SHIPPED_CORPUS
            folder = folder.expanduser().resolve()
            if ocr is None:
                ocr = old.manifest.ocr if old else False
            reused = old if old and _is_made_alike(old.manifest, embedder, ocr=ocr) else None
            # 1. Which files are there, and what became of those of the last time?
            known = _known(old, with_problems=reused is not None)
            plan = make_plan(folder, known, report, ocr=ocr)
            if not plan.digests:
                raise DocumentError(_nothing_to_read(folder, plan.skipped))
            is_done = reused and plan.is_empty and reused.manifest.folder == str(folder)
            if dry_run or is_done:
                return _report(folder, plan, old.manifest.passages if old else 0, 0, started)
            with (
                _open_workers(workers, embedder, report, ocr=ocr) as hands,
                store.writer(name) as writer,
            ):
                # 2. Every document's passages, from the old index where nothing changed.
                found = _found(folder, plan, reused, hands)
                digests = _write_documents(writer, plan, found, report)
                if not writer.documents:
                    raise DocumentError(_nothing_to_read(folder, plan.skipped))
                # 3. A vector for each passage; only new text is embedded.
                vectors, embedded = _vectors(
                    writer, digests, reused, hands, report, dimension=embedder.dimension
                )
                # 4. What finds them again; one rename makes it the index.
                writer.publish(
                    vectors,
                    _manifest(folder, embedder, writer, ocr=ocr),
                    queries=_queries(writer, embedder),
                    on_progress=report,
                )
            return _report(folder, plan, writer.passages, embedded, started)
        finally:
            if old:
                old.close()


def _open_workers(
    workers: str | None, embedder: Embedder, on_progress: OnProgress, *, ocr: bool
) -> AbstractContextManager[Workers]:
    """Who reads, splits and embeds: without ``workers`` this process alone."""
    if not workers:
        return Alone(embedder, ocr=ocr)
    kind, _, address = workers.partition("=")
    if kind != "ray":
        raise WorkersError(f"There are no workers “{workers}”: give ray or ray=HOST:PORT.")
    try:
        from index.workers import RayWorkers  # noqa: PLC0415  (start-up time)
    except ModuleNotFoundError as error:
        raise WorkersError(
            f'The library {error.name} for --workers is missing: run "pip install '
            "'footnote[ray]'\"."
        ) from error
    return RayWorkers(address, embedder, ocr=ocr, on_progress=on_progress)


def _known(old: Reader | None, *, with_problems: bool) -> Known:
    """What ``old`` knows; its problems may be none any more if it was made in another way."""
    if not old:
        return Known()
    problems = old.problems() if with_problems else {}
    return Known(old.digests(), old.copies(), problems, old.skipped())


def _old_generation(store: Store, name: str) -> Reader | None:
    """The current generation; None if there is none, or it is damaged: then all is new."""
    try:
        return store.open(name)
    except StoreError:
        return None


def _is_made_alike(manifest: Manifest, embedder: Embedder, *, ocr: bool) -> bool:
    return (
        manifest.embedder_digest, manifest.passage_size, manifest.readers, manifest.ocr
    ) == (embedder.digest, PASSAGE_SIZE, READERS, ocr)  # fmt: skip


def _found(
    folder: Path, plan: Plan, old: Reader | None, workers: Workers
) -> Iterator[tuple[str, Loaded | DocumentError]]:
    """Every document of the plan, by id: out of the old index, or read by the workers."""
    stored = {id_: plan.renamed.get(id_, id_) for id_ in (*plan.unchanged, *plan.renamed)}
    ids = list(plan.digests)
    # Their own digests are taken again: a file may have changed since the plan.
    loaded = workers.load((folder / id_, id_) for id_ in ids if not old or id_ not in stored)
    for id_ in ids:
        if old and id_ in stored:
            yield id_, Loaded(*old.stored(stored[id_]))
        else:
            yield id_, next(loaded)


def _write_documents(
    writer: Writer,
    plan: Plan,
    found: Iterator[tuple[str, Loaded | DocumentError]],
    on_progress: OnProgress,
) -> list[bytes]:
    """Writes every readable document; gives the digest of each passage, in order of the rows.

    A file that turns out unreadable moves from the plan's lists to its skipped ones.
    """
    digests: list[bytes] = []
    total = len(plan.digests)
    for number, (id_, one) in enumerate(found, start=1):
        if isinstance(one, DocumentError):
            plan.skip(id_, one)
            continue
        document = replace(one.document, id=id_, copies=plan.copies.get(id_, ()))
        batch = [_digest(passage) for passage in one.passages]
        writer.add(document, one.passages, batch)
        digests += batch
        on_progress(Progress("Reading documents", number, total, "documents"))
    for sha256, reason in plan.problems.items():
        writer.add_problem(sha256, reason)
    writer.add_skipped(plan.skipped)
    return digests


def _digest(passage: Passage) -> bytes:
    """By which a passage's vector is found again."""
    return hashlib.sha256(embedded_text(passage.title, passage.text).encode()).digest()


def _vectors(
    writer: Writer,
    digests: list[bytes],
    old: Reader | None,
    workers: Workers,
    on_progress: OnProgress,
    *,
    dimension: int,
) -> tuple[Vectors, int]:
    """The vectors of all passages, float32 (n, d), and how many texts were embedded."""
    vectors = np.empty((len(digests), dimension), dtype=np.float32)
    first_rows: dict[bytes, int] = {}  # of each new text; the same text can come again
    for chunk in _chunks(list(range(len(digests))), _CHUNK):
        wanted = [digests[row] for row in chunk]
        known = old.vectors_by_digest(wanted) if old else {}
        for row, digest in zip(chunk, wanted, strict=True):
            if digest in known:
                vectors[row] = known[digest]
            else:
                first_rows.setdefault(digest, row)
    done = 0
    rows = list(first_rows.values())
    texts = writer.texts(rows)
    chunks = (list(islice(texts, len(chunk))) for chunk in _chunks(rows, _CHUNK))
    for chunk, found in zip(_chunks(rows, _CHUNK), workers.embed(chunks), strict=True):
        vectors[chunk] = found
        done += len(chunk)
        on_progress(Progress("Embedding passages", done, len(rows), "passages"))
    for row, digest in enumerate(digests):
        if first_rows.get(digest, row) != row:
            vectors[row] = vectors[first_rows[digest]]
    return vectors, len(first_rows)


def _queries(writer: Writer, embedder: Embedder) -> Vectors | None:
    """What the search among many passages is measured with, float32 (m, d); None among few.

    A sentence out of the middle of each of some passages: short as a question is, it lies as far
    from the passages as questions do, unlike a passage among its like, which any search finds. And
    they are read as questions are, in float32.
    """
    if is_exact(writer.passages):
        return None
    rows = random.Random(1).sample(range(writer.passages), min(_QUERIES, writer.passages))  # noqa: S311
    sentences = []
    for text in writer.texts(rows):
        spans = sentence_spans(text)
        middle = spans[len(spans) // 2]
        sentences.append(text[middle.start : middle.end])
    return np.array([one.vector for one in embedder.read(sentences)])


def _chunks(rows: list[int], size: int) -> Iterator[list[int]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _manifest(folder: Path, embedder: Embedder, writer: Writer, *, ocr: bool) -> Manifest:
    return Manifest(
        format=FORMAT,
        folder=str(folder),
        embedder=embedder.name,
        embedder_digest=embedder.digest,
        dimension=embedder.dimension,
        metric="cosine",
        passage_size=PASSAGE_SIZE,
        readers=READERS,
        ocr=ocr,
        documents=writer.documents,
        passages=writer.passages,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _nothing_to_read(folder: Path, skipped: list[Skipped]) -> str:
    why = f" ({skipped[0].path}: {skipped[0].reason})" if skipped else ""
    return (
        f"“{folder}” holds no document that can be read{why}: "
        "run 'footnote index FOLDER' with a folder of documents: text, Markdown, HTML, PDF, Word, …"
    )


def _report(folder: Path, plan: Plan, passages: int, embedded: int, started: float) -> BuildReport:
    return BuildReport(
        folder=folder,
        documents=len(plan.digests),
        passages=passages,
        added=tuple(plan.added),
        changed=tuple(plan.changed),
        renamed=tuple((old, new) for new, old in plan.renamed.items()),
        copies=tuple((copy, id_) for id_, ids in plan.copies.items() for copy in ids),
        removed=tuple(plan.removed),
        unchanged=len(plan.unchanged),
        embedded_passages=embedded,
        skipped=tuple(plan.skipped),
        seconds=time.monotonic() - started,
    )
