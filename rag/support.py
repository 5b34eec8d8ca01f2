"""Whether evidence supports a sentence, and how likely.

The words of the sentence, weighted by how rare they are in what was retrieved, its meaning,
and every number and name in it are held against each sentence of the passages. A number that
the evidence does not hold is never supported. What only repeats the question may be said in
other words there, if they stand for the same: each token is looked for among the evidence's,
both in their context (the recall of BERTScore: Zhang et al., ICLR 2020, section 3).

The nearness of all tokens, with the numbers and names that the evidence lacks, is made a
probability by a logistic regression, whose weights ``benchmarks.train_support`` finds and keeps
in support.json.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from index.claims import LIGHT, Claim, claim_of, holds, words_of
from index.encoders import Entailment
from rag.evidence import Evidence, Evidences
from rag.nearness import Nearness, likeness, nearness
from rag.voices import is_quotation, speaks, voices
from rag.weights import Regression

_REGRESSION = Regression.load("support")

_MOST_MISSING = 3
"""Further missing numbers or names make nothing worse."""

SUPPORTED = 0.55
"""Support from which a sentence counts as supported."""

PARTLY = 0.4
"""Support from which part of a sentence counts as supported."""

_WORDS_SHARE = 0.6
"""How much of the support is words; the rest is meaning."""

_BESIDE = 0.5
"""What a word of the question counts that stands not in the sentence but in its passage."""

_NEWS = 2
"""What a word, name or number counts that the question did not hold: it is the answer."""

_FRAGMENT = 3
"""An answer's sentence with fewer telling words is read together with its question."""

_MOST_CITATIONS = 3
"""Documents that are cited for one sentence; each supports it by itself."""

_AS_GOOD = 0.2
"""A further document is cited if it supports the sentence about as well as the best one."""

_RELEVANCE = 0.2
"""What its nearness to question and sentence together counts when the best is looked for."""

_CHOSEN = 0.15
"""What it counts there that the sentence was written from it."""

_SURE = 0.75
"""Support from which one sentence needs no neighbour."""

_WORTH_A_SECOND = 0.1
"""Neighbours are cited together when that supports at least this much more than one."""

_ADDED = 2
"""How many words of the sentence the second must add where the first supports it alone."""

_ALTERNATIVES = re.compile(r"(\S+) or (?:[a-z]{1,3} )?(\S+)", re.IGNORECASE)
"""What a question leaves open: “is it *gaining* or *losing* support?”."""

_ENTAILED = 0.5
"""How likely a sentence must follow from its quote, by an NLI model."""


@dataclass(frozen=True, slots=True)
class Support:
    """How well some evidence supports a sentence."""

    score: float  # 0 to 1: whether it suffices is read from SUPPORTED and PARTLY
    evidence: tuple[Evidence, ...]
    covered: float  # how much of the sentence's words it says, also in other words: 0 to 1
    own: float  # how much of them it says in those words
    spoken: float  # how far it says the word of the question that it says least: 0 to 1
    probability: float  # that it supports the sentence, by our regression, or the NLI model


def supports_itself(item: Evidence) -> Support:
    """What a sentence is to its own words."""
    return Support(1.0, (item,), covered=1.0, own=1.0, spoken=1.0, probability=1.0)


