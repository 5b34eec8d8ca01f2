"""The connection to a model's server: what is sent, what comes back, what went wrong.

Sent are the messages, the model's name and how it is to write, nothing about this machine; and
nothing is sent elsewhere: no proxy is used, and no redirect followed. Nothing of what the server
says of a failure is repeated, for it may repeat the key or the question.
"""

import logging
import ssl
import weakref
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import httpx2
import openai
from openai.types.chat.chat_completion_chunk import Choice

from models.errors import ModelError
from rag.address import Address
from rag.generate import CONTEXT_TOKENS
from rag.prompt import Message

KEY = "FOOTNOTE_LLM_KEY"
"""The environment variable that holds the server's key, if it wants one."""

_CONNECT = 5.0
"""Seconds in which a server must take a connection."""

_LONGEST_PAUSE = 10.0
"""Seconds; of a server that wants more the reader is told instead."""

_CONNECTIONS = httpx2.Limits(max_connections=32, max_keepalive_connections=4)

_SENT = {"accept", "accept-encoding", "connection", "content-length", "content-type", "host"}
"""The headers that are sent. The client has more, of this machine and of others' settings."""

# They would log addresses, and what is secret in them.
for _library in ("httpx2", "httpcore2", "openai"):
    logging.getLogger(_library).setLevel(logging.WARNING)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Part:
    """A bit of an answer. Probabilities are logarithms, and missing if the server tells none."""

    text: str
    logprobs: tuple[float, ...]  # of its tokens
    likely: Mapping[str, float]  # what its first token could have been
    ending: str  # why it is the last one, such as “stop” or “length”; empty if it is not


class EndpointError(Exception):
    """What is wrong with a server, and what mends it: the end of a sentence that begins with it."""

    def __init__(
        self,
        told: str,
        *,
        passes_after: float | None = None,
        is_cut: bool = False,
        names_logprobs: bool = False,
    ) -> None:
        """``passes_after`` is when it may be over, seconds; None if asking again is no use."""
        super().__init__(told)
        self.passes_after = passes_after
        self.is_cut = is_cut  # the answer broke off
        self.names_logprobs = names_logprobs  # the server says something of probabilities


class _NoApiError(Exception):
    """What the server answers is not of this API."""


class _CutError(Exception):
    """The server's answer ended before it was whole."""


_FAILURES = (
    openai.OpenAIError,
    httpx2.HTTPError,
    _NoApiError,
    _CutError,
    # The client does not check what it makes its records of: what a server left out shows so.
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)


