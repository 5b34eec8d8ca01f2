"""Who speaks in a text: what its verbs of speech have for their subjects.

Told without a parser: by what stands before the verb up to the next mark, or, where the verb is
parted from its subject (“Ann, a reporter, wrote”, “Ann met Bob and said”), by what begins the
sentence.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import takewhile

from index.claims import holds, plain, words_of

_TOKEN = re.compile(r"[^\W_](?:[\w'’-]|[.,](?=\d))*|[,;:.!?()“”\"]")

_SPEECH = re.compile(
    r"""(?:sa(?:y|id)|tell|told|claim|argu|stat(?:e[ds]?|ements?|ing)$|call|warn|add(?:s|ed|ing)$
      |report(?!er|edly)|wr[io]t|announc|suggest|impl(?:y|ie)|hint|accus|den(?:y|ie)|believ
      |th(?:ink|ought)|insist|demand|urg|fear|hop(?:e|ing)|want|express|oppos(?:e[ds]?|ing)$
      |reject|quot|words?$|repeat|reiterat|declar|promis|ask|agree|welcom|condemn|respon|answer
      |react|account|comment|remark|opinion|explain|describ|repl(?:y|ie)|dismiss|not(?:e[ds]|ing)$
      |speculat|question|doubt|threaten|hold(?:s|ing)?$|held$|assum|assert|stress|emphasi
      |acknowledg|admit|confirm|voice|cit(?:e[ds]|ing)$|request|appeal|vow|pledg|regard|view|sees?$
      |according$|coin(?:ed|ing|s)$|nam(?:e[ds]?|ing)$|term(?:ed|s)$|label|propos|recommend
      |advis(?!or|er)|order|conclud|estimat|introduc|publish|predict|present(?:ed|s|ing)$|advocat
      |theori|hypothesi)""",
    re.VERBOSE | re.IGNORECASE,
)
"""How a word begins that tells of speech or opinion."""

_QUOTES = re.compile('["“”]')
_IS = frozenset("is are was were be been being".split())
_BETWEEN = frozenset("has have had also again once then later still".split())
"""What may stand between a subject and its verb."""

_AND = frozenset("and or but".split())
_WHO = frozenset("who which that whose".split())
_CLAUSES = frozenset(
    "that whether if because while although though when where since until than".split()
)
"""What a part of a sentence begins with that has a subject of its own."""

_ARTICLES = frozenset("the a an its his her their".split())
_TURNED = re.compile(r"sa(?:ys?|id)$|wr(?:ites?|ote)$", re.IGNORECASE)
"""Verbs that their subject may follow without a quotation before them: “…, says the report”."""

_REACH = 8
"""Words that a subject is looked for among."""

_BEGINNING = 6
"""Words that it is looked for among where it begins the sentence, far from the verb."""

_OPENING = frozenset(
    "on in at for while after before since during last this also however meanwhile earlier when as"
    " but with".split()
)
"""What begins the part of a sentence before its subject: “On Sunday, Ann met Bob and said”."""


def speaks(who: frozenset[str], text: str) -> bool:
    """Whether one of ``who``, stems of names, says something in ``text``; anybody, if it is empty.

    Whoever is only spoken of does not: in “Trump supports Guaido, the article says” neither.
    """
    found = voices(text)
    return any(holds(voice, name) for voice in found for name in who) if who else bool(found)


def is_quotation(text: str) -> bool:
    """Whether ``text`` begins as the words of somebody whom it does not name."""
    return bool(_QUOTES.match(text)) and not any(voices(text))


@lru_cache(maxsize=4096)
def voices(text: str) -> tuple[frozenset[str], ...]:
    """The stems of who may be meant as the speaker, for each speech of ``text``."""
    tokens = _TOKEN.findall(plain(text))
    return tuple(
        words_of(" ".join(subject))
        for at, token in enumerate(tokens)
        for subject in _subjects(tokens, at, token)
    )


def _subjects(tokens: Sequence[str], at: int, token: str) -> Iterator[Sequence[str]]:
    """What may be the subject of the word there, if that tells of speech."""
    following = "".join(tokens[at + 1 : at + 2])
    if token == ":" and _QUOTES.match(following):
        yield _beginning(tokens, at)
    if not _SPEECH.match(token):
        return
    before = _clause(tokens[at - 1 :: -1] if at else ())[::-1]
    if token.lower() == "according":
        yield _words(tokens[at + 1 :])
    elif _is_passive(before, token):
        after = _words(tokens[at + 1 :])  # “was called so by Ann”
        yield after[after.index("by") :] if "by" in after else _opening(tokens, at)
    else:
        while before and before[-1].lower() in _BETWEEN:
            before.pop()
        is_quoted = at > 0 and bool(_QUOTES.match(tokens[at - 1]))
        if before and before[-1].lower() in _WHO:  # “Ann, who said”
            end = at - len(before)
            yield _words(tokens[max(0, end - 2) :: -1]) + before
        elif before and before[-1].lower() not in _AND:
            yield before
        elif (following[:1].isupper() or following in _ARTICLES) and (
            is_quoted or (not before and _TURNED.match(token))
        ):
            yield _words(tokens[at + 1 :])
        else:
            yield _beginning(tokens, at)


def _is_passive(before: Sequence[str], token: str) -> bool:
    """Whether ``token`` follows an “is”, but for an adverb, and not as in “is saying”."""
    verbs = [word for word in before if word.lower() not in _BETWEEN and word[-2:] != "ly"]
    return bool(verbs) and verbs[-1].lower() in _IS and not token.endswith("ing")


def _clause(tokens: Sequence[str]) -> list[str]:
    """The first of ``tokens`` up to a mark or what begins a clause."""
    return list(takewhile(lambda token: token.lower() not in _CLAUSES, _words(tokens)))


def _words(tokens: Sequence[str]) -> list[str]:
    """The first of ``tokens`` up to a mark."""
    return list(takewhile(lambda token: token[0].isalnum(), tokens[:_REACH]))


def _beginning(tokens: Sequence[str], at: int) -> list[str]:
    """What begins the sentence in which the word there stands, after “On Sunday,”."""
    start = _start(tokens, at)
    if opening := _opening(tokens, at):
        start += len(opening) + 1
    words = _words(tokens[start : min(at, start + _BEGINNING)])
    end = start + len(words)
    is_named_apart = words and tokens[end : end + 1] == ["("]  # “a member of it (Ann) said”
    return words + _words(tokens[end + 1 :]) if is_named_apart else words


def _opening(tokens: Sequence[str], at: int) -> list[str]:
    """What stands before the first comma of that sentence, if it is not its subject."""
    words = _words(tokens[_start(tokens, at) : at])
    is_opening = bool(words) and words[0].lower() in _OPENING
    return words if is_opening and len(words) < _REACH else []


def _start(tokens: Sequence[str], at: int) -> int:
    """Where the first word of that sentence is."""
    start = at
    while start and tokens[start - 1] not in ".!?":
        start -= 1
    while start < at and not tokens[start][0].isalnum():
        start += 1
    return start
