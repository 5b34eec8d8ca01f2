"""Conversations that are kept: they come back whole, and what is deleted is gone.

In a file, and in a real PostgreSQL.
"""

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from models.errors import HistoryError, ModelError
from rag.records import Done
from serve.commands import serve
from tests.browser import free_port, make_answer, make_citation, make_hit
from tests.postgres import PASSWORD, Cluster, postgres
from tests.relay import relay
from ui.database import Database
from ui.history import History
from ui.turn import Turn

POSTGRES = pytest.param("postgres", marks=pytest.mark.real)

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with postgres() as cluster:
        yield cluster


@pytest.fixture(params=["file", POSTGRES])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path | str:
    """Where there is nothing yet."""
    if request.param == "file":
        return tmp_path / "data" / "conversations.sqlite"
    monkeypatch.setenv("FOOTNOTE_DATABASE_PASSWORD", PASSWORD)
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.new_database()


@pytest.fixture
def history(place: Path | str) -> Iterator[History]:
    with closing(History(place, name="default")) as history:
        yield history


on_postgres = pytest.mark.parametrize("place", [POSTGRES], indirect=True)


def turn(question: str, said: str = "Four planes landed.") -> Turn:
    quote = make_citation(1, "Four planes came down.", page=3, copies=("copy.md",))
    answer = make_answer(question, [(said, "supported", [quote])], hits=[make_hit(said)])
    asked = Turn(1, question, documents=("notes.md",))
    asked.take(Done(answer))
    asked.rate("down", "")
    asked.rate("", "too  short")
    return asked


def questions(history: History) -> list[str]:
    """Those of every conversation, in no order."""
    loaded = [history.load(kept.id) for kept in history.find()]
    return sorted(one.question for found in loaded if found for one in found[2])


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


HOSTILE = [
    "'; DROP TABLE conversations; --",
    "100% of %s, %(name)s, :name, ? and $1",
    "under_score",
    r"C:\notes\new",
    '"quoted" “quoted”',
    "one/two",
    "שלום \u202eolleh\u202c \U0001f469\u200d\U0001f469\u200d\U0001f467 e\u0301",
    "STRAßE",
    "x" * 100_000,
]


def test_hostile_titles_are_text_and_found_as_they_are_written(history: History) -> None:
    for number, title in enumerate(HOSTILE):
        history.save(f"a{number}", title, [turn(title)])
    for number, title in enumerate(HOSTILE):
        found = history.load(f"a{number}")
        assert found
        assert (found[0], found[2][0].question) == (title, title)
        assert [kept.id for kept in history.find(title)] == [f"a{number}"]
        history.rename(f"a{number}", f"{title} too")
        assert [kept.title for kept in history.find(f"{title.upper()} too")] == [f"{title} too"]
    assert history.load("a1' OR '1'='1") is None
    assert [history.find(one) for one in ("x%x", "_____", "\\\\", "//", "straße.")] == [[]] * 5
    assert [kept.id for kept in history.find("strasse")] == ["a7"]


def test_a_null_character_is_kept_in_the_turns_alone(history: History) -> None:
    history.save("a1", "A\0B", [turn("Who\0came?")])
    found = history.load("a1")
    assert found
    assert (found[0], found[2][0].question) == ("A\ufffdB", "Who\0came?")
    assert [kept.id for kept in history.find("a\0b who\0came")] == ["a1"]
    assert history.load("a1\0") is None


def test_renamed_and_deleted(history: History) -> None:
    history.save("a1", "Planes", [turn("A secret question?")])
    history.rename("a1", "Aircraft")
    assert [kept.title for kept in history.find("aircraft secret")] == ["Aircraft"]
    history.rename("unknown", "Nothing")
    history.delete("a1")
    assert history.find() == []


def test_of_what_is_deleted_nothing_stays_in_the_file(tmp_path: Path) -> None:
    history = History(tmp_path / "c.sqlite", name="default")
    history.save("a1", "Planes", [turn("A secret question?")])
    assert b"secret" in (tmp_path / "c.sqlite").read_bytes()
    history.delete("a1")
    assert b"secret" not in (tmp_path / "c.sqlite").read_bytes()


