"""The signs for an answer, and the decision that weighs them."""

from dataclasses import replace

import click
import pytest

import rag.commands
import ui.commands
from rag.answerable import STRICTNESS, Signs, fits, news


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        ("In which oil fields is its stake?", "Its stake is in oil fields.", 0),
        ("Who landed?", "No.", 0),
        ("Which company invested?", "Rosneft invested.", 1 / 3),
        ("How many planes landed?", "Two planes landed near Caracas on Saturday.", 1),
    ],
)
def test_news_is_what_the_question_did_not_say(question: str, answer: str, expected: float) -> None:
    assert news(question, answer) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        ("How many tons did they carry?", "They carried 35 tons.", 1),
        ("How many tons did they carry?", "They carried cargo.", 0),
        ("How many people struggle?", "Millions of people struggle.", 1),
        ("When did the planes land?", "They landed on Saturday.", 1),
        ("When did the planes land?", "They landed near the capital.", 0),
        ("In which month of 2019 did they land?", "They landed in 2019.", 0),
        ("What year did they land?", "They landed in 2019.", 1),
        ("Who was on the plane?", "Vasily Tonkoshkurov was on the plane.", 1),
        ("Who is the U.S. Secretary of State?", "The U.S. Secretary of State.", 0),
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
    for sign in ("odds", "support", "relevance", "premise", "news", "fits"):
        assert replace(none, **{sign: 1.0}).probability > none.probability


@pytest.mark.parametrize("command", [rag.commands.ask, rag.commands.evaluate, ui.commands.chat])
def test_the_commands_are_as_strict_as_the_api(command: click.Command) -> None:
    (option,) = [option for option in command.params if option.name == "strictness"]
    assert option.default == STRICTNESS
