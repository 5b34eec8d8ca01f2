"""Every failure that a user can meet, in one tree.

    FootnoteError
    ├── ModelError       a model is unknown, missing, damaged, or cannot be fetched
    ├── DocumentError    one file, or a whole folder of them, cannot be read
    │   └── PassingError for a reason that is not in the file: it is tried again
    ├── StoreError       an index is missing, damaged, locked, or made with another embedder
    ├── WorkersError     the workers that build an index cannot be had, or were lost
    ├── QuestionError    a question is empty, too long, or about no document
    ├── HistoryError     the conversations of before cannot be read or written
    └── EvaluationError  a file of questions cannot be read

The message is one sentence: what is wrong, and the command or setting that mends it.
The command line prints it and exits with 1; the page shows it in place of an answer.
"""


class FootnoteError(Exception):
    """A failure with a remedy; its message is written for the user."""


class ModelError(FootnoteError):
    """A model is unknown, missing, damaged, or cannot be fetched."""


class DocumentError(FootnoteError):
    """A file, or a folder of files, cannot be read."""


class PassingError(DocumentError):
    """A file cannot be read for a reason that is not in it, so it is tried again."""


class StoreError(FootnoteError):
    """An index is missing, damaged, locked, or made with another embedding model."""


class WorkersError(FootnoteError):
    """The workers that build an index cannot be had, or were lost."""


class QuestionError(FootnoteError):
    """A question is empty or too long, or for documents that are not there."""


class HistoryError(FootnoteError):
    """The conversations of before cannot be read or written."""


class EvaluationError(FootnoteError):
    """What is measured with, such as a file of questions, is not there or cannot be read."""
