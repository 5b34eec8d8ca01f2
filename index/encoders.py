"""What turns texts into numbers: the models' protocols, and what they give.

Apart from the other records, for readers of files need no NumPy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as an embedding model reads it: its vector, and one for each of its tokens."""

    vector: Vectors  # float32 (d,), unit length
    tokens: Vectors  # float32 (n, d), unit length: each token in its context
    spans: NDArray[np.int64]  # (n, 2): the characters of the text that each token is


class Embedder(Protocol):
    """What turns texts into vectors; the real one is in ``index.embed``."""

    @property
    def name(self) -> str:
        """The model's name in the catalogue."""

    @property
    def digest(self) -> str:
        """The sha256 of the model's weights: another digest, another index."""

    @property
    def dimension(self) -> int:
        """The number of components of a vector."""

    def embed(self, texts: list[str]) -> Vectors:
        """Vectors of documents' texts: float32, (len(texts), dimension), unit length."""

    def embed_query(self, text: str) -> Vectors:
        """The vector of a question: float32, (dimension,), unit length."""

    def read(self, texts: list[str]) -> list[Reading]:
        """``texts`` with a vector for each, and one for each of their tokens."""


class Reranker(Protocol):
    """What scores passages by reading each together with the query."""

    def scores(self, query: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """How well each text answers the query, float32 (n,): 0 to 1."""


class Entailment(Protocol):
    """What tells whether a text entails a sentence."""

    def probabilities(self, texts: Sequence[str], sentence: str) -> NDArray[np.float32]:
        """How likely each text entails the sentence, float32 (n,): 0 to 1."""
