"""What a text states that can be compared: its telling words, its numbers, its names."""

import math
import re
import threading
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import snowballstemmer

from index.lexical import STOPWORDS


class _Stemmers(threading.local):
    """One for each thread: it holds the word that it works on."""

    def __init__(self) -> None:
        self.stem = snowballstemmer.stemmer("english").stemWord


_STEMMERS = _Stemmers()

_WORD = re.compile(r"[^\W_]+(?:[.,]\d+)*(?:['’][^\W\d_]+)?")
_BETWEEN = "\0"
"""No text has it: readers clean what they read."""
_FULL_STOPS = (".", "!", "?")
_END = "."
"""What stands for the end of a line."""
_ABBREVIATION = re.compile(r"\b(?:[A-Za-z]\.){2,}")
_INSIDE_ABBREVIATION = re.compile(r"\.[A-Za-z]\.")

_SMALL = {
    word: float(value)
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
        " fifteen sixteen seventeen eighteen nineteen".split()
    )
} | {
    word: 10.0 * tens
    for tens, word in enumerate(
        "twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2
    )
}
_LARGE = {
    "hundred": 1e2,
    "thousand": 1e3,
    "million": 1e6,
    "billion": 1e9,
    "trillion": 1e12,
    "bn": 1e9,
    "dozen": 12.0,
}

_UNITS = {
    word: unit
    for unit, words in {
        "time": "second minute hour day week month year decade century",
        "money": "dollar euro ruble rouble bolivar yen yuan cent usd eur",
        "weight": "ton tonne kilogram kilo kg gram pound",
        "length": "kilometer kilometre km metre meter mile foot feet inch",
        "share": "percent percentage",
    }.items()
    for word in words.split()
}
"""What a unit measures; a pound is a weight, also where it is money: both sides say pound."""

_BEFORE_UNITS = frozenset("us american metric square more full whole consecutive".split())
"""What may stand between a number and its unit: “17 billion U.S. dollars”."""

_CURRENCY = {"$": "dollars", "€": "euros", "£": "pounds"}
_PRICE = re.compile(r"([$€£])\s?(\d[\d.,]*\d|\d)(\s?(?:bn|m|k|million|billion|trillion)\b)?")

_LETTERS = str.maketrans({"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ı": "i"})
"""Letters with marks that Unicode does not part from them."""

_PARTICLE = re.compile(r"^\W*(?:yes|no)\b[,.;:!]\s", re.IGNORECASE)
"""What begins a reply; its “no” denies nothing of what follows."""

_LONG_NAME = re.compile(r"\b(?:(United) (States|Kingdom|Nations)|(European) (Union))\b")

_SAME_NAME = {
    "us": "america",
    "usa": "america",
    "american": "america",
    "americans": "america",
    "washington": "america",
    "moscow": "russia",
    "kremlin": "russia",
    "uk": "britain",
    "british": "britain",
}
"""Names that news prose uses for one another."""

_PLACE = re.compile(r"\b(?i:in|near|outside|around)\ (?:Moscow|Washington)\b(?!\ City\b)")
"""Where the city is meant, not its government: “met in Moscow”."""

_NEGATIONS = frozenset(
    "cannot neither never no nobody none nor not nothing nowhere without".split()
)
_REFUSALS = frozenset("decline declined declines fail failed fails refuse refused refuses".split())
"""Verbs that deny what follows them: “refused to rule out”."""

_ALWAYS_SPEECH = r"""said|says|stat(?:ed|es)|claim(?:ed|s)|told|tells|warn(?:ed|s)|argue[ds]
    |explain(?:ed|s)|repl(?:ied|ies)|insist(?:ed|s)|noted|assert(?:ed|s)|describe[ds]"""
_SPEECH_OR_DEED = r"""call(?:ed|s)|add(?:ed|s)|report(?:ed|s)|wrote|writes|announce[ds]
    |suggest(?:ed|s)|implie[ds]|hint(?:ed|s)|accuse[ds]|denie[ds]|believe[ds]|demand(?:ed|s)
    |urge[ds]|respond(?:ed|s)|declare[ds]|confirm(?:ed|s)|repeat(?:ed|s)|stress(?:ed|es)
    |acknowledge[ds]|admit(?:ted|s)"""
"""What tells of speech where a “that” or a quotation follows, but not in “wrote a book”."""

