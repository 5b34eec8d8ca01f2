"""Real texts of this machine to measure with: its documentation, and its programs."""

import gzip
import hashlib
import os
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from pathlib import Path

from index.generation import embedded_text
from index.load import read_document
from index.records import Document, Passage
from index.split import split
from models.errors import DocumentError

PLACES = {
    "/usr/share/doc": (".txt", ".md", ".rst", ".gz", ""),
    sysconfig.get_paths()["stdlib"]: (".txt", ".md", ".rst", ".py"),
    sysconfig.get_paths()["purelib"]: (".txt", ".md", ".rst", ".py"),
}
"""Where texts are, and the ends of their names there."""

_SHORTEST, _LONGEST = 300, 150_000
"""Characters of a text that is taken; else change logs of many years would be most of all."""

_SHARED = 0.1
"""The share of passages that others have, too, from which a text is left out: licences, copies."""


@dataclass(frozen=True, slots=True)
class RealText:
    """A file of this machine as a build would take it."""

    document: Document
    passages: tuple[Passage, ...]


def real_passages(count: int) -> list[str]:
    """The first ``count`` passages of ``real_texts``, as they would be embedded."""
    passages = chain.from_iterable(text.passages for text in real_texts())
    return [embedded_text(one.title, one.text) for one in islice(passages, count)]


def real_texts(places: Mapping[str, Sequence[str]] = PLACES) -> Iterator[RealText]:
    """The texts of those places; all kinds mixed, in the same order each time.

    Hardly a passage comes twice.
    """
    seen: set[bytes] = set()
    for document in real_documents(places):
        passages = tuple(split(document))
        digests = {hashlib.sha256(one.text.encode()).digest() for one in passages}
        if len(digests & seen) <= _SHARED * len(digests):
            yield RealText(document, passages)
        seen |= digests


def real_documents(
    places: Mapping[str, Sequence[str]] = PLACES, *, is_reversed: bool = False
) -> Iterator[Document]:
    """The same, with those that share much, and quicker; ``is_reversed``: the last one first."""
    files = _files(places)
    for file in reversed(files) if is_reversed else files:
        document = _document(file)
        if document and _SHORTEST <= len(document.text) <= _LONGEST:
            yield document


def _files(places: Mapping[str, Sequence[str]]) -> list[Path]:
    """Documentation and programs in turn; else by the digest of the name, which is no order."""
    found: dict[Path, bytes] = {}
    for place, ends in places.items():
        for folder, _, names in os.walk(place):
            for file in (Path(folder, name) for name in names):
                if file.suffix in ends and file.is_file() and not file.is_symlink():
                    name = file.relative_to(place).as_posix()
                    found.setdefault(file, hashlib.sha256(name.encode()).digest())
    kinds: tuple[list[Path], list[Path]] = ([], [])
    for file in sorted(found, key=lambda file: (found[file], file)):
        kinds[file.suffix == ".py"].append(file)
    return [file for file in chain.from_iterable(zip_longest(*kinds)) if file]


def _document(file: Path) -> Document | None:
    """The file as a text of no format; None if it is no text in UTF-8."""
    try:
        data = file.read_bytes()
        data = gzip.decompress(data) if file.suffix == ".gz" else data
        data.decode("utf-8")
        return read_document(data, suffix=".txt", id=file.name)
    except (OSError, EOFError, ValueError, DocumentError):
        return None
