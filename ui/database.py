"""Where conversations are kept: one SQLite file on this machine, or a PostgreSQL database.

A file is opened anew for each transaction, so it may be moved away at any time. Connections to a
database stay open, for all users and threads together, and are tried before they are used again.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Column,
    Connection,
    Engine,
    Index,
    MetaData,
    NullPool,
    Table,
    Text,
    create_engine,
    event,
    exc,
    func,
    make_url,
    select,
)
from sqlalchemy.schema import CreateTable

from models.errors import HistoryError

PASSWORD = "FOOTNOTE_DATABASE_PASSWORD"
"""The environment variable for a database's password."""

SECONDS = 5
"""For a connection, for each step of a transaction, and for a lock that somebody else holds."""

_SCHEMES = ("postgresql+psycopg", "postgresql", "postgres")

_AT_ONCE, _AT_MOST = 5, 15
"""Connections that stay open, and all of them, where many ask at once."""

_MAKING = 0x666F6F74
"""The lock under which the table is made; any number that others of the database do not take."""

CONVERSATIONS = Table(
    "conversations",
    MetaData(),
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),  # which index was asked
    Column("title", Text, nullable=False),
    Column("label", Text, nullable=False),  # the title, to be searched
    Column("changed", Text, nullable=False),  # ISO 8601, UTC
    Column("text", Text, nullable=False),  # of all questions and answers: what is searched
    Column("turns", Text, nullable=False),  # JSON
    Column("owner", Text, nullable=False, server_default=""),  # empty where nobody logs in
)

# In a database alone: a file of before would have to be written to, only to be listed.
_OF_OWNER = Index(
    "conversations_of_owner",
    CONVERSATIONS.c.name,
    CONVERSATIONS.c.owner,
    CONVERSATIONS.c.changed,
)


class Database:
    """The one table of the conversations, for several threads."""

    def __init__(self, place: Path | str) -> None:
        """``place`` is a file, which is made when it is needed, or the URL of a database.

        Nothing is opened yet. Raises HistoryError if it is no such URL.
        """
        self._file = place if isinstance(place, Path) else None
        self._has_table = False
        if isinstance(place, Path):
            self._engine = _engine_of_file(place)
            self._shown = str(place)
            self._remedy = "make room there or set it right, or move the file away"
        else:
            url = _url_of(place)
            self._engine = _engine_of_server(url)
            self._shown = _as_shown(url)
            self._remedy = (
                f"see that the database runs and lets in who is named, correct the URL, or set "
                f"{PASSWORD}"
            )

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """All that is done meanwhile is done, or nothing. Raises HistoryError if it fails."""
        try:
            if self._file:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                self._file.touch(mode=0o600)  # nobody else at this machine is to read it
            elif not self._has_table:
                with self._engine.begin() as connection:
                    _make_table(connection)
                self._has_table = True
            with self._engine.begin() as connection:
                if self._file:
                    _make_table_of_file(connection)
                yield connection
        except (OSError, exc.SQLAlchemyError, ValueError) as error:
            self._has_table = False  # it may be a new database when it is there again
            raise HistoryError(
                f"The conversations in “{self._shown}” cannot be read or written "
                f"({_reason(error)}): {self._remedy}; the chat itself goes on."
            ) from error

    def close(self) -> None:
        """Ends the connections that stay open; the next transaction would open others."""
        self._engine.dispose()


# A file


def _engine_of_file(file: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(file)),
        connect_args={"timeout": SECONDS},
        poolclass=NullPool,
        hide_parameters=True,
    )
    event.listen(engine, "connect", _overwrite_what_is_deleted)
    return engine


def _overwrite_what_is_deleted(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA secure_delete = ON").close()


def _make_table_of_file(connection: Connection) -> None:
    """Also of a file of before there were users."""
    columns = _columns(connection)
    if not columns:
        connection.execute(CreateTable(CONVERSATIONS, if_not_exists=True))
    elif "owner" not in columns:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # somebody else may be about to do the same
        if "owner" not in _columns(connection):
            connection.exec_driver_sql(
                "ALTER TABLE conversations ADD COLUMN owner TEXT NOT NULL DEFAULT ''"
            )


def _columns(connection: Connection) -> set[str]:
    """None if there is no table."""
    rows = connection.exec_driver_sql("PRAGMA table_info(conversations)").all()
    return {row.name for row in rows}


# A database


def _url_of(text: str) -> URL:
    try:
        url = make_url(text.strip())
    except (exc.ArgumentError, ValueError):  # such as a port that is no number
        url = None
    # With two “@”, part of a password would be taken for the host, and be shown.
    if not url or url.drivername not in _SCHEMES or not url.database or text.count("@") > 1:
        raise HistoryError(
            "Conversations are kept at a URL such as postgresql+psycopg://USER@HOST/DATABASE: "
            f"correct the one of --conversations, and put the password into {PASSWORD}, or write "
            "its “@”, “:” and “/” as %40, %3A and %2F."
        )  # does not repeat what was given, which may hold a password
    return url.set(
        drivername=_SCHEMES[0], password=url.password or os.environ.get(PASSWORD) or None
    )


def _as_shown(url: URL) -> str:
    shown = URL.create("postgresql", url.username, None, url.host, url.port, url.database)
    return shown.render_as_string()


def _engine_of_server(url: URL) -> Engine:
    try:
        from ui.postgres import ImpatientConnection  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise HistoryError(
            "Conversations in PostgreSQL need the package psycopg: run "
            "pip install 'footnote[postgres]'."
        ) from error
    engine = create_engine(
        url,
        connect_args={
            "connect_timeout": SECONDS,
            "fallback_application_name": "footnote",
            "prepare_threshold": None,  # what is prepared would be lost behind a pooler
        },
        hide_parameters=True,
        max_overflow=_AT_MOST - _AT_ONCE,
        pool_pre_ping=True,
        pool_size=_AT_ONCE,
        pool_timeout=SECONDS,
        use_native_hstore=False,
    )

    def connect(
        _dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]
    ) -> ImpatientConnection:
        connection = ImpatientConnection.connect(*arguments, **options)
        connection.patience = SECONDS
        return connection

    event.listen(engine, "do_connect", connect)
    return engine


def _make_table(connection: Connection) -> None:
    connection.execute(select(func.pg_advisory_xact_lock(_MAKING)))  # copies may begin at once
    CONVERSATIONS.metadata.create_all(connection)


def _reason(error: Exception) -> str:
    """What the database said, in a line, without what it was asked and told."""
    if isinstance(error, exc.TimeoutError):
        return f"all {_AT_MOST} connections are in use"
    said = str(error.orig if isinstance(error, exc.DBAPIError) else error)
    line = next(iter(said.splitlines()), type(error).__name__)
    return line.rpartition(" failed: ")[2].removeprefix("FATAL:").strip()
