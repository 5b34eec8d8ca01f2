"""Measured quality: questions with known answers in, figures with their uncertainty out.

No model judges. An answer is right if it holds a gold answer; a citation is right if it lies
in a gold passage; a refusal is right if the documents do not answer.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import ir_measures
import numpy as np
from ir_measures import RR, R, Success, nDCG
from scipy.stats import bootstrap

from index.encoders import Reading
from index.records import Document, Hit
from models.progress import OnProgress, Progress
from rag.chat import Chat
from rag.matter import Search
from rag.questions import Gold, Question, holds_answer
from rag.records import Answer, Citation

_DEPTH = 50
"""Passages that are looked through for the gold one."""

_RETRIEVAL = {
    Success @ 1: "Hit@1",
    Success @ 3: "Hit@3",
    Success @ 5: "Hit@5",
    RR @ 10: "MRR@10",
    nDCG @ 10: "nDCG@10",
    R @ 10: "Recall@10",
}

_CONTAINED = "Gold answer in the answer"
_REFUSED = "Refused, of what the documents do not answer"

_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Share:
    """What a case adds to a figure: ``got`` of ``of``."""

    got: float
    of: float = 1.0


@dataclass(frozen=True, slots=True)
class Case:
    """One question, what came of it, and what it adds to each figure, by the figure's name."""

    question: Question
    found: tuple[str, ...]  # ids of the documents that were retrieved, best first
    shares: dict[str, Share]
    answer: Answer | None = None  # None if only the retrieval was measured
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def is_wrong(self) -> bool:
        """Whether a reader of the report would look at it first."""
        if self.answer is None:
            return not self.shares.get("Hit@5", Share(1)).got
        if _REFUSED in self.shares:
            return not self.answer.is_refusal
        return not self.shares.get(_CONTAINED, Share(not self.answer.is_refusal)).got


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured figure with its 95 % confidence interval (bootstrap over the questions)."""

    name: str
    value: float
    low: float
    high: float
    cases: int  # questions that it rests on
    unit: str = "share"  # or "seconds"


class WithoutGold:
    """A search that finds nothing of the articles in which the answers stand.

    So that every question should be refused, as if those documents were not there.
    """

    def __init__(self, search: Search) -> None:
        """Takes what finds in all documents."""
        self._search = self._shown = search
        documents = (search.document(id_) for id_ in search.document_ids())
        self._titles = {document.id: document.title for document in documents if document}

    def hide(self, question: Question) -> None:
        """From now on without the gold documents of ``question``, and others of their titles."""
        ids = {gold.document for gold in question.gold}
        titles = {self._titles[id_] for id_ in ids if id_ in self._titles} - {""}
        self._shown = self._search.only(
            id_ for id_, title in self._titles.items() if id_ not in ids and title not in titles
        )

    def current(self) -> "WithoutGold":
        """Itself."""
        return self

    def only(self, documents: Iterable[str] | None, /) -> "WithoutGold":
        """The same, with those documents alone to hide from."""
        return WithoutGold(self._search.only(documents))

    def search(self, query: str, *, limit: int) -> list[Hit]:
        """The best passages that are not hidden."""
        return self._shown.search(query, limit=limit)

    def document(self, id_: str, /) -> Document | None:
        """The document with that id."""
        return self._search.document(id_)

    def document_ids(self) -> list[str]:
        """The id of every document, also of those that are hidden."""
        return self._search.document_ids()

    def read(self, texts: list[str]) -> list[Reading]:
        """``texts`` with a vector for each, and one for each of their tokens."""
        return self._search.read(texts)


def evaluate(
    questions: Sequence[Question],
    search: Search,
    *,
    chat: Chat | None,
    on_progress: OnProgress | None = None,
) -> list[Case]:
    """Asks every question; without ``chat`` only its passages are searched.

    A ``WithoutGold`` search, which ``chat`` must share, hides each question's gold first.
    Questions of one conversation are asked in one chat, in their order.
    """
    chats: dict[str, Chat] = {}
    cases = []
    for done, question in enumerate(questions):
        if on_progress:
            on_progress(Progress("Asking", done, len(questions), "questions"))
        if isinstance(search, WithoutGold):
            search.hide(question)
        answer = None
        if chat:
            talk = chats.get(question.conversation) or chat.fresh()
            if question.conversation:
                chats[question.conversation] = talk
            answer = talk.ask(question.text)
        # A follow-up is searched as the chat understands it.
        query = answer.query if answer else question.text
        cases.append(_case(question, search, search.search(query, limit=_DEPTH), answer))
    return cases


def figures(cases: Iterable[Case]) -> list[Figure]:
    """Every figure that the cases add to, in the order in which it is read."""
    cases = list(cases)
    names = dict.fromkeys(name for case in cases for name in case.shares)
    found = [
        _figure(name, [case.shares[name] for case in cases if name in case.shares])
        for name in names
    ]
    stages = dict.fromkeys(stage for case in cases for stage in case.seconds)
    for stage in stages:
        seconds = np.array([case.seconds[stage] for case in cases if stage in case.seconds])
        for name, at in (("median", 0.5), ("95 of 100 within", 0.95)):
            found.append(_quantile(f"{stage}, {name}", seconds, at))
    return found


# --- one case ---


def _case(question: Question, search: Search, hits: list[Hit], answer: Answer | None) -> Case:
    is_hidden = isinstance(search, WithoutGold)
    shares: dict[str, Share] = {}
    if question.gold and question.is_answerable and not is_hidden:
        shares |= _retrieval(question, hits, search)
    seconds: dict[str, float] = {}
    if answer:
        if is_hidden or not question.is_answerable:
            shares[_REFUSED] = Share(answer.is_refusal)
        else:
            shares |= _answered(question, answer, search)
        if answer.timings.first_token is not None:
            seconds["Enter to first word"] = answer.timings.first_token
        seconds["Enter to last word"] = answer.timings.total
    found = dict.fromkeys(hit.passage.document for hit in hits)
    return Case(question, tuple(found), shares, answer, seconds)


def _retrieval(question: Question, hits: list[Hit], search: Search) -> dict[str, Share]:
    """Hit@k, MRR, nDCG and recall of the documents, or of the gold passages where they are given.

    By ``ir_measures``, which computes them as trec_eval does.
    """
    places = {gold: _place(gold, search) for gold in question.gold}
    run: dict[str, float] = {}
    for rank, hit in enumerate(hits):
        passage = hit.passage
        unit = next(
            (
                _name(gold)
                for gold, (start, end) in places.items()
                if gold.document == passage.document and passage.start < end and start < passage.end
            ),
            passage.document,
        )
        run.setdefault(unit, float(-rank))
    relevant = {_name(gold): gold.grade for gold in question.gold}
    got = ir_measures.calc_aggregate(list(_RETRIEVAL), {"q": relevant}, {"q": run})
    return {name: Share(got[measure]) for measure, name in _RETRIEVAL.items()}


def _answered(question: Question, answer: Answer, search: Search) -> dict[str, Share]:
    """What an answer to an answerable question adds; a refusal holds no gold answer."""
    shares = {"Refused, though the documents answer": Share(answer.is_refusal)}
    text = "" if answer.is_refusal else answer.text
    is_right = holds_answer(text, question)
    if question.answers:
        shares[_CONTAINED] = Share(is_right)
        if not answer.is_refusal:
            shares["Gold answer in the answer, where one is given"] = Share(is_right)
        shares["Token F1"] = Share(_f1(text, question.answers))
    if question.gold and not answer.is_refusal:
        gold = [(place, one) for one in question.gold for place in [_place(one, search)]]
        right = [[one for place, one in gold if _lies_in(c, one, place)] for c in answer.citations]
        shares["Quotes from a gold passage"] = Share(sum(map(bool, right)), len(right))
        cited = {one for ones in right for one in ones}
        shares["Gold passages that are quoted"] = Share(len(cited), len(question.gold))
    if question.answers and is_right:
        quoted = any(holds_answer(citation.quote, question) for citation in answer.citations)
        shares["Right answers whose quotes hold the gold answer"] = Share(quoted)
    return shares


def _name(gold: Gold) -> str:
    return f"{gold.document} “{gold.quote}”" if gold.quote else gold.document


def _place(gold: Gold, search: Search) -> tuple[float, float]:
    """From where to where the gold passage stands; nowhere if its quote is not in the document."""
    if not gold.quote:
        return 0, float("inf")
    document = search.document(gold.document)
    start = document.text.find(gold.quote) if document else -1
    return (start, start + len(gold.quote)) if start >= 0 else (0, 0)


def _lies_in(citation: Citation, gold: Gold, place: tuple[float, float]) -> bool:
    start, end = place
    is_there = gold.document in (citation.document, *citation.copies)
    return is_there and citation.start < end and start < citation.end


def _f1(text: str, answers: tuple[str, ...]) -> float:
    from torchmetrics.functional.text import squad  # noqa: PLC0415  (imports PyTorch)

    target: dict[str, str | dict[str, list[str] | list[int]]] = {
        "answers": {"answer_start": [0] * len(answers), "text": list(answers)},
        "id": "q",
    }
    score = squad({"prediction_text": text, "id": "q"}, target)
    return float(score["f1"]) / 100


# --- figures over all cases ---


def _figure(name: str, shares: list[Share]) -> Figure:
    got = np.array([share.got for share in shares], dtype=float)
    of = np.array([share.of for share in shares], dtype=float)

    def share(got: np.ndarray, of: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.asarray(got.sum(axis=axis) / np.maximum(of.sum(axis=axis), 1e-9))

    low, high = _interval((got, of), share)
    return Figure(name, float(share(got, of)), low, high, len(shares))


def _quantile(name: str, seconds: np.ndarray, at: float) -> Figure:
    def quantile(values: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.asarray(np.quantile(values, at, axis=axis))

    low, high = _interval((seconds,), quantile)
    return Figure(name, float(quantile(seconds)), low, high, len(seconds), "seconds")


def _interval(
    samples: tuple[np.ndarray, ...], statistic: Callable[..., np.ndarray]
) -> tuple[float, float]:
    """The 95 % interval by percentile bootstrap, seeded; one case has none but its value."""
    if len(samples[0]) < 2:
        value = float(statistic(*samples))
        return value, value
    interval = bootstrap(
        samples,
        statistic,
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=_RESAMPLES,
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(interval.low), float(interval.high)
