"""Whether an answer answers its question: the one decision to refuse, from all its signs.

A small model refuses much that it could answer when it may, and answers nearly everything
when it may not. So it writes without leave to refuse, and when it has written says with one word
whether the quotes alone answer the question, for three lines mislead it less than thirty. How
sure that word is, whether the quotes speak of every word that the answer takes from the question,
and how near they are to all words of the question, which an answer may pass over, decide
together: a logistic regression, whose weights ``benchmarks.train_refusal`` finds and keeps in
answerable.json. What gives nothing of the kind that was asked for (``rag.asked``) is no answer.
"""

from dataclasses import asdict, dataclass

from rag.weights import Regression

STRICTNESS = 0.4
"""The default; docs/notes.md has what other values refuse of the questions for learning."""

_REGRESSION = Regression.load("answerable")


@dataclass(frozen=True, slots=True)
class Signs:
    """What speaks for an answer."""

    odds: float  # of the model's yes against its no, when it reads only the quotes; a logarithm
    spoken: float = 0.0  # how far the quotes say the question's word that they say least, 0 to 1
    aligned: float = 0.0  # mean cosine of the question's words and the nearest of the quotes
    fits: bool = False  # whether it holds a thing of the kind that is asked for

    @property
    def probability(self) -> float:
        """How likely it is that the answer answers the question, 0 to 1."""
        return _REGRESSION.probability(asdict(self)) if self.fits else 0.0
