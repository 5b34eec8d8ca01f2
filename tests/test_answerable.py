"""The signs for an answer, and the decision that weighs them."""

from dataclasses import replace

import click
import pytest

import rag.commands
import ui.commands
from rag.answerable import STRICTNESS, Signs, covered


@pytest.mark.parametrize(
    ("sentence", "quotes", "expected"),
    [
        ("The planes carried 35 tons of cargo.", ["The planes carried much cargo."], 0.75),
        ("The planes carried tons of cargo.", ["The planes carried cargo.", "35 tons of it."], 1),
        ("The planes landed.", [], 0),
        ("It was so.", [], 1),
    ],
)
def test_covered_is_what_the_quotes_say_too(
    sentence: str, quotes: list[str], expected: float
) -> None:
    assert covered(sentence, quotes) == pytest.approx(expected)


def test_every_sign_speaks_for_an_answer() -> None:
    none = Signs(odds=0.0, fits=True)
    assert 0 < none.probability < 1
    for more in (
        replace(none, odds=1.0),
        replace(none, confidence=1.0),
        replace(none, covered=1.0),
        replace(none, direct=True),
    ):
        assert more.probability > none.probability
    assert replace(none, fits=False).probability == 0


@pytest.mark.parametrize("command", [rag.commands.ask, rag.commands.evaluate, ui.commands.chat])
def test_the_commands_are_as_strict_as_the_api(command: click.Command) -> None:
    (option,) = [option for option in command.params if option.name == "strictness"]
    assert option.default == STRICTNESS
