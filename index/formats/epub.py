"""Books in EPUB: the chapters in the order of reading.

The format: EPUB 3.3, https://www.w3.org/TR/epub-33/, and EPUB 2 before it.
"""

import io
import posixpath
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote, urlsplit

import lxml.etree  # type: ignore[import-untyped]

from index.formats.content import (
    Block,
    Content,
    Part,
    clean,
    content_of,
    content_of_parts,
    named_title,
    one_line,
)
from index.formats.html import chapter_blocks
from index.formats.metadata import iso_date, named_author
from index.formats.package import check_package
from models.errors import DocumentError

_CHAPTERS = {"application/xhtml+xml", "text/html", "text/x-oeb1-document"}
_NCX = "application/x-dtbncx+xml"
_EVENT = "{http://www.idpf.org/2007/opf}event"


def read(data: bytes) -> Content:
    """The text of every chapter, with a section that has its title; title, authors and date.

    In each there is a section for each heading but the chapter's own. Raises DocumentError if
    the file is locked by its publisher, is damaged, or is of another kind.
    """
    try:
        check_package(data)
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            book = _open(package)
            _refuse_locked(package, book)
            content = content_of_parts(_parts(package, book))
        return replace(
            content,
            title=named_title(next(_metadata(book, "title"), "")),
            author=named_author(", ".join(filter(named_author, _metadata(book, "creator")))),
            date=_date(book),
        )
    except (DocumentError, MemoryError, RecursionError):
        raise
    except Exception as error:  # of zipfile, zlib and lxml; KeyError and the like for what lacks
        raise DocumentError("is not an EPUB file, or is damaged") from error


@dataclass(frozen=True, slots=True)
class _Book:
    """The package document, and what it lists. Names are those of the archive's members."""

    root: Any
    chapters: list[str]  # in the order of reading
    titles: dict[str, str]  # of chapters, as the table of contents has them


def _open(package: zipfile.ZipFile) -> _Book:
    container = _xml(package.read("META-INF/container.xml"))
    place = _member("", container.find(".//{*}rootfile").get("full-path"))
    root = _xml(package.read(place))
    items = {item.get("id"): item for item in root.iterfind("{*}manifest/{*}item")}
    spine = root.find("{*}spine")
    chapters = [
        _member(place, item.get("href"))
        for reference in spine.iterfind("{*}itemref")
        if (item := items.get(reference.get("idref"))) is not None
        and item.get("media-type") in _CHAPTERS
        and not _is_contents(item)
    ]
    titles: dict[str, str] = {}
    for item in items.values():
        if _is_contents(item) or item.get("media-type") == _NCX:
            contents = _member(place, item.get("href"))
            if contents in package.NameToInfo:
                titles = {**_titles(contents, package.read(contents)), **titles}
    # A reference to what is not there is a common slip of the programs that make books.
    there = [name for name in dict.fromkeys(chapters) if name in package.NameToInfo]
    if not there:
        raise DocumentError("is not an EPUB file, or is damaged")
    return _Book(root, there, titles)


def _is_contents(item: Any) -> bool:
    """Whether an item of the manifest is the table of contents of EPUB 3."""
    return "nav" in (item.get("properties") or "").split()


def _xml(data: bytes) -> Any:
    """The root of a file about the book; nothing is fetched, no entity is replaced."""
    parser = lxml.etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    return lxml.etree.fromstring(data, parser)


def _member(base: str, reference: str) -> str:
    """The name of the member that ``reference``, read in the member ``base``, points to.

    It can name only what is in the archive: one that leads out of it names no member.
    """
    path = unquote(urlsplit(reference.strip()).path)
    return posixpath.normpath(posixpath.join(posixpath.dirname(base), path))


def _titles(place: str, data: bytes) -> dict[str, str]:
    """The first title that a table of contents gives each chapter; nothing if it is damaged."""
    try:
        root = _xml(data)
    except lxml.etree.XMLSyntaxError:
        return {}
    found = [
        (point.find("{*}content").get("src"), point.find("{*}navLabel"))
        for point in root.iter("{*}navPoint")
        if point.find("{*}content") is not None and point.find("{*}navLabel") is not None
    ]
    found += [(link.get("href"), link) for link in root.iterfind(".//{*}nav//{*}a")]
    titles: dict[str, str] = {}
    for reference, label in found:
        words = one_line(clean("".join(label.itertext())))
        if reference and words:
            titles.setdefault(_member(place, reference), words)
    return titles


def _refuse_locked(package: zipfile.ZipFile, book: _Book) -> None:
    """Fonts may be encrypted, which keeps nobody from reading; chapters may not."""
    if "META-INF/encryption.xml" not in package.NameToInfo:
        return
    encryption = _xml(package.read("META-INF/encryption.xml"))
    locked = {
        _member("", reference.get("URI") or "")
        for reference in encryption.iter("{*}CipherReference")
    }
    if not locked.isdisjoint(book.chapters):
        raise DocumentError("is locked by its publisher (DRM)")


def _parts(package: zipfile.ZipFile, book: _Book) -> Iterator[Part]:
    number = 0
    for name in book.chapters:
        blocks = _chapter(package.read(name))
        content = content_of(blocks)
        if not content.text:
            continue
        number += 1
        heading = next((section.label for section in content.sections), "")
        label = heading or book.titles.get(name) or str(number)
        # The chapter's own heading would only say again what the chapter's section says.
        inner = tuple(section for section in content.sections if section.label != label)
        yield Part("chapter", label, replace(content, sections=inner))


def _chapter(data: bytes) -> list[Block]:
    if not data.strip():
        return []
    try:
        return chapter_blocks(data)
    except DocumentError as error:
        if str(error) == "holds no text":  # a cover, often
            return []
        raise


def _metadata(book: _Book, name: str) -> Iterator[str]:
    """What the Dublin Core elements of this name say, in their order."""
    for element in book.root.iterfind(f"{{*}}metadata//{{http://purl.org/dc/elements/1.1/}}{name}"):
        words = one_line(clean("".join(element.itertext())))
        if words:
            yield words


def _date(book: _Book) -> str:
    """When it was published, of several dates; the first one if none says what it is."""
    elements = list(book.root.iterfind("{*}metadata//{http://purl.org/dc/elements/1.1/}date"))
    elements.sort(key=lambda element: element.get(_EVENT) != "publication")
    for element in elements:
        if date := iso_date(element.text or ""):
            return date
    return ""
