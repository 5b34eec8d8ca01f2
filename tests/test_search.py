"""Search: the arithmetic of the fusion, words, and meaning with the real embedder."""

import math
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import claims, lexical, rank, vectors
from index.build import SHIPPED_CORPUS, build
from index.claims import held_in, holds, words_of
from index.embed import SentenceEmbedder
from index.generation import Store
from index.rank import Ranking
from index.search import Index
from models.errors import QuestionError
from tests.fakes import WordEmbedder


def test_scores_by_hand() -> None:
    texts = ["Two planes landed. It rained.", "Planes flew. Ships landed.", "It snowed."]
    cosines = np.array([0.5, 0.6, 0.1], dtype=np.float32)
    bm25 = np.array([4, 2, 0], dtype=np.float32)
    found = Ranking("Which planes landed?").scores(texts, cosines, bm25)
    # Both words are in two of three texts: the same weight. Only one sentence holds both.
    assert found == pytest.approx([0.5 + 0.3 + 0.6, 0.6 + 0.15 + 0.3, 0.1])


_CLEAN = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
_PHRASES = (
    "The dying ", "He dies. ", "No, ", "U.S. ", "in Moscow", " $5 million", "us ", "United States ",
    "OED ", "o’s ", "dyeing", "5 dollars.", "no\n",
)  # fmt: skip
_PARTS = st.lists(st.sampled_from(_PHRASES) | st.text(_CLEAN, max_size=4), max_size=4).map("".join)


@given(
    st.lists(_PARTS, max_size=5),
    st.sampled_from(["Who dies in Moscow?", "What did the US dye?", "Is it 5 dollars, OED?", "x"]),
)
def test_texts_hold_together_what_their_words_hold(texts: list[str], query: str) -> None:
    wanted = words_of(query)
    expected = [{word for word in wanted if holds(words_of(text), word)} for text in texts]
    assert [set().union(*found) for found in held_in(texts, wanted)] == expected


def test_words_are_held_sentence_by_sentence() -> None:
    texts = ["Two planes landed. It rained!\nNo ships sank in the U.S.", ""]
    wanted = words_of("Which planes or ships landed in America?")
    held = [[set(found) for found in sentences] for sentences in held_in(texts, wanted)]
    assert held == [[{"plane", "land"}, {"ship", "america"}], [set()]]


@pytest.mark.parametrize(
    "form", "sharing skies skis dying happily Relational tying us US 3.5share a'b share’s".split()
)
def test_a_word_is_held_in_every_form(form: str) -> None:
    wanted = words_of(form)
    assert wanted
    assert held_in([f"x (“{form}”)"], wanted) == [[wanted]]


def test_only_what_begins_like_a_wanted_word_is_stemmed(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [file.read_text(encoding="utf-8") for file in sorted(SHIPPED_CORPUS.glob("*.md"))]
    wanted = words_of("How many soldiers landed near Caracas, and what did they bring?")
    asked: list[str] = []

    def stem_of(token: str) -> str:
        asked.append(token)
        return claims.stem(token)

    monkeypatch.setattr(claims, "_telling_stem", stem_of)
    assert any(held for sentences in held_in(texts, wanted) for held in sentences)
    assert len(asked) <= sum(len(text.split()) for text in texts) / 100  # what ranking waits for


def test_what_was_read_before_is_ranked_the_same_and_not_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = ["Two planes landed. It rained.", "Planes flew. Ships landed.", "It snowed."]
    cosines, bm25 = np.array([0.5, 0.6, 0.1], dtype=np.float32), np.zeros(3, dtype=np.float32)
    read: list[str] = []

    def listening(texts: Sequence[str], wanted: frozenset[str]) -> list[list[frozenset[str]]]:
        read.extend(texts)
        return held_in(texts, wanted)

    monkeypatch.setattr(rank, "held_in", listening)
    ranking = Ranking("Which planes landed?")
    ranking.read(texts[1:])
    ranking.read(texts[2:])
    found = ranking.scores(texts, cosines, bm25)
    assert read == [*texts[1:], texts[0]]
    assert found.tolist() == Ranking("Which planes landed?").scores(texts, cosines, bm25).tolist()


def test_scores_of_nothing() -> None:
    nothing = np.array([], dtype=np.float32)
    assert Ranking("Which planes?").scores([], nothing, nothing).shape == (0,)


def test_a_query_without_telling_words_is_ranked_by_meaning() -> None:
    cosines, bm25 = np.array([0.1, 0.4], dtype=np.float32), np.zeros(2, dtype=np.float32)
    found = Ranking("Who is it?").scores(["One.", "Two."], cosines, bm25)
    assert found == pytest.approx([0.1, 0.4])


def test_several_threads_stem_at_once() -> None:
    texts = [[f"Planes {number} landing"] for number in range(200)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lexical.stems, texts))
    assert [sorted(words) for (words,) in found] == [
        sorted(["plane", str(number), "land"]) for number in range(200)
    ]