SAYS = rf"(?:{_ALWAYS_SPEECH}|{_SPEECH_OR_DEED})\b"
"""Verbs of reported speech, for verbose patterns."""

_HAS = r"(?:(?:has|have|had|also)\ )*"
_SPEAKER = re.compile(
    rf"""^((?:[\w.'’-]+\ ){{1,6}}?)
      (?<!\b(?:is|be)\ )(?<!\b(?:was|are)\ )(?<!\b(?:were|been)\ )  # “Ann was said to …”
      {_HAS}
      (?!call(?:ed|s)\ \w+\ that\b)  # “called it that because”
      (?:(?:{_ALWAYS_SPEECH})\b | (?:{_SPEECH_OR_DEED})\b(?=.*(?:\bthat\b|["“])))""",
    re.VERBOSE,
)

_HE_SAYS = re.compile(rf"\b(?:he|she|they|who)\ {_HAS}{SAYS}", re.VERBOSE | re.IGNORECASE)

_CONTRACTION = re.compile(r"n['’]t$")
_TURNS = frozenset("but except however instead rather unlike".split())
_NEGATION_REACH = 4
"""Words after a negation among which the one is that it denies."""

_COUNTED = 3
"""Words after a number that may name what it counts: “100 Russian military experts”."""

_SHARED_LETTERS = 5
"""Words with this many first letters in common are forms of one: Venezuela, Venezuelan."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The checkable content of a stretch of text."""

    words: frozenset[str]  # stems of the telling words, those of names included
    names: frozenset[str]  # stems of capitalised words inside a sentence
    given: frozenset[str]  # those of them before another: first names, titles
    starts: frozenset[str]  # stems of capitalised words that begin one, which may be names
    numbers: frozenset[float]  # 17 billion is 17e9; “a hundred” is 100
    measures: frozenset[tuple[float, str]]  # those of them with a unit: (100, "time")
    counts: frozenset[tuple[float, str]]  # numbers with each word of what they count
    denied: frozenset[str]  # stems of the words that a “not” stands before
    stated: frozenset[str]  # stems of those that stand without one, here or elsewhere
    speakers: frozenset[str]  # stems of who says what it tells: “Maria Zakharova said …”
    is_said_by_pronoun: bool  # “he said”: by somebody whom it need not name
    turns: bool  # “but”, “unlike” inside it: what is said of one part may not be said of the other


def claim_of(text: str) -> Claim:
    """Reads ``text``, any stretch of prose, for what it states."""
    read = plain(text)
    matches = list(_WORD.finditer(read))
    tokens = [match.group() for match in matches]
    between = [read[left.end() : right.start()] for left, right in pairwise(matches)]
    starts = {0} | {at for at, gap in enumerate(between, start=1) if re.search(r'[.!?:“"]', gap)}
    telling = [(at, token) for at, token in enumerate(tokens) if _is_telling(token)]
    capitalised = [(at, stem(token)) for at, token in telling if token[0].isupper()]
    places = {at for at, _ in capitalised}
    numbers = _numbers(tokens)
    denied = set(_denied(tokens))
    speaker = _SPEAKER.match(read.lstrip())
    return Claim(
        words=frozenset(stem(token) for _, token in telling),
        given=frozenset(
            word for at, word in capitalised if at + 1 in places and between[at].isspace()
        ),
        names=frozenset(word for at, word in capitalised if at not in starts),
        starts=frozenset(word for at, word in capitalised if at in starts),
        numbers=frozenset(value for value, _ in numbers),
        measures=frozenset(
            (value, unit) for value, end in numbers for unit in [_unit(tokens[end:])] if unit
        ),
        counts=frozenset(
            (value, stem(tokens[at]))
            for value, end in numbers
            for at in range(end, min(end + _COUNTED, len(tokens)))
            if all(gap.isspace() for gap in between[end - 1 : at]) and _is_telling(tokens[at])
        ),
        denied=frozenset(stem(tokens[at]) for at in denied),
        stated=frozenset(stem(token) for at, token in telling if at not in denied),
        speakers=words_of(speaker[1]) if speaker else frozenset(),
        is_said_by_pronoun=bool(_HE_SAYS.search(read)),
        turns=any(token.lower() in _TURNS for at, token in enumerate(tokens) if at not in starts),
    )


def telling_words(text: str) -> list[tuple[str, int, int]]:
    """The stem of each telling word or number of ``text``, and where it stands."""
    return [
        (stem(match.group()), *match.span())
        for match in _WORD.finditer(text)
        if match.group().lower() not in STOPWORDS
    ]


