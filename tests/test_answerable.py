"""The signs for an answer, and the decision that weighs them."""

from dataclasses import replace

import click
import pytest

import rag.commands
import ui.commands
from rag.answerable import STRICTNESS, Signs, covered, fits


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


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        ("How many tons did they carry?", "They carried 35 tons.", 1),
        ("How many tons did they carry?", "They carried cargo.", 0),
        ("How many people struggle?", "Millions of people struggle.", 1),
        ("How many people came?", "Fewer people came after that.", 0),
        ("Which journalist met Guaido?", "The journalist met Juan Guaido.", 0),
        ("When did the planes land?", "They landed on Saturday.", 1),
        ("When did the planes land?", "They landed near the capital.", 0),
        ("In which month of 2019 did they land?", "They landed in 2019.", 0),
        ("What year did they land?", "They landed in 2019.", 1),
        ("Who was on the plane?", "Vasily Tonkoshkurov was on the plane.", 1),
        ("Who is the U.S. Secretary of State?", "The U.S. Secretary of State.", 0),
        ("Which BBC journalist met him?", "The BBC journalist met him on Sunday.", 0),
        ("Which general was on board?", "General Tonkoshkurov was on board.", 1),
        ("Where were the exercises held?", "The exercises were held in recent months.", 0),
        ("Where were the exercises held?", "The exercises were held near Caracas.", 1),
        ("Why did they land?", "They landed.", 1),
    ],
)
def test_an_answer_is_of_the_kind_that_was_asked_for(
    question: str, answer: str, expected: float
) -> None:
    assert fits(question, answer) == expected


def test_every_sign_speaks_for_an_answer() -> None:
    none = Signs(odds=0.0)
    assert 0 < none.probability < 1
    for sign in ("odds", "confidence", "covered", "fits"):
        assert replace(none, **{sign: 1.0}).probability > none.probability


@pytest.mark.parametrize("command", [rag.commands.ask, rag.commands.evaluate, ui.commands.chat])
def test_the_commands_are_as_strict_as_the_api(command: click.Command) -> None:
    (option,) = [option for option in command.params if option.name == "strictness"]
    assert option.default == STRICTNESS
