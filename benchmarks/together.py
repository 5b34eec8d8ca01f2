"""Whether several answers are written faster together, in one batch, than one after another.

    python -m benchmarks.together [--model NAME] [COUNTS]

Each reads a prompt of its own, then writes. Weights are read from memory once for a whole batch:
what that saves is what there is to gain. The two ways are measured in turns, in one process, with
the weights loaded as the program loads them.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import click
import llama_cpp
import numpy as np

import rag.llama  # noqa: F401  (keeps llama.cpp silent)
from index.build import SHIPPED_CORPUS
from models.resolve import resolve_llm
from rag.loading import remembered

PROMPT_TOKENS, WRITTEN_TOKENS = 300, 40

TURNS = 3


@dataclass(frozen=True)
class Run:
    """What it took to answer all, one way."""

    reading: float  # seconds, of all together
    writing: float
    written: list[list[int]]  # tokens, by answer


class Model:
    """The model with room for ``count`` answers at a time; llama.cpp's own functions."""

    def __init__(self, path: Path, *, count: int, is_repacked: bool) -> None:
        """Loads it; ``close`` frees it."""
        params = llama_cpp.llama_model_default_params()
        params.use_extra_bufts = is_repacked
        self._model = llama_cpp.llama_model_load_from_file(os.fsencode(path), params)
        room = llama_cpp.llama_context_default_params()
        room.n_seq_max = count
        room.n_ctx = count * 512  # above what each needs
        room.n_batch = count * PROMPT_TOKENS
        room.n_threads = room.n_threads_batch = os.cpu_count()
        self._context = llama_cpp.llama_init_from_model(self._model, room)
        assert self._context
        self._batch = llama_cpp.llama_batch_init(room.n_batch, 0, 1)
        self._vocabulary = llama_cpp.llama_model_get_vocab(self._model)

    def close(self) -> None:
        """Frees what it holds."""
        llama_cpp.llama_batch_free(self._batch)
        llama_cpp.llama_free(self._context)
        llama_cpp.llama_model_free(self._model)

    def tokens(self, text: str) -> list[int]:
        """``text`` as the model has it."""
        said = text.encode()
        found = (llama_cpp.llama_token * (len(said) + 1))()
        count = llama_cpp.llama_tokenize(
            self._vocabulary, said, len(said), found, len(found), False, False
        )
        return list(found[:count])

    def answer(self, prompts: Sequence[Sequence[int]]) -> Run:
        """Reads ``prompts``, all in one batch, and writes on from each, a token of each a step."""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), True)
        started = time.monotonic()
        newest = self._step(prompts, 0)
        read = time.monotonic()
        written = [[token] for token in newest]
        for at in range(WRITTEN_TOKENS - 1):
            newest = self._step([[token] for token in newest], len(prompts[0]) + at)
            for tokens, token in zip(written, newest, strict=True):
                tokens.append(token)
        return Run(read - started, time.monotonic() - read, written)

    def _step(self, parts: Sequence[Sequence[int]], position: int) -> list[int]:
        """Reads a part of each answer from ``position`` on; the likeliest token after each."""
        batch: Any = self._batch
        at = 0
        ends = []
        for answer, tokens in enumerate(parts):
            for offset, token in enumerate(tokens):
                batch.token[at], batch.pos[at] = token, position + offset
                batch.n_seq_id[at], batch.seq_id[at][0] = 1, answer
                batch.logits[at] = offset == len(tokens) - 1
                at += 1
            ends.append(at - 1)
        batch.n_tokens = at
        assert llama_cpp.llama_decode(self._context, batch) == 0
        size = llama_cpp.llama_vocab_n_tokens(self._vocabulary)
        scores = (llama_cpp.llama_get_logits_ith(self._context, end) for end in ends)
        return [int(np.ctypeslib.as_array(one, shape=(size,)).argmax()) for one in scores]


@contextmanager
def opened(path: Path, *, count: int, is_repacked: bool) -> Iterator[Model]:
    """The model, closed in the end."""
    model = Model(path, count=count, is_repacked=is_repacked)
    try:
        yield model
    finally:
        model.close()


def in_turns(model: Model, prompts: Sequence[Sequence[int]]) -> Run:
    """The answers one after another."""
    runs = [model.answer([prompt]) for prompt in prompts]
    return Run(
        sum(run.reading for run in runs),
        sum(run.writing for run in runs),
        [tokens for run in runs for tokens in run.written],
    )


@click.command()
@click.argument("counts", nargs=-1, type=click.IntRange(min=1))
@click.option("--model", help="A model's name, or a GGUF file.")
def main(counts: tuple[int, ...], model: str | None) -> None:
    """Measure COUNTS answers (by default 1, 2 and 4), one after another and together."""
    path = resolve_llm(model)
    speeds = remembered(path)
    is_repacked = speeds is not None and speeds.is_repacking_worth_it
    text = "\n".join(file.read_text(encoding="utf-8") for file in sorted(SHIPPED_CORPUS.glob("*")))
    click.echo(f"{path.stem}, its weights {'repacked' if is_repacked else 'as stored'}:\n")
    click.echo("| answers | way | reading, tokens/s | writing, tokens/s | all, s | as one by one |")
    click.echo("|---|---|---|---|---|---|")
    for count in counts or (1, 2, 4):
        with opened(path, count=count, is_repacked=is_repacked) as loaded:
            tokens = loaded.tokens(text)
            starts = range(0, count * PROMPT_TOKENS, PROMPT_TOKENS)
            prompts = [tokens[start : start + PROMPT_TOKENS] for start in starts]
            loaded.answer(prompts[:1])  # brings the weights into memory
            alone: list[Run] = []
            together: list[Run] = []
            for _ in range(TURNS):
                alone.append(in_turns(loaded, prompts))
                together.append(loaded.answer(prompts))
        _show(count, "one after another", alone, alone[0])
        _show(count, "together", together, alone[0])


def _show(count: int, way: str, runs: list[Run], reference: Run) -> None:
    reading = count * PROMPT_TOKENS / median(run.reading for run in runs)
    writing = count * (WRITTEN_TOKENS - 1) / median(run.writing for run in runs)
    seconds = median(run.reading + run.writing for run in runs)
    same = sum(a == b for a, b in zip(runs[0].written, reference.written, strict=True))
    click.echo(
        f"| {count} | {way} | {reading:.0f} | {writing:.1f} | {seconds:.1f} | {same} of {count} |"
    )


if __name__ == "__main__":
    main()
