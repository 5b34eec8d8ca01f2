"""Building an index: what is embedded again, what is reported, and that it never breaks."""

import gc
import shutil
import weakref
from pathlib import Path

import pytest

from index.build import build
from index.generation import Store
from index.local_files import current_generation
from index.local_store import LocalStore
from index.records import BuildReport, Hit
from index.search import Index
from models.errors import DocumentError, StoreError
from tests.documents import write_scan
from tests.fakes import WordEmbedder

TEXTS = {
    "planes.txt": "Two planes landed near the capital on Saturday.",
    "cargo.txt": "The cargo weighed thirty-five tons in all.",
    "deep/talks.md": "# Talks\n\nThe ministers met on Sunday and talked for an hour.",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in TEXTS.items():
        path = tmp_path / "documents" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "documents"


def changes(report: BuildReport) -> dict[str, object]:
    return {
        "added": report.added,
        "changed": report.changed,
        "renamed": report.renamed,
        "removed": report.removed,
        "unchanged": report.unchanged,
        "embedded": report.embedded_passages,
    }


NOTHING: dict[str, object] = {
    "added": (), "changed": (), "renamed": (), "removed": (), "unchanged": 3, "embedded": 0,
}  # fmt: skip


def found(store: Store | None, query: str, *, name: str = "default") -> Hit:
    return Index.open(name, store=store, embedder=WordEmbedder()).search(query, limit=1)[0]


def test_first_build_adds_everything(folder: Path, store: Store) -> None:
    report = build(folder, store=store, embedder=WordEmbedder())
    assert changes(report) == NOTHING | {
        "added": ("cargo.txt", "deep/talks.md", "planes.txt"), "unchanged": 0, "embedded": 3,
    }  # fmt: skip
    assert (report.documents, report.passages, report.skipped) == (3, 3, ())
    assert found(store, "How much did the cargo weigh?").passage.document == "cargo.txt"


def test_second_build_does_nothing(folder: Path, store: Store) -> None:
    build(folder, store=store, embedder=WordEmbedder())
    before = store.current("default")
    assert changes(build(folder, store=store, embedder=WordEmbedder())) == NOTHING
    assert store.current("default") == before


def test_only_what_changed_is_embedded(folder: Path, store: Store) -> None:
    build(folder, store=store, embedder=WordEmbedder())

    (folder / "planes.txt").write_text("Three helicopters landed instead.")
    embedder = WordEmbedder()
    assert changes(build(folder, store=store, embedder=embedder)) == NOTHING | {
        "changed": ("planes.txt",), "unchanged": 2, "embedded": 1,
    }  # fmt: skip
    assert embedder.embedded == ["Three helicopters landed instead."]
    assert found(store, "helicopters").passage.text == "Three helicopters landed instead."

    (folder / "cargo.txt").rename(folder / "deep" / "freight.txt")
    assert changes(build(folder, store=store, embedder=WordEmbedder())) == NOTHING | {
        "renamed": (("cargo.txt", "deep/freight.txt"),), "unchanged": 2,
    }  # fmt: skip
    assert found(store, "weight of the cargo").passage.document == "deep/freight.txt"

    (folder / "deep" / "talks.md").unlink()
    assert changes(build(folder, store=store, embedder=WordEmbedder())) == NOTHING | {
        "removed": ("deep/talks.md",), "unchanged": 2,
    }  # fmt: skip
    assert Index.open(store=store, embedder=WordEmbedder()).document("deep/talks.md") is None

    (folder / "new.txt").write_text("A ship arrived in April.")
    embedder = WordEmbedder()
    assert changes(build(folder, store=store, embedder=embedder)) == NOTHING | {
        "added": ("new.txt",), "unchanged": 2, "embedded": 1,
    }  # fmt: skip
    assert embedder.embedded == ["A ship arrived in April."]


def test_an_edit_embeds_only_the_edited_passage(folder: Path, store: Store) -> None:
    paragraphs = [f"Paragraph {number}. " + "It says something. " * 30 for number in range(9)]
    (folder / "long.txt").write_text("\n\n".join(paragraphs))
    build(folder, store=store, embedder=WordEmbedder())
    paragraphs[4] = "Paragraph four. " + "It says something else. " * 25
    (folder / "long.txt").write_text("\n\n".join(paragraphs))
    assert build(folder, store=store, embedder=WordEmbedder()).embedded_passages == 1


def test_reused_vectors_are_the_passages_own(folder: Path, store: Store) -> None:
    build(folder, store=store, embedder=WordEmbedder())
    (folder / "a-first.txt").write_text("Something new that sorts before all.")
    build(folder, store=store, embedder=WordEmbedder())
    index = Index.open(store=store, embedder=WordEmbedder())
    for row in range(4):
        passage = index.generation.passages([row])[0]
        text = f"{passage.title}\n{passage.text}" if passage.title else passage.text
        expected = WordEmbedder().embed([text])[0]
        assert index.generation.vectors_of([row])[0] == pytest.approx(expected)


def test_same_content_is_indexed_once(folder: Path, store: Store) -> None:
    (folder / "copy.txt").write_text(TEXTS["cargo.txt"])
    report = build(folder, store=store, embedder=WordEmbedder())
    assert (report.copies, report.documents) == ((("copy.txt", "cargo.txt"),), 3)
    cargo = Index.open(store=store, embedder=WordEmbedder()).document("cargo.txt")
    assert cargo
    assert cargo.copies == ("copy.txt",)

    (folder / "cargo.txt").unlink()  # then the copy is the document
    report = build(folder, store=store, embedder=WordEmbedder())
    assert changes(report) == NOTHING | {"renamed": (("cargo.txt", "copy.txt"),), "unchanged": 2}
    assert report.copies == ()


def test_a_copy_that_comes_or_goes_is_known_without_embedding(folder: Path, store: Store) -> None:
    build(folder, store=store, embedder=WordEmbedder())
    (folder / "copy.txt").write_text(TEXTS["cargo.txt"])
    report = build(folder, store=store, embedder=WordEmbedder())
    assert (report.copies, report.embedded_passages) == ((("copy.txt", "cargo.txt"),), 0)
    (folder / "copy.txt").unlink()
    assert build(folder, store=store, embedder=WordEmbedder()).copies == ()
    cargo = Index.open(store=store, embedder=WordEmbedder()).document("cargo.txt")
    assert cargo
    assert cargo.copies == ()


def test_a_dry_run_tells_the_plan_and_writes_nothing(folder: Path, store: Store) -> None:
    report = build(folder, store=store, embedder=WordEmbedder(), dry_run=True)
    assert report.added == ("cargo.txt", "deep/talks.md", "planes.txt")
    assert store.current("default") is None
    build(folder, store=store, embedder=WordEmbedder())
    before = store.current("default")
    (folder / "planes.txt").unlink()
    report = build(store=store, embedder=WordEmbedder(), dry_run=True)
    assert (report.removed, store.current("default")) == (("planes.txt",), before)
    assert Index.open(store=store, embedder=WordEmbedder()).document("planes.txt")


def test_a_file_that_cannot_be_read_is_tried_once(folder: Path, store: Store) -> None:
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 nothing")
    first = build(folder, store=store, embedder=WordEmbedder())
    generation = store.current("default")
    second = build(folder, store=store, embedder=WordEmbedder())
    assert first.skipped == second.skipped
    assert [skip.path for skip in second.skipped] == ["broken.pdf"]
    assert store.current("default") == generation  # nothing was written for it


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("tesseract"), reason="there is no program tesseract")
def test_a_scan_is_tried_again_once_tesseract_is_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    write_scan(folder / "scan.png", "Seven bells rang")
    with monkeypatch.context() as context:
        context.setenv("PATH", "/nowhere")
        for _ in range(2):
            report = build(folder, ocr=True, store=store, embedder=WordEmbedder())
            assert [skip.path for skip in report.skipped] == ["scan.png"]
    assert build(folder, store=store, embedder=WordEmbedder()).added == ("scan.png",)
    assert found(store, "bells").passage.text == "Seven bells rang"


