"""Stand-ins for the slow parts; they enter where the real ones do."""

import hashlib
import re
from collections.abc import Generator, Iterable, Sequence

import numpy as np

from index.encoders import Reading, Vectors
from index.records import Document, Hit, Passage
from index.split import split
from rag.evidence import Evidences
from rag.generate import Piece
from rag.prompt import Message
from rag.records import REFUSAL
from rag.support import SupportCheck


class WordEmbedder:
    """Embeds a text as its set of words: texts that share words are near each other."""

    name = "words"
    dimension = 64

    def __init__(self, digest: str = "0" * 64) -> None:
        self.digest = digest
        self.embedded: list[str] = []

    def embed(self, texts: list[str]) -> Vectors:
        self.embedded += texts
        vectors = np.full((len(texts), self.dimension), 1e-3, dtype=np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()):
                vectors[row, hashlib.md5(word.encode()).digest()[0] % self.dimension] += 1  # noqa: S324
        unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit

    def embed_query(self, text: str) -> Vectors:
        (vector,) = self.embed([text])
        return np.asarray(vector)

    def read(self, texts: list[str]) -> list[Reading]:
        return [self._reading(text) for text in texts]

    def _reading(self, text: str) -> Reading:
        spans = [match.span() for match in re.finditer(r"\w+", text)]
        tokens = self.embed([text[start:end] for start, end in spans])
        return Reading(self.embed([text])[0], tokens, np.array(spans).reshape(-1, 2))


class Thesaurus(WordEmbedder):
    """Takes the words of each line for one."""

    def __init__(self, *same: str) -> None:
        super().__init__()
        self._same = {word: words.split()[0] for words in same for word in words.split()}

    def embed(self, texts: list[str]) -> Vectors:
        return super().embed([self._same.get(text, text) for text in texts])


class ListSearch:
    """Finds the passages that share most words with the query, among a few documents."""

    def __init__(self, *documents: Document) -> None:
        self._documents = {document.id: document for document in documents}
        self._embedder = WordEmbedder()
        self.queries: list[str] = []
        self.successor: ListSearch | None = None

    def current(self) -> "ListSearch":
        return self.successor or self

    def search(self, query: str, *, limit: int) -> list[Hit]:
        self.queries.append(query)
        passages = [p for document in self._documents.values() for p in split(document)]
        near = [(float(self._near(query, passage)), passage) for passage in passages]
        near.sort(key=lambda pair: pair[0], reverse=True)
        return [Hit(passage, score / 61, score) for score, passage in near[:limit]]

    def only(self, documents: Iterable[str] | None, /) -> "ListSearch":
        if documents is None:
            return self
        return ListSearch(*(self._documents[id_] for id_ in sorted(set(documents))))

    def _near(self, query: str, passage: Passage) -> float:
        words = set(re.findall(r"\w{4,}", query.lower()))
        return len(words & set(re.findall(r"\w{4,}", passage.text.lower()))) / (len(words) or 1)

    def document(self, id_: str, /) -> Document | None:
        return self._documents.get(id_)

    def document_ids(self) -> list[str]:
        return sorted(self._documents)

    def read(self, texts: list[str]) -> list[Reading]:
        return self._embedder.read(texts)


class ScriptedModel:
    """Writes the given texts, one each time it is asked, a word at a time; then refuses.

    ``odds`` is what it says when it is asked whether the passages answer the question;
    ``logprobs`` how sure it is of each word of each text.
    """

    name = "scripted"

    def __init__(self, *texts: str, odds: float = 0.9, logprobs: Sequence[float] = ()) -> None:
        self._texts = list(texts)
        self._logprobs = list(logprobs)
        self.odds = odds
        self.asked: list[list[Message]] = []
        self.judged: list[list[Message]] = []
        self.read_before: list[list[Message]] = []
        self.pieces_written = 0

    def __call__(self, messages: list[Message], *, max_tokens: int) -> Generator[Piece, None, None]:
        self.asked.append(messages)
        logprob = self._logprobs.pop(0) if self._logprobs else -0.1
        for piece in re.findall(r"\S+\s*", self._texts.pop(0) if self._texts else REFUSAL)[
            :max_tokens
        ]:
            self.pieces_written += 1
            yield Piece(piece, (logprob,))

    def read(self, messages: list[Message], *, place: str | None = None) -> None:
        self.read_before.append(messages)

    def yes(self, messages: list[Message]) -> float:
        self.judged.append(messages)
        return self.odds


def document(text: str, *, id_: str = "notes.txt", title: str = "") -> Document:
    """A document of one's own, for tests that need no file."""
    return Document(
        id=id_, title=title, text=text, sha256=hashlib.sha256(text.encode()).hexdigest()
    )


def evidences_of(*documents: Document, embedder: WordEmbedder | None = None) -> Evidences:
    """Every sentence of ``documents``, as if a search had found them all."""
    hits = [Hit(passage, 0.03, 0.5) for one in documents for passage in split(one)]
    return Evidences(hits, (embedder or WordEmbedder()).read)


def check_of(*documents: Document, embedder: WordEmbedder | None = None) -> SupportCheck:
    """What holds sentences against every sentence of ``documents``."""
    return SupportCheck(evidences_of(*documents, embedder=embedder))
