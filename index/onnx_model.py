"""Texts into vectors, by onnxruntime and the model's own tokenizer.

Neither needs PyTorch, whose import alone takes seconds.
"""

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from index.encoders import Reading, Vectors

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # newer ones report their use unless it is set before

import onnxruntime

_ERRORS_ONLY = 3  # of onnxruntime's levels


_Read = TypeVar("_Read")


class Encoder:
    """An ONNX file of a sentence encoder; may be used from several threads.

    Each text is read alone, several at once on the machine's cores: nothing is padded, and a
    text's vector does not depend on those beside it.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        """``folder`` has the tokenizer. Raises ValueError or OSError if a file is damaged."""
        settings = json.loads((folder / "sentence_bert_config.json").read_text(encoding="utf-8"))
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(settings["max_seq_length"])
        self._tokenizer.no_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        try:
            self._session = onnxruntime.InferenceSession(
                path.read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its errors have no common type, and some have none at all
            raise ValueError(f"{path.name} cannot be used ({error})") from error
        self._names = [output.name for output in self._session.get_outputs()]
        self._threads = ThreadPoolExecutor(_cores(), "embed")

    def embed(self, texts: list[str]) -> Vectors:
        """Vectors of ``texts``: float32, (len(texts), d), unit length."""
        return np.array(self._each(texts, lambda encoded: _vector(self._states(encoded))))

    def read(self, texts: list[str]) -> list[Reading]:
        """``texts`` with a vector for each of their tokens; the end of a long one is not read."""
        return self._each(texts, self._reading)

    def _each(self, texts: list[str], read: Callable[[Encoding], _Read]) -> list[_Read]:
        encoded = self._tokenizer.encode_batch(texts)
        if len(encoded) == 1:
            return [read(encoded[0])]
        # The longest first, so that the threads end together.
        order = sorted(range(len(encoded)), key=lambda at: -len(encoded[at].ids))
        found = self._threads.map(read, [encoded[at] for at in order])
        placed = dict(zip(order, found, strict=True))
        return [placed[at] for at in range(len(encoded))]

    def outputs(self, text: str) -> dict[str, NDArray[np.float32]]:
        """Every output of the file for one text, (tokens, size), by its name."""
        return self._run(self._tokenizer.encode(text))

    def _reading(self, encoded: Encoding) -> Reading:
        """Without the two marks that the tokenizer puts around a text."""
        states = self._states(encoded)
        tokens = states[1:-1]
        lengths = np.linalg.norm(tokens, axis=1, keepdims=True)
        spans = np.array(encoded.offsets, dtype=np.int64)
        return Reading(_vector(states), tokens / lengths, spans[1:-1])

    def _states(self, encoded: Encoding) -> NDArray[np.float32]:
        """Of the tokens, the marks at both ends included: (tokens, d)."""
        (states,) = self._run(encoded).values()
        return states

    def _run(self, encoded: Encoding) -> dict[str, NDArray[np.float32]]:
        ids = np.array([encoded.ids], dtype=np.int32)
        (name,) = (one.name for one in self._session.get_inputs())
        found = self._session.run(self._names, {name: ids})
        return {name: values[0] for name, values in zip(self._names, found, strict=True)}


def _cores() -> int | None:
    """How many cores are this process's own: of several on one machine, each is told a share."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdecimal() and int(told) else os.cpu_count()


def _vector(states: NDArray[np.float32]) -> Vectors:
    """The mean of the tokens' states, as the model was trained: float32 (d,), unit length."""
    mean = states.mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean), dtype=np.float32)
