"""Whether an index is as it was written, and saved citations stand in the documents of today."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from index.folder import document_files
from index.records import Document
from index.sandbox import Sandbox
from index.store import Generation, current_generation, damaged, file_sha256, rebuild_command
from models.errors import DocumentError, StoreError

Standing = Literal["unchanged", "moved", "changed", "gone"]


def check_index(name: str = "default") -> Generation:
    """Opens the current generation, which holds it against its manifest; gives it, open.

    Raises StoreError if there is none, or if a file's digest, a count or a passage's place
    is not what was written; the message names the command that mends it.
    """
    folder = current_generation(name)
    if folder is None:
        raise StoreError(f"There is no index “{name}” to check: run '{rebuild_command(name)}'.")
    generation = Generation(name, folder)  # compares the files' digests and the counts
    for id_ in generation.document_ids():
        document, passages = generation.stored(id_)
        if any(passage.end > len(document.text) or not passage.text for passage in passages):
            raise StoreError(damaged(name, f"a passage of {id_} is not in its text"))
    return generation


@dataclass(frozen=True, slots=True)
class SavedCitation:
    """A citation as an answer's record has it: what is needed to find the quote again."""

    document: str
    sha256: str
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of a saved citation."""

    citation: SavedCitation
    standing: Standing
    now: str = ""  # where the quote is now, if it moved: the document's id


def saved_citations(path: Path) -> list[SavedCitation]:
    """The citations of the answers in a file: what ``footnote ask --json`` printed.

    One answer, a list of them, or one after the other. Raises DocumentError if it is not that.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DocumentError(f"{path} cannot be read ({error}).") from error
    try:
        return [
            SavedCitation(**{field: citation[field] for field in SavedCitation.__slots__})
            for answer in _answers(text)
            for citation in answer["citations"]
        ]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DocumentError(
            f"{path} holds no answers: save what 'footnote ask --json' prints."
        ) from error


def _answers(text: str) -> list[Mapping[str, Any]]:
    """The values that stand one after the other in ``text``; those of a list, one by one."""
    answers: list[Mapping[str, Any]] = []
    decoder = json.JSONDecoder()
    text = text.strip()
    at = 0
    while not answers or at < len(text):
        value, at = decoder.raw_decode(text, at)
        answers += value if isinstance(value, list) else [value]
        at += len(text[at:]) - len(text[at:].lstrip())
    return answers


def check_citations(citations: Iterable[SavedCitation], folder: Path) -> Iterator[Finding]:
    """Looks each citation up in the documents of ``folder`` as they are now.

    Unchanged: the quote stands at its place. Moved: it stands elsewhere in the document, or
    the file has another name. Changed: the document no longer has these words. Gone: there
    is no such document, nor another with its content.
    """
    with Sandbox() as sandbox:
        documents = _Documents(folder, sandbox)
        for citation in citations:
            yield _finding(citation, documents)


class _Documents:
    """The documents of a folder, each read when it is asked for."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self._folder = folder
        self._sandbox = sandbox
        self._read: dict[str, Document | None] = {}
        self._names: dict[str, str] | None = None

    def named(self, id_: str) -> Document | None:
        if id_ not in self._read:
            try:
                self._read[id_] = self._sandbox.load(self._folder / id_, id=id_)
            except DocumentError:
                self._read[id_] = None
        return self._read[id_]

    def with_digest(self, sha256: str) -> Document | None:
        if self._names is None:
            files, _ = document_files(self._folder)
            self._names = {
                file_sha256(file): file.relative_to(self._folder).as_posix() for file in files
            }
        id_ = self._names.get(sha256)
        return self.named(id_) if id_ else None


def _finding(citation: SavedCitation, documents: _Documents) -> Finding:
    document = documents.named(citation.document)
    if document and document.text[citation.start : citation.end] == citation.quote:
        return Finding(citation, "unchanged")
    for candidate in (document, documents.with_digest(citation.sha256)):
        if candidate and citation.quote in candidate.text:
            return Finding(citation, "moved", candidate.id)
    return Finding(citation, "changed" if document else "gone")
