"""Questions about the documents as such, answered from the index: which are there, on what."""

import re
from collections.abc import Callable, Sequence

from index.records import Document
from index.sentences import Span, sentence_spans
from index.split import is_boilerplate
from rag.cite import cite
from rag.records import Sentence

_MOST_DOCUMENTS = 12
"""Documents that are named in one answer."""

DOCUMENTS = r"(?:documents?|files?|sources?|texts?|articles?|reports?|collection|corpus|folder)"
_ASKED = re.compile(
    rf"""(?:what|which|how\ many)\ (?:\w+\ )?{DOCUMENTS}\ (?:are\ (?:there|here|these|indexed)
            |do\ (?:you|we|i)\ have|have\ you|can\ you\ (?:read|see|search)|do\ you\ know)
       | (?:list|show|name)\ (?:me\ )?(?:all\ )?(?:of\ )?(?:the\ |your\ )?{DOCUMENTS}
       | what\ (?:is|are)\ (?:in\ )?(?:the|these|this|your|my)\ {DOCUMENTS}(?:\ (?:all\ )?about)?
       | what\ (?:is|are)\ (?:it|they)\ all\ about
       | what\ can\ (?:i|we)\ ask(?:\ you)?(?:\ about)?""",
    re.VERBOSE | re.IGNORECASE,
)


def asks_about_collection(question: str) -> bool:
    """Whether ``question`` is about the documents as such: “Which documents are there?”."""
    return _ASKED.fullmatch(question.strip(" ?!.")) is not None


def describe(
    ids: Sequence[str], document: Callable[[str], Document | None]
) -> tuple[str, tuple[Sentence, ...]]:
    """A text that names the documents, a sentence each, which quotes how it begins."""
    sentences: list[Sentence] = []
    end = -1
    for number, id_ in enumerate(ids[:_MOST_DOCUMENTS], start=1):
        found = document(id_)
        assert found is not None
        span = _opening(found)
        citation = cite(found, span.start, span.end, number=number, support=1.0)
        name = f"“{found.title}” ({found.id})" if found.title else found.id
        text = f"Document {number} of {len(ids)}, {name}, begins: “{citation.quote}”"
        start = end + 1
        end = start + len(text)
        sentences.append(Sentence(text, start, end, "supported", (citation,)))
    return " ".join(sentence.text for sentence in sentences), tuple(sentences)


def _opening(document: Document) -> Span:
    """Its first sentence that says something; else its first; else all of it."""
    spans = sentence_spans(document.text) or [Span(0, len(document.text))]
    return next((span for span in spans if _tells(document, span)), spans[0])


def _tells(document: Document, span: Span) -> bool:
    text = document.text[span.start : span.end]
    return (
        len(text.split()) > 5 and text.lstrip("# ") != document.title and not is_boilerplate(text)
    )