def test_nobody_else_at_the_machine_reads_the_file(tmp_path: Path) -> None:
    file = tmp_path / "data" / "conversations.sqlite"
    with closing(History(file, name="default")) as history:
        history.save("a1", "Planes", [turn("Who came?")])
    assert file.stat().st_mode & 0o077 == 0


def test_a_file_may_be_moved_away_meanwhile(tmp_path: Path) -> None:
    history = History(tmp_path / "c.sqlite", name="default")
    history.save("a1", "Planes", [turn("Who came?")])
    (tmp_path / "c.sqlite").rename(tmp_path / "moved.sqlite")
    assert history.find() == []
    history.save("b2", "Ships", [turn("What sank?")])
    assert [kept.id for kept in History(tmp_path / "c.sqlite", name="default").find()] == ["b2"]
    assert [kept.id for kept in History(tmp_path / "moved.sqlite", name="default").find()] == ["a1"]


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


def test_what_was_kept_though_nobody_was_told_is_not_in_the_way(history: History) -> None:
    history.save("a1", "Planes", [turn("Who came?")])
    again, saved = history.save("a1", "Planes", [turn("Who came?"), turn("Who left?")])
    assert again != "a1"
    assert history.save(again, "Planes", [turn("Who went?")], since=saved)[0] == again
    assert questions(history) == ["Who came?", "Who went?"]


def test_of_many_that_save_at_once_one_keeps_the_id_and_none_is_lost(history: History) -> None:
    _, saved = history.save("a1", "Planes", [turn("Who came?")])
    begins = threading.Barrier(6)

    def save(number: int) -> str:
        begins.wait(10)
        mine = history.of("")
        return mine.save("a1", "Planes", [turn(f"Question {number}?")], since=saved)[0]

    with ThreadPoolExecutor(6) as threads:
        ids = list(threads.map(save, range(6)))
    assert ids.count("a1") == 1
    assert len(set(ids)) == 6
    assert questions(history) == [f"Question {number}?" for number in range(6)]


PROGRAM = """
import sys
from pathlib import Path
from ui.history import History
from ui.turn import Turn

place, mine = sys.argv[1:]
history = History(Path(place) if place.startswith("/") else place, name="default")
print("ready", flush=True)
sys.stdin.readline()
for number in range(15):
    title, saved, turns = history.load("a1")
    turns.append(Turn(len(turns) + 1, f"{mine} {number}?", stage="stopped"))
    history.save("a1", title, turns, since=saved)
history.close()
"""


@pytest.mark.slow
def test_two_programs_that_save_one_conversation_lose_nothing(
    place: Path | str, history: History
) -> None:
    history.save("a1", "Planes", [Turn(1, "First?", stage="stopped")])
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(place), name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY,
        )
        for name in ("one", "other")
    ]  # fmt: skip
    for program in programs:
        assert program.stdout
        assert program.stdout.readline() == "ready\n"
    for program in programs:
        assert program.stdin
        program.stdin.write("\n")
        program.stdin.flush()
    for program in programs:
        program.communicate(timeout=60)
        assert program.returncode == 0
    asked = {f"{name} {number}?" for name in ("one", "other") for number in range(15)}
    assert set(questions(history)) == asked | {"First?"}
    found = history.load("a1")
    assert found
    numbers = [one.number for one in found[2]]
    assert numbers == list(range(1, len(numbers) + 1))


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
    with pytest.raises(HistoryError, match="cannot be read or written"):
        history.save("a1", "\ud800", [turn("Who came?")])
    assert history.find() == []


def test_each_index_and_each_user_has_its_own(place: Path | str, history: History) -> None:
    with closing(History(place, name="letters")) as other:
        history.save("a1", "Planes", [turn("Who came?")])
        for one in (other, history.of("desk-1")):
            assert one.find() == []
            assert one.load("a1") is None
            one.delete("a1")
            one.rename("a1", "Mine")
            one.save("a1", "Mine", [turn("Who?")], since="2026-01-01T00:00:00+00:00")
            assert one.load("a1") is None
    found = history.load("a1")
    assert found
    assert found[0] == "Planes"
    assert len(history.find()) == 1


