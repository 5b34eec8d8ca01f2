"""What ``footnote check`` finds: in an index, and of saved citations."""

import dataclasses
import json
from pathlib import Path

import pytest

from index.build import build
from index.check import check_citations, check_index, saved_citations
from index.load import load_document
from models.errors import DocumentError, StoreError
from rag import Answer, Chat
from tests.fakes import ListSearch, ScriptedModel, WordEmbedder

TEXT = "Two planes landed on Saturday. They carried 35 tons of cargo."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "documents"
    path.mkdir()
    (path / "news.txt").write_text(TEXT)
    (path / "other.txt").write_text("The ministers met on Sunday.")
    return path


def answer(folder: Path) -> Answer:
    documents = [load_document(folder / name, id=name) for name in ("news.txt", "other.txt")]
    model = ScriptedModel("They carried 35 tons of cargo.")
    return Chat(search=ListSearch(*documents), generate=model).ask("How much cargo did they carry?")


def save(path: Path, *answers: Answer) -> Path:
    records = [
        {"citations": [dataclasses.asdict(c) for c in answer.citations]} for answer in answers
    ]
    path.write_text("\n".join(json.dumps(record) for record in records))
    return path


def standings(saved: Path, folder: Path) -> list[tuple[str, str]]:
    return [(f.standing, f.now) for f in check_citations(saved_citations(saved), folder)]


def test_a_sound_index_is_sound(folder: Path) -> None:
    build(folder, embedder=WordEmbedder())
    generation = check_index()
    assert (generation.manifest.documents, generation.manifest.passages) == (2, 2)
    generation.close()


def test_no_index_and_a_damaged_one_name_the_command(folder: Path, home: Path) -> None:
    with pytest.raises(StoreError, match="run 'footnote index'"):
        check_index()
    build(folder, embedder=WordEmbedder())
    path = next((home / "indexes").rglob("passages.sqlite"))
    path.write_bytes(path.read_bytes().replace(b"35 tons", b"53 tons"))
    with pytest.raises(StoreError, match=r"passages.sqlite .* run 'footnote index'"):
        check_index()


def test_what_became_of_a_citation(folder: Path, tmp_path: Path) -> None:
    saved = save(tmp_path / "answers.jsonl", answer(folder))
    assert standings(saved, folder) == [("unchanged", "")]

    (folder / "news.txt").write_text("A correction was made on Monday. " + TEXT)
    assert standings(saved, folder) == [("moved", "news.txt")]

    (folder / "news.txt").write_text(TEXT.replace("35", "53"))
    assert standings(saved, folder) == [("changed", "")]

    (folder / "news.txt").unlink()
    assert standings(saved, folder) == [("gone", "")]

    (folder / "renamed.txt").write_text(TEXT)
    assert standings(saved, folder) == [("moved", "renamed.txt")]


@pytest.mark.parametrize("shape", ["one", "list", "lines", "one after the other"])
def test_answers_are_saved_in_four_shapes(shape: str, folder: Path, tmp_path: Path) -> None:
    record = {"citations": [dataclasses.asdict(c) for c in answer(folder).citations]}
    texts = {
        "one": json.dumps(record, indent=2),
        "list": json.dumps([record, record]),
        "lines": f"{json.dumps(record)}\n\n{json.dumps(record)}\n",
        "one after the other": f"{json.dumps(record, indent=2)}\n{json.dumps(record, indent=2)}\n",
    }
    (tmp_path / "a.json").write_text(texts[shape])
    assert len(saved_citations(tmp_path / "a.json")) == (1 if shape == "one" else 2)


@pytest.mark.parametrize("content", ["", "nothing", "[1]", '{"citations": [{"document": "a"}]}'])
def test_what_holds_no_answers_is_one_sentence(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(DocumentError, match="holds no answers: save what 'footnote ask --json'"):
        saved_citations(tmp_path / "a.json")
