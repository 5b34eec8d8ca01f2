"""The documents of an index, one by one: added, left out, taken in; no file is ever lost."""

from pathlib import Path

import pytest

from index.build import SHIPPED_CORPUS, build
from index.generation import Store
from index.library import Entry, Library, Listing
from models.errors import DocumentError
from models.paths import documents_folder
from tests.fakes import WordEmbedder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "texts"
    (folder / "old [1] !").mkdir(parents=True)
    (folder / "a.md").write_text("---\ndate: 2019-03-24\n---\n# Planes\n\nTwo planes landed.")
    (folder / "old [1] !" / "b #?.txt").write_text("The minister spoke.")
    return folder


@pytest.fixture
def library(folder: Path, store: Store) -> Library:
    build(folder, store=store, embedder=WordEmbedder())
    return Library("default", store=store, embedder=WordEmbedder())


def ids(library: Library) -> list[str]:
    library.build()
    return [entry.id for entry in library.listing().entries]


def test_the_documents_are_listed(library: Library) -> None:
    first, second = library.listing().entries
    assert (first.id, first.title, first.date, first.passages) == (
        "a.md", "Planes", "2019-03-24", 1,
    )  # fmt: skip
    assert second == Entry("old [1] !/b #?.txt", "", "", 1, len("The minister spoke."))
    assert library.listing("PLANES").entries == [first]
    assert library.holdings() == [(first.id, 1), (second.id, 1)]
    assert Library("other").listing() == Listing([], 0, ())


def test_added_files_are_copied_and_none_is_overwritten(
    library: Library, folder: Path, tmp_path: Path
) -> None:
    new = tmp_path / "a.md"
    new.write_text("Three ships sank.")
    assert library.add([new, new]) == ["a (2).md", "a (3).md"]
    assert "Two planes" in (folder / "a.md").read_text()
    assert ids(library) == ["a (2).md", "a.md", "old [1] !/b #?.txt"]  # (3) is a copy
    assert library.listing().entries[0].size == len("Three ships sank.")
    (folder / "a.md").unlink()
    assert library.listing("a.md").entries[0].size is None


def test_what_cannot_be_read_is_listed(library: Library, folder: Path) -> None:
    (folder / "tool.exe").write_bytes(b"MZ")
    (folder / "scan.pdf").write_bytes(b"no PDF")
    library.build()
    skipped = library.listing().skipped
    assert [one.path for one in skipped] == ["scan.pdf", "tool.exe"]
    assert "format .exe is not supported" in skipped[1].reason
    assert [one.path for one in library.listing("SCAN").skipped] == ["scan.pdf"]
    (folder / "tool.exe").unlink()
    library.build()
    assert [one.path for one in library.listing().skipped] == ["scan.pdf"]


def test_a_new_index_takes_the_place_of_the_one_that_is_open(
    library: Library, folder: Path, store: Store
) -> None:
    assert library.listing().total == 2
    (folder / "c.txt").write_text("Three ships sank.")
    build(store=store, embedder=WordEmbedder())
    assert library.listing().total == 3


@pytest.mark.parametrize(
    ("name", "size", "says"),
    [
        (".a.txt", 9, "hidden"),
        ("a.exe", 9, "format .exe is not supported"),
        ("b.txt", 100_000_001, "larger than 100.0 MB"),
        ("c.bak.txt", 9, "a line of the folder's .footnoteignore leaves it out"),
    ],
)
def test_what_cannot_be_read_is_not_added(
    library: Library, folder: Path, name: str, size: int, says: str
) -> None:
    (folder / ".footnoteignore").write_text("*.bak.txt\n")
    good, bad = folder.parent / "good.txt", folder.parent / name
    good.write_text("A good text.")
    with bad.open("wb") as file:
        file.truncate(size)
    with pytest.raises(DocumentError, match=f"“{name}” is not added: .*{says}"):
        library.add([good, bad])
    assert not (folder / "good.txt").exists()


def test_left_out_and_taken_in_again(library: Library, folder: Path) -> None:
    odd = "old [1] !/b #?.txt"
    library.leave_out("a.md")
    library.take_in("a.md")
    library.leave_out(odd)
    assert library.left_out() == [odd]
    assert ids(library) == ["a.md"]
    assert (folder / odd).exists()
    with pytest.raises(DocumentError, match=r"“a.md” stays: an index needs a"):
        library.leave_out("a.md")
    with pytest.raises(DocumentError, match="no document of this index"):
        library.leave_out("unknown.md")
    library.take_in(odd)
    assert library.left_out() == []
    assert ids(library) == ["a.md", odd]


def test_the_lines_of_others_stay(library: Library, folder: Path) -> None:
    (folder / ".footnoteignore").write_text("*.bak\n")
    library.leave_out("a.md")
    assert (folder / ".footnoteignore").read_text() == "*.bak\n/a.md\n"
    library.take_in("a.md")
    assert (folder / ".footnoteignore").read_text() == "*.bak\n"


def test_the_shipped_documents_are_copied_before_a_change(tmp_path: Path) -> None:
    shipped = sorted(path.name for path in SHIPPED_CORPUS.iterdir())
    library = Library("default", embedder=WordEmbedder())
    library.build()
    assert library.folder == SHIPPED_CORPUS
    (tmp_path / "more.txt").write_text("Three ships sank.")
    library.add([tmp_path / "more.txt"])
    assert library.folder == documents_folder() / "default"
    assert len(ids(library)) == len(shipped) + 1
    assert sorted(path.name for path in SHIPPED_CORPUS.iterdir()) == shipped
    library.leave_out("more.txt")
    assert len(ids(library)) == len(shipped)
