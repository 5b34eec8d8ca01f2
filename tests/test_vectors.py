"""Search by meaning among few vectors and among many: exact, and as good as it says it is."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from index import local_store, vectors
from index.build import build
from index.check import check_index
from index.encoders import Reading, Rows, Vectors
from index.local_files import current_generation
from index.local_store import Generation
from index.records import Match
from index.search import Index
from models.errors import StoreError
from models.progress import Progress
from tests.fakes import WordEmbedder


def directions(count: int, *, seed: int) -> Vectors:
    """Unit vectors around a few centres, as texts about a few subjects are."""
    chance = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(size=(20, 32))
    rows = centres[chance.integers(0, 20, count)] + chance.normal(size=(count, 32))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


ROWS = directions(3000, seed=1)
QUERIES = directions(100, seed=2)


def nearest(query: Vectors, rows: Sequence[int] | Rows, limit: int) -> list[int]:
    """By hand: every one compared."""
    order = np.argsort(-(ROWS[rows] @ query), kind="stable")[:limit]
    return [int(np.asarray(rows)[at]) for at in order]


def rows_of(matches: list[Match]) -> list[int]:
    return [match.row for match in matches]


def write_both(folder: Path, told: list[Progress] | None = None) -> vectors.Method:
    vectors.write(folder / "v.npy", ROWS)
    report = told.append if told is not None else lambda progress: None
    return vectors.write_cells(folder / "c.faiss", ROWS, queries=QUERIES, on_progress=report)


@pytest.fixture
def many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> vectors.VectorFile:
    """3,000 vectors, which count as many."""
    monkeypatch.setattr(vectors, "EXACT_LIMIT", 500)
    write_both(tmp_path)
    return vectors.VectorFile(tmp_path / "v.npy", cells=tmp_path / "c.faiss")


def test_few_vectors_are_all_compared(tmp_path: Path) -> None:
    vectors.write(tmp_path / "v.npy", ROWS)
    opened = vectors.VectorFile(tmp_path / "v.npy")
    for query in QUERIES:
        assert rows_of(opened.search(query, limit=10)) == nearest(query, np.arange(3000), 10)


def test_recall_is_what_was_measured(many: vectors.VectorFile, tmp_path: Path) -> None:
    told: list[Progress] = []
    method = write_both(tmp_path, told)
    right = [
        len(set(rows_of(many.search(query, limit=10))) & set(nearest(query, np.arange(3000), 10)))
        for query in QUERIES
    ]
    assert method.recall == pytest.approx(sum(right) / 1000)
    assert method.recall
    assert method.recall >= 0.99
    assert method.name.startswith("IVF93,PQ16x4fs nprobe ")  # 3,000 / 32, less than 4 · √3,000
    assert [progress.done for progress in told] == [0, 3000]


def test_scores_of_an_approximate_search_are_exact(many: vectors.VectorFile) -> None:
    for match in many.search(QUERIES[0], limit=50):
        assert match.score == pytest.approx(float(ROWS[match.row] @ QUERIES[0]), abs=1e-6)


def test_the_same_vectors_give_the_same_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_both(tmp_path / name)
    one, two = (tmp_path / name / "c.faiss" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("count", [0, 1, 7, 500])
def test_a_few_chosen_rows_are_all_compared(many: vectors.VectorFile, count: int) -> None:
    chosen = np.sort(np.random.default_rng(3).choice(3000, count, replace=False))
    for query in QUERIES[:20]:
        assert rows_of(many.search(query, limit=10, among=chosen)) == nearest(query, chosen, 10)


def test_of_many_chosen_rows_no_other_is_found(many: vectors.VectorFile) -> None:
    chosen = np.arange(0, 3000, 2)
    right = 0
    for query in QUERIES:
        found = rows_of(many.search(query, limit=10, among=chosen))
        assert len(found) == 10
        assert set(found) <= set(chosen.tolist())
        right += len(set(found) & set(nearest(query, chosen, 10)))
    assert right >= 980


def test_as_many_are_found_as_were_asked_for(many: vectors.VectorFile) -> None:
    found = rows_of(many.search(QUERIES[0], limit=2999))
    assert found == nearest(QUERIES[0], np.arange(3000), 2999)


def test_files_of_different_vectors_are_told_apart(tmp_path: Path) -> None:
    write_both(tmp_path)
    vectors.write(tmp_path / "v.npy", ROWS[:-1])
    with pytest.raises(StoreError, match="do not belong together"):
        vectors.VectorFile(tmp_path / "v.npy", cells=tmp_path / "c.faiss")


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x93NUMPY\x01\x00v\x00{'descr': '<f4'"])
def test_a_damaged_file_is_one_sentence(content: bytes, tmp_path: Path) -> None:
    write_both(tmp_path)
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(StoreError, match="x is missing or damaged"):
        vectors.VectorFile(tmp_path / "x")
    with pytest.raises(StoreError, match="x is missing or damaged"):
        vectors.VectorFile(tmp_path / "v.npy", cells=tmp_path / "x")


# ── in an index ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "documents"
    path.mkdir()
    for number in range(60):
        text = f"Report {number} tells of ship{number % 7} and of cargo{number}."
        (path / f"{number:02}.txt").write_text(text)
    return path


def opened() -> Index:
    return Index.open(embedder=WordEmbedder())


def found(index: Index, query: str = "Which report tells of cargo17?") -> list[str]:
    return [hit.passage.document for hit in index.search(query, limit=3)]


def test_a_small_index_is_searched_exactly_and_says_so(folder: Path) -> None:
    build(folder, embedder=WordEmbedder())
    manifest = opened().generation.manifest
    assert (manifest.search, manifest.recall) == ("exact", None)


def test_a_large_index_says_how_it_is_searched(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(folder, embedder=WordEmbedder())
    exact = found(opened())
    monkeypatch.setattr(vectors, "EXACT_LIMIT", 50)
    (folder / "60.txt").write_text("Report 60 tells of a storm.")
    report = build(folder, embedder=WordEmbedder())
    assert report.embedded_passages == 1  # the others keep their vectors
    index = opened()
    assert index.generation.manifest.search.endswith("fs nprobe 1")
    assert index.generation.manifest.recall == 1.0
    assert found(index) == exact
    assert found(index.only(["4*.txt"]), "cargo17")[0] not in exact
    assert found(index.only(["17.txt"])) == ["17.txt"]

    for name in ("60.txt", *(f"{number}.txt" for number in range(40, 60))):
        (folder / name).unlink()
    build(folder, embedder=WordEmbedder())  # few again
    assert opened().generation.manifest.search == "exact"
    assert set(opened().generation.manifest.files) == {"vectors.npy", "passages.sqlite"}


def test_recall_is_measured_with_what_is_read_as_questions_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Listening(WordEmbedder):
        def read(self, texts: list[str]) -> list[Reading]:
            asked.extend(texts)
            return super().read(texts)

    asked: list[str] = []
    monkeypatch.setattr(vectors, "EXACT_LIMIT", 50)
    build(folder, embedder=Listening())
    assert sorted(asked) == sorted(file.read_text() for file in folder.iterdir())


def test_an_open_index_answers_when_its_files_are_gone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "EXACT_LIMIT", 50)
    build(folder, embedder=WordEmbedder())
    index = opened()
    before = found(index)
    for number in range(3):  # the third build removes what is open
        (folder / "new.txt").write_text(f"Report {number} is new.")
        build(folder, embedder=WordEmbedder())
    assert isinstance(index.generation, Generation)
    assert not index.generation.folder.exists()
    assert found(index) == before


@pytest.mark.parametrize("file", ["vectors.npy", "passages.sqlite", "cells.faiss"])
def test_damage_to_a_large_file_is_told(
    file: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it is opened, if size or time tell; else when all of it is read."""
    monkeypatch.setattr(vectors, "EXACT_LIMIT", 50)
    monkeypatch.setattr(local_store, "READ_WHOLE", 1000)
    build(folder, embedder=WordEmbedder())
    generation = current_generation("default")
    assert generation
    path = generation / file
    whole, published = path.read_bytes(), path.stat()
    assert len(whole) > 1000

    # As a failing disk would: only the bytes.
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(StoreError, match=f"{file} is missing or not as it was written"):
        Generation("default", generation)
    times = (published.st_atime_ns, published.st_mtime_ns)
    os.utime(path, ns=times)
    Generation("default", generation).close()
    with pytest.raises(StoreError, match=f"{file} .* run 'footnote index'"):
        check_index()

    path.write_bytes(whole[:-1])
    os.utime(path, ns=times)
    with pytest.raises(StoreError, match=f"{file} is missing or not as it was written"):
        Generation("default", generation)


def test_a_copied_index_is_read_whole_and_found_sound(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_store, "READ_WHOLE", 0)
    build(folder, embedder=WordEmbedder())
    shutil.copytree(home / "indexes" / "default", home / "indexes" / "copy")
    for path in (home / "indexes" / "copy").rglob("*"):
        os.utime(path, ns=(0, 0))
    assert found(Index.open("copy", embedder=WordEmbedder())) == found(opened())
