"""How well some evidence supports a sentence: a probability, from what both of them say.

Every telling word of the sentence is looked for in the evidence: how near is the nearest token
there, each in its context? So other words for the same thing count, and a word that stands for
nothing there does not (the recall of BERTScore: Zhang et al., ICLR 2020, section 3). With the
numbers and names that the evidence lacks, a logistic regression, whose weights
``benchmarks.train_support`` finds and keeps in support.json, makes it a probability.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from index.claims import Claim, holds, telling_words
from index.records import Reading
from rag.weights import Regression

_REGRESSION = Regression.load("support")

_MOST_MISSING = 3
"""Further missing numbers or names make nothing worse."""


@dataclass(frozen=True, slots=True)
class Nearness:
    """How near what a sentence says is to the nearest token of each of n texts: cosines."""

    words: Mapping[str, NDArray[np.float32]]  # for each telling word, by its stem: (n,)
    tokens: NDArray[np.float32]  # for each token of the telling words and the numbers: (t, n)


def nearness(text: str, sentence: Reading, evidence: Sequence[Reading]) -> Nearness:
    """How near ``text``, which was read as ``sentence``, is to each of ``evidence``."""
    near = np.empty((len(sentence.tokens), len(evidence)), dtype=np.float32)
    for column, one in enumerate(evidence):
        near[:, column] = (sentence.tokens @ one.tokens.T).max(axis=1, initial=0)
    words: dict[str, NDArray[np.float32]] = {}
    telling = np.zeros(len(near), dtype=bool)
    for word, start, end in telling_words(text):
        own = (sentence.spans[:, 0] < end) & (start < sentence.spans[:, 1])
        telling |= own
        if own.any():  # else the end of a long sentence, which was not read
            mean = near[own].mean(axis=0)
            words[word] = np.maximum(mean, words[word]) if word in words else mean
    return Nearness(words, near[telling])


@dataclass(frozen=True, slots=True)
class Signs:
    """What speaks for and against that evidence supports a sentence."""

    aligned: float  # mean cosine of the sentence's tokens and the nearest of the evidence
    missing_numbers: float
    missing_names: float

    @property
    def probability(self) -> float:
        """How likely it is that the evidence supports the sentence, 0 to 1."""
        return _REGRESSION.probability(asdict(self))


def signs(claim: Claim, near: Nearness, evidence: Mapping[int, Claim]) -> Signs:
    """The signs that some texts together support ``claim``, by their places in ``near``."""
    words = frozenset[str]().union(*(one.words for one in evidence.values()))
    numbers = frozenset[float]().union(*(one.numbers for one in evidence.values()))
    nearest = near.tokens[:, list(evidence)].max(axis=1) if near.tokens.size else np.zeros(1)
    missing = sum(not holds(words, name) for name in claim.names)
    return Signs(
        aligned=float(nearest.mean()),
        missing_numbers=float(min(len(claim.numbers - numbers), _MOST_MISSING)),
        missing_names=float(min(missing, _MOST_MISSING)),
    )
