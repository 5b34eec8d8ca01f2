"""The embedding model: texts into vectors.

Documents and queries are embedded with the model in 8-bit integers, several times as fast as
sentence-transformers does it; the words that an answer is checked by, with the same model in
float32. Both are ONNX files that are made of its weights at the first use and kept
in the user's cache folder. A model that they cannot be made of is run by sentence-transformers.
"""

import hashlib
import threading
from collections import OrderedDict
from contextlib import suppress
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from index.embed_reference import ReferenceEncoder
from index.encoders import Reading, Vectors
from models import kept
from models.catalog import default, find
from models.errors import ModelError
from models.paths import encoders_folder
from models.resolve import local_path

if TYPE_CHECKING:
    from index.onnx_model import Encoder

_MADE = "onnx-1"
"""Changes when other vectors come of the same weights: then an index must be built again."""


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
        """The sha256 of the model's weights and of how they are used."""
        return hashlib.sha256(f"{self._entry.digest} {_MADE}".encode()).hexdigest()

    @cached_property
    def dimension(self) -> int:
        """The number of components of a vector."""
        return len(self.embed_query("one"))

    @property
    def _folder(self) -> Path:
        return local_path(self._entry.name)

    def embed(self, texts: list[str]) -> Vectors:
        """Vectors of documents' texts: float32, (len(texts), dimension), unit length.

        Raises ModelError if the model is not on this machine or cannot be loaded.
        """
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        return _encoder(self._folder, self._entry.digest, is_small=True).embed(texts)

    def embed_query(self, text: str) -> Vectors:
        """The vector of a question: float32, (dimension,), unit length. Raises as ``embed``."""
        vector: Vectors = self.embed([text])[0]
        return vector

    def read(self, texts: list[str]) -> list[Reading]:
        """``texts`` with a vector for each of their tokens; the end of a long one is not read.

        Raises ModelError like ``embed``.
        """
        if not texts:
            return []
        return _recent(self._folder, self._entry.digest).read(texts)


_KEPT = 200
"""Texts whose reading is kept, some 50 kB each: a follow-up looks at many sentences again."""


class _Recent:
    """An encoder that does not read again what it read lately; for several threads."""

    def __init__(self, encoder: "Encoder | ReferenceEncoder") -> None:
        self._encoder = encoder
        self._kept: OrderedDict[str, Reading] = OrderedDict()  # the last used last
        self._keeping = threading.Lock()

    def read(self, texts: list[str]) -> list[Reading]:
        with self._keeping:
            known = {text: self._kept[text] for text in texts if text in self._kept}
        if new := [text for text in dict.fromkeys(texts) if text not in known]:
            known.update(zip(new, self._encoder.read(new), strict=True))
        with self._keeping:
            for text, reading in known.items():
                self._kept[text] = reading
                self._kept.move_to_end(text)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return [known[text] for text in texts]


@cache
def _recent(folder: Path, digest: str) -> _Recent:
    """The model that texts are read with; what it keeps is not sent along with an embedder."""
    return _Recent(_encoder(folder, digest, is_small=False))


_LOADING = threading.Lock()


def _encoder(folder: Path, digest: str, *, is_small: bool) -> "Encoder | ReferenceEncoder":
    """The model in ``folder``; loaded once in a process, whoever asks."""
    with _LOADING:
        return _loaded(folder, digest, is_small=is_small)


@cache
def _loaded(folder: Path, digest: str, *, is_small: bool) -> "Encoder | ReferenceEncoder":
    """The model as an ONNX file, made if it is not there or not whole."""
    from index.onnx_model import Encoder  # noqa: PLC0415  (start-up time)

    name = f"{folder.name}-{'8bit' if is_small else 'float32'}-{digest[:16]}-{_MADE}"
    if path := kept.take(encoders_folder(), name, suffix=".onnx"):
        with suppress(OSError, ValueError):
            return Encoder(path, folder)
        path.unlink(missing_ok=True)
    from index import onnx_file  # noqa: PLC0415  (start-up time)

    make = partial(onnx_file.make, folder, is_small=is_small)
    try:
        return Encoder(kept.keep(encoders_folder(), name, make, suffix=".onnx"), folder)
    except onnx_file.NotSupportedError:
        return ReferenceEncoder(folder)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"The embedding model in {folder} cannot be loaded ({error}): run 'footnote models "
            "check', and see that there is room on the disk."
        ) from error
