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
        ("How many tons did they carry?", "They carried 35 tons.", True),
        ("How many tons did they carry?", "They carried cargo.", False),
        ("How many people struggle?", "Millions of people struggle.", True),
        ("How many people came?", "Fewer people came after that.", False),
        ("Which journalist met Guaido?", "The journalist met Juan Guaido.", False),
        ("When did the planes land?", "They landed on Saturday.", True),
        ("When did the planes land?", "They landed near the capital.", False),
        ("In which month of 2019 did they land?", "They landed in 2019.", False),
        ("What year did they land?", "They landed in 2019.", True),
        ("Who was on the plane?", "Vasily Tonkoshkurov was on the plane.", True),
        ("Who is the U.S. Secretary of State?", "The U.S. Secretary of State.", False),
        ("Which BBC journalist met him?", "The BBC journalist met him on Sunday.", False),
        ("Which general was on board?", "General Tonkoshkurov was on board.", True),
        ("Where were the exercises held?", "The exercises were held in recent months.", False),
        ("Where were the exercises held?", "The exercises were held near Caracas.", True),
        ("Where did they meet?", "They met on Sunday.", False),
        ("Where did they meet?", "At the airport.", True),
        ("Where did they meet?", "Caracas.", True),
        ("Where did he plan to flee?", "He was said to plan to flee to Cuba.", True),
        ("Why did they land?", "They landed.", False),
        ("Why did they land?", "They landed to discuss contracts.", True),
        ("Why is it hard to tell how big the army is?", "Its size is kept secret.", True),
        ("What does Russia sell to Venezuela?", "Russia sells to Venezuela.", False),
        ("What do the people who stay hope for?", "They hope for a quiet winter.", True),
        ("Who are the officers?", "The officers are advisers.", True),
        ("Who had he met when he landed?", "He had met the Russian envoy.", True),
        ("Did they land when it was dark?", "Yes, they landed.", True),
        ("How rich in oil is the country?", "The country is rich in oil.", True),
        ("How did they land?", "They did land.", False),
        ("How did they land?", "They landed by night.", True),
        ("They landed at dawn, after which it rained.", "They landed at dawn.", True),
        ("and on which day did they land", "They did land.", False),
    ],
)
def test_an_answer_is_of_the_kind_that_was_asked_for(
    question: str, answer: str, expected: bool
) -> None:
    assert fits(question, answer) is expected


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
