"""The questions of an evaluation: from a JSONL file, or a folder in the BEIR format."""

import csv
import json
import random
import re
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from models.errors import EvaluationError
from models.paths import evaluation_folder


@dataclass(frozen=True, slots=True)
class Gold:
    """Where an answer stands: in a document, or in a passage of it."""

    document: str  # Document.id
    quote: str = ""  # the passage, as it stands in the document's text; empty: anywhere in it
    grade: int = 1  # how relevant it is, from 1


@dataclass(frozen=True, slots=True)
class Question:
    """A question whose answer is known, or known not to be in the documents."""

    id: str
    text: str
    answers: tuple[str, ...] = ()  # each of them right; empty if only the retrieval is judged
    gold: tuple[Gold, ...] = ()
    is_answerable: bool = True
    conversation: str = ""  # questions of one name are asked one after the other, in one chat


def read_questions(path: Path) -> list[Question]:
    """The questions in ``path``: a JSONL file, or a folder in the BEIR format.

    A line of a file has ``question``, and may have ``id``, ``answers`` (a list of texts),
    ``answerable`` (true or false), ``documents`` (ids), ``quotes`` (passages of those
    documents, one for each) and ``conversation``. A folder has ``corpus.jsonl``, and
    ``queries.jsonl`` with ``qrels.tsv`` (or ``qrels/test.tsv``), or ``questions.jsonl``,
    whose ``passage`` is the id of the gold record.

    Raises EvaluationError with the line that cannot be read.
    """
    if not path.is_dir():
        return [_question(record, where) for record, where in _records(path)]
    if (path / "questions.jsonl").is_file():
        return [_question(record, where) for record, where in _records(path / "questions.jsonl")]
    judgements = _judgements(path)
    return [
        Question(_text(record, where, "_id"), _text(record, where, "text"), gold=judgements[id_])
        for record, where in _records(path / "queries.jsonl")
        if (id_ := _text(record, where, "_id")) in judgements
    ]


def write_documents(path: Path) -> Path:
    """Writes each record of a BEIR folder's ``corpus.jsonl`` as a file; gives their folder.

    Files that are there already and say the same are left alone, so that an index of them is
    quickly brought up to date.
    """
    folder = evaluation_folder() / path.resolve().name
    folder.mkdir(parents=True, exist_ok=True)
    wanted = set()
    for record, where in _records(path / "corpus.jsonl"):
        file = folder / document_id(_text(record, where, "_id"))
        title = re.sub(r"\s+", " ", str(record.get("title") or "")).replace('"', "”").strip()
        data = f'---\ntitle: "{title}"\n---\n\n{record.get("text") or ""}\n'.encode()
        wanted.add(file)
        if not file.is_file() or file.read_bytes() != data:
            file.write_bytes(data)
    for file in set(folder.iterdir()) - wanted:
        file.unlink()
    return folder


def index_name(path: Path) -> str:
    """The index of the documents that ``write_documents`` makes of the folder ``path``."""
    return f"eval-{path.resolve().name}"


def document_id(record: str) -> str:
    """The id of the document that ``write_documents`` makes of the record with that id."""
    return quote(record, safe="") + ".md"


def drawn(questions: Sequence[Question], count: int, *, seed: int) -> list[Question]:
    """About ``count`` of them, conversations whole; the same ones for the same seed."""
    conversations: dict[str, list[Question]] = {}
    for question in questions:
        conversations.setdefault(question.conversation or f"alone {question.id}", []).append(
            question
        )
    order = list(conversations.values())
    random.Random(seed).shuffle(order)  # noqa: S311  (a sample, not a secret)
    found: list[Question] = []
    for conversation in order:
        if len(found) < count:
            found += conversation
    return found


def normalised(text: str) -> str:
    """Without case, punctuation and articles: how SQuAD compares (Rajpurkar et al. 2016, 4)."""
    plain = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return " ".join(re.sub(r"\b(?:a|an|the)\b", " ", plain).split())


def holds_answer(text: str, question: Question) -> bool:
    """Whether one of the right answers stands in ``text``, so compared."""
    padded = f" {normalised(text)} "
    return any(f" {normalised(answer)} " in padded for answer in question.answers)


def _question(record: dict[str, Any], where: str) -> Question:
    documents = _texts(record, where, "documents")
    quotes = _texts(record, where, "quotes")
    if quotes and len(quotes) != len(documents):
        raise EvaluationError(f"{where} has {len(quotes)} quotes for {len(documents)} documents.")
    gold = [Gold(*pair) for pair in zip(documents, quotes or [""] * len(documents), strict=True)]
    gold += [Gold(document_id(passage)) for passage in _texts(record, where, "passage")]
    is_answerable = record.get("answerable", True)
    if not isinstance(is_answerable, bool):
        raise EvaluationError(f"{where}: “answerable” is neither true nor false.")
    return Question(
        id=_text(record, where, "id", "_id", default=where.rpartition(" ")[2]),
        text=_text(record, where, "question", "text"),
        answers=tuple(_texts(record, where, "answers")),
        gold=tuple(gold),
        is_answerable=is_answerable,
        conversation=_text(record, where, "conversation", default=""),
    )


def _judgements(folder: Path) -> dict[str, tuple[Gold, ...]]:
    """The relevant documents of each query, by the query's id."""
    files = [folder / "qrels.tsv", folder / "qrels" / "test.tsv"]
    file = next((file for file in files if file.is_file()), files[0])
    found: dict[str, tuple[Gold, ...]] = {}
    for number, row in enumerate(csv.reader(_lines(file), delimiter="\t"), start=1):
        if not row or (number == 1 and not row[-1].isdigit()):
            continue  # the first line may name the columns
        if len(row) != 3 or not row[2].isdigit():
            raise EvaluationError(f"{file}, line {number} is not “query, document, grade”.")
        query, record, grade = row
        if int(grade) > 0:
            gold = Gold(document_id(record), grade=int(grade))
            found[query] = (*found.get(query, ()), gold)
    return found


def _records(file: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """Each line's record, and how an error names the line."""
    for number, line in enumerate(_lines(file), start=1):
        if not line.strip():
            continue
        where = f"{file}, line {number}"
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise EvaluationError(f"{where} is not JSON: give one object on each line.") from error
        if not isinstance(record, dict):
            raise EvaluationError(f"{where} is not an object: give one on each line.")
        yield record, where


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").split("\n")  # as JSONL counts its lines
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise EvaluationError(
            f"{file} cannot be read ({reason}): give a JSONL file of questions, or a folder "
            "with corpus.jsonl and its questions (docs/quality.md)."
        ) from error


def _text(record: dict[str, Any], where: str, *keys: str, default: str | None = None) -> str:
    value = next((record[key] for key in keys if key in record), default)
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str) or (default is None and not value.strip()):
        raise EvaluationError(f"{where} has no “{keys[0]}”.")
    return value


def _texts(record: dict[str, Any], where: str, key: str) -> list[str]:
    """The texts under ``key``: a list of them, or one alone."""
    value = record.get(key) or []
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) for one in values):
        raise EvaluationError(f"{where}: “{key}” is not a list of texts.")
    return values