def test_words_are_stemmed_when_the_disk_is_full() -> None:
    code = (
        "import resource; from index.lexical import stems;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY));"
        "assert len(stems([f'word{n} other{n * 7}' for n in range(20_000)])) == 20_000;"
        "assert stems(['landing']) == [['land']]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture
def words() -> lexical.Words:
    connection = sqlite3.connect(":memory:")
    lexical.create(connection)
    texts = ["Two planes landed in Caracas.", "The minister spoke.", "Guaidó met the ministers."]
    for row, text in enumerate(texts):
        lexical.add(connection, row=row, title="", text=text)
    lexical.finish(connection, passages=len(texts), on_progress=lambda progress: None)
    return lexical.Words(connection)


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
def test_words(words: lexical.Words, query: str, rows: list[int]) -> None:
    assert sorted(match.row for match in words.search(query, limit=5)) == rows


def test_words_score_higher_is_better(words: lexical.Words) -> None:
    matches = words.search("the minister spoke", limit=5)
    assert [match.row for match in matches] == [1, 2]
    assert matches[0].score > matches[1].score > 0


_WORDS = st.sampled_from("plane planes landed Caracas café CAFE the of 2019 ships shipping".split())
_TEXTS = st.lists(_WORDS, max_size=12).map(" ".join)


@given(
    st.lists(st.tuples(_TEXTS, _TEXTS), min_size=1, max_size=12),
    st.lists(_WORDS, min_size=1, max_size=4, unique=True),
)
def test_words_score_as_sqlite_scores_them_with_the_weight_of_lucene(
    passages: list[tuple[str, str]], asked: list[str]
) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute(
        "CREATE VIRTUAL TABLE reference USING fts5"
        "(title, text, tokenize='porter unicode61 remove_diacritics 2')"
    )
    lexical.create(connection)
    for row, (title, text) in enumerate(passages):
        lexical.add(connection, row=row, title=title, text=text)
        connection.execute(
            "INSERT INTO reference (rowid, title, text) VALUES (?, ?, ?)", (row, title, text)
        )
    lexical.finish(connection, passages=len(passages), on_progress=lambda progress: None)
    words = dict.fromkeys(word.lower() for word in asked)
    telling = [word for word in words if word not in lexical.STOPWORDS] or list(words)
    expected = dict[int, float]()
    for word in telling:
        rows = connection.execute(
            "SELECT rowid, -rank FROM reference WHERE reference MATCH ?", (f'"{word}"',)
        ).fetchall()
        rarity = (len(passages) - len(rows) + 0.5) / (len(rows) + 0.5)
        weight = math.log(1 + rarity) / max(math.log(rarity), 1e-6)  # Lucene's to SQLite's
        for row, score in rows:
            expected[row] = expected.get(row, 0.0) + weight * score
    opened = lexical.Words(connection)
    found = {match.row: match.score for match in opened.search(" ".join(asked), limit=99)}
    assert found == pytest.approx(expected)
    some = np.arange(0, len(passages), 2)
    within = opened.search(" ".join(asked), limit=99, among=some)
    assert {match.row for match in within} == found.keys() & set(some.tolist())
    connection.close()


def test_the_best_by_words_are_the_first_of_equals() -> None:
    connection = sqlite3.connect(":memory:")
    lexical.create(connection)
    for row in range(9):
        text = "Two planes landed." if row % 2 else "Two ships."
        lexical.add(connection, row=row, title="", text=text)
    lexical.finish(connection, passages=9, on_progress=lambda progress: None)
    found = lexical.Words(connection).search("planes", limit=3)
    assert [match.row for match in found] == [1, 3, 5]
    connection.close()


def test_vectors_are_found_by_inner_product(tmp_path: Path) -> None:
    rows = np.eye(3, dtype=np.float32)
    vectors.write(tmp_path / "v.npy", rows)
    opened = vectors.VectorFile(tmp_path / "v.npy")
    query = np.array([0.6, 0.0, 0.8], dtype=np.float32)
    found = opened.search(query, limit=9)
    assert [match.row for match in found] == [2, 0, 1]
    assert [match.score for match in found] == pytest.approx([0.8, 0.6, 0.0])
    assert opened.all() == pytest.approx(rows)
    assert opened.rows([2, 0]) == pytest.approx(rows[[2, 0]])


def test_hits_carry_their_passage_and_cosine(tmp_path: Path, store: Store) -> None:
    (tmp_path / "a.txt").write_text("Two planes landed.")
    (tmp_path / "b.txt").write_text("The minister spoke.")
    build(tmp_path, store=store, embedder=WordEmbedder())
    hit = Index.open(store=store, embedder=WordEmbedder()).search("Two planes landed.", limit=1)[0]
    assert hit.passage.text == "Two planes landed."
    assert hit.similarity == pytest.approx(1.0, abs=1e-4)
    assert hit.score == pytest.approx(1.0 + 0.3 + 0.6, abs=1e-4)


def test_what_words_found_is_given_while_the_rest_is_searched(tmp_path: Path, store: Store) -> None:
    (tmp_path / "a.txt").write_text("Two planes landed.")
    (tmp_path / "b.txt").write_text("The minister spoke.")
    embedder = WordEmbedder()
    build(tmp_path, store=store, embedder=embedder)
    index = Index.open(store=store, embedder=embedder)
    by_words: list[str] = []
    found = index.generation.candidates(
        "Which planes?", embedder.embed_query, meanwhile=by_words.extend
    )
    assert by_words == ["Two planes landed."]
    assert sorted(passage.text for passage in found.passages) == [
        "The minister spoke.",
        "Two planes landed.",
    ]


def test_only_some_documents_are_searched(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "texts"
    for name in ("2018/a.txt", "2019/a.txt", "2019/b.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"Two planes landed, says {name}.")
    build(folder, store=store, embedder=WordEmbedder())
    index = Index.open(store=store, embedder=WordEmbedder())

    def found(narrowed: Index) -> list[str]:
        hits = narrowed.search("Which planes landed?", limit=9)
        return sorted(hit.passage.document for hit in hits)

    narrow = index.only(["2019/*"])
    assert found(narrow) == narrow.document_ids() == ["2019/a.txt", "2019/b.txt"]
    assert found(index.only(["2018/a.txt", "2019/b.txt"])) == ["2018/a.txt", "2019/b.txt"]
    assert found(index.only([])) == []
    assert narrow.only(None) is narrow
    assert found(narrow.only(["*/b.txt"])) == ["2019/b.txt"]
    with pytest.raises(QuestionError, match=r"no document “2018/a.txt”"):
        narrow.only(["2018/a.txt"])
    assert found(index) == index.document_ids()
    with pytest.raises(QuestionError, match=r"no document “2019/c.txt”.*2019/[ab].txt"):
        index.only(["2019/a.txt", "2019/c.txt"])

    (folder / "2019" / "c.txt").write_text("Two more planes landed.")
    (folder / "2019" / "a.txt").unlink()
    build(folder, store=store, embedder=WordEmbedder())
    assert found(narrow.current()) == ["2019/b.txt", "2019/c.txt"]
    assert found(index.current()) == ["2018/a.txt", "2019/b.txt", "2019/c.txt"]


@pytest.mark.real
@pytest.mark.usefixtures("home_with_models")
def test_the_real_embedder_finds_meaning(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("The aircraft touched down at the airport.")
    (tmp_path / "b.txt").write_text("The minister bought bread for his family.")
    report = build(tmp_path)
    assert report.embedded_passages == 2
    index = Index.open()
    assert index.search("When did the planes arrive?", limit=1)[0].passage.document == "a.txt"
    embedded = index.embedder.embed(["one", "another text"])
    assert embedded.shape == (2, SentenceEmbedder().dimension) == (2, 384)
    assert embedded.dtype == np.float32
    assert np.linalg.norm(embedded, axis=1) == pytest.approx([1, 1], abs=1e-5)
    text = "Planes landed."
    _, reading = index.read(["another text, which is longer than that", text])
    assert reading.vector @ index.embedder.embed_query(text) > 0.99
    assert [text[start:end] for start, end in reading.spans] == ["Planes", "landed", "."]
    assert np.linalg.norm(reading.tokens, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
