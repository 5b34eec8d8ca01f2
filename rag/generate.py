"""Messages in, text out, token by token: the llama.cpp model."""

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import llama_cpp
import numpy as np

from models import kept
from models.errors import ModelError
from models.paths import states_folder
from models.progress import OnProgress
from models.resolve import resolve_llm
from rag import loading
from rag.llama import load
from rag.prompt import ANSWER_RULES, JUDGE_RULES, Message

CONTEXT_TOKENS = 6144
"""What the model can hold: rules, passages and turns. 28 kB each for the default model."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A bit of an answer as it is written."""

    text: str
    logprobs: tuple[float, ...]  # of its tokens: 0 where the model was sure, less where not


class Generate(Protocol):
    """What writes an answer. The real one is ``LlamaCpp``; tests give their own."""

    @property
    def name(self) -> str:
        """The model's name, for the record."""

    def __call__(self, messages: list[Message], *, max_tokens: int) -> Generator[Piece, None, None]:
        """The answer, piece by piece; closing the iterator stops the model."""

    def read(self, messages: list[Message], *, place: str | None = None) -> None:
        """Reads what an answer will be asked for with, so that it need not be read then.

        What was read is kept at ``place``, if one is given, instead of what was kept there.
        """

    def yes(self, messages: list[Message]) -> float:
        """How much likelier a yes than a no is as the answer's first word: the log of the ratio."""


class InBackground:
    """A model that is loaded in a thread of its own; who asks it waits for that."""

    def __init__(self, name: str, load: Callable[[], Generate]) -> None:
        """Begins with ``load``; what it raises is raised when the model is asked first."""
        self.name = name
        pool = ThreadPoolExecutor(1, "load")
        self._model = pool.submit(load)
        pool.shutdown(wait=False)

    @property
    def is_loaded(self) -> bool:
        """Whether nobody has to wait for it any more."""
        return self._model.done()

    def __call__(self, messages: list[Message], *, max_tokens: int) -> Generator[Piece, None, None]:
        """As the model's own."""
        yield from self._model.result()(messages, max_tokens=max_tokens)

    def read(self, messages: list[Message], *, place: str | None = None) -> None:
        """As the model's own."""
        self._model.result().read(messages, place=place)

    def yes(self, messages: list[Message]) -> float:
        """As the model's own."""
        return self._model.result().yes(messages)


class LlamaCpp:
    """A GGUF model in this process. One answer at a time; a second caller waits."""

    def __init__(self, path: Path, *, context_tokens: int = CONTEXT_TOKENS) -> None:
        """Loads it in the way that was measured to be the faster one, if it was measured.

        Raises ModelError if llama.cpp cannot load the file.
        """
        self.name = path.stem
        self._turn = threading.Lock()
        speeds = loading.remembered(path)
        self._is_repacked = speeds is not None and speeds.is_repacking_worth_it
        self._llama = load(path, context_tokens=context_tokens, is_repacked=self._is_repacked)
        self._file = [path.stat().st_size, path.stat().st_mtime_ns]
        self._yes, self._no = (self._first_token(word) for word in ("Yes", "No"))

    def _first_token(self, word: str) -> int:
        token = self._llama.tokenize(word.encode(), add_bos=False)[0]
        assert isinstance(token, int)
        return token

    def __call__(self, messages: list[Message], *, max_tokens: int) -> Generator[Piece, None, None]:
        """The answer, piece by piece. The likeliest token each time: no chance in it.

        What the messages share with the last call's is not read again.
        """
        logprobs: list[float] = []

        def look(_: Any, scores: Any) -> Any:
            logprobs.append(-float(np.log(np.exp(scores - scores.max()).sum())))
            return scores

        with self._turn:
            chunks = self._llama.create_chat_completion(
                messages=messages,
                temperature=0.0,
                max_tokens=max_tokens,
                stream=True,
                logits_processor=[look],
            )
            for chunk in chunks:
                text = chunk["choices"][0]["delta"].get("content")
                if text:
                    yield Piece(text, tuple(logprobs))
                    logprobs.clear()

    def read(self, messages: list[Message], *, place: str | None = None) -> None:
        """Reads ``messages``; the next call, if it begins with them, goes on from there.

        With a ``place`` every later call does, whatever is read between, until something else
        is kept there.
        """
        with self._turn:
            self._llama.create_chat_completion(messages=messages, temperature=0.0, max_tokens=1)
            if place is not None:
                self._llama.remember(place)

    def read_ahead(self, *beginnings: list[Message]) -> None:
        """Reads what conversations begin with, so that no question waits for it.

        What was read is kept: in memory, and in the user's cache folder, from where it is
        taken the next time, if it is as it was written. Without room there, it is read anew.
        """
        with self._turn:
            names = [self._state_name(messages) for messages in beginnings]
            for messages, name in zip(beginnings, names, strict=True):
                if not self._take(name):
                    self._llama.create_chat_completion(
                        messages=messages, temperature=0.0, max_tokens=1
                    )
                    with suppress(OSError):
                        kept.keep(states_folder(), name, self._llama.keep_state, suffix=".state")
                self._llama.remember(name)
            for old in states_folder().glob(f"{self.name}-*.state"):
                if not old.name.startswith(tuple(names)):
                    old.unlink(missing_ok=True)

    @property
    def tokens_read(self) -> int:
        """How many tokens the model keeps, which need not be read again."""
        return int(self._llama.n_tokens)

    def _take(self, name: str) -> bool:
        path = kept.take(states_folder(), name, suffix=".state")
        return path is not None and self._llama.take_state(path)

    def _state_name(self, messages: list[Message]) -> str:
        """What is read depends on the model, how it is loaded, the library, and the messages."""
        about = [self._file, self._is_repacked, llama_cpp.__version__, messages]
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


def load_model(
    model: str | None = None,
    *,
    llm: str | None = None,
    then: Callable[[], object] = lambda: None,
) -> InBackground:
    """The model of that name or file, the default one if it is None; it loads in the background.

    With ``llm``, the address of a server, its model of that name, or the first that it lists.
    ``then`` is done in the background afterwards. Raises ModelError if there is no such model
    here, or if the server does not answer.
    """
    if llm is not None:
        from rag.remote import RemoteModel  # noqa: PLC0415  (start-up time)

        remote = RemoteModel(llm, model=model)

        def greet() -> RemoteModel:
            then()
            return remote

        return InBackground(remote.name, greet)
    path = resolve_llm(model)

    def load() -> LlamaCpp:
        loaded = LlamaCpp(path)
        loaded.read_ahead(ANSWER_RULES, JUDGE_RULES)
        then()
        return loaded

    return InBackground(path.stem, load)


def measure_once(path: Path, *, on_progress: OnProgress) -> None:
    """Finds out how the model at ``path`` reads fastest, unless that is known already."""
    loading.measure_once(path, _speed_apart, on_progress=on_progress)


def _speed_apart(path: Path, *, is_repacked: bool) -> float:
    """As ``reading_speed``, in a process of its own; raises ModelError if that is ended, too."""
    way = "repacked" if is_repacked else "as-stored"
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "rag.loading_probe", str(path), way],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[1],
    )
    if done.returncode:
        raise ModelError(f"The model {path} cannot be read {way} on this machine.")
    return float(done.stdout.split()[-1])
