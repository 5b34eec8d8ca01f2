"""Questions for all that is said about something."""

import pytest

from rag import Chat
from rag.topic import suggested, topic_of
from tests.fakes import ListSearch, ScriptedModel, document

BOATS = document(
    "The S-300 missiles came by boat. They were new. Nobody saw the missiles arrive.",
    id_="boats.txt",
)
TRUCKS = document("Trucks carried the missiles to a base near the capital.", id_="trucks.txt")


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("What do the documents say about oil?", "oil"),
        ("What else do these two reports tell us about the S-300?", "the S-300"),
        ("What is said about Maria Zakharova?", "Maria Zakharova"),
        ("Tell me more about the debt.", "the debt"),
        ("What do you know about it?", ""),
        ("What did Trump say about oil?", ""),
        ("What is the oil price?", ""),
    ],
)
def test_what_asks_for_all_about_a_topic(question: str, topic: str) -> None:
    assert topic_of(question) == topic


def test_the_documents_speak_for_themselves() -> None:
    model = ScriptedModel()
    chat = Chat(search=ListSearch(BOATS, TRUCKS), generate=model)
    answer = chat.ask("What do the documents say about missiles?")
    assert [citation.document for citation in answer.citations][:2] == ["boats.txt", "trucks.txt"]
    assert len(answer.sentences) == 3
    for sentence in answer.sentences:
        assert answer.text[sentence.start : sentence.end] == sentence.text
        assert [citation.quote for citation in sentence.citations] == [sentence.text]
    assert not model.asked
    assert not model.judged


def test_all_words_and_numbers_of_the_topic_must_be_told() -> None:
    chat = Chat(search=ListSearch(BOATS, TRUCKS), generate=ScriptedModel())
    answer = chat.ask("What is said about the S-300 missiles?")
    assert answer.text == "The S-300 missiles came by boat."
    assert chat.ask("What is said about the S-400 missiles?").is_refusal


def test_questions_are_suggested_from_the_names_of_most_documents() -> None:
    texts = [
        "On Monday Ann Lee met Bo in the capital. Then Ann Lee left, said Cy Fox.",
        "They saw Ann Lee in “Does Anybody Care?” and read it.",
        "# A Title Of Many Names\n\nNothing.",
    ]
    assert suggested(texts, limit=2) == [
        "What do the documents say about Ann Lee?",
        "What do the documents say about Cy Fox?",
    ]
    assert suggested(["nothing."], limit=2) == []
