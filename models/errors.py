"""Every failure that a user can meet, in one tree.

    FootnoteError
    ├── ModelError       a model is unknown, missing, damaged or not to be had, or its server fails
    ├── DocumentError    one file, or a whole folder of them, cannot be read
    │   └── PassingError for a reason that is not in the file: it is tried again
    ├── StoreError       an index is missing, damaged, locked, or made with another embedder
    ├── WorkersError     the workers that build an index cannot be had, or were lost
    ├── QuestionError    a question is empty, too long, or about no document
    ├── BusyError        too many questions wait already
    ├── TimeLimitError   a stage of an answer took longer than it may
    ├── StoppingError    the program is about to end, and takes no further question
    ├── HistoryError     the conversations of before cannot be read or written
    ├── AccountError     the users cannot be read or written, or are not as they must be
    └── EvaluationError  a file of questions cannot be read

The message is one sentence: what is wrong, and the command or setting that mends it.
The command line prints it and exits with 1; the page shows it in place of an answer.
"""


class FootnoteError(Exception):
    """A failure with a remedy; its message is written for the user."""


class ModelError(FootnoteError):
    """A model is unknown, missing, damaged, or cannot be fetched, or its server does not answer."""


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


class BusyError(FootnoteError):
    """Too many questions wait already; ``seconds`` is when it is worth asking again."""

    def __init__(self, message: str, *, seconds: float) -> None:
        """``message`` is written for the user, as any."""
        super().__init__(message)
        self.seconds = seconds


class TimeLimitError(FootnoteError):
    """A stage of an answer took longer than it may."""


class StoppingError(FootnoteError):
    """The program is about to end, and takes no further question."""


class HistoryError(FootnoteError):
    """The conversations of before cannot be read or written."""


class AccountError(FootnoteError):
    """The file of the users fails, or a name, a password or an address is not as it must be."""


class EvaluationError(FootnoteError):
    """What is measured with, such as a file of questions, is not there or cannot be read."""