def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "c.sqlite").write_text("no database " * 100)
    history = History(tmp_path / "c.sqlite", name="default")
    with pytest.raises(HistoryError, match=r"c.sqlite” cannot be read or written .*move the file"):
        history.find()


def test_a_file_that_somebody_else_writes_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.database.SECONDS", 0.3)
    history = History(tmp_path / "c.sqlite", name="default")
    history.find()
    with closing(sqlite3.connect(tmp_path / "c.sqlite")) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        with pytest.raises(HistoryError, match=r"\(database is locked\): make room there"):
            history.save("a1", "Planes", [turn("Who came?")])
        assert 0.2 < time.monotonic() - began < 3
        assert history.find() == []
        other.rollback()
    assert history.save("a1", "Planes", [turn("Who came?")])[0] == "a1"


# A file of before

_BEFORE = """
    CREATE TABLE IF NOT EXISTS conversations (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, title TEXT NOT NULL, label TEXT NOT NULL,
        changed TEXT NOT NULL, text TEXT NOT NULL, turns TEXT NOT NULL{}
    )
"""
_OWNER = ", owner TEXT NOT NULL DEFAULT ''"
_ROW = (
    "old", "default", "Planes", "planes", "2026-01-02T03:04:05.000006+00:00",
    "who came?\nfour", '[{"number": 1, "question": "Who came?", "text": "Four"}]',
)  # fmt: skip


def write_file(file: Path, *, has_owner: bool, rows: int = 1) -> None:
    with closing(sqlite3.connect(file)) as before, before:
        before.execute(_BEFORE.format(_OWNER if has_owner else ""))
        values = ", ".join("?" * (8 if has_owner else 7))
        for number in range(rows):
            row = (_ROW[0] if rows == 1 else f"old{number}", *_ROW[1:])
            before.execute(
                f"INSERT INTO conversations VALUES ({values})",  # noqa: S608
                (*row, "") if has_owner else row,
            )


@pytest.mark.parametrize("has_owner", [False, True])
def test_a_file_of_before_keeps_everything(has_owner: bool, tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    write_file(file, has_owner=has_owner)
    history = History(file, name="default")
    assert [(kept.id, kept.title, kept.changed.year) for kept in history.find("four")] == [
        ("old", "Planes", 2026)
    ]
    assert history.of("desk-1").find() == []
    expected = [Turn(1, "Who came?", text="Four", stage="stopped")]
    assert history.load("old") == ("Planes", _ROW[4], expected)
    assert history.save("old", "", [turn("Who came?")], since=_ROW[4])[0] == "old"
    history.of("desk-1").save("new", "Ships", [turn("What sank?")])
    # The program of before opens it, too.
    with closing(sqlite3.connect(file)) as before:
        before.execute(_BEFORE.format(_OWNER))
        before.execute(
            "INSERT INTO conversations VALUES (?, ?, ?, ?, ?, ?, ?, ?)", ("x", *_ROW[1:], "desk-2")
        )
        rows = before.execute("SELECT id, title, owner FROM conversations ORDER BY id").fetchall()
    assert rows == [("new", "Ships", "desk-1"), ("old", "Planes", ""), ("x", "Planes", "desk-2")]


def test_many_may_open_a_file_of_before_at_once(tmp_path: Path) -> None:
    for attempt in range(5):
        file = tmp_path / f"{attempt}.sqlite"
        write_file(file, has_owner=False, rows=50)
        begins = threading.Barrier(4)

        def look(_: int, file: Path = file, begins: threading.Barrier = begins) -> int:
            begins.wait(10)
            return len(History(file, name="default").find())

        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(look, range(4))) == [50] * 4


def test_a_conversation_of_another_version_is_one_sentence(
    place: Path | str, history: History
) -> None:
    history.save("a1", "Planes", [turn("Who came?")])
    database = Database(place)
    with closing(database), database.transaction() as connection:
        connection.execute(text("""UPDATE conversations SET turns = '[{"number": "x"}]'"""))
    with pytest.raises(HistoryError, match="“Planes” was kept by another version"):
        history.load("a1")


# A database of its own


