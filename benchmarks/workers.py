"""What Ray's workers on this machine gain, or cost, against one process.

    python -m benchmarks.workers [DOCUMENTS]     by default 200 of the machine's own texts

The same folder is built in both ways, in turns, each build in a process of its own, with the real
embedder. The time of a build is from the start of its process, with the start of Ray in it.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path

import click

from models.paths import weights_folder
from rag.bench_texts import real_documents

_BUILD = """
import sys, time
from pathlib import Path
started = time.monotonic()
from index.build import build
report = build(Path(sys.argv[1]), name=sys.argv[2], workers=sys.argv[3] or None)
print(time.monotonic() - started, report.embedded_passages)
"""


def run_build(folder: Path, home: Path, *, name: str, workers: str) -> tuple[float, int]:
    """Builds an index in a new process: the seconds that it took, and the passages embedded."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", _BUILD, str(folder), name, workers],
        env=os.environ | {"FOOTNOTE_HOME": str(home)},
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seconds, passages = done.stdout.split()
    return float(seconds), int(passages)


@click.command()
@click.argument("documents", default=200)
@click.option("--turns", default=3, show_default=True, help="Builds in each way.")
def main(documents: int, turns: int) -> None:
    """Measure builds of DOCUMENTS real texts by Ray's workers and by one process."""
    with tempfile.TemporaryDirectory() as place:
        home, folder = Path(place, "home"), Path(place, "documents")
        for path in (home, folder, folder / "first"):
            path.mkdir()
        (home / "models").symlink_to(weights_folder(), target_is_directory=True)
        for number, document in enumerate(islice(real_documents(), documents)):
            (folder / f"{number:05}.txt").write_text(document.text)
        (folder / "first" / "one.txt").write_text("The embedding model is made ready by this.")
        run_build(folder / "first", home, name="first", workers="")
        alone, shared = [], []
        for turn in range(turns):
            seconds, passages = run_build(folder, home, name=f"alone-{turn}", workers="")
            alone.append(seconds)
            seconds, _ = run_build(folder, home, name=f"shared-{turn}", workers="ray")
            shared.append(seconds)
            click.echo(f"turn {turn + 1}: {alone[-1]:.1f} s, {shared[-1]:.1f} s", err=True)
    ratios = sorted(one / other for one, other in zip(alone, shared, strict=True))
    click.echo("| documents | passages | cores | one process | Ray | speed | of the turns |")
    click.echo("|---|---|---|---|---|---|---|")
    click.echo(
        f"| {documents:,} | {passages:,} | {os.cpu_count()} | {statistics.median(alone):.1f} s "
        f"| {statistics.median(shared):.1f} s | {statistics.median(ratios):.2f} "
        f"| {ratios[0]:.2f} to {ratios[-1]:.2f} |"
    )


if __name__ == "__main__":
    main()
