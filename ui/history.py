"""The conversations of before, kept on this machine: one SQLite file in the user's data folder."""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from models.errors import HistoryError
from ui.turn import Turn

_TURNS = TypeAdapter(list[Turn])

_SCHEMA = """
    CREATE TABLE IF NOT EXISTS conversations (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,     -- which index was asked
        title TEXT NOT NULL,
        label TEXT NOT NULL,    -- the title, to be searched
        changed TEXT NOT NULL,  -- ISO 8601, UTC
        text TEXT NOT NULL,     -- of all questions and answers: what is searched
        turns TEXT NOT NULL     -- JSON
    )
"""

_MOST_LISTED = 200


@dataclass(frozen=True, slots=True)
class Kept:
    """A conversation in the list."""

    id: str
    title: str
    changed: datetime


class History:
    """The conversations about one index. Every method raises HistoryError if the file fails."""

    def __init__(self, file: Path, *, name: str) -> None:
        """``file`` is made when it is needed; ``name`` is the index that is asked."""
        self._file = file
        self._name = name

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._file)) as connection:
                connection.execute("PRAGMA secure_delete = ON")  # deleted text is overwritten
                connection.execute(_SCHEMA)
                with connection:
                    yield connection
        except (OSError, sqlite3.Error, ValueError) as error:
            raise HistoryError(
                f"The conversations in “{self._file}” cannot be read or written ({error}): make "
                "room there or set it right, or move the file away; the chat itself goes on."
            ) from error

    def save(self, id_: str, title: str, turns: list[Turn], *, since: str = "") -> tuple[str, str]:
        """Keeps the conversation as it is now; gives its id and when that was.

        ``since`` is when it was kept or loaded before, empty for a new one. If another tab has
        changed or deleted it meanwhile, it gets an id of its own, so neither is lost. ``title``
        is for a new one; ``rename`` changes it.
        """
        now = datetime.now(UTC).isoformat()
        text = "\n".join(f"{turn.question}\n{turn.text}" for turn in turns).casefold()
        with self._connection() as connection:
            record = _TURNS.dump_json(turns).decode()
            if since:
                changed = connection.execute(
                    "UPDATE conversations SET changed = ?, text = ?, turns = ?"
                    " WHERE id = ? AND changed = ?",
                    (now, text, record, id_, since),
                )
                if changed.rowcount:
                    return id_, now
                id_ = secrets.token_hex(8)
            connection.execute(
                "INSERT INTO conversations VALUES (?, ?, ?, ?, ?, ?, ?)",
                (id_, self._name, title, title.casefold(), now, text, record),
            )
        return id_, now

    def load(self, id_: str) -> tuple[str, str, list[Turn]] | None:
        """The title, when it was kept, and the turns of a conversation; None if it is not here.

        An answer that was being written then was stopped.
        """
        with self._connection() as connection:
            row = connection.execute(
                "SELECT title, changed, turns FROM conversations WHERE id = ? AND name = ?",
                (id_, self._name),
            ).fetchone()
        if row is None:
            return None
        try:
            turns = _TURNS.validate_json(row[2])
        except ValidationError as error:
            raise HistoryError(
                f"The conversation “{row[0]}” was kept by another version of Footnote, and this "
                "one cannot read it: delete it from the list."
            ) from error
        for turn in turns:
            if not turn.is_over:
                turn.stop()
        return row[0], row[1], turns

    def find(self, words: str = "") -> list[Kept]:
        """The conversations that hold all of ``words``, the last changed first."""
        wanted = words.casefold().split()
        holds = " AND ".join(["instr(label || '\n' || text, ?)"] * len(wanted)) or "1"
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT id, title, changed FROM conversations"  # noqa: S608 - no text of others
                f" WHERE name = ? AND {holds} ORDER BY changed DESC LIMIT ?",
                (self._name, *wanted, _MOST_LISTED),
            ).fetchall()
        return [Kept(id_, title, datetime.fromisoformat(changed)) for id_, title, changed in rows]

    def rename(self, id_: str, title: str) -> None:
        """Gives the conversation another title."""
        with self._connection() as connection:
            connection.execute(
                "UPDATE conversations SET title = ?, label = ? WHERE id = ? AND name = ?",
                (title, title.casefold(), id_, self._name),
            )

    def delete(self, id_: str) -> None:
        """Forgets the conversation; nothing of it stays in the file."""
        with self._connection() as connection:
            connection.execute(
                "DELETE FROM conversations WHERE id = ? AND name = ?", (id_, self._name)
            )
