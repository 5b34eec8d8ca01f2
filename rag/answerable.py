"""Whether an answer answers its question: the one decision to refuse, from all its signs.

A small model refuses much that it could answer when it may, and answers nearly everything
when it may not. So it writes without leave to refuse, and says apart from that, with one
word, whether the passages answer the question. How sure that word is, how well the passages
support what was written, and how near their evidence is to the question, decide together.
"""

import math
from dataclasses import dataclass

HOPELESS = -3.0
"""Log odds of the model's yes below which it need not write: no other sign could mend them."""

_ANSWERS_AT = 0.5
"""Probability from which an answer is given."""

_ODDS, _SUPPORT, _RELEVANCE, _CONSTANT = 1.12, 2.03, 2.41, -3.06
"""A logistic regression over 71 answers of the default model, 47 of them to answerable
questions: 47 questions about the shipped subject, 24 of SQuAD 2.0 (docs/notes.md)."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What speaks for an answer."""

    odds: float  # of the model's yes against its no, as a logarithm: ``Generate.yes``
    support: float  # of the best supported sentence, 0 to 1
    relevance: float  # cosine of the question and the nearest cited sentence

    @property
    def probability(self) -> float:
        """How likely it is that the answer answers the question, 0 to 1."""
        logit = _ODDS * self.odds + _SUPPORT * self.support + _RELEVANCE * self.relevance
        return 1 / (1 + math.exp(-(logit + _CONSTANT)))

    @property
    def answer(self) -> bool:
        """Whether to give the answer."""
        return self.probability >= _ANSWERS_AT
