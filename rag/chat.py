"""Questions in, answers with footnotes out: one conversation over one index."""

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from index.records import Document, Hit, Vectors
from index.search import Index
from models.errors import QuestionError
from models.resolve import resolve_llm
from rag.cite import Evidences, Footnotes
from rag.draft import FIRST_LOOK, SECOND_LOOK, Draft
from rag.generate import Generate, LlamaCpp
from rag.prompt import SYSTEM, Message, question_message, search_query
from rag.records import (
    REFUSAL,
    Answer,
    Done,
    Event,
    LookingAgain,
    Retrieved,
    Sentence,
    SentenceDone,
    Timings,
    Token,
)

PASSAGES = 4
"""Passages that are found for a question; the model reads those that it has not read yet."""

_LEAST_SIMILARITY = 0.2
"""Cosine below which a passage has nothing to do with a question (all-MiniLM-L6-v2)."""

_LONGEST_QUESTION = 400
"""Words. A longer one would crowd out the passages."""

_ANSWER_TOKENS = 200
_MESSAGE_TOKENS = 8
"""What a chat format puts around a message, at most."""


class Search(Protocol):
    """What finds passages and vouches for their text. The real one is ``index.Index``."""

    def search(self, query: str, *, limit: int) -> list[Hit]:
        """The best passages for ``query``, best first."""

    def document(self, id_: str, /) -> Document | None:
        """The document with that id."""

    def embed(self, texts: list[str]) -> Vectors:
        """Vectors of ``texts``: float32, (len(texts), d), unit length."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """A past question and answer, as the model read and wrote them."""

    question: str
    answer: str  # as the user saw it
    asked: Message
    written: str  # by the model, before the check
    hits: tuple[Hit, ...]  # the passages in the message

    @property
    def messages(self) -> tuple[Message, Message]:
        return self.asked, Message(role="assistant", content=self.written)


class Chat:
    """A conversation with a folder of documents. One question at a time."""

    def __init__(self, *, search: Search, generate: Generate) -> None:
        """Takes what finds and what writes; ``Chat.open`` brings the real ones."""
        self._search = search
        self._generate = generate
        self._turns: list[_Turn] = []

    @classmethod
    def open(cls, *, name: str = "default", model: str | None = None) -> "Chat":
        """Opens the index ``name`` and loads a model: a name of the catalogue or a GGUF file.

        Raises StoreError or ModelError if either is not there; the message says what to run.
        """
        search, generate = Index.open(name), LlamaCpp(resolve_llm(model))
        search.embed([""])  # loads the embedder now, not while the first question waits
        return cls(search=search, generate=generate)

    def fresh(self) -> "Chat":
        """A new conversation with the same documents and the same loaded model."""
        return Chat(search=self._search, generate=self._generate)

    def ask(self, question: str) -> Answer:
        """The answer to ``question``, which may lean on the ones before it.

        Raises QuestionError if the question is empty or too long.
        """
        *_, last = self.stream(question)
        assert isinstance(last, Done)
        return last.answer

    def stream(self, question: str) -> Iterator[Event]:
        """The events that lead to the answer, which is the last; see ``rag.records``.

        Raises QuestionError if the question is empty or too long. Closing the iterator
        stops the model, and the conversation goes on as if nothing had been asked.
        """
        question = check_question(question)
        started = time.monotonic()

        # 1. Find passages, for what the question means in this conversation.
        query = search_query(question, self._previous())
        found = self._search.search(query, limit=PASSAGES)
        hits = tuple(found) if any(h.similarity >= _LEAST_SIMILARITY for h in found) else ()
        searched = time.monotonic() - started
        yield Retrieved(hits)

        # 2. Let the model write from them, and check each sentence when it is whole.
        text, first_token, tokens = REFUSAL, None, 0
        sentences: tuple[Sentence, ...] = ()
        if hits:
            new = self._unread(question, hits)
            read = [*(hit for turn in self._turns for hit in turn.hits), *new]
            evidences = Evidences(read, self._search.embed)
            for look in (FIRST_LOOK, SECOND_LOOK):
                asked = question_message(question, new, may_refuse=look.may_refuse)
                footnotes = Footnotes(self._search.document)
                draft = Draft(question, evidences, footnotes, look, query=query)
                with closing(self._write(asked)) as pieces:
                    for piece in pieces:
                        first_token = first_token or time.monotonic() - started
                        tokens += 1
                        yield Token(piece)
                        for sentence in draft.add(piece):
                            yield SentenceDone(sentence)
                        if draft.is_refusal:
                            break
                if not draft.is_refusal or look is SECOND_LOOK:
                    break
                yield LookingAgain()

            # 3. What stands after the check is the answer.
            text, sentences = draft.finish()
            self._turns.append(_Turn(question, text, asked, draft.text, new))
        answer = Answer(
            question=question,
            text=text,
            sentences=sentences,
            is_refusal=not sentences,
            hits=hits,
            model=self._generate.name,
            timings=Timings(searched, first_token, time.monotonic() - started, tokens),
        )
        yield Done(answer)

    def _previous(self) -> list[str]:
        """The last question and its answer, for what a new question points back to."""
        if not self._turns:
            return []
        last = self._turns[-1]
        return [last.question] if last.answer == REFUSAL else [last.question, last.answer]

    def _unread(self, question: str, hits: tuple[Hit, ...]) -> tuple[Hit, ...]:
        """Which of the hits the model has not read yet, having made room for them.

        Turns are only ever appended, so that the model keeps what it has read. When no more
        fit, all but the last are forgotten at once, for shortening a conversation has it
        read again from the start.
        """
        for turns in (self._turns, self._turns[-1:], []):
            self._turns = list(turns)
            seen = {hit.passage for turn in turns for hit in turn.hits}
            new = tuple(hit for hit in hits if hit.passage not in seen)
            messages = self._messages(question_message(question, new))
            tokens = sum(
                self._generate.count_tokens(message["content"]) + _MESSAGE_TOKENS
                for message in messages
            )
            if tokens + _ANSWER_TOKENS <= self._generate.context_tokens:
                break
        return new

    def _messages(self, asked: Message) -> list[Message]:
        return [
            Message(role="system", content=SYSTEM),
            *(message for turn in self._turns for message in turn.messages),
            asked,
        ]

    def _write(self, asked: Message) -> Generator[str, None, None]:
        return self._generate(self._messages(asked), max_tokens=_ANSWER_TOKENS)


def check_question(question: str) -> str:
    """The question with its white space made single; raises QuestionError, see ``Chat.ask``."""
    question = " ".join(question.split())
    if not question:
        raise QuestionError("The question is empty: type what you want to know.")
    words = len(question.split(" "))
    if words > _LONGEST_QUESTION:
        raise QuestionError(
            f"The question has {words:,} words, more than the {_LONGEST_QUESTION} that can be "
            "read with the passages: shorten it."
        )
    return question
