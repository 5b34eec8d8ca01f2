"""Each sentence of an answer to the document sentences that support it, or to none.

Citations are attached after the answer is written, and every one is checked: the words of
the sentence, weighted by how rare they are in what was retrieved; its meaning; and every
number and name in it. A number that the evidence does not hold is never supported.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from index.claims import LIGHT, Claim, claim_of, holds, share, weights
from index.records import Document, Hit, Vectors
from index.sentences import sentence_spans
from index.split import is_boilerplate
from rag.records import REFUSAL, Citation, Sentence, Status

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

_SURE = 0.75
"""Support from which one sentence needs no neighbour."""

_WORTH_A_SECOND = 0.1
"""Neighbours are cited together when that supports at least this much more than one."""

_ADDED = 2
"""How many words of the sentence the second must add where the first supports it alone."""

_LINE_WORDS = 0.6
"""What the share of the question's words counts beside the cosine: docs/notes.md."""

_PASSAGE = 0.5
"""What the score of its passage counts beside a sentence's own."""

_NEIGHBOUR = 0.3
"""What the nearness of the sentences before and after counts."""

_LONGEST_LINE = 500
"""Characters that are read of one sentence; longer ones are rows of tables, or lists."""

_REFUSING = re.compile(
    r"""(?:passages?|documents?|texts?|sources?|information|context)\b[^.]{0,60}
        \b(?:do|does|did|is|are)(?:\ not|n['’]t)\b[^.]{0,40}
        \b(?:say|contain|mention|provide|specif|state|give|include|answer|indicate|identif
           |disclos|available|discuss|address|detail)
      | \b(?:no|not\ enough)\ (?:information|mention|details?)\b
      | \bnot\ (?:mentioned|specified|stated|provided|given|disclosed|available)
        \ (?:in|by)\ the\ (?:passages?|documents?|texts?)
      | \bI\ (?:do\ not|don['’]t|cannot|can['’]t)\ (?:know|answer|find|provide|assist|help)""",
    re.VERBOSE | re.IGNORECASE,
)


def is_refusal(sentence: str) -> bool:
    """Whether a sentence of the model says that the documents do not answer."""
    return REFUSAL.rstrip(".").lower() in sentence.lower() or bool(_REFUSING.search(sentence))


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence of a retrieved passage, ready to be compared."""

    hit: int  # which of the retrieved passages
    document: str
    start: int
    end: int
    text: str
    claim: Claim
    context: Claim  # of its passage and title: what “he” and “it” stand for
    is_line: bool  # no title


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What is read of a retrieved passage."""

    hit: Hit
    text: str  # sentences of it, “…” where some are left out


@dataclass(frozen=True, slots=True)
class Support:
    """How well some evidence supports a sentence."""

    score: float  # 0 to 1
    evidence: tuple[Evidence, ...]