@on_postgres
def test_many_may_make_the_table_at_once(place: str) -> None:
    begins = threading.Barrier(8)

    def begin(number: int) -> str:
        with closing(History(place, name="default")) as history:
            begins.wait(10)
            return history.save(f"a{number}", "Planes", [turn("Who came?")])[0]

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(begin, range(8))) == [f"a{number}" for number in range(8)]


@on_postgres
def test_users_and_threads_share_connections_and_each_is_given_back(
    history: History, cluster: Cluster
) -> None:
    ends = threading.Barrier(20)

    def keep(number: int) -> None:
        mine = history.of(f"desk-{number}")
        for since in ("", "then"):
            mine.save(f"a{number}", "Planes", [turn("Who came?")], since=since)
        assert len(mine.find("who came")) == 2
        ends.wait(30)

    with ThreadPoolExecutor(20) as threads:
        list(threads.map(keep, range(20)))
    connections = cluster.run(
        "SELECT state FROM pg_stat_activity WHERE application_name = 'footnote'"
    )
    assert 1 <= len(connections) <= 5
    assert set(connections) == {("idle",)}


@on_postgres
@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_a_database_that_was_started_again_is_no_error(
    history: History, cluster: Cluster, how: str
) -> None:
    _, saved = history.save("a1", "Planes", [turn("Who came?")])
    cluster.stop(how)
    cluster.start()
    turns = [turn("Who came?"), turn("Who left?")]
    assert history.save("a1", "Planes", turns, since=saved)[0] == "a1"
    assert questions(history) == ["Who came?", "Who left?"]


@on_postgres
def test_a_database_that_is_stopped_is_told_at_once_and_nothing_is_lost(
    history: History, place: str, cluster: Cluster
) -> None:
    _, saved = history.save("a1", "Planes", [turn("Who came?")])
    turns = [turn("Who came?"), turn("Who left?")]
    cluster.stop()
    try:
        began = time.monotonic()
        with pytest.raises(
            HistoryError, match=r"\(Connection refused\): see that the data"
        ) as told:
            history.save("a1", "Planes", turns, since=saved)
        with pytest.raises(HistoryError, match="the chat itself goes on"):
            history.find()
        with closing(History(place, name="default")) as new, pytest.raises(HistoryError):
            new.find()
        assert time.monotonic() - began < 5
    finally:
        cluster.start()
    assert PASSWORD not in str(told.value)
    _, saved = history.save("a1", "Planes", turns, since=saved)
    assert [kept.id for kept in history.find("left")] == ["a1"]