def words_of(text: str) -> frozenset[str]:
    """The stems of the telling words of ``text``, as in its claim."""
    stems = map(_telling_stem, _WORD.findall(plain(text)))
    return frozenset(found for found in stems if found is not None)


def _stem(word: str) -> str:
    """``word`` without its ending."""
    return str(_STEMMERS.stem(word))


@lru_cache(maxsize=50_000)
def _telling_stem(token: str) -> str | None:
    return stem(token) if _is_telling(token) else None


@lru_cache(maxsize=50_000)
def stem(token: str) -> str:
    """A word without its ending and accents, in lower case; names of one thing made one."""
    word = _without_s(token)
    if word == "us":  # the pronoun; the country is US
        return word
    return _SAME_NAME.get(word.lower()) or _stem(word.lower())


def _without_s(token: str) -> str:
    return re.sub(r"['’]s?$", "", token)


LIGHT = frozenset(
    stem(verb) for verb in "held took taken place occurred occurs happened happens".split()
)
"""What a sentence has for a verb, where the document says “the January election”."""


def holds(words: frozenset[str], wanted: str) -> bool:
    """Whether ``wanted``, a stem, or another form of it is among ``words``."""
    if wanted in words:
        return True
    head = wanted[:_SHARED_LETTERS]
    return len(head) == _SHARED_LETTERS and any(word.startswith(head) for word in words)


def held_in(texts: Sequence[str], wanted: frozenset[str]) -> list[list[frozenset[str]]]:
    """Which of ``wanted``, stems, each sentence of each text holds; for the search, so quick.

    Those that ``holds(words_of(sentence), one)``, but what stands between spaces is looked at once,
    and stemmed only if something in it begins like one that is wanted. A sentence ends where a
    full stop stands before a space, and with its line: good enough to compare words by. At most
    one that holds nothing is told of each text.
    """
    nothing: frozenset[str] = frozenset()
    forms: dict[str, frozenset[str]] = {}
    for word in wanted:
        forms[word[:_SHARED_LETTERS]] = forms.get(word[:_SHARED_LETTERS], nothing) | {word}
    may_hold = _begins_like_one_of(forms)

    def held(piece: str) -> frozenset[str]:
        found = filter(None, map(_telling_stem, _WORD.findall(piece)))
        return nothing.union(*(forms.get(stem[:_SHARED_LETTERS], nothing) for stem in found))

    # All are read as one.
    plain_texts = f" {_BETWEEN} ".join(map(_plain_letters, texts))
    pieces = plain_texts.replace("\n", f" {_END} ").split()
    different = list(set(pieces))
    lowered = " ".join(different).lower().split()
    likely = (piece for piece, low in zip(different, lowered, strict=True) if may_hold(low))
    telling = {piece: words for piece in likely if (words := held(piece))}
    ends = {piece for piece in different if piece.endswith(_FULL_STOPS)}
    seen = telling.keys() | ends | {_BETWEEN}
    sentences: list[list[frozenset[str]]] = [[nothing]]
    for piece in filter(seen.__contains__, pieces):
        if piece == _BETWEEN:
            sentences.append([nothing])
            continue
        sentences[-1][-1] |= telling.get(piece, nothing)
        if piece in ends and sentences[-1][-1]:
            sentences[-1].append(nothing)
    return sentences[: len(texts)]


def _begins_like_one_of(stems: Collection[str]) -> Callable[[str], object]:
    """What finds in a text in lower case something that may be a form of one of ``stems``.

    Of five letters and more four stay: “share” is “sharing”; of fewer, all but the last: “die” is
    “dying”. A “y” may have become an “i”.
    """
    names = {name for name, same in _SAME_NAME.items() if same[:_SHARED_LETTERS] in stems}
    begins = {word[: max(1, min(len(word), _SHARED_LETTERS) - 1)] for word in {*stems, *names}}
    spelled = "|".join(re.escape(begin).replace("i", "[iy]") for begin in begins)
    return re.compile(rf"(?<![^\W\d_])(?:{spelled})").search if begins else lambda text: None


def covered(sentence: str, quotes: Iterable[str]) -> float:
    """How many of the telling words of ``sentence`` stand in ``quotes``: 0 to 1."""
    words = words_of(sentence) - LIGHT
    held = frozenset[str]().union(*map(words_of, quotes))
    return sum(holds(held, word) for word in words) / len(words) if words else 1.0


