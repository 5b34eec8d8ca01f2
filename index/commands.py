"""The command line: ``footnote index``, the one command that rebuilds an index; ``check``."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from models.errors import DocumentError, StoreError
from models.progress import counted
from models.terminal import patience, progress_bar

if TYPE_CHECKING:
    from index.records import BuildReport

_SHOWN = 10
"""Names of one kind in the report; of more only their number is told."""

store_option = click.option(
    "--store",
    metavar="URL",
    help="Keep the index in Milvus: http://HOST:19530, or a file that ends with .db.",
)

workers_option = click.option(
    "--workers",
    metavar="ray[=HOST:PORT]",
    help="Share the work out with Ray: among this machine's cores, or those of a cluster.",
)


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--name", default="default", show_default=True, help="Which index to build.")
@store_option
@click.option("--dry-run", is_flag=True, help="Tell what would be done; write nothing.")
@click.option("--strict", is_flag=True, help="Fail (exit code 1) if a file cannot be read.")
@click.option("--watch", is_flag=True, help="Go on, and follow each change until Ctrl-C.")
@click.option(
    "--ocr/--no-ocr",
    default=None,
    help="Read images and scanned PDFs with Tesseract.  [default: as the last time]",
)
@workers_option
def index(  # noqa: PLR0917  (click gives them by name)
    folder: Path | None,
    name: str,
    store: str | None,
    dry_run: bool,
    strict: bool,
    watch: bool,
    ocr: bool | None,
    workers: str | None,
) -> None:
    """Bring the index up to date with FOLDER.

    Without FOLDER: the one of the last time, or at first the documents that come with
    Footnote. Only what changed is embedded again. A file .footnoteignore in FOLDER names
    what to leave out, as .gitignore does.
    """
    if watch and (dry_run or strict):
        raise click.UsageError("--watch goes with neither --dry-run nor --strict.")
    from index.build import build  # noqa: PLC0415  (start-up time: imports FAISS)

    with progress_bar() as on_progress:
        report = build(
            folder,
            name=name,
            store=store,
            ocr=ocr,
            dry_run=dry_run,
            workers=workers,
            on_progress=on_progress,
        )
    if dry_run:
        click.echo("A dry run: nothing was written. A build would find this.")
    click.echo("\n".join(report_lines(report)))
    if strict and report.skipped:
        raise DocumentError(
            f"{counted(len(report.skipped), 'file')} could not be read: mend or remove what the "
            "report names, or leave it out with .footnoteignore."
        )
    if watch:
        _watch(report.folder, name, store, workers)


def _watch(folder: Path, name: str, store: str | None, workers: str | None) -> None:
    """Builds again after each change below ``folder``, until Ctrl-C."""
    from watchfiles import DefaultFilter, watch  # noqa: PLC0415  (start-up time)

    from index.build import build  # noqa: PLC0415

    click.echo(f"Watching {folder}; stop with Ctrl-C.")
    for _ in watch(folder, watch_filter=DefaultFilter(), raise_interrupt=True):
        try:
            with progress_bar() as on_progress:
                report = build(
                    folder, name=name, store=store, workers=workers, on_progress=on_progress
                )
        except (DocumentError, StoreError) as error:  # empty for a moment, or being built
            click.echo(f"footnote: {error}", err=True)
            continue
        click.echo("\n".join(report_lines(report)))


@click.command()
@click.option("--name", default="default", show_default=True, help="Which index to check.")
@store_option
@click.option(
    "--answers",
    type=click.Path(path_type=Path),
    help="Saved answers ('footnote ask --json'): do their citations still stand?",
)
def check(name: str, store: str | None, answers: Path | None) -> None:
    """Verify an index against what was written, and against its folder.

    With --answers: say for each citation whether its quote stands in the documents as they
    are now: unchanged, moved, changed or gone. Exit codes: 0 all stands, 1 something is
    damaged, changed or gone.
    """
    with patience("Checking the index…"):
        from index.check import check_citations, check_index, saved_citations  # noqa: PLC0415

        generation = check_index(name, store=store)
    manifest = generation.manifest
    folder = Path(manifest.folder)
    click.echo(
        f"The index “{name}” is as it was written on {manifest.created}: "
        f"{counted(manifest.documents, 'document')}, {counted(manifest.passages, 'passage')}."
    )
    generation.close()
    if answers is None:
        from index.build import build  # noqa: PLC0415

        with progress_bar() as on_progress:
            report = build(name=name, store=store, dry_run=True, on_progress=on_progress)
        if report.added or report.changed or report.renamed or report.removed:
            click.echo("Its folder has changed since; 'footnote index' would do this.")
            click.echo("\n".join(report_lines(report)))
        return
    standings: Counter[str] = Counter()
    citations = saved_citations(answers)
    with progress_bar() as on_progress:
        findings = check_citations(citations, folder, ocr=manifest.ocr, on_progress=on_progress)
    for finding in findings:
        standings[finding.standing] += 1
        if finding.standing != "unchanged":
            place = f"{finding.citation.document}, {finding.standing}"
            place += f" to {finding.now}" if finding.now else ""
            click.echo(f"{place}: “{finding.citation.quote}”")
    counts = (f"{standings[word]} {word}" for word in ("unchanged", "moved", "changed", "gone"))
    click.echo(f"{counted(standings.total(), 'citation')}: {', '.join(counts)}")
    if standings["changed"] or standings["gone"]:
        raise DocumentError(
            "Some citations no longer stand: ask these questions again, after 'footnote index'."
        )


def report_lines(report: "BuildReport") -> list[str]:
    """The closing report of a build, a line for each kind of change."""
    renamed = [f"{old} → {new}" for old, new in report.renamed]
    skipped = [f"{skipped.path}: {skipped.reason}" for skipped in report.skipped]
    return [
        f"{report.folder}: {counted(report.documents, 'document')}, "
        f"{counted(report.passages, 'passage')}",
        f"  embedded {counted(report.embedded_passages, 'passage')} "
        f"in {report.seconds:.1f} s; unchanged {counted(report.unchanged, 'document')}",
        *_kind("added", report.added),
        *_kind("changed", report.changed),
        *_kind("renamed", renamed),
        *_kind("removed", report.removed),
        *_kind("copies", [f"{copy} (the same as {id_})" for copy, id_ in report.copies]),
        *_kind("skipped", skipped, shown=len(skipped)),
    ]


def _kind(word: str, names: tuple[str, ...] | list[str], *, shown: int = _SHOWN) -> list[str]:
    if not names:
        return []
    more = [f"    … and {len(names) - shown} more"] if len(names) > shown else []
    return [f"  {word} {len(names)}:", *(f"    {name}" for name in names[:shown]), *more]
