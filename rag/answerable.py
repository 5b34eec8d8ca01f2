"""Whether an answer answers its question: the one decision to refuse, from all its signs.

A small model refuses much that it could answer when it may, and answers nearly everything
when it may not. So it writes without leave to refuse, and when it has written says with one word
whether the quotes alone answer the question, for three lines mislead it less than thirty. How
sure that word is, how sure the model was of what it wrote, how many of its words the quotes hold,
and whether it names a thing of the kind that was asked for, decide together: a logistic
regression, whose weights ``benchmarks.train_refusal`` finds and keeps in answerable.json.
"""

import json
import math
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from index.claims import claim_of, holds, stem, words_of

STRICTNESS = 0.55
"""The default: an answer is given when it is this likely. A wrong one costs more than none."""

_WEIGHTS: dict[str, float] = json.loads(
    Path(__file__).with_name("answerable.json").read_text(encoding="utf-8")
)["weights"]


_ASKS_NUMBER = re.compile(
    r"""\bhow\ (?:many|much|large|big|far|tall|high)\b
      | \b(?:what|which)\ (?:percentage|percent|number|amount|share)\b""",
    re.VERBOSE | re.IGNORECASE,
)
_ASKS_TIME = re.compile(
    r"""\bwhen\b | \bhow\ (?:long|old|often|soon)\b
      | \b(?:what|which)\ (?:year|month|week|day|date|time)\b""",
    re.VERBOSE | re.IGNORECASE,
)
_QUANTITY = re.compile(
    r"""\d | \b(?:hundreds?|thousands?|millions?|billions?|dozens?|percent|half|twice|thirds?
      |quarters?|few|several|none|no|one|single|most|all)\b""",
    re.VERBOSE | re.IGNORECASE,
)
_MOMENT = re.compile(
    r"""\d | \b(?:year|month|week|day|decade|centur|monday|tuesday|wednesday|thursday|friday
      |saturday|sunday|january|february|march|april|may\b|june|july|august|september|october
      |november|december|yesterday|today|annual|after|before|during|since|until|as\ long)""",
    re.VERBOSE | re.IGNORECASE,
)
_ASKS_NAME = re.compile(
    r"""\bwho(?:m|se)?\b | \bname\ of\b | \bcalled\b | \bnamed\b
      | \b(?:which|what)\ (?:\w+\ ){0,2}(?:journalist|reporter|person|official|officer|general
        |minister|politician|leader|ambassador|diplomat|expert|analyst|professor|author)s?\b""",
    re.VERBOSE | re.IGNORECASE,
)
_ASKS_PLACE = re.compile(r"^\W*(?:and\ |but\ |so\ )?where\b", re.IGNORECASE)
_TIME = frozenset(
    stem(word)
    for word in """monday tuesday wednesday thursday friday saturday sunday january february march
    april may june july august september october november december day week month year recent last
    next today yesterday morning evening held took place according passage text""".split()
)
"""What answers neither who nor where."""


def covered(sentence: str, quotes: Iterable[str]) -> float:
    """How many of the telling words of ``sentence`` stand in ``quotes``: 0 to 1."""
    words = words_of(sentence)
    held = frozenset[str]().union(*map(words_of, quotes))
    return sum(holds(held, word) for word in words) / len(words) if words else 1.0


def fits(question: str, answer: str) -> float:
    """0 if ``question`` asks for a number, time, name or place, and ``answer`` has none; else 1."""
    asked, said = claim_of(question), claim_of(answer)
    for asks, tells in ((_ASKS_NUMBER, _QUANTITY), (_ASKS_TIME, _MOMENT)):
        if asks.search(question):
            known = {word.lower() for word in tells.findall(question)}
            found = {word.lower() for word in tells.findall(answer)}
            return float(bool(said.numbers - asked.numbers or found - known))
    if _ASKS_NAME.search(question):
        told = (said.names | said.starts) - said.given
    elif _ASKS_PLACE.search(question):
        told = said.words
    else:
        return 1.0
    return float(any(not holds(asked.words, word) for word in told - _TIME))


@dataclass(frozen=True, slots=True)
class Signs:
    """What speaks for an answer."""

    odds: float  # of the model's yes against its no, when it reads only the quotes; a logarithm
    confidence: float = 0.0  # mean log-probability of the tokens it wrote; at most 0
    covered: float = 0.0  # how many words of the least covered sentence its quotes hold, 0 to 1
    fits: float = 0.0  # 1 unless the question asks for a number, time, name or place, and has none

    @property
    def probability(self) -> float:
        """How likely it is that the answer answers the question, 0 to 1."""
        signs = asdict(self) | {"constant": 1.0}
        logit = sum(weight * signs[name] for name, weight in _WEIGHTS.items())
        return 1 / (1 + math.exp(-logit))
