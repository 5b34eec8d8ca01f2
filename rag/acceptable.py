"""Which questions can be asked at all."""

from models.errors import QuestionError

LONGEST_QUESTION = 4000
"""Characters: some patterns take for ever over one endless word."""

_MOST_WORDS = 400
"""A longer question would crowd out the passages."""


def check_question(question: str) -> str:
    """The question with its white space made single.

    Raises QuestionError if it is empty, has more than 400 words, or is not ``acceptable``.
    """
    question = " ".join(question.split())
    if not question:
        raise QuestionError("The question is empty: type what you want to know.")
    words = question.count(" ") + 1
    if words > _MOST_WORDS:
        raise QuestionError(
            f"The question has {words:,} words, more than the {_MOST_WORDS} that can be "
            "read with the passages: shorten it."
        )
    return acceptable(question)


def acceptable(question: str) -> str:
    """``question``, if it may be looked at at all: much of that takes long for a long one.

    Raises QuestionError if it is too long, or no text; JSON can hold half a character.
    """
    if len(question) > LONGEST_QUESTION:
        raise QuestionError(
            f"The question has {len(question):,} characters, more than the {LONGEST_QUESTION:,} "
            "that are read: shorten it."
        )
    if not is_text(question):
        raise QuestionError("The question is not written as UTF-8: type it again.")
    return question


def is_text(text: str) -> bool:
    """Whether ``text`` can be stored and sent."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