def test_what_the_ignore_file_names_is_left_out(folder: Path, store: Store) -> None:
    (folder / ".footnoteignore").write_text("# drafts\ndeep/\n*.log\n!keep.log\ncargo*\n")
    (folder / "keep.log").write_text("No format that is read.")
    (folder / "drop.log").write_text("Not even told.")
    report = build(folder, store=store, embedder=WordEmbedder())
    assert report.added == ("planes.txt",)
    assert [skip.path for skip in report.skipped] == ["keep.log"]


def test_the_index_remembers_its_folder(folder: Path, store: Store) -> None:
    build(folder, store=store, embedder=WordEmbedder())
    assert build(store=store, embedder=WordEmbedder()).folder == folder


def test_indexes_stand_side_by_side(folder: Path, tmp_path: Path, store: Store) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.txt").write_text("Bananas grow in bunches.")
    build(folder, store=store, embedder=WordEmbedder())
    build(other, name="fruit", store=store, embedder=WordEmbedder())
    assert found(store, "bananas", name="fruit").passage.document == "a.txt"
    assert found(store, "planes").passage.document == "planes.txt"


def test_an_unreadable_file_is_reported_and_the_rest_indexed(folder: Path, store: Store) -> None:
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 and then nothing")
    (folder / "empty.txt").write_bytes(b"")
    report = build(folder, store=store, embedder=WordEmbedder())
    assert {skipped.path for skipped in report.skipped} == {"broken.pdf", "empty.txt"}
    assert report.documents == 3


