"""Whether an answer answers its question: the one decision to refuse, from all its signs.

A small model refuses much that it could answer when it may, and answers nearly everything
when it may not. So it writes without leave to refuse, and when it has written says with one word
whether the quotes alone answer the question, for three lines mislead it less than thirty. How
sure that word is, how well the quotes support what was written, how near they are to the question
and how much of it their passages speak of, and whether the answer says something new of the kind
that was asked for, decide together: a logistic regression, whose weights
``benchmarks.train_refusal`` finds and keeps in answerable.json.
"""

import json
import math
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from index.claims import claim_of, holds

STRICTNESS = 0.6
"""The default: an answer is given when it is this likely. A wrong one costs more than none."""

_WEIGHTS: dict[str, float] = json.loads(
    Path(__file__).with_name("answerable.json").read_text(encoding="utf-8")
)["weights"]


_ASKS_NUMBER = re.compile(
    r"""\bhow\ (?:many|much|long|old|large|big|far|tall|often|high|soon)\b | \bwhen\b
      | \b(?:what|which)\ (?:year|month|day|date|percentage|percent|number|amount|share)\b""",
    re.VERBOSE | re.IGNORECASE,
)
_QUANTITY = re.compile(
    r"""\d | \b(?:hundred|thousand|million|billion|dozen|percent|half|twice|third|quarter|year|month
      |week|day|decade|centur|monday|tuesday|wednesday|thursday|friday|saturday|sunday|january
      |february|march|april|may|june|july|august|september|october|november|december|yesterday
      |today|few|several|none|no|nearly|one|annual|after|before|during|since|until)""",
    re.VERBOSE | re.IGNORECASE,
)
_ASKS_NAME = re.compile(r"\bwho(?:m|se)?\b|\bname\ of\b|\bcalled\b|\bnamed\b", re.IGNORECASE)
_MUCH_NEWS = 3


def news(question: str, answer: str) -> float:
    """What ``answer`` adds to ``question``: 0 if it only says the same, 1 for three words."""
    asked, said = claim_of(question), claim_of(answer)
    words = [word for word in said.words if not holds(asked.words, word)]
    return min(len(words) + len(said.numbers - asked.numbers), _MUCH_NEWS) / _MUCH_NEWS


def fits(question: str, answer: str) -> float:
    """0 if ``question`` asks for a number, a time or a name, and ``answer`` has none; else 1."""
    asked, said = claim_of(question), claim_of(answer)
    if _ASKS_NUMBER.search(question):
        known = {word.lower() for word in _QUANTITY.findall(question)}
        found = {word.lower() for word in _QUANTITY.findall(answer)}
        return float(bool(said.numbers - asked.numbers or found - known))
    if _ASKS_NAME.search(question):
        return float(any(not holds(asked.words, name) for name in said.names | said.starts))
    return 1.0


@dataclass(frozen=True, slots=True)
class Signs:
    """What speaks for an answer."""

    odds: float  # of the model's yes against its no, when it reads only the quotes; a logarithm
    support: float = 0.0  # of the best supported sentence, 0 to 1
    relevance: float = 0.0  # cosine of the question and the nearest cited sentence
    premise: float = 0.0  # how much of the question's words stand in the cited passages, 0 to 1
    news: float = 0.0  # what the answer adds to the question: 1 for three words, names or numbers
    fits: float = 0.0  # 1 unless the question asks for a number, time or name, and has none

    @property
    def probability(self) -> float:
        """How likely it is that the answer answers the question, 0 to 1."""
        signs = asdict(self) | {"constant": 1.0}
        logit = sum(weight * signs[name] for name, weight in _WEIGHTS.items())
        return 1 / (1 + math.exp(-logit))
