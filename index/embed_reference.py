"""The embedding model by sentence-transformers: the reference, and for models of other kinds."""

import logging
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from index.encoders import Reading, Vectors
from models.errors import ModelError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor


class ReferenceEncoder:
    """A folder of sentence-transformers; its weights are loaded at the first use."""

    def __init__(self, folder: Path) -> None:
        """Nothing is loaded yet."""
        self._folder = folder

    @cached_property
    def _model(self) -> "SentenceTransformer":
        be_quiet()
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415  (start-up time)

        try:
            return SentenceTransformer(str(self._folder), device="cpu", local_files_only=True)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ModelError(
                f"The embedding model in {self._folder} cannot be loaded ({error}): "
                "run 'footnote models check'."
            ) from error

    def embed(self, texts: list[str]) -> Vectors:
        """Vectors of ``texts``: float32, (len(texts), d), unit length. Raises ModelError."""
        return np.asarray(
            self._model.encode(texts, normalize_embeddings=True, show_progress_bar=False),
            dtype=np.float32,
        )

    def read(self, texts: list[str]) -> list[Reading]:
        """``texts`` with a vector for each of their tokens; the end of a long one is not read.

        Raises ModelError.
        """
        read = self._model.encode(
            texts, output_value=None, normalize_embeddings=True, show_progress_bar=False
        )
        spans = self._model.tokenizer(
            texts,
            truncation=True,
            max_length=self._model.max_seq_length,
            return_offsets_mapping=True,
        )["offset_mapping"]
        return [_reading(one, span) for one, span in zip(read, spans, strict=True)]


def _reading(read: dict[str, "Tensor"], spans: list[tuple[int, int]]) -> Reading:
    """Without the two marks that the tokenizer puts around a text."""
    tokens = read["token_embeddings"].numpy()[1 : len(spans) - 1]
    lengths = np.linalg.norm(tokens, axis=1, keepdims=True)
    return Reading(read["sentence_embedding"].numpy(), tokens / lengths, np.array(spans[1:-1]))


def be_quiet() -> None:
    """No requests, no reports, no bars: the weights are here."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    logging.getLogger("transformers").setLevel(logging.ERROR)
    from transformers.utils import logging as transformers_logging  # noqa: PLC0415  (start-up time)

    transformers_logging.disable_progress_bar()
