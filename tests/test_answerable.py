"""The signs for an answer, and the decision that weighs them."""

from dataclasses import replace

import click
import pytest

import rag.commands
import ui.commands
from rag.answerable import STRICTNESS, Signs


def test_every_sign_speaks_for_an_answer() -> None:
    none = Signs(odds=0.0, fits=True)
    assert 0 < none.probability < 1
    for more in (
        replace(none, odds=1.0),
        replace(none, spoken=1.0),
        replace(none, aligned=1.0),
    ):
        assert more.probability > none.probability
    assert replace(none, fits=False).probability == 0


@pytest.mark.parametrize("command", [rag.commands.ask, rag.commands.evaluate, ui.commands.chat])
def test_the_commands_are_as_strict_as_the_api(command: click.Command) -> None:
    (option,) = [option for option in command.params if option.name == "strictness"]
    assert option.default == STRICTNESS
