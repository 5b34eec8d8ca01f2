"""What guards the speed: counts and ratios that do not depend on how busy a machine is.

The counts are those of tokens that the model must read before its first word, which is what a
person waits for; ``footnote bench`` has the seconds.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from langchain_text_splitters import RecursiveCharacterTextSplitter

from index.build import SHIPPED_CORPUS, build
from index.embed import SentenceEmbedder
from index.embed_reference import ReferenceEncoder
from index.search import Index
from models.resolve import resolve_embedder
from rag import Chat
from rag.bench_probe import PLAIN_PASSAGES
from rag.generate import LlamaCpp, load_model
from rag.records import Token
from tests.conftest import WEIGHTS

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("home_with_models")]

QUESTIONS = [
    ("Which Russian military officer was on the first plane?", "And what did the second carry?"),
    ("Who leads the opposition in Venezuela?", "When did he declare himself president?"),
    ("How did Moscow explain why its forces are there?", "And what did the U.S. say about them?"),
]
"""About the briefings: one that stands alone, and one that leans on it."""

TEXTS = [
    paragraph
    for file in sorted(SHIPPED_CORPUS.glob("*.md"))
    for paragraph in file.read_text(encoding="utf-8").split("\n\n")
    if len(paragraph) > 200
][:48]


class Counted:
    """A chat over the briefings, and how many tokens its model has read."""

    def __init__(self) -> None:
        loading = load_model()
        loaded = loading._model.result()
        assert isinstance(loaded, LlamaCpp)
        self.chat = Chat(search=Index.open(), generate=loading)
        self._llama = loaded._llama
        self._evaluate = self._llama.eval
        self._llama.eval = self._count  # type: ignore[method-assign]
        self.read = 0

    def _count(self, tokens: Sequence[int]) -> None:
        self.read += len(tokens)
        self._evaluate(tokens)

    def length(self, text: str) -> int:
        return len(self._llama.tokenize(text.encode()))

    def until_first_word(self, chat: Chat, question: str) -> int:
        """Tokens that are read between Enter and the first word; then the answer is awaited."""
        self.read, first = 0, None
        for event in chat.stream(question):
            if isinstance(event, Token) and event.text.strip() and first is None:
                first = self.read
        return self.read if first is None else first


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counted]:
    home = tmp_path_factory.mktemp("home")
    (home / "models").symlink_to(WEIGHTS, target_is_directory=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOOTNOTE_HOME", str(home))
        build(SHIPPED_CORPUS)
        yield Counted()


@pytest.fixture(scope="module")
def plain(counted: Counted) -> int:
    """Tokens of the passages that a plain chain reads whole for each question."""
    splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200)
    chunks = splitter.split_text("\n\n".join(TEXTS))
    return round(PLAIN_PASSAGES * statistics.mean(map(counted.length, chunks)))


def test_less_is_read_before_the_first_word_than_four_passages(
    counted: Counted, plain: int
) -> None:
    alone, leaning = [], []
    for question, follow_up in QUESTIONS:
        chat = counted.chat.fresh()
        alone.append(counted.until_first_word(chat, question))
        chat.read_ahead("", is_wanted=lambda: True)
        leaning.append(counted.until_first_word(chat, follow_up))
    print(f"{alone} and {leaning} tokens; four passages have {plain}")
    assert 0 < statistics.mean(alone) <= 0.5 * plain
    assert 0 < statistics.mean(leaning) <= 0.5 * plain


def test_of_what_was_typed_nothing_is_read_after_enter(counted: Counted) -> None:
    chat = counted.chat.fresh()
    question = "How many Russian soldiers landed near Caracas?"
    chat.read_ahead(question, is_wanted=lambda: True)
    assert counted.until_first_word(chat, question) <= 2


def test_documents_are_embedded_at_least_twice_as_fast_as_by_the_library() -> None:
    ways: list[Callable[[list[str]], object]] = [
        SentenceEmbedder().embed,
        ReferenceEncoder(resolve_embedder()).embed,
    ]
    seconds: list[list[float]] = [[], []]
    for way in ways:
        way(TEXTS[:4])
    for _ in range(3):
        for way, taken in zip(ways, seconds, strict=True):
            started = time.process_time()
            way(TEXTS)
            taken.append(time.process_time() - started)
    ours, library = map(min, seconds)
    print(f"{library / ours:.1f} times")
    assert 2 * ours <= library