def test_a_file_that_became_unreadable_leaves_the_index(folder: Path, store: Store) -> None:
    build(folder, store=store, embedder=WordEmbedder())
    (folder / "cargo.txt").write_bytes(b"\x00\x01\x02\x00")
    report = build(folder, store=store, embedder=WordEmbedder())
    assert (report.removed, report.documents) == (("cargo.txt",), 2)
    assert [skipped.path for skipped in report.skipped] == ["cargo.txt"]


def test_an_empty_folder_is_an_error_and_the_old_index_stays(
    folder: Path, tmp_path: Path, store: Store
) -> None:
    build(folder, store=store, embedder=WordEmbedder())
    (tmp_path / "empty").mkdir()
    with pytest.raises(DocumentError, match="holds no document that can be read"):
        build(tmp_path / "empty", store=store, embedder=WordEmbedder())
    assert found(store, "planes").passage.document == "planes.txt"


def test_a_missing_folder_is_an_error(tmp_path: Path, store: Store) -> None:
    with pytest.raises(DocumentError, match="is not a folder: run 'footnote index FOLDER'"):
        build(tmp_path / "nowhere", store=store, embedder=WordEmbedder())


def test_another_embedder_is_an_error_until_the_index_is_rebuilt(
    folder: Path, store: Store
) -> None:
    build(folder, store=store, embedder=WordEmbedder())
    other = WordEmbedder(digest="1" * 64)
    with pytest.raises(StoreError, match=r"model words, not with words: run 'footnote index"):
        Index.open(store=store, embedder=other)
    assert build(folder, store=store, embedder=other).embedded_passages == 3
    assert Index.open(store=store, embedder=other).search("planes", limit=1)


def test_no_index_is_an_error(store: Store) -> None:
    with pytest.raises(StoreError, match="no index yet: run 'footnote index FOLDER"):
        Index.open(store=store, embedder=WordEmbedder())
    with pytest.raises(StoreError, match=r"FOLDER.* --name reports'"):
        Index.open("reports", store=store, embedder=WordEmbedder())


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "x" * 65])
def test_a_bad_name_is_an_error(name: str, store: Store) -> None:
    with pytest.raises(StoreError, match="cannot name an index"):
        Index.open(name, store=store, embedder=WordEmbedder())


def test_a_second_writer_is_told_to_wait(folder: Path, store: Store) -> None:
    with (
        store.writing("default"),
        pytest.raises(StoreError, match=r"being built by process \d+.*, since"),
    ):
        build(folder, store=store, embedder=WordEmbedder())


