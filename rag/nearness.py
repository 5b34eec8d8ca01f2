"""How near words in their context are to those of other texts: other words for the same."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.claims import telling_words
from index.encoders import Reading

_LIKE_LEAST, _LIKE_MOST = 0.3, 0.6
"""Cosines of tokens in context between which they come to stand for the same."""


@dataclass(frozen=True, slots=True)
class Nearness:
    """How near what a sentence says is to the nearest token of each of n texts: cosines."""

    words: Mapping[str, NDArray[np.float32]]  # for each telling word, by its stem: (n,)
    tokens: NDArray[np.float32]  # for each token of the telling words and the numbers: (t, n)

    def aligned(self, texts: Iterable[int]) -> float:
        """Mean cosine of the tokens and the nearest in ``texts``, by their places; 0 of none."""
        near = self.tokens[:, list(texts)]
        return float(near.max(axis=1).mean()) if near.size else 0.0


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


def likeness(cosines: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far tokens stand for the same that are so near to each other, 0 to 1."""
    share: NDArray[np.float32] = (cosines - _LIKE_LEAST) / (_LIKE_MOST - _LIKE_LEAST)
    return share.clip(0, 1)
