"""The sentences of the retrieved passages: what of them is worth reading."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from index.claims import Claim, claim_of, holds, weights
from index.encoders import Reading
from index.records import Hit
from index.sentences import sentence_spans
from index.split import is_boilerplate
from rag.nearness import likeness, nearness

_LINE_WORDS = 1.0
"""What the share of the question's words counts beside the cosine: docs/notes.md."""

_PASSAGE = 0.5
"""What the score of its passage counts beside a sentence's own."""

_NEIGHBOUR = 0.3
"""What the nearness of the sentences before and after counts."""

_FAR_BEHIND = 0.5
"""A sentence whose score is this much below the best one's is not looked at."""

_LEANS = re.compile(
    r"""\W*(?:he|she|it|they|his|her|its|their|this|that|these|those|such|however|but|and|so)\b""",
    re.IGNORECASE,
)
"""How a sentence begins that says little without the one before it."""

_LONGEST_LINE = 500
"""Characters that are read of one sentence; longer ones are rows of tables, or lists."""


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

    @property
    def stands_alone(self) -> bool:
        """Whether it can be read without the sentence before it."""
        return len(self.text) <= _LONGEST_LINE and not _LEANS.match(self.text)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What is read of a retrieved passage."""

    hit: Hit
    text: str  # sentences of it, “…” where some are left out


class Evidences:
    """The sentences that an answer's sentences are held against."""

    def __init__(self, hits: Iterable[Hit], read: Callable[[list[str]], list[Reading]]) -> None:
        """Takes every sentence of the hits' passages; ``read`` gives vectors of texts."""
        self.read = read
        self._hits = list(hits)
        self.items = [item for at, hit in enumerate(self._hits) for item in _sentences_of(hit, at)]
        self.readings = read([item.text for item in self.items])
        self.vectors = np.array([reading.vector for reading in self.readings])

    def nearest(self, questions: Sequence[str], *, limit: int) -> list[tuple[float, Evidence]]:
        """The sentences nearest to all of ``questions``, with their mean scores; best first.

        Nearest in meaning, and in words, also other ones for the same; a little more if their
        passage or a neighbour is near. No titles, and none that is far behind the best.
        """
        lines = [row for row, item in enumerate(self.items) if item.is_line]
        if not lines:
            return []
        score = np.mean([self._scores(question) for question in questions], axis=0)
        lines.sort(key=lambda row: -score[row])
        return [
            (float(score[row]), self.items[row])
            for row in lines[:limit]
            if score[row] >= score[lines[0]] - _FAR_BEHIND
        ]

    def _scores(self, question: str) -> NDArray[np.float64]:
        """How near each sentence is to ``question``: (n,)."""
        (read,) = self.read([question])
        near = self.vectors @ read.vector + _LINE_WORDS * self._spoken_of(question, read)
        score = near + _PASSAGE * np.array([self._hits[item.hit].score for item in self.items])
        beside = np.zeros(len(near))
        for one, other in pairwise(range(len(near))):
            if self.items[one].hit == self.items[other].hit:
                beside[one] = max(beside[one], near[other])
                beside[other] = max(beside[other], near[one])
        nearest: NDArray[np.float64] = score + _NEIGHBOUR * beside
        return nearest

    def _spoken_of(self, question: str, read: Reading) -> NDArray[np.float64]:
        """How much of ``question``, read so, each sentence speaks of: (n,), 0 to 1."""
        asked = weights(claim_of(question).words, [item.claim.words for item in self.items])
        near = nearness(question, read, self.readings)
        spoken = np.zeros(len(self.items))
        for word, weight in asked.items():
            held = np.array([holds(item.claim.words, word) for item in self.items], dtype=float)
            like = likeness(near.words[word]) if word in near.words else np.zeros(len(held))
            spoken += weight * np.maximum(held, like)
        return spoken / (sum(asked.values()) or 1)

    def aligned(self, question: str, evidence: Iterable[Evidence]) -> float:
        """How near the words of ``question`` are to those of ``evidence``: a mean cosine."""
        (read,) = self.read([question])
        rows = sorted({self.items.index(item) for item in evidence})
        return nearness(question, read, [self.readings[row] for row in rows]).aligned(
            range(len(rows))
        )

    def in_context(self, evidence: Iterable[Evidence]) -> list[Excerpt]:
        """The sentences as something to read, in the order of the passages.

        One that leans on the sentence before it, “He denied it.”, comes with that.
        """
        rows: set[int] = set()
        for item in evidence:
            row = self.items.index(item)
            rows.add(row)
            if row and _LEANS.match(item.text) and self.items[row - 1].hit == item.hit:
                rows.add(row - 1)
        return self._in_order(sorted(rows))

    def after(self, item: Evidence) -> Evidence | None:
        """The sentence that follows ``item`` in its passage, if one does."""
        row = self.items.index(item) + 1
        is_last = row == len(self.items) or self.items[row].hit != item.hit
        return None if is_last else self.items[row]

    def passage_of(self, item: Evidence) -> Excerpt:
        """All of the passage in which the sentence stands."""
        hit = self._hits[item.hit]
        return Excerpt(hit, hit.passage.text)

    def _in_order(self, rows: list[int]) -> list[Excerpt]:
        """The sentences of those rows, those of one passage together."""
        found: dict[int, list[str]] = {}
        last = -1
        for row in rows:
            item = self.items[row]
            texts = found.setdefault(item.hit, [])
            if texts and row != last + 1:
                texts.append("…")
            is_long = len(item.text) > _LONGEST_LINE
            texts.append(item.text[:_LONGEST_LINE] + "…" if is_long else item.text)
            last = row
        return [Excerpt(self._hits[hit], " ".join(texts)) for hit, texts in found.items()]

    def like(self, sentence: str) -> list[tuple[float, Evidence]]:
        """Every sentence of the passages with its cosine to ``sentence``, nearest first."""
        if not self.items:
            return []
        cosines = self.vectors @ self.read([sentence])[0].vector
        order = np.argsort(-cosines, kind="stable")
        return [(float(cosines[row]), self.items[row]) for row in order]

    def cosine(self, one: Evidence, other: Evidence) -> float:
        """How near the meaning of two sentences is."""
        return float(self.vectors[self.items.index(one)] @ self.vectors[self.items.index(other)])

    def quotes(self, evidence: Iterable[Evidence]) -> list[Excerpt]:
        """Each of ``evidence`` once, as something to read."""
        return [Excerpt(self._hits[item.hit], item.text) for item in dict.fromkeys(evidence)]


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
