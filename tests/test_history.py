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
    id_, saved = history.save("a1", "Who came?", turns)
    assert id_ == "a1"
    assert history.load("a1") == ("Who came?", saved, turns)
    assert (turns[0].rating, turns[0].reason) == ("down", "too short")
    assert history.load("b2") is None


def test_the_last_changed_comes_first_and_words_are_found(history: History) -> None:
    assert history.find() == []
    _, saved = history.save("a1", "Planes", [turn("Who came?")])
    history.save("b2", "Ships", [turn("What sank?", "Élan and Ärger did.")])
    history.save("a1", "Planes", [turn("Who came?"), turn("Who left?")], since=saved)
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


def test_two_tabs_lose_nothing_of_each_other(history: History) -> None:
    _, saved = history.save("a1", "Planes", [turn("Who came?")])
    one, _ = history.save("a1", "Planes", [turn("Who came?"), turn("In one?")], since=saved)
    other, _ = history.save("a1", "Planes", [turn("Who came?"), turn("In other?")], since=saved)
    assert one == "a1" != other
    assert len(history.find("in one")) == len(history.find("in other")) == 1
    assert len(history.find()) == 2

    found = history.load("a1")
    assert found
    history.delete("a1")
    again, _ = history.save("a1", "Planes", [turn("Who came?")], since=found[1])
    assert again != "a1"  # what was deleted stays so


def test_renaming_touches_nothing_else(history: History) -> None:
    _, saved = history.save("a1", "Planes", [turn("Who came?")])
    history.rename("a1", "Aircraft")
    assert history.save("a1", "Planes", [turn("Who left?")], since=saved)[0] == "a1"
    assert [kept.title for kept in history.find("left")] == ["Aircraft"]


def test_an_answer_that_was_being_written_was_stopped(history: History) -> None:
    history.save("a1", "Planes", [Turn(1, "Who came?", text="They", stage="writing")])
    found = history.load("a1")
    assert found
    assert (found[2][0].stage, found[2][0].text) == ("stopped", "They")


def test_what_cannot_be_written_is_one_sentence(history: History) -> None:
    with pytest.raises(HistoryError, match="cannot be read or written"):
        history.save("a1", "Planes", [Turn(1, "\ud800", stage="stopped")])


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
