"""The embedding model: texts into vectors, by sentence-transformers."""

import logging
import os
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from index.records import Reading, Vectors
from models.catalog import default, find
from models.errors import ModelError
from models.resolve import local_path

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor


class SentenceEmbedder:
    """An embedding model of the catalogue; its weights are loaded at the first use."""

    def __init__(self, name: str | None = None) -> None:
        """Raises ModelError if the name is unknown."""
        self._entry = find(name) if name else default("embedder")

    @property
    def name(self) -> str:
        """The model's name in the catalogue."""
        return self._entry.name

    @property
    def digest(self) -> str:
        """The sha256 of the model's weights."""
        return self._entry.digest

    @cached_property
    def dimension(self) -> int:
        """The number of components of a vector."""
        return int(self._model.get_embedding_dimension() or 0)

    @cached_property
    def _model(self) -> "SentenceTransformer":
        return _load(local_path(self._entry.name))

    def embed(self, texts: list[str]) -> Vectors:
        """Vectors of ``texts``: float32, (len(texts), dimension), unit length.

        Raises ModelError if the model is not on this machine or cannot be loaded.
        """
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        return np.asarray(
            self._model.encode(texts, normalize_embeddings=True, show_progress_bar=False),
            dtype=np.float32,
        )

    def read(self, texts: list[str]) -> list[Reading]:
        """``texts`` with a vector for each of their tokens; the end of a long one is not read.

        Raises ModelError like ``embed``.
        """
        if not texts:
            return []
        read = self._model.encode(
            texts, output_value=None, normalize_embeddings=True, show_progress_bar=False
        )
        spans = self._model.tokenizer(
            texts,
            truncation=True,
            max_length=self._model.max_seq_length,
            return_offsets_mapping=True,
        )["offset_mapping"]
        return [_reading(one, np.array(span)) for one, span in zip(read, spans, strict=True)]


def _reading(read: dict[str, "Tensor"], spans: NDArray[np.int64]) -> Reading:
    """Without the two marks that the tokenizer puts around a text."""
    tokens = read["token_embeddings"].numpy()[1 : len(spans) - 1]
    lengths = np.linalg.norm(tokens, axis=1, keepdims=True)
    return Reading(read["sentence_embedding"].numpy(), tokens / lengths, spans[1:-1])


def be_quiet() -> None:
    """No requests, no reports, no bars: the weights are here."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    logging.getLogger("transformers").setLevel(logging.ERROR)
    from transformers.utils import logging as transformers_logging  # noqa: PLC0415  (start-up time)

    transformers_logging.disable_progress_bar()


@cache
def _load(folder: Path) -> "SentenceTransformer":
    be_quiet()
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415  (start-up time)

    try:
        return SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(
            f"The embedding model in {folder} cannot be loaded ({error}): "
            "run 'footnote models check'."
        ) from error
