"""Footnote as a model, for whoever speaks to OpenAI's: /v1/models and /v1/chat/completions.

To such a client everything is a conversation. Here its last message is the question, the exchange
before it is what the question may lean on, and nothing else of it is read: no system message, no
tool and no setting changes what Footnote does. The reply is the text of the answer with its notes;
the field ``footnote`` beside it holds the whole record.

What the model writes may still be taken back until the answer is whole. So a stream says how far
the answer is, and gives of it only what stands, at the end.
"""

import json
import math
import re
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from models.errors import FootnoteError, TimeLimitError
from rag.line import Waiting
from rag.records import UNSUPPORTED, Answer, Done, Event, Retrieved, Said, Token
from rag.wire import AnswerRecord, notes
from serve.api import EVENT, SILENCE, STALLED
from serve.completion_records import (
    MODEL,
    ChatMessage,
    Choice,
    Completion,
    CompletionProblem,
    CompletionProblems,
    CompletionRequest,
    Model,
    Models,
    Reply,
)
from serve.connection import unless_gone
from serve.desk import Desk, last_answer
from serve.errors import error_body, headers_of, status_of
from ui.user import user_of

_LONGEST_SAID = 400
"""Words that are read of either half of the exchange before: as many as a question may have."""

_INVALID = "invalid_request_error"

_MARK = re.compile(rf" ?(?:\[\d+\]|{re.escape(UNSUPPORTED)})")

_NOTES = re.compile(r"\n\n(?=\[\d+\] “)")


class _WrongError(Exception):
    """A request that cannot be answered as it is."""

    def __init__(self, message: str, *, param: str = "", status: int = 400, code: str = "") -> None:
        super().__init__(message)
        self.param, self.status, self.code = param, status, code


