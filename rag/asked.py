"""What kind of thing a question asks for, and whether an answer gives such a thing.

The first question word tells the kind. What an answer gives must stand in its quotes, too: a
support check that weighs all words may let one pass that nothing holds, but not the one that
the question is about.
"""

import re
from collections.abc import Sequence

from index.claims import LIGHT, SAYS, claim_of, covered, holds, stem, words_of
from rag.voices import is_quotation, speaks

QUESTION_WORD = "(?:who|whom|whose|what|when|where|why|how|which)"

_DOES = """(?:am|is|are|was|were|do|does|did|has|have|had|can|could|will|would|shall|should|may
    |might|must)"""
_SAY = """(?:say|said|tell|told|claim|argue|state|call|warn|write|announce|suggest|think|believe
    |demand|report)"""

_YES_OR_NO = re.compile(
    rf"^\W*(?:(?:and|but|so|then)\ )?{_DOES}(?:n['’]t)?\b", re.VERBOSE | re.IGNORECASE
)

_KINDS = {
    "number": r"""how\ (?:many|much|old)
      | (?:what|which)\ (?:percentage|percent|number|amount|share)
      | what\ (?:is|was|are|were)\ (?:[\w'’-]+\ ){0,3}(?:rate|price|population|number|amount
        |percentage|share|budget|salary|age|height|weight)s?""",
    "duration": r"how\ long(?!\ ago)",
    "clock": r"(?:what|which)\ (?:time|hour)",
    "time": r"when | how\ (?:long|often|soon) | (?:what|which)\ (?:year|month|week|day|date)",
    "name": rf"""(?:which|what)\ (?!{_DOES}\b)(?:\w+\ ){{0,2}}(?:(?:journalist|reporter|person
        |official|officer|general|minister|politician|leader|ambassador|diplomat|expert
        |analyst|professor|author|model|newspaper|magazine|bank)s?
        |(?:compan|countr|cit|agenc)(?:y|ies))
      | what\ (?:is|was|are|were)\ (?:\w+\ ){{0,3}}names?""",
    "place": r"""where | (?:in|at|to|into|from|near)\ (?:which|what)\ (?:\w+\ ){0,2}
        (?:cit(?:y|ies)|countr(?:y|ies)|(?:town|airport|port|region|province|place)s?)""",
    "speaker": rf"who\ (?:(?:has|have|had)\ )?{SAYS}",
    "words": rf"what\ (?:else\ )?{_DOES}\ (?P<by>(?:[\w.'’-]+\ ){{1,6}}?){_SAY}",
    "cause": r"what\ (?:(?:has|have|had)\ )?(?:caused?|causes|triggered|sparked|provoked|prompted)",
    "role": r"""who\ (?:is|was)\ (?:the\ (?P<of>[a-z][a-z -]*?)\ (?:of|for)
        | (?:[\w.-]+\ ){0,5}[\w.-]+['’]s?\ (?P<whose>[a-z][a-z -]*)(?=\W*$))""",
    "degree": rf"how\ (?!(?:{_DOES}|to)\b)",
    "other": QUESTION_WORD,
}
_ASKS = re.compile(
    rf"\b(?:{'|'.join(rf'(?P<{kind}>{asks})' for kind, asks in _KINDS.items())})\b",
    re.VERBOSE | re.IGNORECASE,
)

_COUNTED = re.compile(
    rf"\bhow\ many\ ((?:(?!(?:{_DOES}|of|by|in|on|at|to|from|with)\b)[\w'’-]+\ ?){{1,4}})",
    re.VERBOSE | re.IGNORECASE,
)
"""What a question wants counted: “how many *military experts* were …”."""

_LEAD = 3
"""Words before it, where no question mark says that it asks: “in about which year”."""

_CALENDAR = """monday tuesday wednesday thursday friday saturday sunday january february march
    april may june july august september october november december"""
