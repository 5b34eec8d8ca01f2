"""Questions in, answers with footnotes out: one conversation over one index."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial

from index.cross_encoder import CrossEncoderEntailment, CrossEncoderReranker
from index.encoders import Entailment
from index.records import Document, Hit
from index.search import Index
from models.errors import QuestionError
from rag.acceptable import check_question
from rag.answerable import STRICTNESS, Signs
from rag.choose import weigh
from rag.cite import Footnotes
from rag.collection import asks_about_collection, describe
from rag.draft import Draft, is_refusal
from rag.generate import Generate, load_model
from rag.llama import while_wanted
from rag.matter import Matter, Search, Turn
from rag.parts import joined, parts_of
from rag.prompt import Message, answer_beginning, judge_beginning
from rag.records import (
    REFUSAL,
    Answer,
    Citation,
    Done,
    Event,
    Retrieved,
    Said,
    Sentence,
    SentenceDone,
    Timings,
    Token,
)
from rag.support import SupportCheck
from rag.topic import told_about

_ANSWER_TOKENS = 200

_SURE = -0.2
"""Mean log-probability of its tokens from which an answer is not written a second time."""


@dataclass(frozen=True, slots=True)
class _Made:
    """What became of a question."""

    read: tuple[Hit, ...]  # what it was made from
    text: str = REFUSAL
    sentences: tuple[Sentence, ...] = ()
    signs: Signs | None = None
    first_token: float | None = None  # seconds of the monotonic clock
    tokens: int = 0


class Chat:
    """A conversation with a folder of documents. One question at a time."""

    def __init__(
        self,
        *,
        search: Search,
        generate: Generate,
        strictness: float = STRICTNESS,
        is_lenient: bool = False,
        entailment: Entailment | None = None,
    ) -> None:
        """Takes what finds and what writes; ``Chat.open`` brings the real ones.

        ``strictness`` is how likely it must be, 0 to 1, that an answer answers its question;
        a less likely one is refused. A lenient chat shows sentences that nothing supports,
        too, with the status “unsupported”; else they are left out. With ``entailment``, nothing
        supports a sentence that does not follow from it, by that model, either.
        """
        self._whole = search  # what is asked if nothing is chosen of it
        self._search = search
        self._generate = generate
        self._strictness = strictness
        self._is_lenient = is_lenient
        self._entailment = entailment
        self._last: Turn | None = None
        self._ahead: Matter | None = None  # of the question that was read ahead, or is answered

    @classmethod
    def open(
        cls,
        *,
        name: str = "default",
        store: str | None = None,
        model: str | None = None,
        llm: str | None = None,
        reranker: str | None = None,
        nli: str | None = None,
        documents: Iterable[str] | None = None,
        strictness: float = STRICTNESS,
        is_lenient: bool = False,
    ) -> "Chat":
        """Opens the index ``name`` and begins to load a model: of the catalogue, or a GGUF file.

        ``store`` is the URL of the Milvus that keeps the index; without it the user's data folder
        does. With ``llm``, the address of an OpenAI-compatible server, its ``model`` writes
        instead, by default the first that it lists. ``reranker`` and ``nli``, which orders passages
        and which checks the support, name cross-encoders: a folder, or a model in the hub's own
        cache; ``documents`` are those of ``only``. The other options are those of ``Chat``. Raises
        StoreError, ModelError or QuestionError if one of them is not there; the message says what
        to run.
        """
        search = Index.open(
            name,
            store=store,
            reranker=CrossEncoderReranker(reranker) if reranker else None,
        )
        search = search.only(documents)
        entailment = CrossEncoderEntailment(nli) if nli else None
        return cls(
            search=search,
            generate=load_model(model, llm=llm, then=lambda: search.read([""])),
            strictness=strictness,
            is_lenient=is_lenient,
            entailment=entailment,
        )

    def fresh(self, *, after: Answer | Said | None = None) -> "Chat":
        """A new conversation with the same documents and the same loaded model.

        With ``after``, a turn of before, the next question may lean on that.
        """
        chat = Chat(
            search=self._whole,
            generate=self._generate,
            strictness=self._strictness,
            is_lenient=self._is_lenient,
            entailment=self._entailment,
        )
        if after:
            chat._last = Turn(after.question, after.text, ())
        return chat

    @property
    def model(self) -> str:
        """The name of the model that writes."""
        return self._generate.name

    @property
    def is_ready(self) -> bool:
        """Whether that model has been loaded; a question before that waits for it."""
        return bool(getattr(self._generate, "is_loaded", True))

    def documents(self) -> list[str]:
        """The ids of all documents that can be asked, sorted."""
        return self._whole.current().document_ids()

    def document(self, id_: str) -> Document | None:
        """The document with that id as it is indexed now, or None."""
        return self._search.current().document(id_)

    def search(self, query: str, *, limit: int) -> list[Hit]:
        """The passages that ``query`` finds in the documents that are asked, best first."""
        return self._search.current().search(query, limit=limit)

    def only(self, documents: Iterable[str] | None) -> None:
        """From the next question on, asks those documents alone; all again, if it is None.

        All are those that the chat was opened with. Each is a document's id or a pattern such
        as ``2019/*``. Raises QuestionError if one of them fits no document; then nothing changes.
        """
        search = self._whole.current().only(documents)
        if search is not self._search:
            self._search_in(search)

    def _look_for_newer(self) -> None:
        search = self._search.current()
        if search is not self._search:
            self._search_in(search)

    def _search_in(self, search: Search) -> None:
        """Searches there from now on; what was read elsewhere is no evidence any more."""
        self._search = search
        self._last = replace(self._last, hits=()) if self._last else None

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
        self._look_for_newer()

        if asks_about_collection(question):
            yield Retrieved(())
            yield Done(self._describe(question, started))
            return

        answers: list[Answer] = []
        last = self._last
        for part in parts_of(question):
            if answers:
                yield Token(" ")
            known = [citation for answer in answers for citation in answer.citations]
            answer, last = yield from self._answer(part, last, started=started, known=known)
            answers.append(answer)
        answer = joined(question, answers)
        self._last = replace(last, question=question, answer=answer.text) if last else None
        yield Done(answer)

    def read_ahead(self, question: str, *, is_wanted: Callable[[], bool]) -> None:
        """Does for ``question``, which may be asked next, what can be done before it is.

        If it is empty, for any question that leans on the last one. Ends early when it is no
        longer wanted. Nobody else may use the chat meanwhile.
        """
        with while_wanted(is_wanted), suppress(QuestionError):
            if question:
                self._read_for(check_question(question), is_wanted)
                return
            for place, messages in enumerate(self._likely_beginnings()):
                if not is_wanted():
                    return
                self._generate.read(messages, place=f"follow-up {place}")

    def _read_for(self, question: str, is_wanted: Callable[[], bool]) -> None:
        if asks_about_collection(question):
            return
        self._look_for_newer()
        matter = self._matter_of(parts_of(question)[0], self._last)
        if matter.topic or not (is_wanted() and matter.hits):
            return
        for _ in weigh(matter.evidences, matter.judge):
            if not is_wanted():
                return
        _ = matter.choice.odds  # before the answer is read, which goes on from what was read last
        if is_wanted():
            self._generate.read(matter.messages())

    def _likely_beginnings(self) -> Iterator[list[Message]]:
        """What the model may have to read for a question that leans on the last one.

        First what it has to for each; that is often asked of a sentence of the last one, too.
        """
        if not self._last:
            return
        before = self._last.texts
        yield judge_beginning([], before=before)
        for excerpt in self._ahead.likeliest() if self._ahead else ():
            yield judge_beginning([excerpt], before=before)
            yield answer_beginning([excerpt])

    def _matter_of(self, question: str, last: Turn | None) -> Matter:
        """What is found for a question that asks one thing; known already if it was read ahead."""
        ahead = self._ahead
        if ahead is None or ahead.key != (question, last, self._search):
            ahead = self._ahead = Matter(question, last, self._search, self._generate)
        return ahead

    def _answer(
        self,
        question: str,
        last: Turn | None,
        *,
        started: float,
        known: Sequence[Citation],
    ) -> Generator[Event, None, tuple[Answer, Turn]]:
        """The answer to a question that asks one thing, after ``last``; its events before."""
        # 1. Find passages, for what the question means in this conversation.
        matter = self._matter_of(question, last)
        hits = matter.hits
        searched = time.monotonic() - started
        yield Retrieved(hits)

        # 2. Let the model write from them, or let the documents speak for themselves.
        made = _Made(hits)
        if hits:
            footnotes = partial(Footnotes, self._search.document, known=known)
            topic = matter.topic
            told = told_about(topic, matter.evidences, footnotes()) if topic else ()
            made = yield from (self._tell(told, hits) if told else self._draft(matter, footnotes))
        first = made.first_token - started if made.first_token else None
        answer = Answer(
            question=question,
            query=matter.query,
            text=made.text,
            sentences=made.sentences,
            is_refusal=not made.sentences,
            hits=hits,
            model=self._generate.name,
            signs=made.signs,
            timings=Timings(searched, first, time.monotonic() - started, made.tokens),
        )
        return answer, Turn(question, made.text, made.read)

    def _tell(
        self, told: Sequence[Sentence], hits: tuple[Hit, ...]
    ) -> Generator[Event, None, _Made]:
        """The documents' own sentences as the answer."""
        first_token = time.monotonic()
        for sentence in told:
            yield Token(" " * (sentence.start > 0) + sentence.text)
            yield SentenceDone(sentence)
        text = " ".join(sentence.text for sentence in told)
        return _Made(hits, text, tuple(told), first_token=first_token)

    def _draft(
        self, matter: Matter, footnotes: Callable[[], Footnotes]
    ) -> Generator[Event, None, _Made]:
        """What the model writes from the best of the evidence, and what of it stands."""
        evidences, choice = matter.evidences, matter.choice
        begin = partial(
            Draft,
            matter.question,
            SupportCheck(evidences, entailment=self._entailment),
            before=matter.last.question if matter.last else "",
            chosen=choice.evidence,
            is_lenient=self._is_lenient,
        )

        # 1. Each sentence is checked when it is whole.
        first_token = None
        draft = begin(footnotes())
        with closing(self._write(draft, matter.messages())) as events:
            for event in events:
                first_token = first_token or time.monotonic()
                yield event
        tokens = draft.tokens

        # 2. An unsure answer is written once more, from the whole passage of the best
        #    sentence; the one that can stand counts, or else the surer one.
        if choice.odds > 0 and (draft.confidence < _SURE or not draft.quotes()):
            around = matter.messages([evidences.passage_of(choice.evidence[0])])
            again = begin(footnotes())
            with closing(self._write(again, around)) as events:
                for _ in events:
                    yield Token("")  # lets the reader stop it
            tokens += again.tokens
            draft = max(draft, again, key=lambda one: one.rank)

        # 3. What stands after the check is the answer, if its quotes alone give it, too.
        #    Where the model's own words fail the check, those that it chose may answer.
        quotes = draft.quotes()
        if not quotes and choice.is_answer and not is_refusal(draft.text):
            chosen = begin(footnotes(), text=choice.evidence[0].text)
            if quotes := chosen.quotes():
                draft = chosen
        odds = matter.judge.odds(quotes) if quotes else 0.0
        text, sentences, signs = draft.finish(odds=odds, strictness=self._strictness)
        read = tuple(excerpt.hit for excerpt in matter.excerpts)
        return _Made(read, text, sentences, signs, first_token, tokens)

    def _write(self, draft: Draft, messages: list[Message]) -> Generator[Event, None, None]:
        """Lets the model write ``draft``: its words, and each sentence when it is whole."""
        with closing(self._generate(messages, max_tokens=_ANSWER_TOKENS)) as pieces:
            for piece in pieces:
                yield Token(piece.text)
                for sentence in draft.add(piece):
                    yield SentenceDone(sentence)

    def _describe(self, question: str, started: float) -> Answer:
        """Which documents there are: nothing is searched, and no model is asked."""
        text, sentences = describe(self._search.document_ids(), self._search.document)
        self._last = Turn(question, text, ())
        return Answer(
            question=question,
            query=question,
            text=text,
            sentences=sentences,
            is_refusal=False,
            hits=(),
            model=self._generate.name,
            timings=Timings(total=time.monotonic() - started),
        )
