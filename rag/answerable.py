"""Whether an answer answers its question: the one decision to refuse, from all its signs.

A small model refuses much that it could answer when it may, and answers nearly everything
when it may not. So it writes without leave to refuse, and when it has written says with one word
whether the quotes alone answer the question, for three lines mislead it less than thirty. How
sure that word is, how sure the model was of what it wrote, whether it spoke of “the passage”, and
how many of its words the quotes hold, decide together: a logistic regression, whose weights
``benchmarks.train_refusal`` finds and keeps in answerable.json. What gives nothing of the kind
that was asked for (``rag.asked``) is no answer.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from index.claims import LIGHT, holds, words_of
from rag.weights import Regression

STRICTNESS = 0.75
"""The default: an answer is given when it is this likely. A wrong one costs more than none."""

_REGRESSION = Regression.load("answerable")


def covered(sentence: str, quotes: Iterable[str]) -> float:
    """How many of the telling words of ``sentence`` stand in ``quotes``: 0 to 1."""
    words = words_of(sentence) - LIGHT
    held = frozenset[str]().union(*map(words_of, quotes))
    return sum(holds(held, word) for word in words) / len(words) if words else 1.0


@dataclass(frozen=True, slots=True)
class Signs:
    """What speaks for an answer."""

    odds: float  # of the model's yes against its no, when it reads only the quotes; a logarithm
    confidence: float = 0.0  # mean log-probability of the tokens it wrote; at most 0
    covered: float = 0.0  # how many words of the least covered sentence its quotes hold, 0 to 1
    direct: bool = False  # whether it does not begin with “According to the passage” or its like
    fits: bool = False  # whether it holds a thing of the kind that is asked for

    @property
    def probability(self) -> float:
        """How likely it is that the answer answers the question, 0 to 1."""
        return _REGRESSION.probability(asdict(self)) if self.fits else 0.0
