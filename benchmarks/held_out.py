"""The questions that the refusal was not trained on: half of those about a folder's documents.

    python -m benchmarks.held_out FOLDER HALF

FOLDER is in the BEIR format with ``questions.jsonl``. The decision to refuse was trained on
questions whose gold passage has an even MD5; those of the others, with all documents, are
written to HALF.
"""

import hashlib
import json
from pathlib import Path

import click


def is_held_out(passage: str) -> bool:
    """Whether questions about the record of that id are kept for measuring."""
    return int(hashlib.md5(f"{passage}.md".encode()).hexdigest(), 16) % 2 == 1  # noqa: S324


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.argument("half", type=click.Path(path_type=Path))
def write(folder: Path, half: Path) -> None:
    """Writes the held-out half of FOLDER to HALF, and says how many questions it has."""
    half.mkdir(parents=True, exist_ok=True)
    (half / "corpus.jsonl").write_bytes((folder / "corpus.jsonl").read_bytes())
    text = (folder / "questions.jsonl").read_text(encoding="utf-8")
    lines = [line for line in text.split("\n") if line.strip()]
    kept = [line for line in lines if is_held_out(str(json.loads(line).get("passage", "")))]
    (half / "questions.jsonl").write_text("\n".join(kept) + "\n", encoding="utf-8")
    click.echo(f"{len(kept)} of {len(lines)} questions are in {half}.")


if __name__ == "__main__":
    write()
