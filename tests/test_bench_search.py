"""How search is measured among ever more texts: which texts, which questions, what is kept."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index.load import read_document
from index.records import Match
from index.split import split
from models.errors import EvaluationError
from rag.bench_search import Growth, KeptEmbedder, measure, queries, sizes_up_to, table, write
from rag.bench_search_probe import nearest, recall
from rag.bench_texts import RealText, real_documents, real_texts
from tests.fakes import WordEmbedder, document

GROWTH = Growth(
    passages=250_013,
    documents=14_000,
    method="IVF2000,PQ192x4fs nprobe 512",
    p50=20.0,
    p95=29.9,
    meaning_p50=4.0,
    all_p50=40.0,
    recall_questions=0.98,
    recall_sentences=0.99,
    opening=0.05,
    disk=1500.0,
    memory=900.0,
)


def test_every_limit_is_kept_by_itself() -> None:
    assert GROWTH.holds
    for worse in (
        replace(GROWTH, p95=30.0),
        replace(GROWTH, recall_questions=0.979),
        replace(GROWTH, recall_sentences=0.979),
        replace(GROWTH, opening=0.5),
    ):
        assert not worse.holds


def test_growth_is_told_as_a_table_and_kept_as_json_and_a_plot(tmp_path: Path) -> None:
    small = replace(GROWTH, passages=1029, method="exact", p95=31.0)
    head, rule, first, second = table([small, GROWTH])
    assert head.count("|") == rule.count("|") == first.count("|") == second.count("|")
    assert first.startswith("| 1,029 | exact | 20.0 ms | 31.0 ms | 4.00 ms | 40.00 ms | 0.10 |")
    assert first.endswith("| no |")
    assert second.endswith("| 0.980 | 0.990 | 0.05 s | 1,500 MB | 900 MB | yes |")
    data, plot = write(tmp_path / "bench", [small, GROWTH], turns=3)
    record = json.loads(data.read_text())
    assert record["turns"] == 3
    assert [size["passages"] for size in record["sizes"]] == [1029, 250_013]
    assert [size["holds"] for size in record["sizes"]] == [False, True]
    assert "<svg" in plot.read_text()


def test_sizes_grow_up_to_the_largest() -> None:
    assert sizes_up_to(10_000) == [1_000, 10_000]
    assert sizes_up_to(30_000) == [1_000, 10_000, 30_000]
    assert sizes_up_to(500) == [500]


def test_what_is_found_is_held_against_every_vector() -> None:
    every = np.array([[1, 0], [0, 1], [0.6, 0.8], [0.8, 0.6], [1, 0]], dtype=np.float32)
    exact = nearest(every, np.array([1, 0], dtype=np.float32), 3)
    assert exact.tolist() == pytest.approx([1, 1, 0.8])
    assert recall([Match(0, 1.0), Match(3, 0.8), Match(2, 0.6)], exact) == pytest.approx(2 / 3)
    assert recall([Match(4, 1.0), Match(0, 1.0), Match(3, 0.8)], exact) == 1
    assert len(nearest(every, every[0], 10)) == 5


PROSE = "The {0} of number {1} has a {0} that is told of at length here. " * 8


@pytest.fixture
def places(tmp_path: Path) -> dict[str, tuple[str, ...]]:
    """Five texts, and files that are none, or hold what another one holds."""
    folder = tmp_path / "texts"
    folder.mkdir()
    for number, name in enumerate(["a.md", "b.md", "c.py", "d.py"]):
        (folder / name).write_text(PROSE.format("ship", number))
    (folder / "e.gz").write_bytes(gzip.compress(PROSE.format("plane", 9).encode()))
    (folder / "copy.md").write_bytes((folder / "a.md").read_bytes())
    (folder / "short.md").write_text("Too short.")
    (folder / "other.json").write_text(PROSE.format("ship", 7))
    (folder / "broken.gz").write_bytes(b"\x1f\x8b" + PROSE.encode())
    (folder / "latin.md").write_bytes(PROSE.format("plané", 9).encode("latin-1"))
    (folder / "link.md").symlink_to(folder / "b.md")
    return {str(folder): (".md", ".py", ".gz")}


def test_real_texts_are_what_a_machine_tells_once(places: dict[str, tuple[str, ...]]) -> None:
    names = [text.document.id for text in real_texts(places)]
    assert sorted(name for name in names if name not in {"a.md", "copy.md"}) == [
        "b.md", "c.py", "d.py", "e.gz",
    ]  # fmt: skip
    assert len({"a.md", "copy.md"} & set(names)) == 1
    assert [name.endswith(".py") for name in names[:4]] == [False, True, False, True]
    assert names == [text.document.id for text in real_texts(places)]
    there = [one.id for one in real_documents(places)]
    assert [one.id for one in real_documents(places, is_reversed=True)] == there[::-1]


def test_questions_stand_in_texts_and_have_sentences_beside_them() -> None:
    text = (
        "The option names the file that is written. What does the option\nname if it is given? "
        "It is empty. Why? A folder is made for the files that are written there. Where do the "
        "files go when there is no folder? Is a third question of the same text taken, too?"
    )
    silent = document("Nobody asks for anything in this text of a few words.")
    told: list[int] = []
    found = queries([silent, document(text)], lambda progress: told.append(progress.done))
    assert found == {
        "questions": [
            "What does the option name if it is given?",
            "Where do the files go when there is no folder?",
        ],
        "sentences": ["A folder is made for the files that are written there."],
    }
    assert told == [2]
    with pytest.raises(EvaluationError, match="give it documentation in /usr/share/doc"):
        queries([silent], lambda progress: None)


@pytest.mark.usefixtures("home")
def test_vectors_are_kept_for_the_next_run() -> None:
    first = WordEmbedder()
    kept = KeptEmbedder(first)
    made = kept.embed(["one", "two", "one"])
    kept.close()
    assert first.embedded == ["one", "two"]
    second = WordEmbedder()
    again = KeptEmbedder(second)
    assert again.embed(["two", "three", "one"]).tolist() == [
        made[1].tolist(), first.embed(["three"])[0].tolist(), made[0].tolist(),
    ]  # fmt: skip
    assert second.embedded == ["three"]
    assert again.digest == first.digest
    again.close()


@pytest.mark.real
def test_search_is_measured_as_it_grows(home_with_models: Path) -> None:
    texts = []
    for number in range(6):
        prose = "\n\n".join(PROSE.format("ship", 100 * number + part) for part in range(5))
        one = read_document(prose.encode(), suffix=".txt", id=f"{number}")
        texts.append(RealText(one, tuple(split(one))))
    asking = document("The ship is very old. Which of the ships has the highest number? It sank.")
    counts = [len(text.passages) for text in texts]
    found = measure(
        home_with_models,
        [1, sum(counts)],
        turns=1,
        on_progress=lambda progress: None,
        texts=texts,
        held_out=[texts[0].document, asking],
    )
    assert [(one.passages, one.documents) for one in found] == [(counts[0], 1), (sum(counts), 6)]
    assert found[1].method == "exact"
    assert found[1].recall_questions == found[1].recall_sentences == 1
    assert found[0].disk < found[1].disk
    assert 0 < found[1].p50 <= found[1].p95
    assert found[1].memory > 50
