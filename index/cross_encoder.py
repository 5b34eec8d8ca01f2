"""Cross-encoders, which read two texts together; for those who have one, by its name."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from index.embed_reference import be_quiet
from models.errors import ModelError

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder


class CrossEncoderReranker:
    """How well a passage answers a query: slower than comparing vectors, and often better."""

    def __init__(self, name: str) -> None:
        """Takes a folder, or the name of a model that the hub's own cache holds.

        Raises ModelError if it is neither, or does not give one score.
        """
        self._model = _load(name, "reranker")
        if self._model.num_labels != 1:
            raise ModelError(
                f"The reranker {name} has {self._model.num_labels} outputs, not one score: give a "
                "cross-encoder that was trained to rank; one for inference goes to --nli."
            )

    def scores(self, query: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """How well each text answers the query, float32 (n,): 0 to 1."""
        from torch.nn import Sigmoid  # noqa: PLC0415  (start-up time)

        pairs = [(query, text) for text in texts]
        if not pairs:
            return np.empty(0, dtype=np.float32)
        found = self._model.predict(pairs, activation_fn=Sigmoid(), show_progress_bar=False)
        return np.asarray(found, dtype=np.float32).reshape(len(pairs))


class CrossEncoderEntailment:
    """How likely a text entails a sentence, by a model of natural language inference (NLI)."""

    def __init__(self, name: str) -> None:
        """Takes a folder, or the name of a model that the hub's own cache holds.

        Raises ModelError if it is neither, or none of its outputs is called entailment.
        """
        self._model = _load(name, "NLI model")
        labels = self._model.config.id2label or {}
        entailing = [at for at, label in labels.items() if label.lower().startswith("entail")]
        if len(entailing) != 1 or len(labels) < 2:
            raise ModelError(
                f"The NLI model {name} has no output called entailment: give a cross-encoder "
                "that was trained to tell entailment from contradiction."
            )
        (self._entailing,) = entailing

    def probabilities(self, texts: Sequence[str], sentence: str) -> NDArray[np.float32]:
        """How likely each text entails the sentence, float32 (n,): 0 to 1."""
        if not texts:
            return np.empty(0, dtype=np.float32)
        found = self._model.predict(
            [(text, sentence) for text in texts], apply_softmax=True, show_progress_bar=False
        )
        return np.asarray(found, dtype=np.float32)[:, self._entailing]


def _load(name: str, kind: str) -> "CrossEncoder":
    be_quiet()
    from sentence_transformers import CrossEncoder  # noqa: PLC0415  (start-up time)

    try:
        return CrossEncoder(name, device="cpu", local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(
            f"The {kind} {name} is not on this machine, or is none: give a folder, or run "
            f"'hf download {name}' first."
        ) from error
