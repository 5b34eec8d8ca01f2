"""The real llama.cpp, with the smallest model: what is written is poor, how it comes is not."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models.errors import ModelError
from models.resolve import resolve_llm
from rag.generate import LlamaCpp
from rag.llama import while_wanted
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
    return "".join(piece.text for piece in model(messages, max_tokens=24))


def test_text_comes_in_pieces_and_is_the_same_each_time(model: LlamaCpp) -> None:
    pieces = list(model(SKY, max_tokens=24))
    assert 4 < len(pieces) <= 24
    written(model, SEA)
    assert written(model, SKY) == "".join(piece.text for piece in pieces)


def test_each_token_says_how_sure_it_is(model: LlamaCpp) -> None:
    def mean(asked: list[Message]) -> float:
        logprobs = [logprob for piece in model(asked, max_tokens=12) for logprob in piece.logprobs]
        assert len(logprobs) >= 8
        assert max(logprobs) <= 0
        return sum(logprobs) / len(logprobs)

    count: list[Message] = [
        {"role": "user", "content": "Count to twelve."},
        {"role": "assistant", "content": "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12."},
    ]
    assert mean([*count, *count, *count, count[0]]) > mean(SKY) / 2


def test_what_was_read_need_not_be_read_again(model: LlamaCpp) -> None:
    alone = written(model, SKY)
    written(model, SEA)
    model.read(SKY)
    assert written(model, SKY) == alone


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


RULES: list[Message] = [
    {"role": "system", "content": "You write about the weather, briefly. " * 12},
    {"role": "user", "content": "Write about rain."},
    {"role": "assistant", "content": "It rains."},
]


def small_model() -> LlamaCpp:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOOTNOTE_HOME", str(WEIGHTS.parent))
        path = resolve_llm("smollm2-135m")
    return LlamaCpp(path, context_tokens=512)


def test_what_was_read_ahead_is_taken_from_the_disk_the_next_time(home: Path) -> None:
    first = small_model()
    first.read_ahead(RULES)
    (kept,) = (home / "states").iterdir()
    second = small_model()
    assert second.tokens_read == 0
    second.read_ahead(RULES)
    assert second.tokens_read == first.tokens_read > 100
    assert list((home / "states").iterdir()) == [kept]
    assert written(second, [*RULES, *SKY]) == written(first, [*RULES, *SKY])


def counted(model: LlamaCpp, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens the model reads at a time, from now on."""
    read: list[int] = []
    evaluate = model._llama.eval

    def count(tokens: list[int]) -> None:
        read.append(len(tokens))
        evaluate(tokens)

    monkeypatch.setattr(model._llama, "eval", count)
    return read


def test_every_beginning_is_read_only_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others: list[Message] = [{"role": "system", "content": "You are a pirate at sea. " * 12}]
    model, fresh = small_model(), small_model()
    model.read_ahead(RULES, others)
    assert len(list((home / "states").iterdir())) == 2
    read = counted(model, monkeypatch)
    for beginning in (RULES, others, RULES):
        assert written(model, [*beginning, *SKY]) == written(fresh, [*beginning, *SKY])
    assert max(read) < 30  # tokens of SKY; a beginning has more than 70


def test_what_is_kept_at_a_place_is_read_once_until_something_else_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, fresh = small_model(), small_model()
    pirate: list[Message] = [{"role": "system", "content": "You are a pirate at sea. " * 12}]
    read = counted(model, monkeypatch)
    for kept, other in ((RULES, pirate), (pirate, RULES)):
        model.read(kept, place="here")
        model.read(other)
        read.clear()
        assert written(model, [*kept, *SKY]) == written(fresh, [*kept, *SKY])
        assert max(read) < 30
    model.read(SKY)
    read.clear()
    written(model, [*RULES, *SKY])
    assert max(read) > 70


def test_what_is_not_wanted_any_more_is_not_read_to_its_end() -> None:
    model, fresh = small_model(), small_model()
    model.read(SKY)
    before, steps = model.tokens_read, itertools.count()
    with while_wanted(lambda: next(steps) < 20):
        model.read(RULES * 2)
        pytest.fail("it was read to its end")
    assert model.tokens_read <= before
    for messages in (SKY, [*RULES, *SEA]):
        assert written(model, messages) == written(fresh, messages)


def test_who_waits_for_an_answer_is_not_stopped_with_what_is_read_ahead(model: LlamaCpp) -> None:
    alone = written(model, SKY)
    model.read(SEA)
    with while_wanted(lambda: False), ThreadPoolExecutor(1) as pool:
        assert pool.submit(written, model, SKY).result() == alone
    assert written(model, SKY) == alone


def test_a_damaged_or_older_state_is_read_anew(home: Path) -> None:
    model = small_model()
    model.read_ahead(RULES)
    (kept,) = (home / "states").iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-1000])
    other = small_model()
    other.read_ahead(RULES)
    assert written(other, [*RULES, *SKY]) == written(model, [*RULES, *SKY])
    (again,) = (home / "states").iterdir()
    assert len(again.read_bytes()) == len(whole)
    other.read_ahead(SEA)  # other rules: the one before them is not kept
    assert len(list((home / "states").iterdir())) == 1


def test_without_room_for_states_all_is_read_each_time(home: Path) -> None:
    home.mkdir()
    (home / "states").write_text("not a folder")
    model = small_model()
    model.read_ahead(RULES)
    assert model.tokens_read > 100
