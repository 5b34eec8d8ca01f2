"""Writes docs/formats.md: for each format a real file, what is kept, and a quote's round trip.

Run with ``make formats``; tests/test_citations.py holds that the page is up to date.
"""

import tempfile
from pathlib import Path

from index.load import load_document
from index.records import Document
from index.sentences import sentence_spans
from tests.documents import write_samples

PAGE = Path(__file__).parents[1] / "docs" / "formats.md"

_HEAD = """\
# Formats

For each format a real file (made by `tests/documents.py`), what is kept of it beside its text, and
one quote's way: from the document's text to its place, and from the place to the same words in
the file read anew. `make formats` writes this page.

| file | kept | a quote | its place | found again |
|---|---|---|---|---|
"""


def page() -> str:
    """The whole page; its rows are made from files that are written and read now."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [_row(path) for path in write_samples(Path(folder)).values()]
    return _HEAD + "".join(rows)


def _row(path: Path) -> str:
    document = load_document(path, id=path.name)
    sentences = sentence_spans(document.text)
    quote = max(sentences[len(sentences) // 2 :], key=lambda span: span.end - span.start)
    text = document.text[quote.start : quote.end]
    again = load_document(path, id=path.name).text[quote.start : quote.end]
    place = ", ".join(filter(None, [f"{quote.start}–{quote.end}", document.place_at(quote.start)]))
    cells = [
        path.name,
        _kept(document),
        f"“{_short(text)}”",
        place,
        "yes" if again == text else "NO",
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _kept(document: Document) -> str:
    kinds = dict.fromkeys(section.kind for section in document.sections)
    counts = [
        f"{kind} ({sum(section.kind == kind for section in document.sections)})" for kind in kinds
    ]
    fields = [name for name in ("title", "author", "date", "source") if getattr(document, name)]
    return ", ".join([*fields, *counts]) or "the text"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:57]}…"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
