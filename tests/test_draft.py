"""What the model's own words say while they grow."""

import pytest

from rag.draft import is_refusal
from rag.records import REFUSAL


@pytest.mark.parametrize(
    "text",
    [
        REFUSAL,
        "The passages do not mention the name of the ship.",
        "There is no information about the ambassador in the documents.",
        "The documents don't say who paid.",
        "I cannot answer that question.",
        "The name is not specified in the passages.",
    ],
)
def test_a_refusal_is_known_in_other_words(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "Russia says that it does not threaten anyone.",
        "Two planes landed.",
        "The minister did not answer.",
        "Moscow said there was nothing mysterious about it.",
    ],
)
def test_a_statement_is_no_refusal(text: str) -> None:
    assert not is_refusal(text)
