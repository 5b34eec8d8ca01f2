"""Texts into vectors, by a sentence-transformers model."""

import logging
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from index.records import Vectors
from models.catalog import default, find
from models.errors import ModelError
from models.resolve import local_path

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


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


def _load(folder: Path) -> "SentenceTransformer":
    os.environ["HF_HUB_OFFLINE"] = "1"  # the weights are here: nothing is to be asked for
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    logging.getLogger("transformers").setLevel(logging.ERROR)
    # Here for start-up time: this import takes several seconds.
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415
    from transformers.utils import logging as transformers_logging  # noqa: PLC0415

    transformers_logging.disable_progress_bar()

    try:
        return SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(
            f"The embedding model in {folder} cannot be loaded ({error}): "
            "run 'footnote models check'."
        ) from error
