"""Broken files: thousands of mutations of real ones, each read or refused with a reason."""

import io
import random
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from index.formats.content import clean
from index.sandbox import Sandbox
from index.split import split
from models.errors import DocumentError
from tests.documents import write_samples

pytestmark = pytest.mark.real

MUTATIONS = 170  # of each format

_NASTY = [b"\0" * 64, b"\xff" * 64, b"<" * 200, b"%s%n", b"../../../../etc/passwd", b"\r\n" * 50,
          b"<!ENTITY x SYSTEM 'file:///etc/passwd'>", b"9" * 5000, b"{[" * 500]  # fmt: skip


def mutate(data: bytes, chance: random.Random) -> bytes:
    """One to four changes: a bit, a cut, a piece doubled, moved or replaced by something nasty."""
    for _ in range(chance.randint(1, 4)):
        if not data:
            return data
        at, length = chance.randrange(len(data)), chance.choice([1, 8, 100, 2000])
        head, piece, tail = data[:at], data[at : at + length], data[at + length :]
        changes: list[Callable[[], bytes]] = [
            lambda: data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :],  # noqa: B023
            lambda: head,  # noqa: B023
            lambda: head + tail,  # noqa: B023
            lambda: head + piece * chance.randint(2, 50) + tail,  # noqa: B023
            lambda: head + chance.choice(_NASTY) + tail,  # noqa: B023
            lambda: head + bytes(chance.randrange(256) for _ in piece) + tail,  # noqa: B023
        ]
        data = chance.choice(changes)()
    return data


def mutate_inside(data: bytes, chance: random.Random) -> bytes:
    """The same within one member of a zip, which is then packed soundly again."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as package, zipfile.ZipFile(packed, "w") as changed:
        victim = chance.choice(package.namelist())
        for name in package.namelist():
            content = package.read(name)
            changed.writestr(name, mutate(content, chance) if name == victim else content)
    return packed.getvalue()


def test_mutated_files_are_read_or_refused(tmp_path: Path) -> None:
    samples = write_samples(tmp_path)
    chance = random.Random(20261122)  # noqa: S311
    came: Counter[str] = Counter()
    failed: list[str] = []
    with Sandbox(seconds=30) as sandbox:
        for kind, path in samples.items():
            whole = path.read_bytes()
            for number in range(MUTATIONS):
                is_inside = zipfile.is_zipfile(path) and number % 2
                changed = mutate_inside(whole, chance) if is_inside else mutate(whole, chance)
                mutant = tmp_path / f"mutant{path.suffix}"
                mutant.write_bytes(changed)
                try:
                    document = sandbox.load(mutant, id="mutant")
                except DocumentError as error:
                    came["refused"] += 1
                    if any(word in str(error) for word in ("fails on it", "takes longer")):
                        failed.append(f"{kind} {number}: {error}")
                    came["ended its reader"] += "ends the program" in str(error)
                    continue
                came["read"] += 1
                assert clean(document.text) == document.text
                for section in document.sections:
                    assert 0 <= section.start <= section.end <= len(document.text)
                for passage in split(document):
                    assert document.text[passage.start : passage.end] == passage.text
                assert "root:" not in document.text, "a file outside was read"
    print(dict(came))
    assert not failed, failed[:20]
    assert came["read"] + came["refused"] == MUTATIONS * len(samples) >= 2000
