"""A question that asks two things into two questions, each answered or refused by itself."""

import re
from collections.abc import Sequence
from dataclasses import replace

from rag.asked import QUESTION_WORD
from rag.records import MISSING, REFUSAL, Answer, Sentence

_SHARED = re.compile(
    rf"^(?P<one>{QUESTION_WORD})\ (?:and|or)\ (?P<two>{QUESTION_WORD})\ (?P<rest>.+)$",
    re.VERBOSE | re.IGNORECASE,
)
_BOTH = re.compile(
    rf"^(?P<one>.+?)[,;]?\ (?:and|or)\ (?P<two>{QUESTION_WORD}\ .+)$", re.VERBOSE | re.IGNORECASE
)
_WORD = re.compile(rf"\b{QUESTION_WORD}\b", re.IGNORECASE)

_SHORTEST = 2
"""Words of a question that stands by itself."""


def parts_of(question: str) -> list[str]:
    """The questions that ``question`` asks, in their order; mostly it is one.

    “When and where did they meet?” are two, and so are “Who came, and how did he travel?”. What
    somebody “said of who came and how” is one.
    """
    asked = question.rstrip(" ?!.")
    if shared := _SHARED.match(asked):
        return [f"{shared[word].capitalize()} {shared['rest']}?" for word in ("one", "two")]
    both = _BOTH.match(asked)
    if (
        both is None
        or len(_WORD.findall(both["one"])) > 1
        or not _WORD.match(both["one"])
        or min(len(both[part].split()) for part in ("one", "two")) < _SHORTEST
    ):
        return [question]
    return [f"{both['one']}?", *parts_of(f"{both['two'][:1].upper()}{both['two'][1:]}?")]


def joined(question: str, answers: Sequence[Answer]) -> Answer:
    """The answers to the parts of ``question`` as one, which says what is not answered.

    Its signs are those of the least likely part, for it is no likelier itself.
    """
    if len(answers) == 1:
        return replace(answers[0], question=question)
    sentences: list[Sentence] = []
    if not all(answer.is_refusal for answer in answers):
        for answer in answers:
            said = MISSING + answer.question
            missing = Sentence(said, 0, len(said), "missing")
            sentences += [missing] if answer.is_refusal else answer.sentences
    end = -1
    for at, sentence in enumerate(sentences):
        start = end + 1
        end = start + len(sentence.text)
        sentences[at] = replace(sentence, start=start, end=end)
    signs = [answer.signs for answer in answers if answer.signs]
    return replace(
        answers[-1],
        question=question,
        query=" ".join(answer.query for answer in answers),
        text=" ".join(sentence.text for sentence in sentences) or REFUSAL,
        sentences=tuple(sentences),
        is_refusal=not sentences,
        hits=tuple({hit.passage: hit for answer in answers for hit in answer.hits}.values()),
        signs=min(signs, key=lambda one: one.probability, default=None),
        timings=replace(
            answers[-1].timings,
            search=sum(answer.timings.search for answer in answers),
            first_token=answers[0].timings.first_token,
            tokens=sum(answer.timings.tokens for answer in answers),
        ),
    )
