"""Search by words: SQLite's FTS5 with its BM25."""

import json
import re
import sqlite3

from index.records import Match, Rows

_MOST_WORDS = 64
"""Different words of a query that are looked up; further ones would only cost time."""

STOPWORDS = frozenset(
    """
    a about an and any are as at be been being but by can could did do does doing for from
    had has have having he her hers him his how i if in into is it its itself just many me much my
    no nor not of on or our ours say says she should so some such tell than that the their
    theirs them then there these they this those to too was we were what when where which
    who whom whose why will with would you your yours
    """.split()
)
"""Words that carry the form of an English question, not its subject."""


def create(connection: sqlite3.Connection) -> None:
    """Makes the empty table of words; it holds no text, only which words are where."""
    connection.execute(
        "CREATE VIRTUAL TABLE words USING fts5"
        "(title, text, content='', tokenize='porter unicode61 remove_diacritics 2')"
    )


def add(connection: sqlite3.Connection, *, row: int, title: str, text: str) -> None:
    """Adds the words of passage ``row``."""
    connection.execute(
        "INSERT INTO words (rowid, title, text) VALUES (?, ?, ?)", (row, title, text)
    )


def search(
    connection: sqlite3.Connection,
    query: str,
    *,
    limit: int,
    among: Rows | None = None,
) -> list[Match]:
    """The passages that hold words of ``query``, best first; only rows of ``among``, if given.

    Scores are BM25 as SQLite gives it, with the sign turned: higher is better.
    """
    words = dict.fromkeys(re.findall(r"\w+", query.lower()))
    telling = [word for word in words if word not in STOPWORDS] or list(words)
    if not telling:
        return []
    expression = " OR ".join(f'"{word}"' for word in telling[:_MOST_WORDS])
    rows = connection.execute(
        "SELECT rowid, -rank FROM words WHERE words MATCH ?"
        " AND (? IS NULL OR rowid IN (SELECT value FROM json_each(?))) ORDER BY rank LIMIT ?",
        (expression, *[None if among is None else json.dumps(among.tolist())] * 2, limit),
    )
    return [Match(row, score) for row, score in rows]