class Evidences:
    """The sentences that an answer's sentences are held against."""

    def __init__(self, hits: Iterable[Hit], embed: Callable[[list[str]], Vectors]) -> None:
        """Takes every sentence of the hits' passages; ``embed`` gives unit vectors."""
        self._embed = embed
        self._hits = list(hits)
        self._items = [item for at, hit in enumerate(self._hits) for item in _sentences_of(hit, at)]
        self._vectors = embed([item.text for item in self._items])
        frequency = Counter(word for item in self._items for word in item.claim.words)
        self._names = frozenset[str]().union(*(item.claim.names for item in self._items))
        self._weights = {
            word: math.log(1 + len(self._items) / count) for word, count in frequency.items()
        }

    def support(self, sentence: str, *, question: str, before: str = "") -> list[Support]:
        """What supports ``sentence``, an answer to ``question``; best first, empty if nothing.

        ``before`` is the question that ``question`` leans on: “On what day?” “On Saturday.”

        First the best single sentence, or with it the one before or after it where it does not
        suffice alone; then sentences of other documents that support it as well. Sentences
        from afar are never put together: a number of one is not a fact of the other.
        """
        claim, asked = claim_of(sentence), claim_of(question)
        # What begins a sentence is a name if it is one elsewhere.
        claim = replace(
            claim,
            names=claim.names | (claim.starts & (self._names | asked.names)),
            words=claim.words - LIGHT,
        )
        text = sentence
        if len(claim.words) + len(claim.numbers) < _FRAGMENT:
            text = f"{before} {question} {sentence}"
            claim = replace(claim, words=claim.words | asked.words | claim_of(before).words)
        if not self._items or not (claim.words or claim.numbers):
            return []
        alone, together = self._embed([text, f"{question} {sentence}"])
        meanings = np.clip(self._vectors @ alone, 0, 1)
        relevance = self._vectors @ together
        singles = [
            Support(self._score(claim, asked, (item,), float(meaning)), (item,))
            for item, meaning in zip(self._items, meanings, strict=True)
        ]
        order = sorted(
            range(len(singles)),
            key=lambda at: singles[at].score + 0.2 * float(relevance[at]),
            reverse=True,
        )
        best = singles[order[0]]
        if best.score < _SURE:
            pair = self._with_neighbour(claim, asked, order[0], meanings)
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
            if singles[at].score >= enough and said <= _held(claim, self._items[at])
        ]
        return [best, *_one_for_each_document(others, best.evidence[0].document)][:_MOST_CITATIONS]

    def _with_neighbour(
        self, claim: Claim, asked: Claim, row: int, meanings: NDArray[np.float32]
    ) -> Support | None:
        """What the sentence ``row`` supports together with the one before or after it."""
        pairs = [
            Support(self._score(claim, asked, pair, float(meanings[[one, other]].max())), pair)
            for one, other in ((row - 1, row), (row, row + 1))
            if one >= 0 and other < len(self._items)
            for pair in [(self._items[one], self._items[other])]
            if pair[0].document == pair[1].document
        ]
        return max(pairs, key=lambda pair: pair.score, default=None)

    def excerpts(self, question: str, *, characters: int) -> list[Excerpt]:
        """What to read for ``question``: the nearest sentences, in the order of the passages.

        Nearest in meaning and words, and a little more if their passage or a neighbour is near;
        about as many as have ``characters`` characters together. Titles are not among them.
        """
        if not self._items:
            return []
        asked = weights(claim_of(question).words, [item.claim.words for item in self._items])
        near = self._vectors @ self._embed([question])[0]
        near += _LINE_WORDS * np.array([share(asked, item.claim.words) for item in self._items])
        score = near + _PASSAGE * np.array([self._hits[item.hit].score for item in self._items])
        beside = np.zeros(len(near))
        for one, other in pairwise(range(len(near))):
            if self._items[one].hit == self._items[other].hit:
                beside[one] = max(beside[one], near[other])
                beside[other] = max(beside[other], near[one])
        score += _NEIGHBOUR * beside
        chosen: list[int] = []
        length = 0
        for row in np.argsort(-score, kind="stable"):
            size = min(len(self._items[row].text), _LONGEST_LINE)
            if self._items[row].is_line and (not chosen or length + size <= characters):
                chosen.append(int(row))
                length += size
        return self._in_order(sorted(chosen))

    def _in_order(self, rows: list[int]) -> list[Excerpt]:
        """The sentences of those rows, those of one passage together."""
        found: dict[int, list[str]] = {}
        last = -1
        for row in rows:
            item = self._items[row]
            texts = found.setdefault(item.hit, [])
            if texts and row != last + 1:
                texts.append("…")
            is_long = len(item.text) > _LONGEST_LINE
            texts.append(item.text[:_LONGEST_LINE] + "…" if is_long else item.text)
            last = row
        return [Excerpt(self._hits[hit], " ".join(texts)) for hit, texts in found.items()]

    def like(self, sentence: str) -> list[tuple[float, Evidence]]:
        """Every sentence of the passages with its cosine to ``sentence``, nearest first."""
        if not self._items:
            return []
        cosines = self._vectors @ self._embed([sentence])[0]
        order = np.argsort(-cosines, kind="stable")
        return [(float(cosines[row]), self._items[row]) for row in order]

    def quotes(self, evidence: Iterable[Evidence]) -> list[Excerpt]:
        """Each of ``evidence`` once, as something to read."""
        return [Excerpt(self._hits[item.hit], item.text) for item in dict.fromkeys(evidence)]

    def _score(
        self, claim: Claim, asked: Claim, items: tuple[Evidence, ...], meaning: float
    ) -> float:
        """The support, 0 to 1, that ``items`` together give a claim made in answer to ``asked``.

        What the claim adds to the question is what the evidence must say itself; what it
        only repeats may also stand beside the evidence, in its passage or title.
        """
        words = frozenset[str]().union(*(item.claim.words for item in items))
        numbers = frozenset[float]().union(*(item.claim.numbers for item in items))
        beside = frozenset[str]().union(*(item.context.words for item in items))
        rare = math.log(1 + len(self._items))
        known = frozenset[float]().union(*(item.context.numbers for item in items))
        measures = frozenset[tuple[float, str]]().union(*(item.claim.measures for item in items))
        missing = claim.numbers - numbers - (asked.numbers & known)
        missing |= {value for value, _ in claim.measures - measures - asked.measures}
        missing_names = set()
        total = _NEWS * rare * len(claim.numbers)
        covered = total - _NEWS * rare * len(missing)
        for word in claim.words:
            is_news = not holds(asked.words, word)
            weight = self._weights.get(word, rare) * (_NEWS if is_news else 1)
            total += weight
            if holds(words, word):
                covered += weight
            elif holds(beside, word) and (not is_news or word in claim.given):
                covered += _BESIDE * weight  # a text that calls him Trump need not say Donald
            elif word in claim.names:
                missing_names.add(word)
        if _is_said_by_another(claim, items):
            missing_names |= claim.speakers & claim.names
        score = _WORDS_SHARE * covered / total + (1 - _WORDS_SHARE) * meaning
        if missing or missing_names:
            is_partly = len(missing) + len(missing_names) < len(claim.numbers | claim.names)
            score = min(score, (SUPPORTED if is_partly else PARTLY) - 0.01)
        if any(_contradict(claim, item.claim) for item in items):
            score = min(score, PARTLY - 0.01)
        return score


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
    speakers = claim.speakers & claim.names
    if not speakers:
        return False
    named = [any(holds(item.claim.words, name) for name in speakers) for item in items]
    others = [item for item, is_named in zip(items, named, strict=True) if not is_named]
    return any(item.claim.is_attributed for item in others) or not (
        any(named) or any(item.claim.is_said_by_pronoun for item in items)
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


def _sentences_of(hit: Hit, at: int) -> list[Evidence]:
    passage = hit.passage
    context = claim_of(f"{passage.title}\n{passage.text}")
    return [
        Evidence(
            hit=at,
            document=passage.document,
            start=passage.start + span.start,
            end=passage.start + span.end,
            text=text,
            claim=claim_of(text),
            context=context,
            is_line=text.lstrip("# ") != passage.title,
        )
        for span in sentence_spans(passage.text)
        if (text := passage.text[span.start : span.end])
        and not is_boilerplate(text)
        and not text.endswith("?")
        and not text.startswith("##")  # a heading names what is told, and tells nothing
    ]


class Footnotes:
    """Numbers the citations of one answer, from 1, in the order of their first use."""

    def __init__(
        self, document: Callable[[str], Document | None], *, known: Iterable[Citation] = ()
    ) -> None:
        """``document`` gives a document by its id; the ``known`` citations keep their numbers."""
        self._document = document
        self._numbers = {(c.document, c.start, c.end): c.number for c in known}

    def check(self, text: str, supports: list[Support], *, start: int) -> Sentence:
        """The sentence ``text``, at ``start`` in the answer, with its citations."""
        citations = tuple(
            self._citation(document, stretch, support.score)
            for support in supports
            for document in [self._cited(support)]
            for stretch in _stretches(document, support.evidence)
        )
        best = supports[0].score if supports else 0.0
        status: Status = (
            "supported" if best >= SUPPORTED else "partly" if best >= PARTLY else "unsupported"
        )
        return Sentence(text, start, start + len(text), status, citations)

    def _cited(self, support: Support) -> Document:
        document = self._document(support.evidence[0].document)
        assert document is not None
        return document

    def _citation(
        self, document: Document, stretch: tuple[Evidence, ...], support: float
    ) -> Citation:
        first, last = stretch[0], stretch[-1]
        place = (document.id, first.start, last.end)
        number = self._numbers.setdefault(place, len(self._numbers) + 1)
        citation = cite(document, first.start, last.end, number=number, support=support)
        assert citation.quote.startswith(first.text)
        assert citation.quote.endswith(last.text)
        return citation


def _stretches(document: Document, evidence: tuple[Evidence, ...]) -> list[tuple[Evidence, ...]]:
    """Sentences that only together are evidence, and stand together, are one quote."""
    if document.text[evidence[0].end : evidence[-1].start].isspace():
        return [evidence]
    return [(item,) for item in evidence]


def cite(document: Document, start: int, end: int, *, number: int, support: float) -> Citation:
    """The footnote ``number`` on the characters from ``start`` to ``end`` of ``document``."""
    return Citation(
        number=number,
        quote=document.text[start:end],
        document=document.id,
        title=document.title,
        sha256=document.sha256,
        start=start,
        end=end,
        page=int(page) if (page := document.section_at(start, "page")) else None,
        where=document.place_at(start),
        support=round(support, 3),
        author=document.author,
        date=document.date,
        source=document.source,
        copies=document.copies,
    )
