"""What an index of many documents costs: the first build, one with nothing changed, one changed.

    make scale                  1,000 and 10,000 documents, with the real embedder

Each build is a process of its own, so that its peak memory is its own. The documents are made of
random words, one passage each, all different.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import click

from models.paths import weights_folder

_BUILD = """
import resource, sys, time
from pathlib import Path
started = time.monotonic()
from index.build import build
report = build(Path(sys.argv[1]))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
print(time.monotonic() - started, peak, report.embedded_passages, report.unchanged)
"""


class Build(NamedTuple):
    """What one build took."""

    seconds: float  # from the start of the process, imports included
    megabytes: float  # at its peak
    embedded: int  # passages
    unchanged: int  # documents


def run_build(folder: Path, home: Path) -> Build:
    """Builds the index of ``folder`` in a new process."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", _BUILD, str(folder)],
        env=os.environ | {"FOOTNOTE_HOME": str(home)},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, megabytes, embedded, unchanged = done.stdout.split()
    return Build(float(seconds), float(megabytes), int(embedded), int(unchanged))


def write_documents(folder: Path, count: int) -> None:
    """``count`` files of 60 to 100 random words."""
    chance = random.Random(1)  # noqa: S311
    words = ["".join(chance.choices("aeiourstlnmdk", k=chance.randint(3, 9))) for _ in range(5000)]
    for number in range(count):
        place = folder / f"{number // 1000:03d}"
        place.mkdir(parents=True, exist_ok=True)
        text = " ".join(chance.choices(words, k=chance.randint(60, 100)))
        (place / f"{number}.txt").write_text(f"Document {number}. {text.capitalize()}.\n")


@click.command()
@click.argument("counts", nargs=-1, type=int)
def main(counts: tuple[int, ...]) -> None:
    """Measure builds of COUNTS documents (by default 1,000 and 10,000)."""
    click.echo("| documents | build | seconds | of the first | peak MB | passages embedded |")
    click.echo("|---|---|---|---|---|---|")
    for count in counts or (1_000, 10_000):
        with tempfile.TemporaryDirectory() as place:
            home, folder = Path(place, "home"), Path(place, "documents")
            home.mkdir()
            (home / "models").symlink_to(weights_folder(), target_is_directory=True)
            write_documents(folder, count)
            first = run_build(folder, home)
            _show(count, "first", first, first)
            _show(count, "nothing changed", run_build(folder, home), first)
            time.sleep(1)
            (folder / "000" / "7.txt").write_text("Now it says something else, once and for all.")
            _show(count, "one changed", run_build(folder, home), first)


def _show(count: int, what: str, build: Build, first: Build) -> None:
    click.echo(
        f"| {count:,} | {what} | {build.seconds:.1f} | {build.seconds / first.seconds:.1%} "
        f"| {build.megabytes:.0f} | {build.embedded:,} |"
    )


if __name__ == "__main__":
    main()
