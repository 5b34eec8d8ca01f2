"""Which questions are kept for measuring."""

import json
from pathlib import Path

from click.testing import CliRunner

from benchmarks.held_out import is_held_out, write


def test_the_half_is_always_the_same() -> None:
    """The weights of the refusal are trained on questions about the others."""
    assert [n for n in range(12) if is_held_out(f"sq-p{n}")] == [0, 1, 5, 6, 7, 8, 9, 10]


def test_a_passage_is_held_out_with_all_its_questions(tmp_path: Path) -> None:
    folder, half = tmp_path / "all", tmp_path / "half"
    folder.mkdir()
    (folder / "corpus.jsonl").write_text('{"_id": "a"}\n')
    questions = [{"_id": f"{n}-{m}", "passage": f"p{n}"} for n in range(40) for m in range(2)]
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, questions)) + "\n")
    result = CliRunner().invoke(write, [str(folder), str(half)], catch_exceptions=False)
    kept = [json.loads(line) for line in (half / "questions.jsonl").read_text().splitlines()]
    passages = {question["passage"] for question in kept}
    assert 10 < len(passages) < 30
    assert kept == [question for question in questions if question["passage"] in passages]
    assert f"{len(kept)} of 80 questions" in result.output
    assert (half / "corpus.jsonl").read_text() == (folder / "corpus.jsonl").read_text()
