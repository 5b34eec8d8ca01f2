"""Which sentences an answer is written from: those that the model says answer the question.

Asked of one sentence at a time whether it answers, a small model finds the right one more
often than its rank does, and written from one right sentence fewer answers are wrong than from
many near ones. docs/notes.md has the figures.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from rag.evidence import Evidence, Evidences, Excerpt
from rag.generate import Generate
from rag.prompt import judge_messages

_LOOKED_AT = 6
"""Sentences that the model is asked about, at most."""

_WORD = 0.7
"""What the model's word counts beside a sentence's own nearness."""

_CLEAR_YES = 1.0
"""The model's word, a logarithm of odds, on a sentence that can be the answer as it stands."""

_LIKELY_YES = 0.5
"""The model's word that may be hoped for; a follow-up does not wait for what would need more."""

_MOST = 3
"""Sentences that an answer is written from, at most."""


@dataclass
class Judge:
    """The model's word on whether something answers a question; asked once of each."""

    generate: Generate
    question: str
    before: Sequence[str]  # the last question and its answer, if the question leans on them
    _known: dict[str, float] = field(default_factory=dict)

    def odds(self, excerpts: Sequence[Excerpt]) -> float:
        """How much likelier its yes than its no is that ``excerpts`` answer: a logarithm."""
        messages = judge_messages(self.question, excerpts, before=self.before)
        asked = messages[-1]["content"]
        if asked not in self._known:
            self._known[asked] = self.generate.yes(messages)
        return self._known[asked]


@dataclass(frozen=True, slots=True)
class Choice:
    """What an answer is written from."""

    evidence: tuple[Evidence, ...]  # best first
    asked: Callable[[], float]  # the model's word on the best: a logarithm of odds

    @property
    def odds(self) -> float:
        """How much likelier the model's yes than its no is that the best sentence answers."""
        return self.asked()

    @property
    def is_answer(self) -> bool:
        """Whether the best sentence can itself stand for an answer."""
        return self.odds >= _CLEAR_YES


def weigh(evidences: Evidences, judge: Judge) -> Iterator[tuple[float, Evidence]]:
    """The sentences that may answer, and their scores, one by one.

    None follows one that is clearly an answer: it would seldom be chosen instead. Of one that is
    alone the model is not asked yet: that would only delay the first word.
    For a question that leans on the last one, sentences are ranked with that one and without
    it: with it alone, what answered the last one would come first again. It does not wait for
    what is far behind the best so far.
    """
    asked = [judge.question, *(f"{before} {judge.question}" for before in judge.before[:1])]
    nearest = evidences.nearest(asked, limit=_LOOKED_AT)
    if len(nearest) == 1:
        yield nearest[0]
        return
    best = -math.inf
    for score, item in nearest:
        if judge.before and score + _WORD * _LIKELY_YES < best:
            return
        odds = judge.odds(evidences.in_context([item]))
        best = max(best, score + _WORD * odds)
        yield score + _WORD * odds, item
        if odds >= _CLEAR_YES:
            return


def choose(evidences: Evidences, judge: Judge) -> Choice:
    """The sentence that answers best, and further ones of which the model says so, too."""

    def odds(item: Evidence) -> float:
        return judge.odds(evidences.in_context([item]))

    weighed = sorted(weigh(evidences, judge), key=lambda one: -one[0])
    if not weighed:
        return Choice((), lambda: -math.inf)
    best, *others = (item for _, item in weighed[:_MOST])
    further = (item for item in others if odds(item) > 0)
    return Choice((best, *further), lambda: odds(best))
