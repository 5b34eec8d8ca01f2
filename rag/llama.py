"""The library's Llama, with what it leaves out: how it loads, remembers, and is stopped."""

import ctypes
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
from llama_cpp import Llama

from models.errors import ModelError
from rag import loading

_SILENT = llama_cpp.llama_log_callback(lambda _level, _text, _data: None)
llama_cpp.llama_log_set(_SILENT, ctypes.c_void_p(0))
# To be silent the library itself redirects the output of the whole process while it loads a
# model, that of other threads, too. What it would say goes nowhere already.
llama_cpp.llama.suppress_stdout_stderr = lambda **_: nullcontext()
llama_cpp._internals.suppress_stdout_stderr = lambda **_: nullcontext()

_MEASURED_BY = "The planes carried 35 tons of cargo to the airport near Caracas on Saturday. " * 32
_MEASURED_TOKENS = 256  # about what the sentences are that an answer is written from

_NEVER = llama_cpp.ggml_abort_callback()
"""No function: nothing stops it."""

_IS_WANTED: ContextVar[Callable[[], bool] | None] = ContextVar("is_wanted", default=None)


class UnwantedError(Exception):
    """The model was stopped while it read: nobody wants it any more."""


@contextmanager
def while_wanted(is_wanted: Callable[[], bool]) -> Iterator[None]:
    """What this thread has a model in this process read meanwhile ends when it is not wanted.

    Then the block ends, too; it raises nothing. The model is as if it had not been asked.
    """
    before = _IS_WANTED.set(is_wanted)
    try:
        with suppress(UnwantedError):
            yield
    finally:
        _IS_WANTED.reset(before)


class RememberingLlama(Llama):  # type: ignore[misc]
    """Llama that remembers more than the last prompt, and can be stopped while it reads.

    It has a load setting, too, that the library's arguments leave out. Without the repacked weights
    (``use_extra_bufts``) prompts are read 1.5 times as fast on CPUs with AVX-512, loading takes a
    fraction, and 0.6 GB less memory is used; writing is a tenth slower. Reading is most of the
    wait. Which is faster here ``rag.loading`` knows.
    """

    n_tokens: int  # that have been read

    def __init__(self, *, is_repacked: bool, **settings: Any) -> None:
        """Takes the library's settings."""
        self._is_repacked = is_repacked
        self._remembered: dict[str, tuple[np.ndarray, ctypes.Array[ctypes.c_uint8]]] = {}
        super().__init__(**settings)

    @property
    def model_params(self) -> Any:
        """The C structure with which the weights are loaded."""
        return self._model_params

    @model_params.setter
    def model_params(self, params: Any) -> None:
        params.use_extra_bufts = self._is_repacked
        self._model_params = params

    def remember(self, place: str) -> None:
        """Keeps in memory what has been read, in place of what was kept there."""
        size = llama_cpp.llama_state_seq_get_size(self.ctx, 0)
        state = (ctypes.c_uint8 * size)()
        llama_cpp.llama_state_seq_get_data(self.ctx, state, size, 0)
        self._remembered[place] = self.input_ids[: self.n_tokens].copy(), state

    def generate(self, tokens: Sequence[int], *arguments: Any, **settings: Any) -> Any:
        """As the library's, but goes on from whatever remembered beginning is the longest."""
        shared = _shared(self.input_ids[: self.n_tokens], tokens)
        for beginning, state in self._remembered.values():
            if (more := _shared(beginning, tokens)) > shared and llama_cpp.llama_state_seq_set_data(
                self.ctx, state, len(state), 0
            ):
                shared = more
                self.n_tokens = len(beginning)
                self.input_ids[: self.n_tokens] = beginning
                self._requires_eval = True  # the scores are those of another prompt
        return super().generate(tokens, *arguments, **settings)

    def eval(self, tokens: Sequence[int]) -> None:
        """As the library's. Raises UnwantedError if it is stopped, see ``while_wanted``."""
        is_wanted = _IS_WANTED.get()
        if is_wanted is None:
            super().eval(tokens)
            return
        is_stopped = False

        def stop(_: Any) -> bool:
            nonlocal is_stopped
            is_stopped = is_stopped or not is_wanted()
            return is_stopped

        callback = llama_cpp.ggml_abort_callback(stop)
        llama_cpp.llama_set_abort_callback(self.ctx, callback, None)
        try:
            super().eval(tokens)
        except RuntimeError:
            if is_stopped:
                raise UnwantedError from None
            raise
        finally:
            llama_cpp.llama_set_abort_callback(self.ctx, _NEVER, None)

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
        self._requires_eval = True
        return True


def reading_speed(path: Path, *, is_repacked: bool) -> float:
    """Tokens of a prompt that the model reads in a second; raises ModelError as ``LlamaCpp``."""
    llama = load(path, context_tokens=2 * _MEASURED_TOKENS, is_repacked=is_repacked)
    try:
        tokens = llama.tokenize(_MEASURED_BY.encode())[:_MEASURED_TOKENS]
        llama.eval(tokens[:8])  # brings the weights into memory
        llama.reset()
        started = time.monotonic()
        llama.eval(tokens)
        return len(tokens) / (time.monotonic() - started)
    finally:
        llama.close()


def usual_llama(path: Path, *, context_tokens: int) -> Llama:
    """The library's own class with its defaults, to be measured against.

    Where these end the process (see ``rag.loading_probe``) its weights are as they are stored.
    """
    speeds = loading.remembered(path)
    if speeds and not speeds.can_repack:
        return RememberingLlama(
            is_repacked=False, model_path=str(path), n_ctx=context_tokens, verbose=False
        )
    return Llama(str(path), n_ctx=context_tokens, verbose=False)


def load(path: Path, *, context_tokens: int, is_repacked: bool) -> RememberingLlama:
    """Raises ModelError if llama.cpp cannot load the file."""
    try:
        return RememberingLlama(
            is_repacked=is_repacked,
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


def _shared(one: np.ndarray, other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    length = min(len(one), len(other))
    differs = np.flatnonzero(one[:length] != np.asarray(other[:length]))
    return int(differs[0]) if len(differs) else length
