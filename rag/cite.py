"""Footnotes: what supports a sentence becomes numbered citations of exact places."""

from collections.abc import Callable, Iterable

from index.records import Document
from rag.evidence import Evidence
from rag.records import Citation, Sentence, Status
from rag.support import PARTLY, SUPPORTED, Support


class Footnotes:
    """Numbers the citations of one answer, from 1, in the order of their first use."""

    def __init__(
        self, document: Callable[[str], Document | None], *, known: Iterable[Citation] = ()
    ) -> None:
        """``document`` gives a document by its id; the ``known`` citations keep their numbers."""
        self._document = document
        self._numbers = {(c.document, c.start, c.end): c.number for c in known}

    def check(self, text: str, supports: list[Support], *, start: int) -> Sentence:
        """The sentence ``text``, at ``start`` in the answer, with its citations."""
        citations = tuple(
            self._citation(document, stretch, support.probability)
            for support in supports
            for document in [self._cited(support)]
            for stretch in _stretches(document, support.evidence)
        )
        best = supports[0].score if supports else 0.0
        status: Status = (
            "supported" if best >= SUPPORTED else "partly" if best >= PARTLY else "unsupported"
        )
        return Sentence(text, start, start + len(text), status, citations)

    def _cited(self, support: Support) -> Document:
        document = self._document(support.evidence[0].document)
        assert document is not None
        return document

    def _citation(
        self, document: Document, stretch: tuple[Evidence, ...], support: float
    ) -> Citation:
        first, last = stretch[0], stretch[-1]
        place = (document.id, first.start, last.end)
        number = self._numbers.setdefault(place, len(self._numbers) + 1)
        citation = cite(document, first.start, last.end, number=number, support=support)
        assert citation.quote.startswith(first.text)
        assert citation.quote.endswith(last.text)
        return citation


def _stretches(document: Document, evidence: tuple[Evidence, ...]) -> list[tuple[Evidence, ...]]:
    """Sentences that only together are evidence, and stand together, are one quote."""
    if document.text[evidence[0].end : evidence[-1].start].isspace():
        return [evidence]
    return [(item,) for item in evidence]


def cite(document: Document, start: int, end: int, *, number: int, support: float) -> Citation:
    """The footnote ``number`` on the characters from ``start`` to ``end`` of ``document``."""
    return Citation(
        number=number,
        quote=document.text[start:end],
        document=document.id,
        title=document.title,
        sha256=document.sha256,
        start=start,
        end=end,
        page=int(page) if (page := document.section_at(start, "page")) else None,
        where=document.place_at(start),
        support=round(support, 3),
        author=document.author,
        date=document.date,
        source=document.source,
        copies=document.copies,
    )
