"""Messages in, text out, by somebody else's model: any server that has the OpenAI API.

llama-server, vLLM and others have it. The key comes from ``FOOTNOTE_LLM_KEY`` alone.
"""

import os
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import partial
from pathlib import PurePosixPath, PureWindowsPath
from typing import TypeVar

from models.errors import ModelError
from rag.address import address_of
from rag.endpoint import KEY, Endpoint, EndpointError
from rag.first_word import odds, odds_of_text
from rag.generate import Piece
from rag.prompt import Message

_LIKELY = 20
"""How many first words are asked for with their probabilities: the most that the API allows."""

_SILENCE = 60.0
"""Seconds without a sign of the server after which it is given up; it reads the prompt in them."""

_PAUSES = (0.5, 1.0)
"""Seconds before it is asked for the second and the third time, if nothing came yet."""

_T = TypeVar("_T")


class RemoteModel:
    """A model on a server. It writes several answers at once if the server does."""

    def __init__(
        self,
        url: str,
        *,
        model: str | None = None,
        silence: float = _SILENCE,
        pauses: Sequence[float] = _PAUSES,
    ) -> None:
        """Takes the server's address and the model's name there: by default, the first it lists.

        After ``silence`` seconds without a sign of it, the server is given up. Where it has given
        nothing yet and the failure may pass, it is asked again after each of ``pauses``, seconds.
        Raises ModelError if the address is none, or if the server must be asked for a name and
        tells none.
        """
        key = os.environ.get(KEY, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise ModelError(f"{KEY} holds more than a key: set it to the key alone.")
        self._address = address_of(url)
        self._endpoint = Endpoint(self._address, key=key, silence=silence)
        self._pauses = pauses
        self._tells: bool | None = None  # whether it tells how likely words are; if that is known
        self._doubts = 0  # how often it broke off when it was asked for that
        self._model = model or ""
        if not model:
            (self._model,) = self._asked(self._first_model)
        self.name = _name(self._model)

    def __call__(self, messages: list[Message], *, max_tokens: int) -> Generator[Piece, None, None]:
        """The answer, piece by piece; closing the iterator ends the request, so the server stops.

        Where the server does not tell how likely its words are, each counts as certain, so that
        no answer is written a second time for being unsure. Raises ModelError.
        """
        return self._asked(partial(self._pieces, messages, max_tokens))

    def read(self, messages: list[Message], *, place: str | None = None) -> None:
        """Does nothing: what has been read, the server keeps by itself."""

    def yes(self, messages: list[Message]) -> float:
        """How much likelier “Yes” than “No” is as the answer's first word: the log of the ratio.

        ``rag.first_word`` says what is made of what the server tells. Raises ModelError.
        """
        (ratio,) = self._asked(partial(self._odds, messages))
        return ratio

    def _first_model(self, _is_told: bool) -> Generator[str, None, None]:
        yield self._endpoint.first_model()

    def _odds(self, messages: list[Message], is_told: bool) -> Generator[float, None, None]:
        # As a stream, too: to answer in one piece, llama-cpp-python's server would look through
        # the probabilities of its whole context, which takes gigabytes and seconds.
        likely = _LIKELY if is_told else 0
        parts = self._endpoint.write(messages, model=self._model, max_tokens=1, likely=likely)
        with closing(parts):
            written = list(parts)
        told = next((part.likely for part in written if part.likely), {})
        self._tells = True if told else self._tells
        text = "".join(part.text for part in written)
        yield odds(told) if len(told) > 1 else odds_of_text(text)

    def _pieces(
        self, messages: list[Message], max_tokens: int, is_told: bool
    ) -> Generator[Piece, None, None]:
        likely = int(is_told)  # of one other word, too: without that, some tell nothing
        parts = self._endpoint.write(
            messages, model=self._model, max_tokens=max_tokens, likely=likely
        )
        has_begun = False
        logprobs: list[float] = []
        with closing(parts):
            for part in parts:
                self._tells = True if part.logprobs else self._tells
                logprobs += part.logprobs
                if part.text:
                    has_begun = True
                    yield Piece(part.text, tuple(logprobs) or (0.0,))
                    logprobs.clear()
                if part.ending == "length" and not has_begun:
                    raise self._error("thinks and does not come to its answer: let it not think")

    def _asked(self, ask: Callable[[bool], Generator[_T, None, None]]) -> Generator[_T, None, None]:
        """What ``ask`` gives; if it fails before it gave anything, it may be asked again.

        It is told whether to ask for probabilities: not of a server that says that it has none,
        nor of one that never told any and breaks off when it is asked, as llama-cpp-python's
        does; for good the second time, for it may have died the first. Raises ModelError.
        """
        pauses = iter(self._pauses)
        is_told = self._tells is not False
        has_begun = False
        while True:
            try:
                with closing(ask(is_told)) as given:
                    for one in given:
                        has_begun = True
                        yield one
            except EndpointError as error:
                is_doubtful = error.is_cut and self._tells is None
                if is_told and not has_begun and (error.names_logprobs or is_doubtful):
                    self._doubts += 1
                    is_told = False
                    if error.names_logprobs or self._doubts > 1:
                        self._tells = False
                    continue
                pause = next(pauses, None)
                if has_begun or pause is None or error.passes_after is None:
                    raise self._error(str(error)) from None
                time.sleep(max(pause, error.passes_after))
            else:
                return

    def _error(self, told: str) -> ModelError:
        return ModelError(f"The model's server at {self._address} {told}.")


def _name(model: str) -> str:
    """A model's name for the record; of a file, such as some servers list, as a local one's."""
    path = PureWindowsPath(model) if "\\" in model else PurePosixPath(model)
    return path.stem if path.suffix == ".gguf" else model