class SupportCheck:
    """What an answer's sentences are held against."""

    def __init__(self, evidences: Evidences, *, entailment: Entailment | None = None) -> None:
        """Takes every sentence that was retrieved.

        With ``entailment``, a model of inference, nothing supports what does not follow from it.
        """
        self.evidences = evidences
        self._items = evidences.items
        self._entailment = entailment
        frequency = Counter(word for item in self._items for word in item.claim.words)
        self._names = frozenset[str]().union(*(item.claim.names for item in self._items))
        self._weights = {
            word: math.log(1 + len(self._items) / count) for word, count in frequency.items()
        }

    def support(
        self,
        sentence: str,
        *,
        question: str,
        before: str = "",
        chosen: Sequence[Evidence] = (),
    ) -> list[Support]:
        """What supports ``sentence``, an answer to ``question``; best first, empty if nothing.

        ``before`` is the question that ``question`` leans on: “On what day?” “On Saturday.”
        ``chosen`` is what it was written from: the first of it comes before what says as much.

        First the best single sentence, or with it the one before or after it where it does not
        suffice alone; then sentences of other documents that support it as well. Sentences
        from afar are never put together: a number of one is not a fact of the other. Further
        documents must be among the chosen, or say as much in the sentence's own words.
        """
        claim, asked = claim_of(sentence), claim_of(question)
        left_open = words_of(" ".join(chain(*_ALTERNATIVES.findall(question))))
        asked = replace(asked, words=asked.words - left_open)
        # What begins a sentence is a name if it is one elsewhere; what the question leaves open
        # must be said as exactly as a name.
        claim = replace(
            claim,
            names=claim.names
            | (claim.starts & (self._names | asked.names))
            | (claim.words & left_open),
            words=claim.words - LIGHT,
        )
        text = sentence
        if len(claim.words) + len(claim.numbers) < _FRAGMENT:
            text = f"{before} {question} {sentence}"
            claim = replace(claim, words=claim.words | asked.words | claim_of(before).words)
        if not self._items or not (claim.words or claim.numbers):
            return []
        found = self._supports(claim, asked, text, f"{question} {sentence}", chosen)
        return self._entailed(found, sentence) if self._entailment else found

    def _supports(
        self,
        claim: Claim,
        asked: Claim,
        text: str,
        in_answer: str,
        chosen: Sequence[Evidence],
    ) -> list[Support]:
        """What supports ``claim``, made by ``text``; ``in_answer`` is the question and that."""
        alone, together = self.evidences.read([text, in_answer])
        near = nearness(text, alone, self.evidences.readings)
        meanings = np.clip(self.evidences.vectors @ alone.vector, 0, 1)
        relevance = self.evidences.vectors @ together.vector
        singles = [
            self._score(claim, asked, (row,), meanings, near) for row in range(len(self._items))
        ]
        first = chosen[0] if chosen else None
        order = sorted(
            range(len(singles)),
            key=lambda at: (
                singles[at].score
                + _RELEVANCE * float(relevance[at])
                + _CHOSEN * (self._items[at] == first)
            ),
            reverse=True,
        )
        best = singles[order[0]]
        if best.score < _SURE:
            pair = self._with_neighbour(claim, asked, order[0], meanings, near)
            if (
                pair
                and pair.score >= max(SUPPORTED, best.score + _WORTH_A_SECOND)
                and (best.score < SUPPORTED or _added(claim, best, pair) >= _ADDED)
            ):
                return [pair]
        if best.score < SUPPORTED:
            return [best] if best.score >= PARTLY else []
        enough = max(SUPPORTED, best.score - _AS_GOOD)
        said = _held(claim, best.evidence[0])
        others = [
            singles[at]
            for at in order[1:]
            if singles[at].score >= enough
            and said <= _held(claim, self._items[at])
            and (self._items[at] in chosen or singles[at].own >= best.covered)
        ]
        return [best, *_one_for_each_document(others, best.evidence[0].document)][:_MOST_CITATIONS]

    def _entailed(self, supports: list[Support], sentence: str) -> list[Support]:
        """Those of ``supports`` of which the NLI model, too, says that ``sentence`` follows."""
        assert self._entailment
        quotes = [" ".join(item.text for item in support.evidence) for support in supports]
        probabilities = self._entailment.probabilities(quotes, sentence)
        return [
            replace(support, probability=float(probability))
            for support, probability in zip(supports, probabilities, strict=True)
            if probability >= _ENTAILED
        ]

    def _with_neighbour(
        self,
        claim: Claim,
        asked: Claim,
        row: int,
        meanings: NDArray[np.float32],
        near: Nearness,
    ) -> Support | None:
        """What the sentence ``row`` supports together with the one before or after it."""
        pairs = [
            self._score(claim, asked, (one, other), meanings, near)
            for one, other in ((row - 1, row), (row, row + 1))
            if one >= 0 and other < len(self._items)
            if self._items[one].document == self._items[other].document
        ]
        return max(pairs, key=lambda pair: pair.score, default=None)

    def _score(
        self,
        claim: Claim,
        asked: Claim,
        rows: tuple[int, ...],
        meanings: NDArray[np.float32],
        near: Nearness,
    ) -> Support:
        """The support that some sentences together give a claim made in answer to ``asked``.

        What the claim adds to the question is what the evidence must say itself; what it
        only repeats may also be said in other words, or stand beside the evidence, in its
        passage or title.
        """
        items = tuple(self._items[row] for row in rows)
        meaning = max(float(meanings[row]) for row in rows)
        words = frozenset[str]().union(*(item.claim.words for item in items))
        numbers = frozenset[float]().union(*(item.claim.numbers for item in items))
        beside = frozenset[str]().union(*(item.context.words for item in items))
        rare = math.log(1 + len(self._items))
        known = frozenset[float]().union(*(item.context.numbers for item in items))
        measures = frozenset[tuple[float, str]]().union(*(item.claim.measures for item in items))
        missing = claim.numbers - numbers - (asked.numbers & known)
        missing |= {value for value, _ in claim.measures - measures - asked.measures}
        missing_names = set()
        spoken = 1.0
        total = _NEWS * rare * len(claim.numbers)
        covered = own = total - _NEWS * rare * len(missing)
        for word in claim.words:
            is_news = not holds(asked.words, word)
            weight = self._weights.get(word, rare) * (_NEWS if is_news else 1)
            total += weight
            if holds(words, word):
                covered += weight
                own += weight
                continue
            like = 0.0
            if holds(beside, word) and (not is_news or word in claim.given):
                like = _BESIDE  # a text that calls him Trump need not say Donald
            elif word in claim.names:
                missing_names.add(word)
            if not is_news and word not in claim.names and word in near.words:
                like = max(like, float(likeness(near.words[word][list(rows)]).max()))
            covered += like * weight
            if not is_news and word not in claim.names:
                spoken = min(spoken, like)
        if _is_said_by_another(claim, items):
            missing_names |= claim.speakers & claim.names
        score = _WORDS_SHARE * covered / total + (1 - _WORDS_SHARE) * meaning
        if missing or missing_names:
            is_partly = len(missing) + len(missing_names) < len(claim.numbers | claim.names)
            score = min(score, (SUPPORTED if is_partly else PARTLY) - 0.01)
        if any(_contradict(claim, item.claim) for item in items):
            score = min(score, PARTLY - 0.01)
        evidence = {row: self._items[row].claim for row in rows}
        probability = signs(claim, near, evidence).probability
        return Support(score, items, covered / total, own / total, spoken, probability)


