"""A question in, an answer with footnotes out: the public Python API.

from rag import Chat

chat = Chat.open()
print(chat.ask("How many Russian soldiers landed near Caracas?"))
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.chat import Chat
    from rag.records import (
        REFUSAL,
        Answer,
        Citation,
        Done,
        Retrieved,
        Sentence,
        SentenceDone,
        Token,
    )

__all__ = [
    "REFUSAL",
    "Answer",
    "Chat",
    "Citation",
    "Done",
    "Retrieved",
    "Sentence",
    "SentenceDone",
    "Token",
]


def __getattr__(name: str) -> Any:
    """Loads a public name at its first use, so that the command line starts at once."""
    import importlib  # noqa: PLC0415

    if name not in __all__:
        raise AttributeError(f"module 'rag' has no attribute {name!r}")
    return getattr(importlib.import_module("rag.chat" if name == "Chat" else "rag.records"), name)
