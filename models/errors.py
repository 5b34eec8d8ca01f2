"""Every failure that a user can meet, in one tree.

    FootnoteError
    ├── ModelError       a model is unknown, missing, damaged, or cannot be fetched
    ├── DocumentError    one file, or a whole folder of them, cannot be read
    ├── StoreError       an index is missing, damaged, locked, or made with another embedder
    └── QuestionError    a question is empty or too long

The message is one sentence: what is wrong, and the command or setting that mends it.
The command line prints it and exits with 1; the page shows it in place of an answer.
"""


class FootnoteError(Exception):
    """A failure with a remedy; its message is written for the user."""


class ModelError(FootnoteError):
    """A model is unknown, missing, damaged, or cannot be fetched."""


class DocumentError(FootnoteError):
    """A file, or a folder of files, cannot be read."""


class StoreError(FootnoteError):
    """An index is missing, damaged, locked, or made with another embedding model."""


class QuestionError(FootnoteError):
    """A question is empty or too long."""
