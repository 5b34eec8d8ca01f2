"""A folder of documents into the next generation of an index; only changes are embedded."""

import hashlib
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from index.embed import SentenceEmbedder
from index.load import document_files, load_document
from index.records import (
    BuildReport,
    Document,
    Embedder,
    Passage,
    Skipped,
    Vectors,
)
from index.split import PASSAGE_SIZE, split
from index.store import (
    FORMAT,
    Generation,
    GenerationWriter,
    Manifest,
    current_generation,
    file_sha256,
    writing,
)
from models.errors import DocumentError, StoreError
from models.progress import OnProgress, Progress

SHIPPED_CORPUS = Path(__file__).resolve().parents[1] / "corpus"
"""The documents that come with the program: what a first run indexes."""


@dataclass
class Plan:
    """What a build will do with each file. Ids are in the order of the files' names."""

    digests: dict[str, str] = field(default_factory=dict)  # id: sha256 of the file's bytes
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)  # new id: old id
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether the index is up to date already."""
        return not (self.added or self.changed or self.renamed or self.removed)


def build(
    folder: Path | None = None,
    *,
    name: str = "default",
    embedder: Embedder | None = None,
    on_progress: OnProgress | None = None,
) -> BuildReport:
    """Brings the index ``name`` up to date with ``folder``.

    Without a folder: the one that the index was made from, or at first the shipped corpus.
    One unreadable file never stops the rest; the report says why it was skipped. Raises
    DocumentError if the folder is missing or holds no readable document (the index stays
    as it was), StoreError if another process builds this index or it cannot be written,
    ModelError if the embedding model is not on this machine.
    """
    started = time.monotonic()
    embedder = embedder or SentenceEmbedder()
    report = on_progress or (lambda progress: None)
    with writing(name):
        old = _old_generation(name)
        try:
            folder = (folder or _remembered(old)).expanduser().resolve()
            # 1. Which files are there, and what became of those of the last time?
            plan = make_plan(folder, old.digests() if old else {}, report)
            if not plan.digests:
                raise DocumentError(_nothing_to_read(folder, plan.skipped))
            is_reusable = old is not None and _is_made_alike(old.manifest, embedder)
            if old and is_reusable and plan.is_empty and old.manifest.folder == str(folder):
                return _report(folder, plan, old.manifest.passages, 0, started)
            with GenerationWriter(name) as writer:
                # 2. Every document's passages, from the old index where nothing changed.
                reused = old if is_reusable else None
                pending = _write_documents(writer, folder, plan, reused, report)
                if not writer.documents:
                    raise DocumentError(_nothing_to_read(folder, plan.skipped))
                # 3. A vector for each passage; only new text is embedded.
                vectors, embedded = _vectors(pending, reused, embedder, report)
                # 4. One rename makes it the index.
                writer.publish(vectors, _manifest(folder, embedder, writer))
            return _report(folder, plan, len(pending), embedded, started)
        finally:
            if old:
                old.close()


def make_plan(folder: Path, old_digests: dict[str, str], on_progress: OnProgress) -> Plan:
    """Compares the files below ``folder`` with the documents of the last build.

    By content, never by time: an edited file has another sha256; a renamed one has the
    sha256 of a document whose file is gone. Raises DocumentError if there is no folder.
    """
    if not folder.is_dir():
        raise DocumentError(
            f"“{folder}” is not a folder: run 'footnote index FOLDER' with one that exists."
        )
    files, skipped = document_files(folder)
    plan = Plan(skipped=list(skipped))
    first_with: dict[str, str] = {}
    for number, file in enumerate(files, start=1):
        id_ = file.relative_to(folder).as_posix()
        try:
            sha256 = file_sha256(file)
        except OSError as error:
            plan.skipped.append(Skipped(id_, f"cannot be read: {error.strerror}"))
            continue
        if sha256 in first_with:
            plan.skipped.append(Skipped(id_, f"holds the same as {first_with[sha256]}"))
            continue
        first_with[sha256] = id_
        plan.digests[id_] = sha256
        on_progress(Progress("Comparing files", number, len(files), "files"))
    gone = {sha256: id_ for id_, sha256 in old_digests.items() if id_ not in plan.digests}
    for id_, sha256 in plan.digests.items():
        if old_digests.get(id_) == sha256:
            plan.unchanged.append(id_)
        elif id_ in old_digests:
            plan.changed.append(id_)
        elif sha256 in gone:
            plan.renamed[id_] = gone.pop(sha256)
        else:
            plan.added.append(id_)
    plan.removed = sorted(gone.values())
    return plan


def _old_generation(name: str) -> Generation | None:
    """The current generation; None if there is none, or it is damaged: then all is new."""
    try:
        folder = current_generation(name)
        return Generation(name, folder) if folder else None
    except StoreError:
        return None


def _remembered(old: Generation | None) -> Path:
    return Path(old.manifest.folder) if old else SHIPPED_CORPUS


def _is_made_alike(manifest: Manifest, embedder: Embedder) -> bool:
    return (manifest.embedder_digest, manifest.passage_size) == (embedder.digest, PASSAGE_SIZE)


@dataclass(frozen=True, slots=True)
class _Pending:
    """A passage that needs its vector: what is embedded, and the digest of that."""

    text: str
    digest: str


def _write_documents(
    writer: GenerationWriter,
    folder: Path,
    plan: Plan,
    old: Generation | None,
    on_progress: OnProgress,
) -> list[_Pending]:
    """Writes every readable document; gives its passages in the order of their rows.

    A file that turns out unreadable moves from the plan's lists to its skipped ones.
    """
    pending: list[_Pending] = []
    for number, (id_, sha256) in enumerate(list(plan.digests.items()), start=1):
        old_id = plan.renamed.get(id_, id_ if id_ in plan.unchanged else None)
        try:
            if old and old_id:
                document, passages = _stored(old, old_id, id_)
            else:
                document = load_document(folder / id_, id=id_, sha256=sha256)
                passages = tuple(split(document))
        except DocumentError as error:
            _skip(plan, id_, str(error))
            continue
        batch = [_pending(passage) for passage in passages]
        writer.add(document, passages, tuple(item.digest for item in batch))
        pending += batch
        on_progress(Progress("Reading documents", number, len(plan.digests), "documents"))
    return pending


def _stored(old: Generation, old_id: str, id_: str) -> tuple[Document, tuple[Passage, ...]]:
    """A document of the old generation under its new name, with its passages."""
    document, passages = old.stored(old_id)
    return (
        replace(document, id=id_),
        tuple(replace(passage, document=id_) for passage in passages),
    )


def _pending(passage: Passage) -> _Pending:
    """The title goes before the text: it often names what the text only calls “it”."""
    text = f"{passage.title}\n{passage.text}" if passage.title else passage.text
    return _Pending(text, hashlib.sha256(text.encode()).hexdigest())


def _skip(plan: Plan, id_: str, reason: str) -> None:
    del plan.digests[id_]
    if id_ in plan.changed:
        plan.removed.append(id_)
    for ids in (plan.added, plan.changed, plan.unchanged):
        if id_ in ids:
            ids.remove(id_)
    if id_ in plan.renamed:
        plan.removed.append(plan.renamed.pop(id_))
    plan.skipped.append(Skipped(id_, reason))


def _vectors(
    pending: list[_Pending],
    old: Generation | None,
    embedder: Embedder,
    on_progress: OnProgress,
) -> tuple[Vectors, int]:
    """The vectors of ``pending``, float32 (n, d), and how many texts were embedded."""
    old_rows = old.rows_by_digest() if old else {}
    known = {item.digest for item in pending if item.digest in old_rows}
    new = {item.digest: item.text for item in pending if item.digest not in known}
    embedded = embedder.embed(list(new.values()), on_progress=on_progress)
    new_rows = {digest: row for row, digest in enumerate(new)}
    vectors = np.empty((len(pending), embedder.dimension), dtype=np.float32)
    old_vectors = old.vectors.all() if old and known else embedded
    for row, item in enumerate(pending):
        source = old_vectors if item.digest in known else embedded
        rows = old_rows if item.digest in known else new_rows
        vectors[row] = source[rows[item.digest]]
    return vectors, len(new)


def _manifest(folder: Path, embedder: Embedder, writer: GenerationWriter) -> Manifest:
    return Manifest(
        format=FORMAT,
        folder=str(folder),
        embedder=embedder.name,
        embedder_digest=embedder.digest,
        dimension=embedder.dimension,
        metric="cosine",
        passage_size=PASSAGE_SIZE,
        documents=writer.documents,
        passages=writer.passages,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        files={},
    )


def _nothing_to_read(folder: Path, skipped: list[Skipped]) -> str:
    why = f" ({skipped[0].path}: {skipped[0].reason})" if skipped else ""
    return (
        f"“{folder}” holds no document that can be read{why}: "
        "run 'footnote index FOLDER' with a folder of text, Markdown, HTML, PDF or DOCX files."
    )


def _report(folder: Path, plan: Plan, passages: int, embedded: int, started: float) -> BuildReport:
    return BuildReport(
        folder=folder,
        documents=len(plan.digests),
        passages=passages,
        added=tuple(plan.added),
        changed=tuple(plan.changed),
        renamed=tuple((old, new) for new, old in plan.renamed.items()),
        removed=tuple(plan.removed),
        unchanged=len(plan.unchanged),
        embedded_passages=embedded,
        skipped=tuple(plan.skipped),
        seconds=time.monotonic() - started,
    )
