"""What a web page declares of itself: who wrote it, when, and where it was saved from.

Only what is declared counts. The extractor's own search for a date also takes any date in the
text, and its search for an author any name beside a word like "by".
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from index.formats.content import one_line
from index.formats.metadata import iso_date, named_author, web_address

# Dublin Core, Open Graph, Highwire Press (citation_…), Parse.ly, Sailthru, schema.org.
_AUTHOR = (
    *("author", "article:author", "citation_author", "dc.creator", "dcterms.creator"),
    *("parsely-author", "sailthru.author"),
)
_DATE = (
    *("article:published_time", "og:published_time", "datepublished", "citation_publication_date"),
    *("citation_date", "dcterms.issued", "dc.date.issued", "dcterms.created", "dcterms.date"),
    *("dc.date", "parsely-pub-date", "sailthru.date", "publishdate", "publish-date", "pubdate"),
    *("publication_date", "date"),
)
# Browsers and SingleFile write the address as a comment at the top.
_SAVED_FROM = re.compile(r"saved from url=(?:\(\d+\))?(\S+)|SingleFile\s+url:\s*(\S+)")
_SAVED_FROM_WITHIN = 4096  # characters

_ARTICLES = re.compile(r"\w*Article|BlogPosting|Report|WebPage|Book|Chapter|TechArticle")
_MAX_PARTS = 1000  # objects of one declaration that are looked at


@dataclass(frozen=True, slots=True)
class Declared:
    """Each is empty if the page does not say it."""

    author: str
    date: str
    source: str


def declared(page: Any, source: str) -> Declared:
    """What ``page`` declares; ``source`` is its text as it was saved, with its comments."""
    metas = _metas(page)
    articles = list(_articles(page))
    return Declared(
        author=_author(page, metas, articles),
        date=_date(page, metas, articles),
        source=_address(page, metas, source),
    )


def _metas(page: Any) -> dict[str, list[str]]:
    """The contents of all <meta> by their names, in lower case."""
    metas: dict[str, list[str]] = {}
    for element in page.iter("meta"):
        content = element.get("content", "").strip()
        name = element.get("name") or element.get("property") or element.get("itemprop") or ""
        if content:
            metas.setdefault(name.strip().lower(), []).append(content)
    return metas


def _author(page: Any, metas: dict[str, list[str]], articles: list[dict[str, Any]]) -> str:
    for name in _AUTHOR:
        names = filter(None, map(named_author, metas.get(name, ())))
        if author := named_author("; ".join(dict.fromkeys(names))):
            return author
    for article in articles:
        if author := named_author("; ".join(_names(article.get("author")))):
            return author
    for element in page.xpath("//*[@itemprop='author'] | //a[@rel='author']"):
        inner = element.xpath(".//*[@itemprop='name']")
        words = one_line((inner[0] if inner else element).text_content())
        if len(words) <= 100 and (author := named_author(words)):
            return author
    return ""


def _names(author: Any) -> Iterator[str]:
    """The names in what schema.org calls an author: a text, a Person, or a list of them."""
    for one in author[:20] if isinstance(author, list) else [author]:
        name = one.get("name") if isinstance(one, dict) else one
        if isinstance(name, str) and named_author(name):
            yield named_author(name)


def _date(page: Any, metas: dict[str, list[str]], articles: list[dict[str, Any]]) -> str:
    candidates = [value for name in _DATE for value in metas.get(name, ())]
    candidates += [
        value for article in articles if isinstance(value := article.get("datePublished"), str)
    ]
    for element in page.xpath("//*[@itemprop='datePublished'] | //time[@pubdate]"):
        candidates.append(element.get("datetime") or element.get("content") or "")
        candidates.append(one_line(element.text_content())[:100])
    return next(filter(None, map(iso_date, candidates)), "")


def _articles(page: Any) -> Iterator[dict[str, Any]]:
    """What the page declares in JSON-LD to be itself; nothing if that is several articles."""
    found: dict[str, dict[str, Any]] = {}
    for script in page.iter("script"):
        if script.get("type", "").strip().lower() != "application/ld+json":
            continue
        try:
            waiting = [json.loads(script.text_content())]
        except (ValueError, RecursionError):
            continue
        for _ in range(_MAX_PARTS):
            if not waiting:
                break
            part = waiting.pop(0)
            if isinstance(part, list):
                waiting += part
            elif isinstance(part, dict):
                waiting.append(part.get("@graph"))
                if kind := _kind(part):
                    if kind in found:
                        return  # a page of many articles has no one author and date
                    found[kind] = part
    yield from sorted(found.values(), key=lambda part: _kind(part) == "WebPage")


def _kind(part: dict[str, Any]) -> str:
    kinds = part.get("@type")
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if isinstance(kind, str) and _ARTICLES.fullmatch(kind):
            return "WebPage" if kind == "WebPage" else "Article"
    return ""


def _address(page: Any, metas: dict[str, list[str]], source: str) -> str:
    saved = _SAVED_FROM.search(source[:_SAVED_FROM_WITHIN])
    candidates = [saved[1] or saved[2]] if saved else []
    base = next((web_address(value) for value in metas.get("og:url", ())), "")
    for link in page.xpath("//link[@rel='canonical'][@href]"):
        candidates.append(_joined(base, link.get("href")))
    return next(filter(None, map(web_address, [*candidates, base])), "")


def _joined(base: str, address: str) -> str:
    try:
        return urljoin(base or "https:", address)
    except ValueError:  # such as a broken IPv6 address
        return ""
