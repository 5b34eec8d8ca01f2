"""Web pages as they were saved: the article, without what stands around it."""

import logging
import re
from dataclasses import replace
from typing import Any

import lxml.etree  # type: ignore[import-untyped]
import lxml.html  # type: ignore[import-untyped]
import trafilatura

from index.formats.content import (
    Block,
    BlockKind,
    Content,
    content_of,
    first_line_title,
    named_title,
    one_line,
)
from index.formats.page_metadata import declared
from index.formats.text import decode
from models.errors import DocumentError

# It logs each page that it finds nothing in; what happens then is decided here.
logging.getLogger("trafilatura").setLevel(logging.CRITICAL)

_DECLARED = re.compile(rb"<(?:meta|\?xml)\b[^>]*?(?:charset|encoding)\s*=\s*[\"']?([\w:.-]+)", re.I)
_DECLARED_WITHIN = 4096  # bytes

# The extractor's time grows faster than the page does; 8 MB take it half a minute.
_EXTRACT_UP_TO = 10_000_000  # characters

# One walk serves two trees: the page's own, and the extractor's, whose names are TEI's.
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6", "head"}
_ITEMS = {"li", "item"}
_ROWS = {"tr", "row"}
_CELLS = {"td", "th", "cell"}
_BREAKS = {"br", "lb"}
_LINES_KEPT = {"pre", "listing", "xmp", "quote"}  # the extractor makes <quote> of <pre>
_INLINE = {
    *("a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn"),
    *("em", "font", "graphic", "hi", "i", "img", "ins", "kbd", "label", "mark", "nobr", "q"),
    *("ref", "rp", "ruby", "s", "samp", "small", "span", "strike", "strong", "sub", "sup"),
    *("time", "tt", "u", "var", "wbr"),
}
_NOT_TEXT = {
    *("script", "style", "noscript", "template", "svg", "iframe", "object", "canvas", "audio"),
    *("video", "map", "select", "textarea", "button", "dialog", "title", "rt"),
}
_AROUND_ROLES = {"navigation", "banner", "complementary", "contentinfo", "search"}
_AROUND = {"nav", "aside", "footer", "menu"}
_READERS_SAY = {"comment", "comments", "comment-list", "commentlist", "comments-area", "respond"}
_WITH_STRUCTURE = ("table", "list", "ul", "ol", "dl", *_HEADINGS)


def read(data: bytes) -> Content:
    """The main text of a page: paragraphs, headings, lists and tables.

    Raises DocumentError if ``data`` is not text or is no page.
    """
    source = _source(data)
    page = _parse(source)
    everything = _blocks(page)
    article = _article(page) if len(source) <= _EXTRACT_UP_TO else []
    blocks = everything if _is_too_little(article, everything, page) else article
    content = content_of(blocks)
    says = declared(page, source)
    return replace(
        content,
        title=_title(page, blocks) or first_line_title(content.text),
        author=says.author,
        date=says.date,
        source=says.source,
    )


def chapter_blocks(data: bytes) -> list[Block]:
    """All text of a chapter of a book: its asides and footers are the author's own.

    Raises DocumentError if ``data`` is not text or holds none.
    """
    return _blocks(_parse(_source(data)), is_book=True)


def _source(data: bytes) -> str:
    if data.count(0) < len(data) / 100:
        data = data.replace(b"\0", b"")  # as browsers do; a page in UTF-16 has many more
    label = _DECLARED.search(data[:_DECLARED_WITHIN])
    return decode(data, declared=label[1].decode("ascii", "replace") if label else None)


def _parse(source: str) -> Any:
    # Nothing is fetched, and no entity is read from elsewhere: libxml2's HTML parser knows
    # only the character entities. The limit on depth without huge_tree is 256, and whatever
    # stands deeper would be lost without a word.
    parser = lxml.html.HTMLParser(
        encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True
    )
    try:
        return lxml.html.document_fromstring(source.encode("utf-8", "replace"), parser=parser)
    except lxml.etree.LxmlError as error:  # ParserError: nothing in it
        raise DocumentError("holds no text") from error


def _article(page: Any) -> list[Block]:
    """What the extractor takes for the main text; nothing if it finds none."""
    try:
        found = trafilatura.bare_extraction(page, include_comments=False, include_tables=True)
    except Exception:  # noqa: BLE001 the extractor promises nothing; the whole page is there still
        return []
    return [] if found is None or found.body is None else _blocks(found.body)


