"""Whether an answer answers its question: the one decision to refuse, from all its signs.

A small model refuses much that it could answer when it may, and answers nearly everything
when it may not. So it writes without leave to refuse, and when it has written says with one word
whether the quotes alone answer the question, for three lines mislead it less than thirty. How
sure that word is, how sure the model was of what it wrote, whether it spoke of “the passage”, and
how many of its words the quotes hold, decide together: a logistic regression, whose weights
``benchmarks.train_refusal`` finds and keeps in answerable.json. What names nothing of the kind
that was asked for is no answer.
"""

import json
import math
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from index.claims import claim_of, holds, stem, words_of

STRICTNESS = 0.6
"""The default: an answer is given when it is this likely. A wrong one costs more than none."""

_WEIGHTS: dict[str, float] = json.loads(
    Path(__file__).with_name("answerable.json").read_text(encoding="utf-8")
)["weights"]

_ASKS_YES_OR_NO = re.compile(
    r"""^\W*(?:(?:and|but|so|then)\ )?(?:is|are|was|were|am|do|does|did|has|have|had|can|could|will
      |would|shall|should|may|might|must)(?:n['’]t)?\b""",
    re.VERBOSE | re.IGNORECASE,
)
_ASKS = re.compile(
    r"""\b(?:
        (?P<number> how\ (?:many|much)\b
          | (?:what|which)\ (?:percentage|percent|number|amount|share)\b)
      | (?P<time> when\b | how\ (?:long|old|often|soon)\b
          | (?:what|which)\ (?:year|month|week|day|date|time)\b)
      | (?P<name> (?:which|what)\ (?:\w+\ ){0,2}(?:journalist|reporter|person|official|officer
            |general|minister|politician|leader|ambassador|diplomat|expert|analyst|professor|author)s?\b
          | what\ (?:is|was)\ (?:\w+\ ){0,3}name\b)
      | (?P<place> where\b)
      | (?P<degree> how\ (?!(?:am|is|are|was|were|do|does|did|has|have|had|can|could|will|would
          |shall|should|may|might|must|to)\b))
      | (?P<other> (?:how|why|what|which|who|whom|whose)\b)
    )""",
    re.VERBOSE | re.IGNORECASE,
)
"""The first of these in a question says for what kind of thing it asks."""

_LEAD = 3
"""Words before it, where no question mark says that it asks: “in about which year”."""

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
_LOCATION = re.compile(
    r"""\b(?:in|at|near|on|outside|inside|from|to|into|over|across|along|off|between|behind
      |throughout)\ (?=((?:[\w'’.-]+\ ?){1,5}))""",
    re.VERBOSE | re.IGNORECASE,
)
_EMPTY = frozenset(
    stem(word)
    for word in """monday tuesday wednesday thursday friday saturday sunday january february march
    april may june july august september october november december day week month year recent last
    next today yesterday morning evening held took place according passage text""".split()
)
"""What answers neither who nor where nor what."""


def covered(sentence: str, quotes: Iterable[str]) -> float:
    """How many of the telling words of ``sentence`` stand in ``quotes``: 0 to 1."""
    words = words_of(sentence)
    held = frozenset[str]().union(*map(words_of, quotes))
    return sum(holds(held, word) for word in words) / len(words) if words else 1.0


def fits(question: str, answer: str) -> bool:
    """Whether ``answer`` has something of the kind that ``question`` asks for.

    Asked for a number, time, name or place, it must hold one that the question does not;
    asked for anything else than yes or no or “how rich?”, something that the question does not.
    """
    asks = _ASKS.search(question)
    if not asks or asks["degree"] or _ASKS_YES_OR_NO.search(question):
        return True
    if not question.endswith("?") and len(question[: asks.start()].split()) > _LEAD:
        return True  # “Repairs take months, during which it rains” asks nothing
    asked, said = claim_of(question), claim_of(answer)
    if asks["number"] or asks["time"]:
        tells = _QUANTITY if asks["number"] else _MOMENT
        known = {word.lower() for word in tells.findall(question)}
        found = {word.lower() for word in tells.findall(answer)}
        return bool(said.numbers - asked.numbers or found - known)
    names = said.names | said.starts
    if asks["name"]:
        told = names - said.given
    elif asks["place"]:
        told = names.union(*map(words_of, _LOCATION.findall(answer)))
    elif said.numbers - asked.numbers:
        return True
    else:
        told = said.words
    return any(not holds(asked.words, word) for word in told - _EMPTY)


@dataclass(frozen=True, slots=True)
class Signs:
    """What speaks for an answer."""

    odds: float  # of the model's yes against its no, when it reads only the quotes; a logarithm
    confidence: float = 0.0  # mean log-probability of the tokens it wrote; at most 0
    covered: float = 0.0  # how many words of the least covered sentence its quotes hold, 0 to 1
    direct: bool = False  # whether it does not begin with “According to the passage” or its like
    fits: bool = False  # whether it holds a thing of the kind that is asked for

    @property
    def probability(self) -> float:
        """How likely it is that the answer answers the question, 0 to 1."""
        if not self.fits:
            return 0.0
        signs = asdict(self) | {"constant": 1.0}
        logit = sum(weight * signs[name] for name, weight in _WEIGHTS.items())
        return 1 / (1 + math.exp(-logit))
