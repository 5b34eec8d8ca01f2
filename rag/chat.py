"""Questions in, answers with footnotes out: one conversation over one index."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Protocol

from index.records import Document, Hit, Vectors
from index.search import Index
from models.errors import QuestionError
from models.resolve import resolve_llm
from rag.answerable import HOPELESS
from rag.cite import Evidences, Footnotes
from rag.draft import Draft
from rag.generate import Generate, LlamaCpp
from rag.prompt import SYSTEM, Message, judge_message, points_back, question_message
from rag.records import (
    REFUSAL,
    Answer,
    Done,
    Event,
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

_MOST_PASSAGES = 8
"""Passages that are read at once, those of the turn that a question points back to included."""

_NEAREST_LINES = 3
"""Sentences of the passages that are shown again, just before the question."""

_ANSWER_TOKENS = 200

_REPLY_TOKENS = _ANSWER_TOKENS + 2400
"""Left free for the answer, the nearest lines, the last turn, and the chat format's marks."""


class Search(Protocol):
    """What finds passages and vouches for their text. The real one is ``index.Index``."""

    def current(self) -> "Search":
        """Itself, or what has taken its place since the documents were indexed again."""

    def search(self, query: str, *, limit: int) -> list[Hit]:
        """The best passages for ``query``, best first."""

    def document(self, id_: str, /) -> Document | None:
        """The document with that id."""

    def embed(self, texts: list[str]) -> Vectors:
        """Vectors of ``texts``: float32, (len(texts), d), unit length."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """The last question and answer, and the passages that were read for them."""

    question: str
    answer: str
    hits: tuple[Hit, ...]

    @property
    def texts(self) -> list[str]:
        """What a new question can point back to."""
        return [self.question] if self.answer == REFUSAL else [self.question, self.answer]


class Chat:
    """A conversation with a folder of documents. One question at a time."""

    def __init__(self, *, search: Search, generate: Generate) -> None:
        """Takes what finds and what writes; ``Chat.open`` brings the real ones."""
        self._search = search
        self._generate = generate
        self._last: _Turn | None = None

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

        # 0. The documents may have been indexed again; then what was read of them is stale.
        search = self._search.current()
        if search is not self._search:
            self._search = search
            self._last = replace(self._last, hits=()) if self._last else None

        # 1. Find passages, for what the question means in this conversation.
        last = self._last if points_back(question) else None
        before = last.texts if last else []
        query = " ".join([*before, question])
        found = self._search.search(query, limit=PASSAGES)
        hits = tuple(found) if any(h.similarity >= _LEAST_SIMILARITY for h in found) else ()
        searched = time.monotonic() - started
        yield Retrieved(hits)

        # 2. Let the model write from them, and check each sentence when it is whole.
        text, first_token, tokens = REFUSAL, None, 0
        read: tuple[Hit, ...] = ()
        sentences: tuple[Sentence, ...] = ()
        if hits:
            read = self._fitting(question, hits, last)
            evidences = Evidences(read, self._search.embed)
            lines = evidences.nearest(query, limit=_NEAREST_LINES)
            asked = question_message(question, read, lines=lines, before=before)
            draft = Draft(question, evidences, Footnotes(self._search.document), query=query)
            odds = self._generate.yes(self._messages(judge_message(asked)))
            if odds > HOPELESS:
                messages = self._messages(asked)
                with closing(self._generate(messages, max_tokens=_ANSWER_TOKENS)) as pieces:
                    for piece in pieces:
                        first_token = first_token or time.monotonic() - started
                        tokens += 1
                        yield Token(piece)
                        for sentence in draft.add(piece):
                            yield SentenceDone(sentence)

            # 3. What stands after the check is the answer.
            text, sentences = draft.finish(odds)
        self._last = _Turn(question, text, read)
        answer = Answer(
            question=question,
            query=query,
            text=text,
            sentences=sentences,
            is_refusal=not sentences,
            hits=hits,
            model=self._generate.name,
            timings=Timings(searched, first_token, time.monotonic() - started, tokens),
        )
        yield Done(answer)

    def _fitting(self, question: str, hits: tuple[Hit, ...], last: _Turn | None) -> tuple[Hit, ...]:
        """What to read: the passages of the turn that is pointed back to, then the new ones.

        So the model keeps what it has read. As many of the new ones as fit are read, and the
        old ones with them only if there is room for all.
        """
        old = last.hits if last else ()
        known = {hit.passage for hit in old}
        new = tuple(hit for hit in hits if hit.passage not in known)
        choices = [old + new, *(hits[:count] for count in range(len(hits), 1, -1))]
        room = self._generate.context_tokens - _REPLY_TOKENS
        for choice in choices:
            if len(choice) <= _MOST_PASSAGES:
                asked = question_message(question, choice)["content"]
                if self._generate.count_tokens(SYSTEM + asked) <= room:
                    return choice
        return hits[:1]

    def _messages(self, asked: Message) -> list[Message]:
        return [Message(role="system", content=SYSTEM), asked]


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