class _Route(APIRoute):
    """Tells of every failure as OpenAI does."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                first = error.errors()[0]
                where = ".".join(str(step) for step in first["loc"] if step != "body")
                what = f"“{where}” is wrong" if where else "The body is wrong"
                return _refused(_WrongError(f"{what}: {first['msg']}.", param=where))
            except HTTPException as error:  # a body that is no text
                return _refused(_WrongError(f"{error.detail}.", status=error.status_code))
            except _WrongError as error:
                return _refused(error)
            except FootnoteError as error:
                problem = CompletionProblems(error=_problem_of(error))
                return JSONResponse(problem.model_dump(), status_of(error), _headers(error))
            except ClientDisconnect:
                return Response(status_code=499)  # which nobody reads

        return handled


def router(desk: Desk, *, index_name: str) -> APIRouter:
    """The routes below /v1, which ask ``desk``; ``index_name`` is the index it answers from."""
    problems: dict[int | str, dict[str, Any]] = {
        status: {"model": CompletionProblems} for status in (400, 404, 429, 500, 503, 504)
    }
    routes = APIRouter(prefix="/v1", tags=["openai"], route_class=_Route, responses=problems)
    model = Model(id=MODEL, created=int(time.time()), index=index_name)

    @routes.get("/models")
    async def models() -> Models:
        """What can be asked."""
        return Models(data=[model])

    @routes.get("/models/{name}")
    async def one_model(name: str) -> Model:
        """The model of that name."""
        _check_model(name)
        return model

    @routes.post(
        "/chat/completions",
        response_model=Completion,
        responses={200: {"content": {"text/event-stream": {"schema": EVENT}}}},
    )
    async def complete(asked: CompletionRequest, request: Request) -> Response:
        """The answer to the last message, with its notes."""
        _check_model(asked.model)
        if asked.n not in (None, 1):
            raise _WrongError("There is one answer to a question: leave “n” out.", param="n")
        events = desk.events(
            _question(asked.messages),
            user=user_of(request),
            via="openai",
            after=_said(asked.messages[:-1]),
            documents=asked.footnote.documents if asked.footnote else None,
        )
        if not asked.stream:
            answer = await unless_gone(request, last_answer(events))
            return JSONResponse(_completion(answer).model_dump(mode="json"))
        # Until the first event a failure can still have a status of its own.
        first = await unless_gone(request, anext(events))
        wants_usage = bool(asked.stream_options and asked.stream_options.include_usage)
        return EventSourceResponse(
            _chunks(first, events, wants_usage=wants_usage),
            ping=SILENCE,
            ping_message_factory=lambda: ServerSentEvent(comment="still here"),
            send_timeout=STALLED,
            background=BackgroundTask(events.aclose),  # if it was never begun to be sent
        )

    return routes


# The conversation, read


def _check_model(name: str) -> None:
    if name != MODEL:
        raise _WrongError(
            f"There is no model “{name}” here: name “{MODEL}”.",
            param="model",
            status=404,
            code="model_not_found",
        )


def _question(messages: list[ChatMessage]) -> str:
    last = messages[-1]
    if last.role != "user":
        raise _WrongError(
            "The last message is what is asked: make it one of the role “user”.", param="messages"
        )
    return _text(last)


def _said(messages: list[ChatMessage]) -> Said | None:
    """The last exchange among ``messages``; None if there is none."""
    answer = ""
    for message in reversed(messages):
        if message.role == "assistant" and not answer:
            answer = plain_text(_text(message))
        elif message.role == "user" and answer:
            return Said(_shortened(_text(message)), _shortened(answer))
    return None


def _text(message: ChatMessage) -> str:
    if not isinstance(message.content, list):
        return message.content or ""
    texts = [part.text or part.refusal for part in message.content]
    for part, text in zip(message.content, texts, strict=True):
        if text is None:
            raise _WrongError(
                f"Footnote reads text alone: leave the part “{part.type}” out.", param="messages"
            )
    return "\n".join(text for text in texts if text)


def plain_text(reply: str) -> str:
    """The text of an answer that ``rag.wire.notes`` gave: without its notes and their marks."""
    text = _NOTES.split(reply.replace("\r\n", "\n"), maxsplit=1)[0]
    return _MARK.sub("", text).strip()


def _shortened(text: str) -> str:
    return " ".join(text.split()[:_LONGEST_SAID])


# The answer, told


def _completion(answer: Answer) -> Completion:
    return Completion(
        id=_new_id(),
        created=int(time.time()),
        choices=[Choice(message=Reply(content=notes(answer)))],
        footnote=AnswerRecord.of(answer),
    )


async def _chunks(
    first: Waiting | Event, events: AsyncGenerator[Waiting | Event, None], *, wants_usage: bool
) -> AsyncGenerator[str, None]:
    """The data of each event of a stream."""
    head = {
        "id": _new_id(),
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": MODEL,
    }

    def chunk(delta: dict[str, str], *, ends: bool = False, **further: object) -> str:
        choice = {
            "index": 0,
            "delta": delta,
            "logprobs": None,
            "finish_reason": "stop" if ends else None,
        }
        return json.dumps({**head, "choices": [choice], **further})

    async with aclosing(events):
        yield chunk({"role": "assistant", "content": ""})
        event, told = first, None
        try:
            while not isinstance(event, Done):
                stage = stage_of(event)
                if stage and stage != told:
                    yield chunk({}, footnote=stage)
                    told = stage
                event = await anext(events)
        except FootnoteError as error:
            yield CompletionProblems(error=_problem_of(error)).model_dump_json()
            return
    for piece in pieces(event.answer):
        yield chunk({"content": piece})
    record = AnswerRecord.of(event.answer).model_dump(mode="json")
    yield chunk({}, ends=True, footnote=record)
    if wants_usage:  # which is not known; see Completion
        yield json.dumps({**head, "choices": [], "usage": None})
    yield "[DONE]"


def stage_of(event: Waiting | Event) -> dict[str, str | int] | None:
    """How far an answer is with ``event``, as a stream tells it; None if it does not say."""
    match event:
        case Waiting(ahead, seconds):
            return {"stage": "waiting", "ahead": ahead, "seconds": math.ceil(seconds)}
        case Retrieved():
            return {"stage": "reading"}
        case Token(text) if text.strip():
            return {"stage": "writing"}
    return None


def pieces(answer: Answer) -> Iterator[str]:
    """``rag.wire.notes(answer)``, sentence by sentence; the notes come last."""
    whole, position, begin = notes(answer), 0, 0
    for sentence in answer.sentences:
        start = whole.find(sentence.text, position)
        if start > begin:
            yield whole[begin:start]
            begin = start
        position = start + len(sentence.text)
    end = len(answer.marked_text)
    yield whole[begin:end]
    if whole[end:]:
        yield whole[end:]


def _new_id() -> str:
    return f"chatcmpl-{uuid.uuid4().hex}"


# What went wrong, told


def _refused(wrong: _WrongError) -> Response:
    problem = CompletionProblem(
        message=str(wrong), type=_INVALID, param=wrong.param or None, code=wrong.code or None
    )
    return JSONResponse(CompletionProblems(error=problem).model_dump(), wrong.status)


def _problem_of(error: FootnoteError) -> CompletionProblem:
    status = status_of(error)
    kind = _INVALID if status < 429 else "rate_limit_error" if status == 429 else "server_error"
    return CompletionProblem(message=str(error), type=kind, code=error_body(error)["error"]["type"])


def _headers(error: FootnoteError) -> dict[str, str]:
    # OpenAI's client asks again by itself after a failure of the server. A question that takes too
    # long would then take three times as long.
    further = {"x-should-retry": "false"} if isinstance(error, TimeLimitError) else {}
    return {**headers_of(error), **further}