_DAY_OR_MONTH = "|".join(_CALENDAR.split()).replace("may", r"may\b")
_UNIT = r"(?:second|minute|hour|day|night|week|month|year|decade|centur)"
_TELLS = {
    "number": re.compile(
        r"""\b(?:hundred|thousand|million|billion|dozen|percent|half|twice|third|quarter|several
          |few\b|none\b|no\b|one\b|single|most\b|all\b)""",
        re.VERBOSE | re.IGNORECASE,
    ),
    "duration": re.compile(
        rf"\b[\w.,]+[\s-]{_UNIT} | \b(?:since|until|as\ long|permanent|indefinite)",
        re.VERBOSE | re.IGNORECASE,
    ),
    "clock": re.compile(
        r"\d[:.]\d\d | \d\ ?[ap]\.?m\b | \b(?:noon|midnight|o['’]clock|dawn|dusk|morning|evening)",
        re.VERBOSE | re.IGNORECASE,
    ),
    "time": re.compile(
        rf"""\b(?:{_UNIT}|{_DAY_OR_MONTH}|yesterday|today
          |annual|after|before|during|since|until|as\ long)""",
        re.VERBOSE | re.IGNORECASE,
    ),
}
"""What tells a number, a time: the words for it beside the numbers themselves."""

_LOCATION = re.compile(
    r"""\b(?:in|at|near|on|outside|inside|from|to|into|over|across|along|off|between|behind
      |throughout)\ (?=((?:[\w'’.-]+\ ?){1,5}))""",
    re.VERBOSE | re.IGNORECASE,
)
_CAUSE = re.compile(
    r"\b(?:caus|because|due to|owing|result|le(?:d|ads?)\b|trigger|spark|provo|prompt|blam|reason"
    r"|factors?\b|contribut\w+ to\b|brought (?:about|on)\b)",
    re.IGNORECASE,
)
"""What tells that one thing is there because of another."""

_THE_TEXT = frozenset(map(stem, "author writer article text report document source page".split()))
"""Who says all that is not said by others: “what does the author say about it?”."""

_ABOUT = re.compile(r"\b(?:about|regarding|concerning)\ (.+)", re.IGNORECASE)
_PRONOUN = re.compile(r"\b(?:he|she|it|they|him|her|them|his|its|their)\b", re.IGNORECASE)

_VAGUE = re.compile(r"\b(?:main|primary|key)\ (?=\w)", re.IGNORECASE)
"""What a role is called that a document may leave out: its *main* rival."""

_NOT = re.compile(r"(?<!\bor )\bnot\b.*", re.IGNORECASE)
"""What follows a “not”, but for “whether or not”."""

_SAID_AGAIN = 0.7
"""How much of it the quotes must hold where the answer has nothing of its own: “Yes, it did.”."""

_QUOTED = re.compile(r'["“][^"“”]+["”]?')

_SHORT = 3
"""Words of an answer that is nothing but the place: “Caracas.”."""

_EMPTY = LIGHT | frozenset(
    stem(word)
    for word in f"""{_CALENDAR} day week month year recent last next today yesterday morning
    evening according passage text say said argue claim state believe report add tell""".split()
)
"""What answers neither who nor where nor what."""


