"""The conversations of before: kept in ``ui.database``, found, renamed and deleted."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import ColumnElement, Connection, Table, and_, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from models.errors import HistoryError
from ui.database import CONVERSATIONS, Database
from ui.turn import Turn

_TURNS = TypeAdapter(list[Turn])

# What the two databases do not call the same; of both the name is that of their dialect.
_PLACE_OF = {"postgresql": func.strpos, "sqlite": func.instr}
_INSERT: dict[str, Callable[[Table], postgresql.Insert | sqlite.Insert]] = {
    "postgresql": postgresql.insert,
    "sqlite": sqlite.insert,
}

_KEPT = CONVERSATIONS.c

_MOST_LISTED = 200


@dataclass(frozen=True, slots=True)
class Kept:
    """A conversation in the list."""

    id: str
    title: str
    changed: datetime


class History:
    """One user's conversations about one index. Raises HistoryError whenever the place fails."""

    def __init__(self, place: Path | str | Database, *, name: str, owner: str = "") -> None:
        """``place`` is a file, or the URL of a database; ``name`` is the index that is asked.

        ``owner`` is the user's name, empty where nobody logs in; nobody else's are seen. Raises
        HistoryError if ``place`` is no such URL.
        """
        self._database = place if isinstance(place, Database) else Database(place)
        self._name = name
        self._owner = owner

    def of(self, owner: str) -> "History":
        """The conversations of that user, by the same connections."""
        return History(self._database, name=self._name, owner=owner)

    def close(self) -> None:
        """Ends the connections to the database, those of all users."""
        self._database.close()

    def save(self, id_: str, title: str, turns: list[Turn], *, since: str = "") -> tuple[str, str]:
        """Keeps the conversation as it is now; gives its id and when that was.

        ``since`` is when it was kept or loaded before, empty for a new one. If another tab, or
        another copy of the program, has changed or deleted it meanwhile, it gets an id of its
        own, so neither is lost. ``title`` is for a new one; ``rename`` changes it.
        """
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        text = "\n".join(f"{turn.question}\n{turn.text}" for turn in turns).casefold()
        with self._database.transaction() as connection:
            kept = {
                "changed": now,
                "text": _storable(text),
                "turns": _TURNS.dump_json(turns).decode(),
            }
            if since:
                is_as_it_was = and_(
                    _KEPT.id == id_, _KEPT.changed == since, _KEPT.owner == self._owner
                )
                changed = connection.execute(
                    update(CONVERSATIONS).where(is_as_it_was).values(**kept)
                )
                if changed.rowcount:
                    return id_, now
                id_ = secrets.token_hex(8)
            title = _storable(title)
            kept |= {"title": title, "label": title.casefold()}
            kept |= {"name": self._name, "owner": self._owner}
            if not _is_added(connection, {"id": id_, **kept}):
                # It was kept when the connection broke, and could not be told that it was.
                id_ = secrets.token_hex(8)
                _is_added(connection, {"id": id_, **kept})
        return id_, now

    def load(self, id_: str) -> tuple[str, str, list[Turn]] | None:
        """The title, when it was kept, and the turns of a conversation; None if it is not here.

        An answer that was being written then was stopped.
        """
        with self._database.transaction() as connection:
            row = connection.execute(
                select(_KEPT.title, _KEPT.changed, _KEPT.turns).where(self._is_mine(id_))
            ).one_or_none()
        if row is None:
            return None
        try:
            turns = _TURNS.validate_json(row.turns)
        except ValidationError as error:
            raise HistoryError(
                f"The conversation “{row.title}” was kept by another version of Footnote, and this "
                "one cannot read it: delete it from the list."
            ) from error
        for turn in turns:
            if not turn.is_over:
                turn.stop()
        return row.title, row.changed, turns

    def find(self, words: str = "") -> list[Kept]:
        """The conversations that hold all of ``words``, the last changed first."""
        searched = _KEPT.label + "\n" + _KEPT.text
        wanted = _storable(words.casefold()).split()
        with self._database.transaction() as connection:
            place_of = _PLACE_OF[connection.dialect.name]
            rows = connection.execute(
                select(_KEPT.id, _KEPT.title, _KEPT.changed)
                .where(_KEPT.name == self._name, _KEPT.owner == self._owner)
                .where(*(place_of(searched, word) > 0 for word in wanted))
                .order_by(_KEPT.changed.desc())
                .limit(_MOST_LISTED)
            ).all()
        return [Kept(row.id, row.title, datetime.fromisoformat(row.changed)) for row in rows]

    def rename(self, id_: str, title: str) -> None:
        """Gives the conversation another title."""
        title = _storable(title)
        with self._database.transaction() as connection:
            connection.execute(
                update(CONVERSATIONS)
                .where(self._is_mine(id_))
                .values(title=title, label=title.casefold())
            )

    def delete(self, id_: str) -> None:
        """Forgets the conversation. Nothing of it stays in a file; a database takes its time."""
        with self._database.transaction() as connection:
            connection.execute(delete(CONVERSATIONS).where(self._is_mine(id_)))

    def _is_mine(self, id_: str) -> ColumnElement[bool]:
        mine = _storable(id_)  # which may be what somebody has written into the address
        return and_(_KEPT.id == mine, _KEPT.name == self._name, _KEPT.owner == self._owner)


def _is_added(connection: Connection, row: dict[str, Any]) -> bool:
    """Whether there was none of that id; else nothing happens."""
    insert = _INSERT[connection.dialect.name](CONVERSATIONS).values(row).on_conflict_do_nothing()
    return connection.execute(insert, execution_options={"preserve_rowcount": True}).rowcount == 1


def _storable(text: str) -> str:
    """PostgreSQL keeps no text with a null character in it."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
