"""Search by words: BM25 over a list, for each word, of the passages that hold it.

SQLite's FTS5 parts a text into words and stems them. It could search, too, but it looks up the
length of each passage by itself: for a question of words that stand everywhere that takes 0.2 s at
250,000 passages. So its words are written out as arrays, and scored all at once.
"""

import math
import re
import sqlite3
import threading
from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from index.encoders import Rows
from index.records import Match
from models.progress import OnProgress, Progress

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

K1, B = 1.2, 0.75
"""BM25's parameters, as Lucene and SQLite's FTS5 have them."""

_TOLD = 10_000
"""Words that are written between two tellings of progress."""

_FTS5 = (
    "fts5(title, text, content='', tokenize='porter unicode61 remove_diacritics 2');"
    "CREATE VIRTUAL TABLE temp.occurrences USING fts5vocab(temp, words, instance);"
)
_BLOCK = 64
"""Rows of which the highest is looked at first."""

_ROW, _COUNT, _LENGTH = np.dtype("<u4"), np.dtype("<u2"), np.dtype("<u4")


def create(connection: sqlite3.Connection) -> None:
    """Makes the empty tables; the words are gathered beside the database until ``finish``."""
    connection.executescript(
        f"""
        CREATE VIRTUAL TABLE temp.words USING {_FTS5}
        CREATE TABLE postings (
            word TEXT PRIMARY KEY, rows BLOB NOT NULL, counts BLOB NOT NULL
        ) STRICT;
        CREATE TABLE lengths (words BLOB NOT NULL) STRICT;
        """
    )


def add(connection: sqlite3.Connection, *, row: int, title: str, text: str) -> None:
    """Adds the words of passage ``row``; rows are numbered from 0."""
    connection.execute(
        "INSERT INTO temp.words (rowid, title, text) VALUES (?, ?, ?)", (row, title, text)
    )


def finish(connection: sqlite3.Connection, *, passages: int, on_progress: OnProgress) -> None:
    """Writes for each word in which of the ``passages`` it stands, and how often."""
    lengths = np.zeros(passages, dtype=_LENGTH)
    found = connection.execute("SELECT term, doc FROM temp.occurrences")
    for number, (word, places) in enumerate(groupby(found, key=itemgetter(0))):
        times = Counter(map(itemgetter(1), places))  # in order of the rows
        rows = np.fromiter(times.keys(), dtype=_ROW)
        counts = np.minimum(np.fromiter(times.values(), dtype=_LENGTH), np.iinfo(_COUNT).max)
        lengths[rows] += counts
        connection.execute(
            "INSERT INTO postings VALUES (?, ?, ?)",
            (word, rows.tobytes(), counts.astype(_COUNT).tobytes()),
        )
        if number % _TOLD == 0:
            on_progress(Progress("Writing words", number, 0, "words"))
    connection.execute("INSERT INTO lengths VALUES (?)", (lengths.tobytes(),))


class Words:
    """The words of a database, opened for search; for one thread at a time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Raises sqlite3.Error if the words are not there."""
        self._connection = connection
        ((blob,),) = connection.execute("SELECT words FROM lengths")
        lengths = np.frombuffer(blob, dtype=_LENGTH)
        mean = float(lengths.sum()) / max(len(lengths), 1) or 1.0  # a document may be without words
        self._norms = K1 * (1 - B + B * lengths / mean)

    def search(self, query: str, *, limit: int, among: Rows | None = None) -> list[Match]:
        """The passages that hold words of ``query``, best first; only rows of ``among``, if given.

        A name such as ``file_name`` is looked up as the words that the index parts it into.
        Scores are BM25 (Robertson and Zaragoza 2009) with Lucene's weight of a word, log(1 + …),
        as Milvus has it: it never falls below zero. Higher is better.
        """
        scores = np.zeros(len(self._norms))
        for stem, times in Counter(telling_stems(query)).items():
            self._add(stem, times, scores)
        if among is None:
            among = _likely(scores, limit)
        rows = among[scores[among] > 0]
        return _best(rows, scores[rows], limit)

    def _add(self, stem: str, times: int, scores: NDArray[np.float64]) -> None:
        """Adds what ``stem``, which the query holds so many ``times``, is worth to each row."""
        found = self._connection.execute(
            "SELECT rows, counts FROM postings WHERE word = ?", (stem,)
        ).fetchone()
        if found is None:
            return
        rows = np.frombuffer(found[0], dtype=_ROW).astype(np.intp)
        counts = np.frombuffer(found[1], dtype=_COUNT)
        weight = math.log(1 + (len(scores) - len(rows) + 0.5) / (len(rows) + 0.5))
        worth = self._norms.take(rows)
        worth += counts
        np.divide(counts, worth, out=worth)
        worth *= times * weight * (K1 + 1)
        np.add.at(scores, rows, worth)


def telling_stems(query: str) -> list[str]:
    """The words of ``query`` that tell its subject, as the index has them; one may come twice."""
    words = dict.fromkeys(re.findall(r"\w+", query.lower()))
    telling = [word for word in words if word not in STOPWORDS] or list(words)
    (found,) = stems([" ".join(telling[:_MOST_WORDS])])
    return found


def stems(texts: Sequence[str]) -> list[list[str]]:
    """The words of each text as the index has them, stemmed, in any order."""
    found: list[list[str]] = [[] for _ in texts]
    with _STEMMING:
        stemmer = _stemmer()
        try:
            stemmer.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", enumerate(texts))
            for word, at in stemmer.execute("SELECT term, doc FROM occurrences"):
                found[at].append(word)
        finally:
            stemmer.execute("INSERT INTO words (words) VALUES ('delete-all')")
    return found


_STEMMING = threading.Lock()


@cache
def _stemmer() -> sqlite3.Connection:
    """A table that is empty but while ``_STEMMING`` is held; to make it takes a millisecond."""
    connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    # In memory, for who searches must not be in need of room on the disk.
    connection.executescript(
        f"PRAGMA temp_store = MEMORY; CREATE VIRTUAL TABLE temp.words USING {_FTS5}"
    )
    return connection


def _likely(scores: NDArray[np.float64], limit: int) -> Rows:
    """The rows among which the ``limit`` highest ``scores`` are, few of many: quick to find.

    That many blocks have one that is as high as the least of the blocks' highest.
    """
    highest = np.maximum.reduceat(scores, np.arange(0, len(scores), _BLOCK))
    if len(highest) <= limit:
        return np.arange(len(scores))
    return np.flatnonzero(scores >= np.partition(highest, -limit)[-limit])


def _best(rows: Rows, scores: NDArray[np.float64], limit: int) -> list[Match]:
    """The ``limit`` rows with the highest ``scores``; of equal ones the first."""
    if len(rows) > limit:
        likely = scores >= np.partition(scores, -limit)[-limit]
        rows, scores = rows[likely], scores[likely]
    best = np.argsort(-scores, kind="stable")[:limit]
    return [Match(int(rows[at]), float(scores[at])) for at in best]
