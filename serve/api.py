"""The HTTP endpoints below /api: questions, searches, documents, and how the server is."""

import asyncio
import json
import os
import shutil
import tempfile
import unicodedata
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response, UploadFile
from pydantic import BaseModel, Field, TypeAdapter
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.background import BackgroundTask

from index.library import Library, Listing
from index.records import BuildReport, Document, Hit
from models.errors import FootnoteError
from rag.line import Waiting
from rag.records import Done, Event, Retrieved, Said, Sentence, SentenceDone, Token
from rag.wire import AnswerRecord
from serve.connection import unless_gone
from serve.desk import Desk, last_answer
from serve.errors import Problems, error_body
from ui.user import user_of

MOST_FOUND = 50
"""Passages that one search gives at most."""

SILENCE = 10
"""Seconds after which a stream says that it is still there."""

STALLED = 30
"""Seconds that a client may leave what it is sent lying; then it is taken for gone."""

EVENT = {
    "type": "object",
    "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
    "required": ["data"],
}
"""The schema of each event of a stream."""

_Documents = Annotated[
    list[str] | None,
    Field(description="Only these documents: ids, or patterns such as “2019/*”. All by default."),
]

_LONGEST_NAME = 255
"""Bytes of a file's name; the systems have no longer ones."""

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_SENTENCE = TypeAdapter(Sentence)


class AskRequest(BaseModel):
    """A question."""

    question: str
    after: Said | None = Field(
        default=None, description="The question and answer before, which this one may lean on."
    )
    documents: _Documents = None


class Found(BaseModel):
    """What a search found, best first."""

    hits: tuple[Hit, ...]


class Stretch(BaseModel):
    """A document, or a stretch of it: characters ``start`` to ``end`` of its text."""

    id: str
    title: str
    sha256: str
    author: str
    date: str
    source: str
    characters: int = Field(description="Of the whole text.")
    start: int
    end: int
    place: str = Field(description="Where the stretch begins, for a reader: “page 3”.")
    text: str


class Added(BaseModel):
    """The names that the files have in the folder; the next build takes them in."""

    names: list[str]


class LeftOut(BaseModel):
    """The documents that are left out of the index; their files stay."""

    documents: list[str]


class Health(BaseModel):
    """How the server is."""

    status: str = Field(
        description="“starting” while the model loads, then “ok”; “stopping” at last."
    )
    waiting: int = Field(description="Questions that wait for the model.")
    answering: int


class Version(BaseModel):
    """What answers here."""

    version: str
    index: str
    model: str


def router(desk: Desk, library: Library, *, index_name: str, model_name: str) -> APIRouter:
    """The routes, which ask ``desk`` and manage the documents of ``library``."""
    problems: dict[int | str, dict[str, Any]] = {
        status: {"model": Problems} for status in (400, 401, 403, 404, 413, 422, 429, 503, 504, 507)
    }
    routes = APIRouter(prefix="/api", responses=problems)

    @routes.post("/ask", tags=["questions"])
    async def ask(asked: AskRequest, request: Request) -> AnswerRecord:
        """The answer to a question, with the quotes under each of its sentences."""
        answer = await unless_gone(request, last_answer(_events(desk, asked, request)))
        return AnswerRecord.of(answer)

    @routes.post(
        "/ask/stream",
        tags=["questions"],
        response_class=EventSourceResponse,
        responses={200: {"content": {"text/event-stream": {"schema": EVENT}}}},
    )
    async def ask_stream(asked: AskRequest, request: Request) -> EventSourceResponse:
        """The same as events: waiting, retrieved, token, sentence, and at last done or error.

        What stands in “token” and “sentence” may still be taken back; “done” holds the answer.
        """
        events = _events(desk, asked, request)
        first = await unless_gone(request, anext(events))  # a failure by now has its own status
        return EventSourceResponse(
            _told(first, events),
            ping=SILENCE,
            ping_message_factory=lambda: ServerSentEvent(comment="still here"),
            send_timeout=STALLED,
            background=BackgroundTask(events.aclose),  # if it was never begun to be sent
        )

    @routes.get("/search", tags=["documents"])
    async def search(
        query: str,
        limit: Annotated[int, Query(ge=1, le=MOST_FOUND)] = 10,
        document: Annotated[list[str] | None, Query()] = None,
    ) -> Found:
        """The passages that a query finds, best first; ``document`` may be repeated."""
        hits = await desk.search(query, limit=limit, documents=document)
        return Found(hits=tuple(hits))

    @routes.get("/documents", tags=["documents"])
    async def documents(words: str = "") -> Listing:
        """The documents with ``words`` in their names, and the files that could not be read."""
        return await asyncio.to_thread(library.listing, words.strip())

    @routes.get("/documents/{id_:path}", tags=["documents"])
    async def document(
        id_: str,
        start: Annotated[int, Query(ge=0)] = 0,
        end: Annotated[int | None, Query(ge=0)] = None,
    ) -> Stretch:
        """The text of a document, or characters ``start`` to ``end`` of it."""
        found = await asyncio.to_thread(desk.document, id_)
        if found is None:
            raise HTTPException(404, f"“{id_}” is no document here: GET /api/documents lists them.")
        return _stretch(found, start, end)

    _manage(routes, library)

    @routes.get("/health", tags=["server"])
    async def health() -> Health:
        """Whether it answers, and how many wait. Needs no login."""
        status = "ok" if desk.is_ready() else "starting"
        if desk.line.is_stopping:
            status = "stopping"
        return Health(status=status, waiting=desk.line.waiting, answering=desk.line.answering)

    @routes.get("/version", tags=["server"])
    async def this_version() -> Version:
        """The version, the index and the model."""
        return Version(version=version("footnote"), index=index_name, model=model_name)

    @routes.api_route("/{path:path}", include_in_schema=False, methods=_METHODS)
    async def nothing(path: str) -> Response:
        raise HTTPException(404, "There is nothing at this path: /api/docs lists what there is.")

    return routes


