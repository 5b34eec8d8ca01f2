"""One timed run in a process of its own: Footnote, or the plain use of the same libraries.

    python -m rag.bench_probe ours|plain FOLDER     questions on the standard input, one a line

Prints a line of JSON for each question: seconds to the first and to the last word, the answer, and
the memory then.
A line that begins with “+” is a follow-up, asked when the answer before it has been read; one with
“~” is read for while it is typed. The first
question, whose mark is “0”, counts from the start of the process, given as seconds of the clock in
FOOTNOTE_STARTED. A last line tells the memory at its peak.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path

PLAIN_PASSAGES = 4
PLAIN_RULES = "Answer the question from the passages. If they do not say, say so."


Ask = Callable[[str, str], Generator[str, None, str]]
"""Given a mark and a question, yields an empty text when somebody begins to wait, then the words as
they come; returns the answer as it stands at the end."""


def ours() -> Ask:
    """Footnote over the index ``default``."""
    from rag.chat import Chat  # noqa: PLC0415  (what is imported is part of what is measured)
    from rag.records import Done, Token  # noqa: PLC0415

    root = Chat.open()
    chat = root

    def ask(mark: str, question: str) -> Generator[str, None, str]:
        nonlocal chat
        if mark == "+":
            chat.read_ahead("", is_wanted=lambda: True)  # as while an answer is read on the page
        else:
            chat = root.fresh()
        if mark == "~":
            chat.read_ahead(question, is_wanted=lambda: True)
        yield ""  # from here on somebody waits
        for event in chat.stream(question):
            if isinstance(event, Token):
                yield event.text
        assert isinstance(event, Done)
        return event.answer.text

    return ask


def plain(folder: Path) -> Ask:
    """Load, embed, take the four nearest passages whole, ask: each library with its defaults."""
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415

    from models.resolve import resolve_embedder, resolve_llm  # noqa: PLC0415
    from rag.llama import usual_llama  # noqa: PLC0415

    embedder = SentenceTransformer(str(resolve_embedder()), device="cpu")
    model = usual_llama(resolve_llm(), context_tokens=4096)
    passages = json.loads((folder / "passages.json").read_text(encoding="utf-8"))
    import numpy as np  # noqa: PLC0415

    vectors = np.load(folder / "vectors.npy")
    before: list[str] = []

    def ask(mark: str, question: str) -> Generator[str, None, str]:
        if mark != "+":
            before.clear()
        yield ""
        vector = embedder.encode(" ".join([*before, question]), normalize_embeddings=True)
        best = np.argsort(-(vectors @ vector))[:PLAIN_PASSAGES]
        read = "\n\n".join(passages[at] for at in best)
        asked = f"Passages:\n\n{read}\n\n{' '.join(before)}\n\nQuestion: {question}"
        before[:] = [question]
        written = ""
        for chunk in model.create_chat_completion(
            messages=[
                {"role": "system", "content": PLAIN_RULES},
                {"role": "user", "content": asked},
            ],
            temperature=0.0,
            max_tokens=200,
            stream=True,
        ):
            if text := chunk["choices"][0]["delta"].get("content"):
                written += text
                yield text
        return written

    return ask


def megabytes(which: str) -> float:
    """The memory of this process: what it holds (VmRSS), or held at its peak (VmHWM).

    Where the system has no such file, its peak; that may be its parent's, which it begins as.
    """
    with suppress(OSError):
        status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in status if line.startswith(which)) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def main() -> None:
    """Answers the questions on the standard input."""
    which, folder = sys.argv[1], Path(sys.argv[2])
    begun: float | None = float(os.environ["FOOTNOTE_STARTED"])
    ask = ours() if which == "ours" else plain(folder)
    for line in sys.stdin:
        mark, question = (line[0], line[1:]) if line[0] in "+~" else ("-", line)
        words = ask(mark, question.strip())
        next(words)
        started, mark, begun = begun or time.time(), "0" if begun else mark, None
        first = 0.0
        while True:
            try:
                next(words)
            except StopIteration as end:
                text = end.value
                break
            first = first or time.time() - started
        last = time.time() - started
        record = {
            "mark": mark,
            "question": question.strip(),
            "first": first or last,
            "last": last,
            "text": text,
            "megabytes": megabytes("VmRSS"),
        }
        print(json.dumps(record), flush=True)
    print(json.dumps({"megabytes": megabytes("VmHWM")}), flush=True)


if __name__ == "__main__":
    main()
