"""Documents that do not agree on a number."""

import pytest

from rag import Answer, Chat
from tests.fakes import ListSearch, ScriptedModel, document

REPORT = document("The two planes carried nearly 100 troops to the capital.", id_="report.txt")
LETTER = document("The planes carried 200 troops to the capital.", id_="letter.txt")
QUESTION = "How many troops did the planes carry to the capital?"


def answer_of(*texts: str, question: str = QUESTION) -> Answer:
    documents = [REPORT, *(document(text, id_=f"{at}.txt") for at, text in enumerate(texts))]
    model = ScriptedModel("The planes carried nearly 100 troops to the capital.")
    return Chat(search=ListSearch(*documents), generate=model).ask(question)


def test_another_number_is_told_with_its_quote() -> None:
    first, second = answer_of(LETTER.text).sentences
    assert first.text == "The planes carried nearly 100 troops to the capital."
    assert second.text == f"Another document gives another number: “{LETTER.text}”"
    assert [c.quote for c in second.citations] == [LETTER.text]
    assert (first.citations[0].number, second.citations[0].number) == (1, 2)


@pytest.mark.parametrize(
    "text",
    [
        "The planes carried a hundred troops to the capital.",
        "The planes carried 99 troops to the capital.",
        "The planes carried 200 tons to the capital.",
        "Some 200 troops of another country slept in tents far away from there all winter.",
        "The planes carried 200 troops to the capital. No, it was 100 troops.",
        "The planes carried troops to the capital.",
    ],
)
def test_what_does_not_differ_is_not_told(text: str) -> None:
    assert len(answer_of(text).sentences) == 1


def test_only_a_question_for_a_number_is_held_against_others() -> None:
    asked = "What did the planes carry to the capital?"
    assert len(answer_of(LETTER.text, question=asked).sentences) == 1
