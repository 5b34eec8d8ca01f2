"""Search: the arithmetic of the fusion, words, and meaning with the real embedder."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from index import lexical, vectors
from index.build import build
from index.embed import SentenceEmbedder
from index.records import Match
from index.search import Index, fuse
from tests.fakes import WordEmbedder


def test_fusion_by_hand() -> None:
    meaning = [Match(7, 0.9), Match(3, 0.8), Match(5, 0.1)]
    words = [Match(3, 12.0), Match(8, 4.0)]
    fused = fuse([meaning, words])
    assert [match.row for match in fused] == [3, 7, 8, 5]
    assert [match.score for match in fused] == pytest.approx(
        [1 / 62 + 1 / 61, 1 / 61, 1 / 62, 1 / 63]
    )


def test_fusion_of_nothing() -> None:
    assert fuse([[], []]) == []
    assert fuse([]) == []


@pytest.fixture
def words() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    lexical.create(connection)
    texts = ["Two planes landed in Caracas.", "The minister spoke.", "Guaidó met the ministers."]
    for row, text in enumerate(texts):
        lexical.add(connection, row=row, title="", text=text)
    return connection


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("How many planes landed?", [0]),
        ("PLANE", [0]),  # stems, any case
        ("Guaido", [2]),  # without accents
        ("Which minister?", [1, 2]),
        ("elephants", []),
        ("", []),
        ("the", [1, 2]),  # a query of stop words alone still searches
        ('"quotes" AND (syntax* OR NEAR/2 -x', []),  # no word of a query is an operator
    ],
)
def test_words(words: sqlite3.Connection, query: str, rows: list[int]) -> None:
    assert sorted(match.row for match in lexical.search(words, query, limit=5)) == rows


def test_words_score_higher_is_better(words: sqlite3.Connection) -> None:
    matches = lexical.search(words, "the minister spoke", limit=5)
    assert [match.row for match in matches] == [1, 2]
    assert matches[0].score > matches[1].score > 0


def test_vectors_are_found_by_inner_product(tmp_path: Path) -> None:
    rows = np.eye(3, dtype=np.float32)
    vectors.write(tmp_path / "v.faiss", rows)
    opened = vectors.VectorFile(tmp_path / "v.faiss")
    query = np.array([0.6, 0.0, 0.8], dtype=np.float32)
    found = opened.search(query, limit=9)
    assert [match.row for match in found] == [2, 0, 1]
    assert [match.score for match in found] == pytest.approx([0.8, 0.6, 0.0])
    assert opened.all() == pytest.approx(rows)
    assert opened.rows([2, 0]) == pytest.approx(rows[[2, 0]])


def test_hits_carry_their_passage_and_cosine(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Two planes landed.")
    (tmp_path / "b.txt").write_text("The minister spoke.")
    build(tmp_path, embedder=WordEmbedder())
    hit = Index.open(embedder=WordEmbedder()).search("Two planes landed.", limit=1)[0]
    assert hit.passage.text == "Two planes landed."
    assert hit.similarity == pytest.approx(1.0, abs=1e-4)
    assert hit.score == pytest.approx(2 / 61)


@pytest.mark.real
@pytest.mark.usefixtures("home_with_models")
def test_the_real_embedder_finds_meaning(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("The aircraft touched down at the airport.")
    (tmp_path / "b.txt").write_text("The minister bought bread for his family.")
    report = build(tmp_path)
    assert report.embedded_passages == 2
    index = Index.open()
    assert index.search("When did the planes arrive?", limit=1)[0].passage.document == "a.txt"
    embedded = index.embed(["one", "another text"])
    assert embedded.shape == (2, SentenceEmbedder().dimension) == (2, 384)
    assert embedded.dtype == np.float32
    assert np.linalg.norm(embedded, axis=1) == pytest.approx([1, 1], abs=1e-5)