def _held(claim: Claim, item: Evidence) -> frozenset[str | float]:
    """What of ``claim`` the sentence ``item`` says itself."""
    words = {word for word in claim.words if holds(item.claim.words, word)}
    return frozenset(words) | (claim.numbers & item.claim.numbers)


def _added(claim: Claim, one: Support, more: Support) -> int:
    """How much of ``claim`` the sentences of ``more`` say that those of ``one`` do not."""
    first, second = (
        frozenset[str | float]().union(*(_held(claim, item) for item in support.evidence))
        for support in (one, more)
    )
    return len(second - first)


def _is_said_by_another(claim: Claim, items: tuple[Evidence, ...]) -> bool:
    """Whether ``claim`` has somebody say what the items have somebody else say, or nobody."""
    names = claim.speakers & claim.names
    if not names:
        return False
    speakers = names - claim.given or names  # Trump, not Donald or the president
    is_theirs = [
        speaks(speakers, item.text)
        or (item.claim.is_said_by_pronoun and not any(holds(item.claim.words, n) for n in speakers))
        or any(voice and voice <= claim.speakers for voice in voices(item.text))
        for item in items
    ]
    return not any(is_theirs) or any(
        not theirs and not is_quotation(item.text)
        for item, theirs in zip(items, is_theirs, strict=True)
    )


def _contradict(one: Claim, other: Claim) -> bool:
    """Whether one denies what the other says without a “not”: “is not new”, “is new”."""
    return not (one.turns or other.turns) and any(
        not said.denied and holds(said.words, word)
        for denier, said in ((one, other), (other, one))
        for word in denier.denied - denier.stated
    )


def _one_for_each_document(supports: list[Support], known: str) -> list[Support]:
    """The best of each document, without those of the document ``known``."""
    seen = {known}
    kept = []
    for support in supports:
        document = support.evidence[0].document
        if document not in seen:
            seen.add(document)
            kept.append(support)
    return kept


@dataclass(frozen=True, slots=True)
class Signs:
    """What speaks for and against that evidence supports a sentence."""

    aligned: float  # mean cosine of the sentence's tokens and the nearest of the evidence
    missing_numbers: float
    missing_names: float

    @property
    def probability(self) -> float:
        """How likely it is that the evidence supports the sentence, 0 to 1."""
        return _REGRESSION.probability(asdict(self))


def signs(claim: Claim, near: Nearness, evidence: Mapping[int, Claim]) -> Signs:
    """The signs that some texts together support ``claim``, by their places in ``near``."""
    words = frozenset[str]().union(*(one.words for one in evidence.values()))
    numbers = frozenset[float]().union(*(one.numbers for one in evidence.values()))
    missing = sum(not holds(words, name) for name in claim.names)
    return Signs(
        aligned=near.aligned(evidence),
        missing_numbers=float(min(len(claim.numbers - numbers), _MOST_MISSING)),
        missing_names=float(min(missing, _MOST_MISSING)),
    )
