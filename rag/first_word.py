"""What an answer's first word says, yes or no, as a server tells of it."""

import math
import re
from collections.abc import Mapping

CLEAR_WORD = 2.0
"""What a bare Yes counts as, a logarithm of odds, where no probabilities are told.

More than what makes a sentence clearly an answer (``rag.choose``); a bare No is its opposite.
"""

_MOST_ODDS = 20.0
"""A logarithm of odds; some servers tell -9999 of what they hold impossible."""


def odds(logprobs: Mapping[str, float]) -> float:
    """How much likelier a yes than a no is, of the likeliest words; the log of the ratio.

    Of a word that is not among them no more is known than that it is no likelier than they are.
    0 if neither is.
    """

    def likeliest(word: str) -> float | None:
        spelt = (logprob for token, logprob in logprobs.items() if token.strip().lower() == word)
        return max(spelt, default=None)

    yes, no = likeliest("yes"), likeliest("no")
    if yes is None and no is None:
        return 0.0
    least = min(logprobs.values())
    ratio = (least if yes is None else yes) - (least if no is None else no)
    return max(-_MOST_ODDS, min(_MOST_ODDS, ratio))


def odds_of_text(text: str) -> float:
    """The same, where only the word itself is known: ``CLEAR_WORD`` for yes or against it, or 0."""
    word = re.match(r"\W*(yes|no)\b", text, re.IGNORECASE)
    return math.copysign(CLEAR_WORD, 1 if word[1].lower() == "yes" else -1) if word else 0.0
