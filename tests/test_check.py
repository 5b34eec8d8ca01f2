"""What ``footnote check`` finds: in an index, and of saved citations."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from index.build import build
from index.check import SavedCitation, check_citations, check_index, saved_citations
from index.commands import check
from index.generation import Store
from index.load import load_document
from models.errors import DocumentError, StoreError
from models.progress import Progress
from models.verify import file_sha256
from rag import Answer, Chat
from tests.documents import write_scan
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


def test_a_sound_index_is_sound(folder: Path, store: Store) -> None:
    build(folder, store=store, embedder=WordEmbedder())
    generation = check_index(store=store)
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


def cited(document: str, text: str) -> SavedCitation:
    """A citation of the whole of ``text``."""
    return SavedCitation(document, "0" * 64, 0, len(text), text)


def test_only_what_a_build_takes_is_read(folder: Path, tmp_path: Path) -> None:
    (folder / ".footnoteignore").write_text("draft.txt\n")
    (folder / "copy.txt").write_text(TEXT)
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    outside = ["../secret.txt", str(tmp_path / "secret.txt"), "link.txt", ".env.txt", "draft.txt"]
    for name in ("secret.txt", "documents/.env.txt", "documents/draft.txt"):
        (tmp_path / name).write_text("A secret.")
    citations = [cited(name, "A secret.") for name in outside]
    citations += [cited("news.txt", TEXT), cited("copy.txt", TEXT)]
    findings = check_citations(citations, folder)
    assert [finding.standing for finding in findings] == ["gone"] * 5 + ["unchanged"] * 2


def test_a_file_that_cannot_be_opened_does_not_stop_the_check(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> str:
        if path.name == "other.txt":
            raise PermissionError(13, "Permission denied")
        return file_sha256(path)

    monkeypatch.setattr("index.plan.file_sha256", refuse)
    told: list[Progress] = []
    citations = [cited("gone.txt", TEXT), cited("other.txt", TEXT), cited("news.txt", TEXT)]
    findings = check_citations(citations, folder, on_progress=told.append)
    assert [finding.standing for finding in findings] == ["gone", "gone", "unchanged"]
    assert told[-1] == Progress("Checking citations", 3, 3, "citations")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("tesseract"), reason="there is no program tesseract")
def test_a_citation_of_a_scan_stands(folder: Path, tmp_path: Path) -> None:
    write_scan(folder / "scan.png", "Seven bells rang")
    build(folder, ocr=True, embedder=WordEmbedder())
    citations = [dataclasses.asdict(cited("scan.png", "Seven bells rang"))]
    saved = tmp_path / "answers.jsonl"
    saved.write_text(json.dumps({"citations": citations}))
    done = CliRunner().invoke(check, ["--answers", str(saved)], catch_exceptions=False)
    assert (done.exit_code, "1 citation: 1 unchanged" in done.stdout) == (0, True)


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


@pytest.mark.parametrize(
    "wrong",
    [
        {"document": 7}, {"sha256": None}, {"start": "0"}, {"end": 1.5}, {"start": True},
        {"quote": ["A secret."]}, {"document": "\ud800"},
    ],
)  # fmt: skip
def test_a_citation_of_another_shape_is_one_sentence(
    wrong: dict[str, object], tmp_path: Path
) -> None:
    sound = dataclasses.asdict(cited("a.txt", "A secret."))
    records = [{"citations": [sound]}, {"citations": [sound, sound | wrong]}]
    (tmp_path / "a.json").write_text("\n\n".join(json.dumps(record) for record in records))
    with pytest.raises(DocumentError, match=r"a\.json holds no answers: .* in line 3\)\.$"):
        saved_citations(tmp_path / "a.json")
