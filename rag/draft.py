"""The model's text while it grows: each sentence is checked as soon as it is whole."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from index.sentences import Span, sentence_spans
from rag.answerable import Signs
from rag.asked import fits
from rag.cite import Footnotes
from rag.differ import other_number
from rag.evidence import Evidence, Excerpt
from rag.generate import Piece
from rag.records import DIFFERING, REFUSAL, Sentence
from rag.support import Support, SupportCheck, supports_itself

_SETTLED = 12
"""Characters after a sentence's end by which an abbreviation would have shown itself."""

_MARKUP = re.compile(r"\*\*|__|`|^\s*(?:[-*•#]+|\d{1,2}[.)])\s+|\s*\[\d+(?:,\s*\d+)*\]")
"""Marks of emphasis, lists and citations, which the rules do not ask the model for."""

_PASSAGE = r"the (?:given |provided )?(?:passages?|texts?|documents?)"

_SOURCE = re.compile(
    rf"^(?:(?:according to|based on|as stated in|in) {_PASSAGE}(?: provided| given)?, "
    rf"|{_PASSAGE} (?:states?|says?|mentions?|indicates?|notes?) that )",
    re.IGNORECASE,
)
"""What says only that the answer is from what was read; its footnote says from where."""

_SPACED = re.compile(r"\bU\. S\.")

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


def _plain(text: str) -> str:
    """A sentence as it was written, without marks and without “According to the passage”."""
    said = _SOURCE.sub("", _MARKUP.sub("", text).strip())
    return _SPACED.sub("U.S.", said[:1].upper() + said[1:])


class Draft:
    """An answer being written, over the evidence it is held against."""

    def __init__(
        self,
        question: str,
        check: SupportCheck,
        footnotes: Footnotes,
        *,
        before: str = "",
        chosen: Sequence[Evidence] = (),
        is_lenient: bool = False,
        text: str = "",
    ) -> None:
        """Starts empty, or whole, with the ``text`` of a chosen sentence as the answer.

        ``before`` is the question that ``question`` leans on, if it does; ``chosen`` what the
        model reads. A lenient draft keeps sentences that nothing supports, marked so.
        """
        self.text = text
        self._logprobs: list[float] = []
        self._question = question
        self._before = before
        self._chosen = chosen
        self._check = check
        self._footnotes = footnotes
        self._is_lenient = is_lenient
        self._is_chosen = bool(text)
        self._checked: dict[Span, Sentence] = {}
        self._best: dict[Sentence, Support] = {}  # what supports it best; nothing, some
        self._evidence: list[Evidence] = []  # all that is cited

    @property
    def tokens(self) -> int:
        """How many tokens the model wrote."""
        return len(self._logprobs)

    @property
    def confidence(self) -> float:
        """How sure the model was of what it wrote: the mean log-probability of its tokens."""
        return sum(self._logprobs) / max(self.tokens, 1)

    @property
    def rank(self) -> tuple[bool, bool, float]:
        """What makes it the better one of two: that it can stand, states something, is surer."""
        return bool(self.quotes()), bool(self.tokens) and not is_refusal(self.text), self.confidence

    def add(self, piece: Piece) -> Iterator[Sentence]:
        """Takes a further piece of text; gives the sentences that it completes."""
        self.text += piece.text
        self._logprobs += piece.logprobs
        for span in sentence_spans(self.text):
            if span.end + _SETTLED <= len(self.text) and span not in self._checked:
                sentence = self._checked_at(span)
                if self._is_lenient or sentence.status != "unsupported":
                    yield sentence

    def quotes(self) -> list[Excerpt]:
        """What the draft, which is whole, is cited with; nothing if it cannot stand anyway."""
        sentences = self._sentences()
        kept = _kept(sentences)
        is_supported = any(sentence.status == "supported" for sentence in kept)
        if not is_supported or is_refusal(sentences[0].text) or not self._fits(kept):
            return []
        return self._check.evidences.quotes(self._evidence)

    def finish(self, *, odds: float, strictness: float) -> tuple[str, tuple[Sentence, ...], Signs]:
        """The answer that stands: its text and sentences, or the refusal and none; its signs.

        The answer is the refusal when it begins by refusing, when no sentence is supported
        whole (but for a lenient draft), or when it is less likely than ``strictness`` to answer
        the question. ``odds`` is ``Generate.yes`` of the quotes alone.
        """
        sentences = self._sentences()
        kept = _kept(sentences)
        signs = Signs(
            odds=odds,
            spoken=min((self._best[sentence].spoken for sentence in kept), default=0.0),
            aligned=self._check.evidences.aligned(
                f"{self._before} {self._question}", self._evidence
            ),
            fits=self._fits(kept),
        )
        is_supported = any(sentence.status == "supported" for sentence in kept)
        if (
            not sentences
            or is_refusal(sentences[0].text)
            or not (is_supported or self._is_lenient)
            or signs.probability < strictness
        ):
            return REFUSAL, (), signs
        placed: list[Sentence] = []
        end = -1
        for sentence in [*(sentences if self._is_lenient else kept), *self._differing(kept)]:
            start = end + 1
            end = start + len(sentence.text)
            placed.append(replace(sentence, start=start, end=end))
        return " ".join(sentence.text for sentence in placed), tuple(placed), signs

    def _differing(self, kept: list[Sentence]) -> Iterator[Sentence]:
        """A sentence that quotes a document which gives another number, if one does."""
        said = " ".join(sentence.text for sentence in kept)
        other = other_number(self._question, said, self._check.evidences)
        if other:
            text = DIFFERING.format(" ".join(other.text.split()))
            yield self._footnotes.check(text, [supports_itself(other)], start=0)

    def _sentences(self) -> list[Sentence]:
        """All of the draft so far, checked."""
        return [self._checked_at(span) for span in sentence_spans(self.text)]

    def _fits(self, kept: list[Sentence]) -> bool:
        quotes = [citation.quote for sentence in kept for citation in sentence.citations]
        text = " ".join(sentence.text for sentence in kept)
        said = min((self._best[sentence].covered for sentence in kept), default=0.0)
        return fits(
            self._question,
            text,
            quotes,
            said=said,
            is_chosen=self._is_chosen,
            before=self._before,
        )

    def _checked_at(self, span: Span) -> Sentence:
        if span not in self._checked:
            text = _plain(self.text[span.start : span.end])
            supports = (
                []
                if is_refusal(text)
                else self._check.support(
                    text, question=self._question, before=self._before, chosen=self._chosen
                )
            )
            self._evidence += [item for support in supports for item in support.evidence]
            sentence = self._footnotes.check(text, supports, start=span.start)
            self._checked[span] = sentence
            if supports:
                self._best[sentence] = supports[0]
        return self._checked[span]


def _kept(sentences: list[Sentence]) -> list[Sentence]:
    """What stands of them after the check."""
    return [sentence for sentence in sentences if sentence.status != "unsupported"]
