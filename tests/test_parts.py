"""Questions that ask two things."""

import pytest

from rag.parts import parts_of


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("Who commanded the troops?", ["Who commanded the troops?"]),
        (
            "Who commanded the troops and how old is he?",
            ["Who commanded the troops?", "How old is he?"],
        ),
        ("When and where did they meet?", ["When did they meet?", "Where did they meet?"]),
        (
            "Who came and how did he travel and why did he leave?",
            ["Who came?", "How did he travel?", "Why did he leave?"],
        ),
    ],
)
def test_each_thing_that_is_asked_is_a_question(question: str, parts: list[str]) -> None:
    assert parts_of(question) == parts


@pytest.mark.parametrize(
    "question",
    [
        "What did Anna and Carl say?",
        "Who explained how the planes landed and what they carried?",
        "And what did they carry?",
        "The planes landed and what they carried is not known.",
        "Who and what?",
        "",
    ],
)
def test_what_asks_one_thing_stays_whole(question: str) -> None:
    assert parts_of(question) == [question]