def weights(words: Iterable[str], among: Sequence[frozenset[str]]) -> dict[str, float]:
    """What each of ``words`` counts: the more, the fewer of the sets ``among`` hold it."""
    return {word: weight(sum(holds(one, word) for one in among), len(among)) for word in words}


def weight(count: int, of: int) -> float:
    """What a word counts that ``count`` texts hold ``of`` so many."""
    return math.log(1 + of / (count + 0.5))


def plain(text: str) -> str:
    """So that ways of writing meet: no accents, US for United States and U.S., 5 dollars for $5.

    The “no” that begins a reply is gone; a city that is no government is called so.
    """
    particle = _PARTICLE.match(text)
    return _plain_letters(text[particle.end() :] if particle else text)


def _plain_letters(text: str) -> str:
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        letters = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
        text = letters.translate(_LETTERS)
    # Each pattern is tried only where it can be found: a search reads a thousand sentences.
    if "$" in text or "€" in text or "£" in text:
        text = _PRICE.sub(_spelled_price, text)
    text = text.replace("%", " percent")
    if "Moscow" in text or "Washington" in text:
        text = _PLACE.sub(r"\g<0> City", text)
    if "United" in text or "European" in text:
        text = _LONG_NAME.sub(_initials, text)
    if _INSIDE_ABBREVIATION.search(text):
        text = _ABBREVIATION.sub(lambda match: match.group().replace(".", ""), text)
    return text


def _spelled_price(price: re.Match[str]) -> str:
    return f"{price[2]}{price[3] or ''} {_CURRENCY[price[1]]}"


def _initials(name: re.Match[str]) -> str:
    return "".join(word[0] for word in name.groups() if word)


def _is_telling(token: str) -> bool:
    """Whether a word says something of its own; numbers do, but are kept apart."""
    word = token.lower()
    return (
        len(word) > 1 and word not in STOPWORDS and not _is_negation(word) and _value(word) is None
    )


def _is_negation(word: str) -> bool:
    return word in _NEGATIONS or bool(_CONTRACTION.search(word))


def _denied(tokens: list[str]) -> Iterator[int]:
    """Where the first telling word after each negation is: “not currently *new*”; no adverbs."""
    words = [token.lower() for token in tokens]
    for at, word in enumerate(words):
        after = words[at + 1 : at + 2]
        is_refused = word in _REFUSALS and after == ["to"]
        if is_refused or (_is_negation(word) and after not in (["only"], ["just"], ["longer"])):
            near = range(at + 1, min(at + 1 + _NEGATION_REACH, len(tokens)))
            yield from [i for i in near if _is_telling(tokens[i]) and words[i][-2:] != "ly"][:1]


def _numbers(tokens: list[str]) -> list[tuple[float, int]]:
    """The numbers that ``tokens`` write, in digits or in words, and where each ends.

    “One” alone is none.
    """
    numbers = []
    value: float | None = None
    is_spelled_one = False
    for at, token in enumerate([*(token.lower() for token in tokens), ""]):
        if value is not None and token in _LARGE:
            value *= _LARGE[token]
            is_spelled_one = False
        elif value is not None and value >= 20 and value % 10 == 0 and _SMALL.get(token, 10) < 10:
            value += _SMALL[token]
        else:
            if value is not None and not is_spelled_one:
                numbers.append((value, at))
            value, is_spelled_one = _value(token), token == "one"
    return numbers


def _unit(tokens: list[str]) -> str | None:
    """What a number before ``tokens`` measures, if they begin with a unit."""
    word = next((t for token in tokens if (t := token.lower()) not in _BEFORE_UNITS), "")
    return _UNITS.get(word) or _UNITS.get(word.removesuffix("s"))


def _value(token: str) -> float | None:
    if token in _SMALL:
        return _SMALL[token]
    if token in _LARGE and token != "bn":
        return _LARGE[token]  # “a hundred”
    digits = re.fullmatch(r"(\d[\d,.]*)(bn|m|k|th|st|nd|rd|s)?", token)
    if not digits:
        return None
    scale = {"bn": 1e9, "m": 1e6, "k": 1e3}.get(digits[2] or "", 1.0)
    text = re.sub(r",(?=\d{3}\b)", "", digits[1]).rstrip(".,")
    try:
        return float(text.replace(",", ".")) * scale
    except ValueError:  # 12.3.2019: a date, not a number
        return None