def _is_too_little(article: list[Block], everything: list[Block], page: Any) -> bool:
    """Whether the extractor left out text, and not only what stands around text.

    It is made for news. In a manual it takes sections that are named "menus" or "navigation"
    for just that; in some pages it finds nothing, and below 250 characters it gives the words
    of the page without its structure. So the whole page is taken if it has much more prose
    (what stands around a text is short), or if it has hardly any links (what stands around a
    text is made of links) and the article is far from all of it, or if it is small. The
    limits were set with the 989 pages by which trafilatura itself is measured: of the
    passages that belong to the text they find 95.2 % instead of 94.4 %, of the others 12.1 %
    are let in instead of 9.7 %.
    """
    kept = sum(len(block.text) for block in article)
    total = sum(len(block.text) for block in everything)
    prose = sum(len(block.text) for block in everything if len(block.text) >= 80)
    if kept <= 0.2 * prose or (kept < 250 and total < 1000):
        return True
    return kept < 0.7 * total and _linked(page) < 0.07 * total


def _linked(page: Any) -> int:
    """The number of characters that are in links, where a text can be."""
    return sum(
        len(one_line(link.text_content()))
        for link in page.iter("a")
        if not any(_is_around(element) for element in link.iterancestors())
    )


def _title(page: Any, blocks: list[Block]) -> str:
    """The page's first heading if its <title> has it too, else <title>, else the heading."""
    element = page.find(".//title")
    named = named_title(element.text_content()) if element is not None else ""
    heading = next((named_title(block.text) for block in blocks if block.kind == "heading"), "")
    if heading and heading.casefold() in named.casefold():
        return heading
    return named or heading


def _blocks(root: Any, *, is_book: bool = False) -> list[Block]:
    """The blocks of text below ``root``, in order."""
    walk = _Walk(is_book=is_book)
    body = root.find("body")
    walk.visit(root if body is None else body, "paragraph", keeps_lines=False)
    return walk.blocks


class _Walk:
    """A walk over a tree: the blocks that are done, and the words of the open one."""

    def __init__(self, *, is_book: bool) -> None:
        self._is_book = is_book
        self.blocks: list[Block] = []
        self._words: list[str] = []

    def visit(self, element: Any, kind: BlockKind, *, keeps_lines: bool) -> None:
        """Take the words of ``element``, which stands in a block of this ``kind``."""
        tag = element.tag
        if tag in _BREAKS:
            self._words.append("\n")
        if tag in _BREAKS or tag in _NOT_TEXT or not isinstance(tag, str):
            return
        if tag in _INLINE and not (tag == "code" and "\n" in "".join(element.itertext())):
            self._visit_inside(element, kind, keeps_lines=keeps_lines)
            return
        self._close(kind, keeps_lines=keeps_lines)
        if tag == "nav" if self._is_book else _is_around(element):
            return
        if tag in _ROWS and next(element.iter(*_WITH_STRUCTURE), None) is None:
            cells = [cell for cell in element if cell.tag in _CELLS]
            words = [self._words_of(cell) for cell in cells]
            if any(words):
                self.blocks.append(Block("row", " | ".join(words)))
            return
        if tag in _HEADINGS:
            kind = "heading"
        elif tag in _ITEMS:
            kind = "item"
        keeps_lines = tag in _LINES_KEPT or tag == "code"
        self._visit_inside(element, kind, keeps_lines=keeps_lines)
        self._close(kind, keeps_lines=keeps_lines)

    def _words_of(self, cell: Any) -> str:
        return one_line(" ".join(block.text for block in _blocks(cell, is_book=self._is_book)))

    def _visit_inside(self, element: Any, kind: BlockKind, *, keeps_lines: bool) -> None:
        self._add(element.text, keeps_lines=keeps_lines)
        for child in element:
            self.visit(child, kind, keeps_lines=keeps_lines)
            self._add(child.tail, keeps_lines=keeps_lines)

    def _add(self, text: str | None, *, keeps_lines: bool) -> None:
        if text:
            self._words.append(text if keeps_lines else re.sub(r"\s+", " ", text))

    def _close(self, kind: BlockKind, *, keeps_lines: bool) -> None:
        """End the open block, if it has words."""
        text = "".join(self._words)
        self._words.clear()
        if not keeps_lines:
            text = "\n".join(one_line(line) for line in text.split("\n"))
        if kind == "heading":
            text = text.rstrip(" ¶")  # a link to the heading itself
        if text.strip():
            self.blocks.append(Block(kind, text.strip("\n")))


def _is_around(element: Any) -> bool:
    names = f"{element.get('id', '')} {element.get('class', '')}".lower().split()
    return (
        element.tag in _AROUND
        or element.get("role") in _AROUND_ROLES
        or not _READERS_SAY.isdisjoint(names)
    )
