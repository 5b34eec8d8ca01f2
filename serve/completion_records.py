"""What OpenAI's clients send and get: of their records, those fields that mean something here."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from rag.wire import AnswerRecord

MODEL = "footnote"
"""The one model there is."""

_Name = Annotated[str, Field(max_length=256)]
"""What an error names again."""

# What is asked


class Part(BaseModel):
    """One part of a message; only parts of text are read."""

    type: _Name
    text: str | None = None
    refusal: str | None = None


class ChatMessage(BaseModel):
    """What somebody said. Only what the user and the assistant said is read."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None


class StreamOptions(BaseModel):
    """What else a stream ends with."""

    include_usage: bool | None = None


class Choose(BaseModel):
    """What only Footnote can be told: the documents to ask, as ids or patterns; all by default."""

    documents: list[str] | None = None


class CompletionRequest(BaseModel):
    """A conversation that ends with a question.

    Every other parameter of OpenAI's is taken and left alone: temperature, tools, stop, user, …
    """

    messages: list[ChatMessage] = Field(min_length=1)
    model: _Name = MODEL
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    footnote: Choose | None = None


# What is answered


class Model(BaseModel):
    """Something that can be asked."""

    id: str
    object: Literal["model"] = "model"
    created: int  # seconds since 1970: when this server started
    owned_by: str = MODEL
    index: str  # the name of the index that it answers from


class Models(BaseModel):
    """All that can be asked."""

    object: Literal["list"] = "list"
    data: list[Model]


class Reply(BaseModel):
    """The answer as a message: its text with marks such as [1], then the numbered notes."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None  # Footnote's refusal is an answer, for the reader to see


class Choice(BaseModel):
    """The one reply there is to a question."""

    index: int = 0
    message: Reply
    logprobs: None = None
    finish_reason: Literal["stop"] = "stop"


class Completion(BaseModel):
    """The reply to a conversation; ``footnote`` is the whole record of the answer.

    There is no usage: how much was read for the answer is not counted, and OpenAI's record has no
    place for half of it. What was written is ``footnote.timings.tokens``.
    """

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str = MODEL
    choices: list[Choice]
    usage: None = None
    footnote: AnswerRecord


class CompletionProblem(BaseModel):
    """What is wrong, and what mends it."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class CompletionProblems(BaseModel):
    """An error as OpenAI tells it."""

    error: CompletionProblem
