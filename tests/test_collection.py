"""Questions about the documents as such."""

import pytest

from rag import Chat, Done, Retrieved
from rag.collection import asks_about_collection
from tests.fakes import ListSearch, ScriptedModel, document

NEWS = document(
    "# Planes land\n\nTwo military planes landed outside the capital on Saturday. It rained.",
    id_="news.md",
    title="Planes land",
)
NOTE = document("Short.", id_="note.txt")


@pytest.mark.parametrize(
    "question",
    [
        "Which documents are there?",
        "What documents do you have",
        "How many files are there?",
        "List all the sources.",
        "What are these documents about?",
        "What is this collection about?",
        "What can I ask you about?",
    ],
)
def test_what_asks_about_the_collection(question: str) -> None:
    assert asks_about_collection(question)


@pytest.mark.parametrize(
    "question",
    [
        "Which documents did the minister sign?",
        "How many files were stolen from the embassy?",
        "What is in the documents that Trump signed?",
        "What are the reports about Russian troops based on?",
    ],
)
def test_what_asks_about_something_in_it(question: str) -> None:
    assert not asks_about_collection(question)


def test_each_document_is_named_with_its_beginning() -> None:
    model = ScriptedModel()
    chat = Chat(search=ListSearch(NEWS, NOTE), generate=model)
    first, last = chat.stream("Which documents are there?")
    assert isinstance(first, Retrieved)
    assert isinstance(last, Done)
    answer = last.answer
    assert answer.text == (
        "Document 1 of 2, “Planes land” (news.md), begins: “Two military planes landed "
        "outside the capital on Saturday.” Document 2 of 2, note.txt, begins: “Short.”"
    )
    for sentence in answer.sentences:
        assert answer.text[sentence.start : sentence.end] == sentence.text
        (citation,) = sentence.citations
        source = {"news.md": NEWS, "note.txt": NOTE}[citation.document]
        assert source.text[citation.start : citation.end] == citation.quote
    assert model.asked == model.judged == []


def test_of_very_many_documents_the_first_are_named() -> None:
    documents = [document(f"This is the text of number {n}.", id_=f"{n:02}.txt") for n in range(30)]
    chat = Chat(search=ListSearch(*documents), generate=ScriptedModel())
    answer = chat.ask("Which documents are there?")
    assert len(answer.sentences) == 12
    assert answer.text.startswith("Document 1 of 30, 00.txt, begins: ")
