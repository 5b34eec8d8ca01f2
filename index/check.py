"""Whether an index is as it was written, and saved citations stand in the documents of today."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from index.generation import Reader, Store
from index.plan import Known, Plan, make_plan
from index.records import Document
from index.sandbox import Sandbox
from index.stores import open_store
from models.errors import DocumentError, StoreError
from models.progress import OnProgress, Progress

Standing = Literal["unchanged", "moved", "changed", "gone"]

_SPACE = re.compile(r"\s*")


def check_index(name: str = "default", *, store: Store | str | None = None) -> Reader:
    """Opens the current generation, which holds it against its manifest; gives it, open.

    ``store`` is where it is kept, as ``Index.open`` has it. Raises StoreError if there is
    none, or if a file's digest, a count or a passage's place is not what was written; the
    message names the command that mends it.
    """
    store = open_store(store)
    command = store.rebuild_command(name)
    generation = store.open(name, whole=True)  # compares digests and counts
    if generation is None:
        raise StoreError(f"There is no index “{name}” to check: run '{command}'.")
    for id_ in generation.document_ids():
        document, passages = generation.stored(id_)
        if any(document.text[p.start : p.end] != p.text or not p.text for p in passages):
            raise StoreError(
                f"The index “{name}” is damaged (a passage of {id_} is not in its text): "
                f"run '{command}'."
            )
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

    One answer, a list of them, or one after the other. Raises DocumentError if it is not that;
    the message names the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DocumentError(f"{path} cannot be read ({error}).") from error
    citations: list[SavedCitation] = []
    decoder = json.JSONDecoder()
    at = 0
    while at == 0 or at < len(text):
        start = _after_space(text, at)
        try:
            value, at = decoder.raw_decode(text, start)
            answers = value if isinstance(value, list) else [value]
            citations += [_citation(saved) for answer in answers for saved in answer["citations"]]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            line = text.count("\n", 0, start) + 1
            raise DocumentError(
                f"{path} holds no answers: save what 'footnote ask --json' prints "
                f"(see what begins in line {line})."
            ) from error
        at = _after_space(text, at)
    return citations


def _after_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    assert space  # it matches anything
    return space.end()


def _citation(saved: Any) -> SavedCitation:
    """Raises TypeError, KeyError or ValueError if a field is missing or of another kind."""
    for field in fields(SavedCitation):
        if type(saved[field.name]) is not field.type:
            raise TypeError(field.name)
    f"{saved['document']}{saved['quote']}".encode()  # a lone surrogate could not be printed
    return SavedCitation(**{field: saved[field] for field in SavedCitation.__slots__})


def check_citations(
    citations: Sequence[SavedCitation],
    folder: Path,
    *,
    ocr: bool = False,
    on_progress: OnProgress | None = None,
) -> list[Finding]:
    """Looks each citation up in the documents of ``folder`` as a build would take them now.

    Unchanged: the quote stands at its place. Moved: it stands elsewhere in the document, or
    the file has another name. Changed: the document no longer has these words. Gone: there
    is no such document that can be read, nor another with its content. With ``ocr`` scans
    are read, too. Raises DocumentError if there is no folder.
    """
    report = on_progress or (lambda progress: None)
    plan = make_plan(folder, Known(), report, ocr=ocr)
    findings: list[Finding] = []
    with Sandbox(ocr=ocr) as sandbox:
        documents = _Documents(folder, plan, sandbox)
        for number, citation in enumerate(citations, start=1):
            findings.append(_finding(citation, documents))
            report(Progress("Checking citations", number, len(citations), "citations"))
    return findings


class _Documents:
    """The documents of a folder, each read when it is asked for; none that a build leaves out."""

    def __init__(self, folder: Path, plan: Plan, sandbox: Sandbox) -> None:
        self._folder = folder
        self._sandbox = sandbox
        self._ids = set(plan.digests).union(*plan.copies.values())
        self._names = {sha256: id_ for id_, sha256 in plan.digests.items()}
        self._read: dict[str, Document | None] = {}

    def named(self, id_: str) -> Document | None:
        if id_ not in self._ids:
            return None
        if id_ not in self._read:
            try:
                self._read[id_] = self._sandbox.load(self._folder / id_, id=id_)
            except DocumentError:
                self._read[id_] = None
        return self._read[id_]

    def with_digest(self, sha256: str) -> Document | None:
        return self.named(self._names.get(sha256, ""))


def _finding(citation: SavedCitation, documents: _Documents) -> Finding:
    document = documents.named(citation.document)
    if document and document.text[citation.start : citation.end] == citation.quote:
        return Finding(citation, "unchanged")
    for candidate in (document, documents.with_digest(citation.sha256)):
        if candidate and citation.quote in candidate.text:
            return Finding(citation, "moved", candidate.id)
    return Finding(citation, "changed" if document else "gone")
