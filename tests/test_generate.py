"""The real llama.cpp, with the smallest model: what is written is poor, how it comes is not."""

import threading
from pathlib import Path

import pytest

from models.errors import ModelError
from models.resolve import resolve_llm
from rag.generate import LlamaCpp
from rag.prompt import Message
from tests.conftest import WEIGHTS

pytestmark = pytest.mark.real

SKY: list[Message] = [{"role": "user", "content": "Write two sentences about the sky."}]
SEA: list[Message] = [{"role": "user", "content": "Write two sentences about the sea."}]


@pytest.fixture(scope="module")
def model() -> LlamaCpp:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOOTNOTE_HOME", str(WEIGHTS.parent))
        return LlamaCpp(resolve_llm("smollm2-135m"), context_tokens=512)


def written(model: LlamaCpp, messages: list[Message]) -> str:
    return "".join(model(messages, max_tokens=24))


def test_text_comes_in_pieces_and_is_the_same_each_time(model: LlamaCpp) -> None:
    pieces = list(model(SKY, max_tokens=24))
    assert 4 < len(pieces) <= 24
    written(model, SEA)
    assert written(model, SKY) == "".join(pieces)


def test_a_closed_answer_frees_the_model(model: LlamaCpp) -> None:
    pieces = model(SKY, max_tokens=400)
    next(pieces)
    pieces.close()
    assert written(model, SEA)


def test_two_at_once_do_not_mix(model: LlamaCpp) -> None:
    alone = {"sky": written(model, SKY), "sea": written(model, SEA)}
    together: dict[str, str] = {}
    threads = [
        threading.Thread(target=lambda k, m: together.update({k: written(model, m)}), args=pair)
        for pair in (("sky", SKY), ("sea", SEA))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_a_broken_file_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF" + b"\x03\x00\x00\x00" + b"\xff" * 64)
    with pytest.raises(ModelError, match=r"broken.gguf cannot be loaded .*--model"):
        LlamaCpp(path)


def test_yes_is_likelier_where_it_is_the_answer(model: LlamaCpp) -> None:
    def odds(answer: str) -> float:
        return model.yes([{"role": "user", "content": f"Repeat this word: {answer}"}])

    assert odds("Yes") > odds("No")
    assert odds("Yes") == odds("Yes")