def _manage(routes: APIRouter, library: Library) -> None:
    """Adds the routes of those who manage the documents."""
    building = asyncio.Lock()

    @routes.post("/documents", tags=["managing"], status_code=201)
    async def add(files: list[UploadFile], request: Request) -> Added:
        """Copies files into the folder; POST /api/index takes them into the index."""
        _check_may_manage(request)
        try:
            with tempfile.TemporaryDirectory(prefix="footnote-upload-") as folder:
                paths = await asyncio.to_thread(_kept, files, Path(folder))
                return Added(names=await asyncio.to_thread(library.add, paths))
        except OSError as error:
            raise HTTPException(
                507,
                f"The server has no place for the files ({error.strerror}): make room where it "
                "keeps temporary files.",
            ) from error

    @routes.get("/left-out", tags=["managing"])
    async def left_out() -> LeftOut:
        """The documents that are left out by request."""
        return LeftOut(documents=await asyncio.to_thread(library.left_out))

    @routes.put("/left-out/{id_:path}", tags=["managing"], status_code=204)
    async def leave_out(id_: str, request: Request) -> Response:
        """Leaves a document out from the next build on; its file stays."""
        _check_may_manage(request)
        await asyncio.to_thread(library.leave_out, id_)
        return Response(status_code=204)

    @routes.delete("/left-out/{id_:path}", tags=["managing"], status_code=204)
    async def take_in(id_: str, request: Request) -> Response:
        """Takes in again what was left out, from the next build on."""
        _check_may_manage(request)
        await asyncio.to_thread(library.take_in, id_)
        return Response(status_code=204)

    @routes.post("/index", tags=["managing"])
    async def build(request: Request) -> BuildReport:
        """Brings the index up to date with its folder, and says what changed."""
        _check_may_manage(request)
        async with building:
            return await asyncio.to_thread(library.build)


def _events(
    desk: Desk, asked: AskRequest, request: Request
) -> AsyncGenerator[Waiting | Event, None]:
    return desk.events(
        asked.question,
        user=user_of(request),
        via="api",
        after=asked.after,
        documents=asked.documents,
    )


async def _told(
    first: Waiting | Event, events: AsyncGenerator[Waiting | Event, None]
) -> AsyncGenerator[ServerSentEvent, None]:
    """Each event with its name and its data as JSON."""
    async with aclosing(events):
        yield _told_of(first)
        try:
            async for event in events:
                yield _told_of(event)
        except FootnoteError as error:
            yield ServerSentEvent(json.dumps(error_body(error)), event="error")


def _told_of(event: Waiting | Event) -> ServerSentEvent:
    match event:
        case Waiting():
            name, data = "waiting", TypeAdapter(Waiting).dump_json(event)
        case Retrieved(hits):
            name, data = "retrieved", Found(hits=hits).model_dump_json().encode()
        case Token():
            name, data = "token", TypeAdapter(Token).dump_json(event)
        case SentenceDone(sentence):
            name, data = "sentence", _SENTENCE.dump_json(sentence)
        case Done(answer):
            name, data = "done", AnswerRecord.of(answer).model_dump_json().encode()
    return ServerSentEvent(data.decode(), event=name)


def _stretch(document: Document, start: int, end: int | None) -> Stretch:
    text = document.text[start:end]
    return Stretch(
        id=document.id,
        title=document.title,
        sha256=document.sha256,
        author=document.author,
        date=document.date,
        source=document.source,
        characters=len(document.text),
        start=start,
        end=start + len(text),
        place=document.place_at(start),
        text=text,
    )


def _check_may_manage(request: Request) -> None:
    if not user_of(request).may_manage:
        raise HTTPException(403, "Only who manages the documents may do that: ask for that role.")


def _kept(files: Sequence[UploadFile], folder: Path) -> list[Path]:
    """What was sent, as files with the names that it was sent with, but never a folder's."""
    paths = []
    for number, file in enumerate(files):
        name = Path((file.filename or "").replace("\\", "/")).name
        if not _is_name(name):
            raise HTTPException(
                400, "Each file needs a name, of at most 255 bytes and without control characters."
            )
        place = folder / str(number) / name
        place.parent.mkdir()
        with place.open("wb") as kept:
            shutil.copyfileobj(file.file, kept)
        paths.append(place)
    return paths


def _is_name(name: str) -> bool:
    """Whether a file may be called that, and be told of in a line of text."""
    is_told = not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name)
    return name not in ("", ".", "..") and is_told and len(os.fsencode(name)) <= _LONGEST_NAME
