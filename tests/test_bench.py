"""The arithmetic of the ratios; what is measured needs the models, and minutes."""

import json
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from rag.bench import PARTS, Ratio, ratio, table, write
from rag.bench_quality import _gain, _lines, _share
from rag.commands import bench
from rag.questions import Gold, Question

QUICK = ratio("first word", [1.0, 3.0, 2.0], [4.0, 10.0, 10.0], limit=0.45)
SLOW = ratio("embedding", [20, 1400], [10, 2000], limit=1.5, unit="texts/s", is_least=True)


def test_a_ratio_is_of_the_medians_and_its_spread_of_the_turns() -> None:
    assert Ratio("first word", 2.0, 10.0, "s", 0.2, 0.2, 0.3, 0.45) == QUICK
    assert QUICK.holds
    assert (SLOW.ratio, SLOW.low, SLOW.high) == pytest.approx((710 / 1005, 0.7, 2.0))
    assert not SLOW.holds


def test_limits_are_kept_to_the_point() -> None:
    assert ratio("one", [0.5], [1.0], limit=0.5).holds
    assert ratio("one", [1.5], [1.0], limit=1.5, is_least=True).holds
    assert not ratio("one", [0.51], [1.0], limit=0.5).holds


def test_ratios_are_told_as_a_table_and_kept_as_json_and_a_plot(tmp_path: Path) -> None:
    lines = table([QUICK, SLOW])
    assert lines[2] == ("| first word | 2 s | 10 s | 0.20 | 0.20 to 0.30 | at most 0.45 | yes |")
    assert "| 710 texts/s | 1,005 texts/s |" in lines[3]
    assert lines[3].endswith("| at least 1.50 | no |")
    data, plot = write(tmp_path / "bench", [QUICK, SLOW], turns=3)
    record = json.loads(data.read_text())
    assert record["turns"] == 3
    assert record["ratios"][0]["ratio"] == 0.2
    assert "<svg" in plot.read_text()


def test_the_command_measures_whatever_can_be_measured() -> None:
    (choice,) = (param.type for param in bench.params if param.name == "parts")
    assert isinstance(choice, click.Choice)
    assert list(choice.choices) == [*PARTS, "quality", "search"]


def test_questions_of_one_conversation_are_asked_together() -> None:
    questions = [
        Question("1", "Who came?", conversation="a"),
        Question("2", "When?", conversation="a"),
        Question("3", "Where?", conversation="b"),
        Question("4", "Why?"),
        Question("5", "How?"),
    ]
    assert _lines(questions) == ["Who came?", "+When?", "Where?", "Why?", "How?"]


def test_shares_are_of_the_questions_of_that_kind() -> None:
    asked = [
        Question("1", "Who came?", answers=("the Army",)),
        Question("2", "Who went?", answers=("Ann",)),
        Question("3", "Who slept?", is_answerable=False),
    ]
    told = [
        [(asked[0], {"text": "It was the army."}), (asked[1], {"text": "Bob did."})],
        [(asked[2], {"text": "The passages do not say who slept."})],
    ]
    assert _share(told, is_answerable=True) == 50
    assert _share(told, is_answerable=False) == 100
    assert _share([told[0][1:]], is_answerable=True) == 50  # none of one counts as a half


def test_the_gain_of_the_nearest_vectors_by_hand() -> None:
    vectors = np.eye(3, dtype=np.float32)
    asked = np.array([[0.9, 0.4, 0.1], [0.1, 0.9, 0.4]], dtype=np.float32)
    questions = [
        Question("1", "?", gold=(Gold("a.md"),)),  # first
        Question("2", "?", gold=(Gold("c.md"),)),  # second
    ]
    gain = _gain(questions, ["a.md", "b.md", "c.md"], vectors, asked)
    assert gain == pytest.approx((1 + 1 / np.log2(3)) / 2)


def test_quality_needs_questions() -> None:
    said = CliRunner().invoke(bench, ["quality"])
    assert said.exit_code == 2
    assert "give --questions FOLDER" in said.output
