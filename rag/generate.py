"""Messages in, text out, token by token: the llama.cpp model."""

import os
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any, Protocol

from llama_cpp import Llama

from models.errors import ModelError
from rag.prompt import Message

CONTEXT_TOKENS = 6144
"""What the model can hold: rules, passages and turns. 28 kB each for the default model."""


class Generate(Protocol):
    """What writes an answer. The real one is ``LlamaCpp``; tests give their own."""

    @property
    def name(self) -> str:
        """The model's name, for the record."""

    @property
    def context_tokens(self) -> int:
        """The most tokens that messages and answer may have together."""

    def count_tokens(self, text: str) -> int:
        """The number of tokens of ``text`` to this model."""

    def __call__(self, messages: list[Message], *, max_tokens: int) -> Generator[str, None, None]:
        """The answer's text, piece by piece; closing the iterator stops the model."""

    def yes(self, messages: list[Message]) -> float:
        """How much likelier a yes than a no is as the answer's first word: the log of the ratio."""


class LlamaCpp:
    """A GGUF model in this process. One answer at a time; a second caller waits."""

    def __init__(self, path: Path, *, context_tokens: int = CONTEXT_TOKENS) -> None:
        """Raises ModelError if llama.cpp cannot load the file."""
        self.name = path.stem
        self.context_tokens = context_tokens
        self._turn = threading.Lock()
        try:
            self._llama = _Llama(
                model_path=str(path),
                n_ctx=context_tokens,
                n_threads=os.cpu_count(),  # the library itself takes half of them
                verbose=False,
            )
        except (ValueError, OSError, RuntimeError) as error:
            raise ModelError(
                f"The model {path} cannot be loaded ({error}): run 'footnote models check', "
                "or choose another with --model."
            ) from error
        self._yes, self._no = (self._first_token(word) for word in ("Yes", "No"))

    def _first_token(self, word: str) -> int:
        token = self._llama.tokenize(word.encode(), add_bos=False)[0]
        assert isinstance(token, int)
        return token

    def count_tokens(self, text: str) -> int:
        """The number of tokens of ``text``, without special ones."""
        return len(self._llama.tokenize(text.encode(), add_bos=False))

    def __call__(self, messages: list[Message], *, max_tokens: int) -> Generator[str, None, None]:
        """The answer's text, piece by piece. The likeliest token each time: no chance in it.

        What the messages share with the last call's is not read again.
        """
        with self._turn:
            chunks = self._llama.create_chat_completion(
                messages=messages, temperature=0.0, max_tokens=max_tokens, stream=True
            )
            for chunk in chunks:
                text = chunk["choices"][0]["delta"].get("content")
                if text:
                    yield text

    def yes(self, messages: list[Message]) -> float:
        """How much likelier “Yes” than “No” is as the answer's first word: the log of the ratio.

        What the messages share with the last call's is not read again.
        """
        found: list[float] = []

        def look(_: Any, scores: Any) -> Any:
            found.append(float(scores[self._yes] - scores[self._no]))
            return scores

        with self._turn:
            self._llama.create_chat_completion(
                messages=messages, temperature=0.0, max_tokens=1, logits_processor=[look]
            )
        return found[0]


class _Llama(Llama):  # type: ignore[misc]
    """Llama with a load setting that its arguments leave out.

    Without the repacked weights (``use_extra_bufts``) prompts are read 1.5 times as fast on
    CPUs with AVX-512, loading takes a fraction, and 0.6 GB less memory is used; writing
    is a tenth slower. Reading is most of the wait.
    """

    @property
    def model_params(self) -> Any:
        """The C structure with which the weights are loaded."""
        return self._model_params

    @model_params.setter
    def model_params(self, params: Any) -> None:
        params.use_extra_bufts = False
        self._model_params = params
