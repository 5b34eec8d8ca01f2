"""An answer as it goes to others: the same record for the command line, HTTP, clients and tools."""

from pydantic import BaseModel, ConfigDict, Field

from index.records import Hit
from rag.answerable import Signs
from rag.records import Answer, Citation, Sentence, Timings


class AnswerRecord(BaseModel):
    """An answer, and where each of its sentences stands in the documents."""

    model_config = ConfigDict(from_attributes=True, frozen=True)

    question: str
    query: str = Field(description="What was searched for: the question, with what it leans on.")
    text: str
    marked_text: str = Field(description="The text with the numbers of its citations: [1].")
    is_refusal: bool = Field(description="The documents do not answer the question.")
    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...] = Field(description="Each citation once, by number.")
    hits: tuple[Hit, ...] = Field(description="The passages that were found.")
    model: str
    signs: Signs | None
    timings: Timings

    @classmethod
    def of(cls, answer: Answer) -> "AnswerRecord":
        """The record of ``answer``."""
        return cls.model_validate(answer)


def notes(answer: Answer) -> str:
    """The text with its marks, then each numbered quote and its place, as ``print`` shows it."""
    return str(answer)