@on_postgres
def test_a_database_that_is_silent_is_told_and_returns(
    place: str, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.database.SECONDS", 2)
    with relay(cluster.port) as held:
        through = place.replace(f":{cluster.port}/", f":{held.port}/")
        with closing(History(through, name="default")) as history:
            _, saved = history.save("a1", "Planes", [turn("Who came?")])
            held.hold()
            for silent in (lambda: history.save("b2", "Ships", [turn("What sank?")]), history.find):
                began = time.monotonic()
                with pytest.raises(HistoryError, match=r"\((it was silent|connection timeout)"):
                    silent()
                assert 1 < time.monotonic() - began < 8
            held.let_go()
            assert history.save("a1", "Planes", [turn("Who left?")], since=saved)[0] == "a1"
            assert history.save("b2", "Ships", [turn("What sank?")])[0] == "b2"
            assert len(history.find()) == 2


@on_postgres
def test_a_row_that_somebody_else_holds_is_waited_for_and_then_told(
    history: History, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.database.SECONDS", 1)
    _, saved = history.save("a1", "Planes", [turn("Who came?")])
    other = Database(place)
    with closing(other), closing(History(place, name="default")) as hasty:
        with other.transaction() as connection:
            connection.execute(text("SELECT id FROM conversations FOR UPDATE"))
            with pytest.raises(HistoryError, match="it was silent for 1 second") as told:
                hasty.save("a1", "Planes", [turn("Who left?")], since=saved)
            assert "left" not in f"{told.value.__cause__} {told.value.__cause__!r}"
        assert questions(history) == ["Who came?"]
        assert hasty.save("a1", "Planes", [turn("Who left?")], since=saved)[0] == "a1"


@on_postgres
def test_a_database_that_was_made_anew_is_used(history: History, cluster: Cluster) -> None:
    history.save("a1", "Planes", [turn("Who came?")])
    cluster.run("DROP TABLE conversations", database=f"test{cluster._databases}")
    with pytest.raises(HistoryError, match='relation "conversations" does not exist'):
        history.find()
    assert history.find() == []


@on_postgres
def test_who_is_not_let_in_is_told_without_the_password(
    place: str, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = place.replace("footnote@", "footnote:some%2Fthing%40else@")
    monkeypatch.setenv("FOOTNOTE_DATABASE_PASSWORD", "another thing")
    for url in (wrong, place, f"{place}?password=some%2Fthing"):
        with closing(History(url, name="default")) as history:
            with pytest.raises(HistoryError) as told:
                history.find()
            shown = f"{told.value!r} {told.value.__cause__!r} {told.value.__cause__}"
            assert 'password authentication failed for user "footnote"' in str(told.value)
            assert f"“{place.replace('+psycopg', '')}”" in str(told.value)
            assert not any(part in shown for part in ("some", "thing", "another"))
    with (
        closing(History(cluster.url("absent"), name="default")) as history,
        pytest.raises(HistoryError, match="set FOOTNOTE_DATABASE_PASSWORD"),
    ):
        history.find()


@on_postgres
def test_who_may_not_make_the_table_may_use_it(
    place: str, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = place.rpartition("/")[2]
    cluster.run(f"CREATE ROLE {database} LOGIN PASSWORD 'x'")
    monkeypatch.setenv("FOOTNOTE_DATABASE_PASSWORD", "x")
    with closing(History(place.replace("footnote@", f"{database}@"), name="default")) as reader:
        with pytest.raises(HistoryError, match="permission denied for schema public"):
            reader.find()
        monkeypatch.setenv("FOOTNOTE_DATABASE_PASSWORD", PASSWORD)
        with closing(History(place, name="default")) as owner:
            owner.save("a1", "Planes", [turn("Who came?")])
        cluster.run(f"GRANT ALL ON conversations TO {database}", database=database)
        assert [kept.id for kept in reader.find()] == ["a1"]


# Its URL


@pytest.mark.parametrize(
    "url",
    [
        "",
        "db.example/footnote",
        "mysql://desk@db.example/footnote",
        "postgresql+asyncpg://desk@db.example/footnote",
        "postgresql+psycopg://desk@db.example",
        "postgresql+psycopg://desk@db.example:port/footnote",
        "postgresql+psycopg://desk:pass@word@db.example/footnote",
        "postgresql+psycopg://desk:pass@word/word@db.example/footnote",
        "postgresql+psycopg://desk:pass@word?word@db.example/footnote",
        "sqlite:///conversations.sqlite",
    ],
)
def test_a_wrong_url_is_one_sentence_without_it(url: str) -> None:
    with pytest.raises(
        HistoryError, match=r"postgresql\+psycopg://USER@HOST/DATABASE: cor"
    ) as told:
        History(url, name="default")
    assert not any(part in str(told.value) for part in ("desk", "word@", "pass@"))
    assert told.value.__cause__ is None
    assert str(told.value).endswith(".")


def test_without_its_driver_a_database_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ui.postgres", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(HistoryError, match=r"run pip install 'footnote\[postgres\]'\.$"):
        History("postgresql+psycopg://desk@db.example/footnote", name="default")


def test_a_server_does_not_start_with_a_wrong_url() -> None:
    done = CliRunner().invoke(serve, ["--conversations", "db.example/footnote"])
    assert isinstance(done.exception, HistoryError)
    assert done.output == ""


def test_a_server_starts_without_its_database_and_says_so() -> None:
    url = f"postgresql+psycopg://desk@127.0.0.1:{free_port()}/footnote"
    done = CliRunner().invoke(serve, ["--conversations", url, "--model", "none-such"])
    assert "cannot be read or written (Connection refused): see that the database" in done.stderr
    assert isinstance(done.exception, ModelError)  # so it got beyond


def test_the_commands_start_without_the_library_of_databases() -> None:
    program = "import sys, rag.cli, serve.commands; sys.exit('sqlalchemy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=False)
    assert done.returncode == 0
