"""Questions for all that is said about something, answered in the documents' own sentences."""

import re
from collections import Counter
from collections.abc import Iterable

from index.claims import claim_of, holds, words_of
from index.sentences import sentence_spans
from rag.cite import Footnotes
from rag.collection import DOCUMENTS
from rag.evidence import Evidence, Evidences
from rag.records import Sentence
from rag.support import supports_itself

_MOST = 4
"""Sentences of an answer."""

_LOOKED_AT = 24

_SAME = 0.85
"""Cosine from which two sentences say the same: only the better one is shown."""

_ASKED = re.compile(
    rf"""(?:what\ (?:else\ )?(?:do|does|did|can)[ ]
            (?:(?:the|these|this|your|my)\ (?:\w+\ )?{DOCUMENTS}|they|you|it|we)[ ]
            (?:say|tell|know|report|write|mention|learn|find)(?:\ (?:me|us|out))?
        | what\ (?:else\ )?(?:is|was|has\ been)\ (?:there\ )?(?:said|written|reported|known|told)
            (?:\ (?:here|there))?
        | (?:please\ )?tell\ (?:me|us)(?:\ (?:more|something|everything|all))?)
        \ (?:about|on|of)\ (?P<topic>.+)""",
    re.VERBOSE | re.IGNORECASE,
)

_NAME = re.compile(r"(?<=[a-z,;] )[^\W\d_a-z][\w’'-]+(?:\ [^\W\d_a-z][\w’'-]+){0,2}")
"""Capitalised words inside a sentence."""

_TITLE = re.compile(
    r"[^\W\d_a-z][\w’'-]*(?:\ (?:[^\W\d_a-z][\w’'-]*|of|the|in|and|for|to|a))*[?:”\"]"
)
"""Words with capitals up to a question mark or a quotation's end: “Does Russia Care?”."""

_NO_TOPICS = words_of(
    """Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May
    June July August September October November December English"""
)


def topic_of(question: str) -> str:
    """What ``question`` wants to know all about: “What do the documents say about *oil*?”.

    Empty if it asks in another way, or of nothing by name (“… about it?”).
    """
    asked = _ASKED.fullmatch(question.strip(" ?!."))
    if not asked:
        return ""
    claim = claim_of(asked["topic"])
    return asked["topic"] if claim.words or claim.numbers else ""


def told_about(topic: str, evidences: Evidences, footnotes: Footnotes) -> list[Sentence]:
    """Sentences that speak of ``topic``, as an answer.

    The nearest first, no two that say the same, and of as many documents as there are. None if no
    sentence holds all the words of the topic.
    """
    wanted = claim_of(topic)
    near = [
        item
        for _, item in evidences.nearest([topic], limit=_LOOKED_AT)
        if item.stands_alone
        and wanted.numbers <= item.claim.numbers
        and all(holds(item.claim.words, word) for word in wanted.words)
    ]
    chosen: list[Evidence] = []
    while near and len(chosen) < _MOST:
        heard = Counter(item.document for item in chosen)
        best = min(near, key=lambda item: heard[item.document])  # of equals, the nearest
        near.remove(best)
        if not any(evidences.cosine(best, item) >= _SAME for item in chosen):
            chosen.append(best)
    told: list[Sentence] = []
    for item in chosen:
        start = told[-1].end + 1 if told else 0
        text = " ".join(item.text.split())
        told.append(footnotes.check(text, [supports_itself(item)], start=start))
    return told


def _without_titles(sentence: str) -> str:
    """What of a sentence is prose; titles and headings have capitals of their own."""
    prose = _TITLE.sub(" ", sentence)
    return prose if prose.rstrip().endswith((".", "!", "”", '"')) else ""


def suggested(texts: Iterable[str], *, limit: int) -> list[str]:
    """Questions to begin with: about the names, whole ones first, that most of ``texts`` have."""
    documents: Counter[str] = Counter()
    times: Counter[str] = Counter()
    for text in texts:
        names = Counter(
            name
            for span in sentence_spans(text)
            for name in _NAME.findall(_without_titles(text[span.start : span.end]))
            if not words_of(name) & _NO_TOPICS
        )
        documents.update(names.keys())
        times.update(names)
    chosen: list[str] = []
    for name in sorted(times, key=lambda one: (" " not in one, -documents[one], -times[one], one)):
        known = words_of(" ".join(chosen))
        if len(chosen) < limit and not any(holds(known, word) for word in words_of(name)):
            chosen.append(name)
    return [f"What do the documents say about {name}?" for name in chosen]