def fits(
    question: str,
    answer: str,
    quotes: Sequence[str],
    *,
    said: float = 1.0,
    is_chosen: bool = False,
    before: str = "",
) -> bool:
    """Whether ``answer`` gives a thing of the kind that ``question`` asks for, as ``quotes`` do.

    Asked for a number, time, name or place, it must give one that the question does not; asked
    for anything else than yes or no or “how rich?”, something that the question does not. Asked
    what somebody said, the quotes must let them speak, of whom it names; asked for a cause, they
    must tell of one. Asked whether something is so, or who said it, the quotes must say it;
    ``said`` is how much of the answer they say, also in other words. What the question denies
    (“who was not …?”) the quotes must not assert. An answer that is the chosen sentence itself, not
    the model's words, may call what is counted by another name. ``before`` is the question that
    ``question`` leans on.
    """
    asks = _ASKS.search(question)
    if _YES_OR_NO.search(question):
        return said >= _SAID_AGAIN
    if _asserts_what_is_denied(question, " ".join(quotes)):
        return False
    if not asks or asks["degree"]:
        return True
    if not question.endswith("?") and len(question[: asks.start()].split()) > _LEAD:
        return True  # “Repairs take months, during which it rains” asks nothing
    kind = next(kind for kind in _KINDS if asks[kind])
    if kind == "speaker":
        words = question[asks.end() :]
        repeats = covered(words, [answer]) >= _SAID_AGAIN
        is_said = covered(words, quotes) >= _SAID_AGAIN or (repeats and said >= _SAID_AGAIN)
    elif kind == "words":
        by = words_of(asks["by"])
        is_said = bool(by) and by <= _THE_TEXT
        is_said |= any(speaks(by, quote) or is_quotation(quote) for quote in quotes)
        is_said = is_said and _is_about(question[asks.end() :], quotes)
    elif kind == "cause":
        is_said = any(map(_CAUSE.search, quotes))
    elif kind == "number":
        is_said = is_chosen or _counts(question, answer)
    else:
        role = _VAGUE.sub("", asks["of"] or asks["whose"] or "")
        is_said = covered(role, quotes) == 1.0
    return is_said and _gives(kind, answer, " ".join(quotes), question=question, before=before)


def _asserts_what_is_denied(question: str, quoted: str) -> bool:
    """Whether what ``question`` denies is so in ``quoted``: “Who was not …?”, “Ann was …”.

    Only after a “not”, for “why didn't Ann …” denies no Ann; and not where something turns, for
    “all went but Ann” says who did not.
    """
    not_so = _NOT.search(question)
    if not not_so:
        return False
    denied = claim_of(not_so[0]).denied - claim_of(question).names
    said = claim_of(quoted)
    return not said.turns and any(
        holds(said.stated - said.denied, word) and not holds(said.denied, word) for word in denied
    )


def _counts(question: str, answer: str) -> bool:
    """Whether ``answer`` speaks of what ``question`` wants counted: planes are no soldiers."""
    counted = _COUNTED.search(question)
    if not counted:
        return True
    things, said = claim_of(counted[1]), words_of(answer)
    nouns = things.words - things.names - things.starts
    return not nouns or any(holds(said, noun) for noun in nouns)


def _is_about(rest: str, quotes: Sequence[str]) -> bool:
    """Whether ``quotes`` speak of one whom ``rest`` names, “say *about Ann*”, or of some “she”."""
    about = _ABOUT.search(rest)
    if not about:
        return True
    topic = claim_of(about[1])
    names = topic.names | topic.starts
    quoted = " ".join(quotes)
    held = words_of(quoted)
    return not names or bool(_PRONOUN.search(quoted)) or any(holds(held, name) for name in names)


def asks_for_number(question: str) -> bool:
    """Whether ``question`` asks how many or how much."""
    asks = _ASKS.search(question)
    return bool(asks and asks["number"])


def _gives(kind: str, answer: str, quoted: str, *, question: str, before: str) -> bool:
    """Whether ``answer`` and ``quoted`` have a thing of that kind that the questions have not."""
    asked, said = claim_of(f"{before} {question}"), claim_of(answer)
    if kind in _TELLS:
        told = (_told(kind, answer) - _told(kind, question)) & _told(kind, quoted)
        return bool(told or (kind in ("number", "time") and said.numbers - asked.numbers))
    words = said.words
    if kind in ("speaker", "name"):
        own = claim_of(_QUOTED.sub("", answer))  # who speaks stands outside, and what begins there
        words = own.words if kind == "speaker" else (own.names | own.starts) - own.given
    elif kind == "place" and len(answer.split()) > _SHORT:
        words = frozenset[str]().union(*map(words_of, _LOCATION.findall(answer)))
    elif said.numbers - asked.numbers:
        return True
    held = words_of(quoted)
    news = (word for word in words - _EMPTY if not holds(asked.words, word))
    return any(holds(held, word) for word in news)


def _told(kind: str, text: str) -> frozenset[str]:
    return frozenset(" ".join(told.lower().split()) for told in _TELLS[kind].findall(text))