@pytest.mark.parametrize("file", ["vectors.npy", "passages.sqlite", "manifest.json"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "garbage"])
def test_a_damaged_index_names_the_command_that_mends_it(
    folder: Path, file: str, damage: str
) -> None:
    build(folder, embedder=WordEmbedder())
    generation = current_generation("default")
    assert generation
    path = generation / file
    if damage == "missing":
        path.unlink()
    else:
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2] if damage == "truncated" else b"garbage")
    with pytest.raises(StoreError, match=r"is damaged .*run 'footnote index'"):
        Index.open(embedder=WordEmbedder()).search("planes", limit=1)
    build(folder, embedder=WordEmbedder())
    assert found(None, "planes").passage.document == "planes.txt"


def test_a_damaged_pointer_names_the_command_that_mends_it(folder: Path, home: Path) -> None:
    build(folder, embedder=WordEmbedder())
    (home / "indexes" / "default" / "current").write_text("../../elsewhere")
    with pytest.raises(StoreError, match="run 'footnote index'"):
        Index.open(embedder=WordEmbedder())
    build(folder, embedder=WordEmbedder())
    assert found(None, "planes").passage.document == "planes.txt"


@pytest.mark.slow
def test_old_generations_are_removed_and_readers_keep_theirs(folder: Path, home: Path) -> None:
    build(folder, embedder=WordEmbedder())
    reader = Index.open(embedder=WordEmbedder())
    for number in range(4):
        (folder / "cargo.txt").write_text(f"The cargo weighed {number} tons.")
        build(folder, embedder=WordEmbedder())
    assert reader.search("cargo", limit=1)[0].passage.text == TEXTS["cargo.txt"]
    generations = sorted(p.name for p in (home / "indexes/default/generations").iterdir())
    assert generations == ["000004", "000005"]


@pytest.mark.slow
def test_an_open_index_moves_on_when_it_is_asked_to(folder: Path, store: Store) -> None:
    build(folder, store=store, embedder=WordEmbedder())
    first = Index.open(store=store, embedder=WordEmbedder())
    assert first.current() is first
    builds = 4 if isinstance(store, LocalStore) else 1  # Milvus keeps only the one before
    for number in range(builds):
        (folder / "cargo.txt").write_text(f"The cargo weighed {number} tons.")
        build(folder, store=store, embedder=WordEmbedder())
    newest = first.current()
    assert newest is first.current()  # one for all who ask
    text = f"The cargo weighed {builds - 1} tons."
    assert newest.search("cargo", limit=1)[0].passage.text == text
    assert first.search("cargo", limit=1)[0].passage.text == TEXTS["cargo.txt"]


@pytest.mark.slow
def test_an_open_index_keeps_none_between_itself_and_the_newest(folder: Path, store: Store) -> None:
    build(folder, store=store, embedder=WordEmbedder())
    first = Index.open(store=store, embedder=WordEmbedder())
    (folder / "cargo.txt").write_text("The cargo weighed 2 tons.")
    build(folder, store=store, embedder=WordEmbedder())
    second = weakref.ref(first.current())
    (folder / "cargo.txt").write_text("The cargo weighed 3 tons.")
    build(folder, store=store, embedder=WordEmbedder())
    newest = first.current()
    gc.collect()
    assert second() is None
    assert newest is first.current() is newest.current()


def test_an_open_index_stays_when_the_newer_one_cannot_be_read(folder: Path, home: Path) -> None:
    build(folder, embedder=WordEmbedder())
    index = Index.open(embedder=WordEmbedder())
    (home / "indexes" / "default" / "current").write_text("nonsense")
    assert index.current() is index


def test_the_manifest_says_what_the_index_was_made_from(folder: Path, store: Store) -> None:
    build(folder, store=store, embedder=WordEmbedder())
    generation = store.open("default")
    assert generation
    manifest = generation.manifest
    assert manifest.folder == str(folder)
    assert (manifest.embedder, manifest.embedder_digest) == ("words", "0" * 64)
    assert (manifest.metric, manifest.dimension, manifest.search) == ("cosine", 64, "exact")
    assert (manifest.documents, manifest.passages) == (3, 3)
    in_files = {"vectors.npy", "passages.sqlite"} if isinstance(store, LocalStore) else set()
    assert set(manifest.files) == in_files
    generation.close()
