"""Where another document gives another number for what was asked."""

from index.claims import claim_of, covered
from rag.asked import asks_for_number
from rag.evidence import Evidence, Evidences

_ABOUT = 0.6
"""How many of the question's words a sentence must hold to speak of the same."""

_LIKE = 0.6
"""Cosine of the answer and a sentence that says something like it (all-MiniLM-L6-v2)."""

_NEAR = 0.1
"""Numbers as near as this to each other, as a share, do not differ: “nearly 100” is 99."""


def other_number(question: str, answer: str, evidences: Evidences) -> Evidence | None:
    """A sentence that counts what ``answer`` counts for ``question``, and comes to another number.

    Only sentences of documents that nowhere give the answer's number are taken: a text may well
    speak of 100 soldiers and, elsewhere, of three of them.
    """
    if not asks_for_number(question):
        return None
    asked, said = claim_of(question), claim_of(answer)
    counted = {(value, word) for value, word in said.counts if value not in asked.numbers}
    nouns = {word for _, word in counted}
    like = evidences.like(answer)
    agreeing = {
        item.document
        for _, item in like
        if any(_is_near(value, other) for value, _ in counted for other in item.claim.numbers)
    }
    return next(
        (
            item
            for cosine, item in like
            if cosine >= _LIKE
            and item.document not in agreeing
            and nouns & {noun for _, noun in item.claim.counts}
            and covered(question, [item.text]) >= _ABOUT
        ),
        None,
    )


def _is_near(one: float, other: float) -> bool:
    return abs(one - other) <= _NEAR * max(abs(one), abs(other))
