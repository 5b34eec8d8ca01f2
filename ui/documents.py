"""The list of the documents, and how a build of the index is followed.

Pure functions but for ``following``, which has the index built in a thread of its own.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol

from index.commands import report_lines
from index.library import MOST, Entry, Listing
from index.records import BuildReport, Skipped
from models.errors import FootnoteError
from models.progress import OnProgress, Progress, counted, readable_bytes
from ui.render import act, alert, plain
from ui.session import UNEXPECTED

_SECONDS_BETWEEN_DRAWINGS = 0.2

log = logging.getLogger(__name__)


class Shelf(Protocol):
    """What the page lists and changes; the real one is ``index.library.Library``."""

    @property
    def folder(self) -> Path:
        """The folder of the documents."""

    def listing(self, words: str = "") -> Listing:
        """The documents of the index, those with ``words`` in their names."""

    def left_out(self) -> list[str]:
        """The files that are left out by request."""

    def add(self, files: Sequence[Path]) -> list[str]:
        """Copies files into the folder."""

    def leave_out(self, id_: str) -> None:
        """Leaves a document out from the next build on."""

    def take_in(self, id_: str) -> None:
        """Takes it in again."""

    def build(self, on_progress: OnProgress | None = None) -> BuildReport:
        """Brings the index up to date."""


def listed(shelf: Shelf, words: str = "", *, may_manage: bool = True) -> str:
    """The documents as a table, what could not be read, and what is left out.

    Only those with ``words`` in their names. If they cannot be listed, it says why. Who may not
    manage them sees neither how, nor where on the server they are.
    """
    try:
        listing, left_out = shelf.listing(words), shelf.left_out()
    except FootnoteError as error:
        return alert(str(error))
    problems = "".join(map(_problem, listing.skipped))
    gone = "".join(
        f"<li><bdi>{plain(id_)}</bdi> {_take_in(id_) if may_manage else ''}</li>"
        for id_ in left_out[:MOST]
        if words.lower() in id_.lower()
    )
    folder = f" The files are in <bdi>{plain(str(shelf.folder))}</bdi>." if may_manage else ""
    return (
        f'<p class="quiet">{counted(listing.total, "document")}{_more(listing)}.{folder}</p>'
        + (_table(listing.entries, may_manage=may_manage) if listing.entries else "")
        + (f'<h3>Could not be read</h3><ul class="problems">{problems}</ul>' if problems else "")
        + (f'<h3>Left out</h3><ul class="left-out">{gone}</ul>' if gone else "")
    )


def _more(listing: Listing) -> str:
    shown = len(listing.entries)
    return f"; the first {shown}: find others by name" if shown < listing.total else ""


def _problem(skipped: Skipped) -> str:
    return f"<li><bdi>{plain(skipped.path)}</bdi>: {plain(skipped.reason)}</li>"


_COLUMNS = ("Document", "Date", "Size", "Passages", "")


def _take_in(id_: str) -> str:
    return act("Take in", "take-in", event="shelve", id=id_, name=f"Take in {id_}")


def _table(entries: list[Entry], *, may_manage: bool) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in _COLUMNS)
    rows = "".join(_row(entry, may_manage=may_manage) for entry in entries)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _row(entry: Entry, *, may_manage: bool) -> str:
    title = f'<br><span dir="auto">{plain(entry.title)}</span>' if entry.title else ""
    size = "file is gone" if entry.size is None else readable_bytes(entry.size)
    out = act("Leave out", "leave-out", event="shelve", id=entry.id, name=f"Leave out {entry.id}")
    out = out if may_manage else ""
    return (
        f'<tr><th scope="row"><bdi>{plain(entry.id)}</bdi>{title}</th>'
        f"<td>{plain(entry.date)}</td><td>{size}</td><td>{entry.passages:,}</td>"
        f"<td>{act('Read', 'open', document=entry.id, name=f'Read {entry.id}')} "
        f"{out}</td></tr>"
    )


def progress(now: Progress) -> str:
    """How far a build, or a download, is."""
    count = ""
    if now.total:
        count = f" {now.done:,} of {now.total:,}"
        if now.unit == "bytes":
            count = f", {readable_bytes(now.done)} of {readable_bytes(now.total)}"
    bar = f'<progress value="{now.done}" max="{now.total}" aria-label="{plain(now.stage)}">'
    return f'<p role="status">{plain(now.stage)}{count}…</p>' + (
        f"{bar}</progress>" if now.total else ""
    )


def reported(report: BuildReport) -> str:
    """What a build did: the same as the command says."""
    return f'<pre role="status" dir="auto">{plain(chr(10).join(report_lines(report)))}</pre>'


def following(work: Callable[[OnProgress], BuildReport]) -> Iterator[str]:
    """Does ``work`` in a thread of its own; gives how far it is, and at last the report.

    An error is told in the reader's words, and ends it.
    """
    told: SimpleQueue[Progress | BuildReport | str] = SimpleQueue()

    def do() -> None:
        try:
            told.put(work(told.put))
        except FootnoteError as error:
            told.put(str(error))
        except Exception:
            log.exception("The index was not built")
            told.put(UNEXPECTED)

    yield progress(Progress("Comparing files", 0, 0, "documents"))
    threading.Thread(target=do, name="build", daemon=True).start()
    while True:
        news = told.get()
        time.sleep(_SECONDS_BETWEEN_DRAWINGS if isinstance(news, Progress) else 0)
        while isinstance(news, Progress):  # only the newest is worth drawing
            try:
                news = told.get_nowait()
            except Empty:
                break
        match news:
            case Progress():
                yield progress(news)
            case BuildReport():
                yield reported(news)
                return
            case str():
                yield alert(news)
                return
