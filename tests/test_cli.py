"""The program as a user runs it: each failure is one sentence that says what mends it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fpdf import FPDF

from index.build import build
from index.embed import SentenceEmbedder
from tests.fakes import WordEmbedder

pytestmark = pytest.mark.slow  # each starts a program


def footnote(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rag", *arguments],
        capture_output=True, text=True, check=False, timeout=300,
        cwd=Path(__file__).parents[1], env=dict(os.environ),
    )  # fmt: skip


def assert_one_sentence(result: subprocess.CompletedProcess[str], *wanted: str, code: int) -> None:
    """The last line of the errors is the sentence; there is no answer and no traceback."""
    assert result.returncode == code, result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    for text in wanted:
        assert text in result.stderr.strip().splitlines()[-1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "documents"
    path.mkdir()
    (path / "planes.txt").write_text("Two planes landed near the capital on Saturday.")
    return path


def test_help_lists_the_commands() -> None:
    result = footnote("--help")
    assert result.returncode == 0
    for command in ("ask", "chat", "check", "index", "models"):
        assert f"\n  {command} " in result.stdout


@pytest.mark.parametrize("command", ["ask", "chat", "check", "index", "models"])
def test_every_command_has_help(command: str) -> None:
    result = footnote(command, "--help")
    assert result.returncode == 0
    assert result.stdout.startswith(f"Usage: footnote {command}")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, rag.cli, rag.commands, index.commands, models.commands, ui.commands\n"
        "heavy = {'torch', 'faiss', 'llama_cpp', 'gradio', 'sentence_transformers', 'numpy',"
        " 'langchain_text_splitters', 'huggingface_hub'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_no_index() -> None:
    assert_one_sentence(footnote("ask", "What landed?"), "run 'footnote index FOLDER'", code=1)


@pytest.mark.parametrize("question", ["", "  "])
def test_an_empty_question(question: str) -> None:
    assert_one_sentence(footnote("ask", question), "The question is empty", code=1)


def test_a_question_of_ten_thousand_words() -> None:
    result = footnote("ask", "word " * 10_000)
    assert_one_sentence(result, "10,000 words", "shorten it", code=1)


def test_no_model_for_the_index(folder: Path) -> None:
    result = footnote("index", str(folder))
    assert_one_sentence(result, "not on this machine", "footnote models pull all-minilm", code=1)


def test_no_model_for_the_answer(folder: Path) -> None:
    build(folder, embedder=WordEmbedder(digest=SentenceEmbedder().digest))
    result = footnote("ask", "What landed?")
    assert_one_sentence(result, "not on this machine", "footnote models pull qwen2.5", code=1)


def test_a_model_file_that_is_not_there(folder: Path) -> None:
    build(folder, embedder=WordEmbedder(digest=SentenceEmbedder().digest))
    result = footnote("ask", "What landed?", "--model", "/nowhere/model.gguf")
    assert_one_sentence(result, "no model at /nowhere/model.gguf", code=1)


def test_an_index_made_with_another_embedder(folder: Path) -> None:
    build(folder, embedder=WordEmbedder())
    result = footnote("ask", "What landed?")
    assert_one_sentence(result, "embedding model words", "run 'footnote index'", code=1)


def test_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = footnote("index", str(tmp_path / "empty"))
    assert_one_sentence(result, "holds no document that can be read", code=1)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    result = footnote("index", str(tmp_path / "nowhere"))
    assert_one_sentence(result, "is not a folder", code=1)


def test_a_folder_of_one_encrypted_file(tmp_path: Path) -> None:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("helvetica")
    pdf.cell(text="Two planes landed.")
    pdf.set_encryption(owner_password="owner", user_password="user")  # noqa: S106
    (tmp_path / "locked").mkdir()
    pdf.output(str(tmp_path / "locked" / "secret.pdf"))
    result = footnote("index", str(tmp_path / "locked"))
    assert_one_sentence(result, "secret.pdf: needs a password", code=1)


def test_a_home_that_cannot_be_written(folder: Path, tmp_path: Path, home: Path) -> None:
    home.write_text("a file where the folder should be")
    result = footnote("index", str(folder))
    assert_one_sentence(result, "FOOTNOTE_HOME", code=1)


def test_a_wrong_option_is_a_usage_error() -> None:
    assert footnote("ask", "--colour", "blue").returncode == 2
    assert footnote("asks").returncode == 2


def test_the_index_command_is_a_module_too() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "index", "--help"], capture_output=True, text=True, check=True
    )
    assert "Bring the index up to date" in result.stdout


@pytest.mark.real
@pytest.mark.usefixtures("home_with_models")
def test_index_and_ask_for_real(folder: Path) -> None:
    (folder / "locked.pdf").write_bytes(b"%PDF-1.7 broken")
    built = footnote("index", str(folder))
    assert built.returncode == 0, built.stderr
    assert "1 document, 1 passage" in built.stdout
    assert "locked.pdf: " in built.stdout

    asked = footnote("ask", "How many planes landed near the capital?")
    assert asked.returncode == 0, asked.stderr
    assert "[1] “Two planes landed near the capital on Saturday.”\n    planes.txt" in asked.stdout

    record = json.loads(footnote("ask", "--json", "How many planes landed?").stdout)
    assert record["is_refusal"] is False
    assert record["citations"][0]["document"] == "planes.txt"
    assert record["sentences"][0]["status"] == "supported"

    elsewhere = footnote("ask", "--document", "plane.txt", "How many planes landed?")
    assert elsewhere.returncode == 1
    assert "has no document “plane.txt”: name one that it has, such as planes.txt" in (
        elsewhere.stderr
    )

    refused = footnote("ask", "Who painted the Mona Lisa?")
    assert (refused.returncode, refused.stdout) == (3, "The documents do not say.\n")


def test_a_dry_run_needs_no_model(folder: Path) -> None:
    (folder / "broken.pdf").write_bytes(b"")
    result = footnote("index", str(folder), "--dry-run")
    assert result.returncode == 0, result.stderr
    assert "nothing was written" in result.stdout
    assert "added 2:\n    broken.pdf\n    planes.txt" in result.stdout
    assert_one_sentence(footnote("check"), "There is no index", "footnote index", code=1)


def test_watch_goes_with_no_dry_run(folder: Path) -> None:
    result = footnote("index", str(folder), "--watch", "--dry-run")
    assert result.returncode == 2
    assert "--watch goes with neither" in result.stderr


@pytest.mark.real
def test_a_file_that_cannot_be_read_fails_a_strict_build(
    folder: Path, home_with_models: Path
) -> None:
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 nothing")
    result = footnote("index", str(folder), "--strict")
    assert result.returncode == 1
    assert "broken.pdf: is not a PDF file, or is damaged" in result.stdout
    assert result.stderr.strip().splitlines()[-1].startswith("footnote: 1 file could not be read")
    (folder / ".footnoteignore").write_text("broken.pdf\n")
    assert footnote("index", "--strict").returncode == 0

    checked = footnote("check")
    assert checked.returncode == 0
    assert "is as it was written" in checked.stdout
    (folder / "new.txt").write_text("A third plane came.")
    assert "added 1:\n    new.txt" in footnote("check").stdout


@pytest.mark.real
def test_a_watched_folder_is_followed(folder: Path, home_with_models: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "rag", "index", str(folder), "--watch"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        cwd=Path(__file__).parents[1], env=dict(os.environ),
    )  # fmt: skip
    try:
        assert process.stdout
        lines = iter(process.stdout.readline, "")
        assert any("Watching" in line for line in lines)
        time.sleep(1)
        (folder / "second.txt").write_text("A second plane landed on Sunday.")
        assert any("second.txt" in line for line in lines)
        (folder / "planes.txt").unlink()
        assert any("removed 1" in line for line in lines)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 130
