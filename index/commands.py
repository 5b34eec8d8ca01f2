"""The command line: ``footnote index``, the one command that rebuilds an index."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from models.terminal import progress_bar

if TYPE_CHECKING:
    from index.records import BuildReport

_SHOWN = 10
"""Names of one kind in the report; of more only their number is told."""


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--name", default="default", show_default=True, help="Which index to build.")
def index(folder: Path | None, name: str) -> None:
    """Bring the index up to date with FOLDER.

    Without FOLDER: the one of the last time, or at first the documents that come with
    Footnote. Only what changed is embedded again.
    """
    from index.build import build  # noqa: PLC0415  (start-up time: imports FAISS)

    with progress_bar() as on_progress:
        report = build(folder, name=name, on_progress=on_progress)
    click.echo("\n".join(report_lines(report)))


def report_lines(report: "BuildReport") -> list[str]:
    """The closing report of a build, a line for each kind of change."""
    renamed = [f"{old} → {new}" for old, new in report.renamed]
    skipped = [f"{skipped.path}: {skipped.reason}" for skipped in report.skipped]
    return [
        f"{report.folder}: {_count(report.documents, 'document')}, "
        f"{_count(report.passages, 'passage')}",
        f"  embedded {_count(report.embedded_passages, 'passage')} "
        f"in {report.seconds:.1f} s; unchanged {_count(report.unchanged, 'document')}",
        *_kind("added", report.added),
        *_kind("changed", report.changed),
        *_kind("renamed", renamed),
        *_kind("removed", report.removed),
        *_kind("skipped", skipped, shown=len(skipped)),
    ]


def _kind(word: str, names: tuple[str, ...] | list[str], *, shown: int = _SHOWN) -> list[str]:
    if not names:
        return []
    more = [f"    … and {len(names) - shown} more"] if len(names) > shown else []
    return [f"  {word} {len(names)}:", *(f"    {name}" for name in names[:shown]), *more]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
