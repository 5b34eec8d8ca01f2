"""Text into the states of its tokens, by onnxruntime and the model's own tokenizer.

Neither needs PyTorch, whose import alone takes seconds.
"""

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # newer ones report their use unless it is set before

import onnxruntime

_ERRORS_ONLY = 3  # of onnxruntime's levels


@dataclass(frozen=True, slots=True)
class States:
    """A text as the model reads it."""

    states: NDArray[np.float32]  # (tokens, size), the marks at both ends included
    spans: NDArray[np.int64]  # (tokens, 2): the characters of the text that each token is


class Encoder:
    """An ONNX file of a sentence encoder; may be used from several threads.

    Each text is read alone, several at once on the machine's cores: nothing is padded, and a
    text's states do not depend on those beside it.
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
        self._threads = ThreadPoolExecutor(os.cpu_count(), "embed")

    def read(self, texts: Sequence[str]) -> list[States]:
        """The states of each text's tokens; the end of a long text is not read."""
        encoded = self._tokenizer.encode_batch(list(texts))
        if len(encoded) == 1:
            return [self._states(encoded[0])]
        # The longest first, so that the threads end together.
        order = sorted(range(len(encoded)), key=lambda at: -len(encoded[at].ids))
        found = self._threads.map(self._states, [encoded[at] for at in order])
        placed = dict(zip(order, found, strict=True))
        return [placed[at] for at in range(len(encoded))]

    def outputs(self, text: str) -> dict[str, NDArray[np.float32]]:
        """Every output of the file for one text, (tokens, size), by its name."""
        return self._run(self._tokenizer.encode(text))

    def _states(self, encoded: Encoding) -> States:
        (states,) = self._run(encoded).values()
        return States(states, np.array(encoded.offsets, dtype=np.int64))

    def _run(self, encoded: Encoding) -> dict[str, NDArray[np.float32]]:
        ids = np.array([encoded.ids], dtype=np.int32)
        (name,) = (one.name for one in self._session.get_inputs())
        found = self._session.run(self._names, {name: ids})
        return {name: values[0] for name, values in zip(self._names, found, strict=True)}
