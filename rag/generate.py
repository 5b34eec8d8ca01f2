"""Messages in, text out, token by token: the llama.cpp model."""

import ctypes
import hashlib
import json
import os
import threading
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import llama_cpp
from llama_cpp import Llama

from index.store import file_sha256
from models.errors import ModelError
from models.paths import states_folder
from rag.prompt import Message

CONTEXT_TOKENS = 6144
"""What the model can hold: rules, passages and turns. 28 kB each for the default model."""


class Generate(Protocol):
    """What writes an answer. The real one is ``LlamaCpp``; tests give their own."""

    @property
    def name(self) -> str:
        """The model's name, for the record."""

    def __call__(self, messages: list[Message], *, max_tokens: int) -> Generator[str, None, None]:
        """The answer's text, piece by piece; closing the iterator stops the model."""

    def yes(self, messages: list[Message]) -> float:
        """How much likelier a yes than a no is as the answer's first word: the log of the ratio."""


class LlamaCpp:
    """A GGUF model in this process. One answer at a time; a second caller waits."""

    def __init__(self, path: Path, *, context_tokens: int = CONTEXT_TOKENS) -> None:
        """Raises ModelError if llama.cpp cannot load the file."""
        self.name = path.stem
        self._turn = threading.Lock()
        try:
            self._file = [path.stat().st_size, path.stat().st_mtime_ns]
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

    def read_ahead(self, messages: list[Message]) -> None:
        """Reads what every conversation begins with, so that no question waits for it.

        What was read is kept in the user's cache folder, and the next time taken from there,
        if it is as it was written. Without room for it, it is read each time.
        """
        with self._turn:
            if self._take(messages):
                return
            self._llama.create_chat_completion(messages=messages, temperature=0.0, max_tokens=1)
            with suppress(OSError):
                self._keep(messages)

    @property
    def tokens_read(self) -> int:
        """How many tokens the model keeps, which need not be read again."""
        return int(self._llama.n_tokens)

    def _take(self, messages: list[Message]) -> bool:
        for path in states_folder().glob(f"{self._state_name(messages)}-*.state"):
            with suppress(OSError):
                if path.stem.endswith(file_sha256(path)):
                    return self._llama.take_state(path)
        return False

    def _keep(self, messages: list[Message]) -> None:
        folder = states_folder()
        folder.mkdir(parents=True, exist_ok=True)
        name = self._state_name(messages)
        whole = folder / f"{name}-{os.getpid()}.part"
        try:
            self._llama.keep_state(whole)
            for old in folder.glob(f"{self.name}-*.state"):
                old.unlink()
            whole.replace(folder / f"{name}-{file_sha256(whole)}.state")
        finally:
            whole.unlink(missing_ok=True)

    def _state_name(self, messages: list[Message]) -> str:
        """What is read depends on the model, the library, and the messages."""
        about = [self._file, llama_cpp.__version__, messages]
        return f"{self.name}-{hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]}"

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

    def keep_state(self, path: Path) -> None:
        """Writes what has been read to ``path``. Raises OSError if it cannot."""
        tokens = (llama_cpp.llama_token * self.n_tokens)(*self.input_ids[: self.n_tokens])
        file = os.fsencode(path)
        if not llama_cpp.llama_state_seq_save_file(self.ctx, file, 0, tokens, self.n_tokens):
            raise OSError(f"{path} cannot be written")

    def take_state(self, path: Path) -> bool:
        """Has read what ``path`` holds; False if it cannot be used."""
        tokens = (llama_cpp.llama_token * self.n_ctx())()
        count = ctypes.c_size_t()
        if not llama_cpp.llama_state_seq_load_file(
            self.ctx, os.fsencode(path), 0, tokens, len(tokens), ctypes.byref(count)
        ):
            self.reset()
            return False
        self.n_tokens = count.value
        self.input_ids[: self.n_tokens] = tokens[: self.n_tokens]
        return True