class Endpoint:
    """A server that has the OpenAI API. One for the whole program: it keeps its connections."""

    def __init__(self, address: Address, *, key: str, silence: float) -> None:
        """After ``silence`` seconds without a sign of it, the server is given up."""
        self._key = key
        self._silence = silence
        authorization = f"Bearer {key}" if key else address.basic
        self._client = _client(address, authorization, silence=silence)
        weakref.finalize(self, self._client.close)

    def first_model(self) -> str:
        """The name of the first model that the server lists. Raises EndpointError."""
        with self._translated(""):
            return _text(self._client.models.list().data[0].id)

    def write(
        self, messages: list[Message], *, model: str, max_tokens: int, likely: int
    ) -> Generator[Part, None, None]:
        """What ``model`` answers; closing the iterator ends the request, so the server stops.

        With so many ``likely`` words for each place, and how likely each word was; without
        either, if it is 0. Raises EndpointError.
        """
        with self._translated(model):
            stream = self._client.chat.completions.create(
                model=model,
                messages=cast("Any", messages),
                temperature=0,
                max_tokens=max_tokens,
                stream=True,
                logprobs=True if likely else openai.omit,
                top_logprobs=likely or openai.omit,
            )
            with closing(stream):
                if "text/event-stream" not in stream.response.headers.get("content-type", ""):
                    raise _NoApiError
                for chunk in _uncut(stream):
                    if not chunk.choices:  # it tells of something else, such as what was read
                        continue
                    part = _part(chunk.choices[0])
                    yield part
                    if part.ending:
                        return
            raise _CutError

    @contextmanager
    def _translated(self, model: str) -> Iterator[None]:
        """Here the client's failures become ours."""
        try:
            yield
        except _FAILURES as failure:
            # Not “from failure”: that holds what the server said.
            raise self._error(failure, model) from None

    def _error(self, failure: Exception, model: str) -> EndpointError:
        names_logprobs = isinstance(failure, openai.APIError) and (
            "logprob" in f"{failure.message} {failure.body}".lower()
        )
        is_cut = isinstance(failure, _CutError)
        passes_after: float | None = None
        match failure:
            case openai.APIStatusError(status_code=status):
                told = self._told_of(status, model)
                wanted = failure.response.headers.get("retry-after", "")
                pause = float(wanted) if wanted.isdecimal() else 0.0
                if (status == 429 or status >= 500) and pause <= _LONGEST_PAUSE:
                    passes_after = pause
            case openai.APITimeoutError() if isinstance(failure.__cause__, httpx2.ConnectTimeout):
                told = f"cannot be reached within {_CONNECT:g} seconds: correct --llm"
            case openai.APITimeoutError() | httpx2.TimeoutException():
                # Nor asked again: the server may still be at work on what it was asked.
                told = f"was silent for {self._silence:g} seconds: see what it does, and ask again"
            case openai.APIConnectionError() if _is_distrusted(failure):
                told = "has a certificate that is not trusted: set SSL_CERT_FILE to its authority's"
            case openai.APIConnectionError():
                told = "does not answer: start it, or correct --llm"
                passes_after = 0.0
            case httpx2.HTTPError() | _CutError():
                told = "broke off before its answer was whole: its log may say why; ask again"
                passes_after = 0.0
            case openai.APIError():
                told = "failed while it answered: its log says why"
            case _:
                told = "does not answer as an OpenAI-compatible one does: correct --llm"
        return EndpointError(
            told, passes_after=passes_after, is_cut=is_cut, names_logprobs=names_logprobs
        )

    def _told_of(self, status: int, model: str) -> str:
        if status in (401, 403):
            told = f"refuses the key: correct {KEY}" if self._key else f"wants a key: set {KEY}"
        elif status == 404 and model:
            told = f"has no model “{model}”: name one of its own with --model, or correct --llm"
        elif status == 404:
            told = "has no list of models: correct --llm, or name its model with --model"
        elif status == 429:
            told = "has too much to do (HTTP 429): ask again later"
        elif status < 400:
            told = f"sends us elsewhere (HTTP {status}): give --llm the address where it is"
        elif status < 500:
            told = (
                f"refuses the request (HTTP {status}): its log says why; its context must have "
                f"room for {CONTEXT_TOKENS:,} tokens"
            )
        else:
            told = f"failed (HTTP {status}): its log says why; ask again when it is mended"
        return told


def _client(address: Address, authorization: str, *, silence: float) -> openai.OpenAI:
    """A client that sends nothing but what it is given, and to that address alone."""

    def bare(request: httpx2.Request) -> None:
        for name in set(request.headers) - _SENT:
            del request.headers[name]
        request.headers["user-agent"] = "footnote"
        if authorization:
            request.headers["authorization"] = authorization

    # Which certificates to trust: those of this machine, or of SSL_CERT_FILE. They take a while
    # to load, and what is not encrypted needs none.
    is_encrypted = address.url.startswith("https:")
    trust = httpx2.create_ssl_context() if is_encrypted else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return openai.OpenAI(
            api_key="none",  # it would look for another's key itself; “bare” takes this one away
            base_url=address.url,
            default_query=address.query,
            timeout=httpx2.Timeout(silence, connect=_CONNECT),
            max_retries=0,  # it would ask again after a long silence, too
            http_client=httpx2.Client(
                # The client's own transport would use proxies.
                transport=httpx2.HTTPTransport(verify=trust, limits=_CONNECTIONS),
                follow_redirects=False,
                event_hooks={"request": [bare]},
            ),
        )
    except httpx2.InvalidURL:
        raise ModelError("The host in --llm has a name that none can have: correct it.") from None


def _uncut(stream: Iterable[_T]) -> Generator[_T, None, None]:
    """All of ``stream``; raises _CutError where the connection ends before it does."""
    try:
        yield from stream
    except openai.APITimeoutError:
        raise
    except openai.APIConnectionError as error:
        raise _CutError from error


def _part(choice: Choice) -> Part:
    content = choice.delta.content
    tokens = choice.logprobs.content or () if choice.logprobs else ()
    others = tokens[0].top_logprobs or () if tokens else ()
    return Part(
        text=_text(content) if content else "",
        logprobs=tuple(float(token.logprob) for token in tokens),
        likely={_text(other.token): float(other.logprob) for other in others if other.token},
        ending=_text(choice.finish_reason) if choice.finish_reason else "",
    )


def _text(given: object) -> str:
    """What must be text; the client does not check it."""
    if not isinstance(given, str):
        raise _NoApiError
    return given


def _is_distrusted(failure: BaseException | None) -> bool:
    while failure and not isinstance(failure, ssl.SSLCertVerificationError):
        failure = failure.__cause__ or failure.__context__
    return failure is not None
