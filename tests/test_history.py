"""Conversations on disk: what is kept comes back whole, and what is deleted is gone."""

from pathlib import Path

import pytest

from models.errors import HistoryError
from rag.records import Done
from tests.browser import make_answer, make_citation, make_hit
from ui.history import History
from ui.turn import Turn


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "data" / "conversations.sqlite", name="default")


def turn(question: str, said: str = "Four planes landed.") -> Turn:
    quote = make_citation(1, "Four planes came down.", page=3, copies=("copy.md",))
    answer = make_answer(question, [(said, "supported", [quote])], hits=[make_hit(said)])
    asked = Turn(1, question, documents=("notes.md",))
    asked.take(Done(answer))
    asked.rate("down", "")
    asked.rate("", "too  short")
    return asked


def test_a_conversation_comes_back_as_it_was(history: History) -> None:
    stopped = Turn(2, "And then?", text="They", stage="stopped")
    turns = [turn("Who came?"), stopped]
    history.save("a1", "Who came?", turns)
    assert history.load("a1") == ("Who came?", turns)
    assert (turns[0].rating, turns[0].reason) == ("down", "too short")
    assert history.load("b2") is None


def test_the_last_changed_comes_first_and_words_are_found(history: History) -> None:
    assert history.find() == []
    history.save("a1", "Planes", [turn("Who came?")])
    history.save("b2", "Ships", [turn("What sank?", "Élan and Ärger did.")])
    history.save("a1", "Planes", [turn("Who came?"), turn("Who left?")])
    assert [kept.id for kept in history.find()] == ["a1", "b2"]
    assert [kept.id for kept in history.find("ärger ÉLAN")] == ["b2"]
    assert [kept.title for kept in history.find("planes left")] == ["Planes"]
    assert history.find("100%") == history.find("nothing_of it") == []


def test_renamed_and_deleted(history: History, tmp_path: Path) -> None:
    history.save("a1", "Planes", [turn("A secret question?")])
    history.rename("a1", "Aircraft")
    assert [kept.title for kept in history.find("aircraft secret")] == ["Aircraft"]
    history.rename("unknown", "Nothing")
    history.delete("a1")
    assert history.find() == []
    assert b"secret" not in (tmp_path / "data" / "conversations.sqlite").read_bytes()


def test_each_index_has_its_own(history: History, tmp_path: Path) -> None:
    other = History(tmp_path / "data" / "conversations.sqlite", name="letters")
    history.save("a1", "Planes", [turn("Who came?")])
    assert other.find() == []
    assert other.load("a1") is None
    other.delete("a1")
    assert history.load("a1")


def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "c.sqlite").write_text("no database " * 100)
    history = History(tmp_path / "c.sqlite", name="default")
    with pytest.raises(HistoryError, match=r"c.sqlite” cannot be read or written .*move the file"):
        history.find()


def test_a_conversation_of_another_version_is_one_sentence(history: History) -> None:
    history.save("a1", "Planes", [turn("Who came?")])
    with history._connection() as connection:
        connection.execute("""UPDATE conversations SET turns = '[{"number": "x"}]'""")
    with pytest.raises(HistoryError, match="“Planes” was kept by another version"):
        history.load("a1")
