"""The command line: ``footnote models list``, ``pull`` and ``check``."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from models import paths
from models.catalog import default, entries, find
from models.progress import OnProgress, readable_bytes
from models.terminal import progress_bar
from models.verify import find_copy, places


@click.group("models")
def models() -> None:
    """Which models there are, which are here; fetch and check them."""


@models.command("list")
def list_models() -> None:
    """Show every model: its purpose, size, licence, and whether it is here."""
    rows = [("name", "purpose", "size", "memory", "here", "licence", "")]
    for entry in entries():
        here = any(place.exists() for place in places(entry))
        rows.append(
            (
                entry.name + (" *" if entry.is_default else ""),
                entry.purpose,
                readable_bytes(entry.size),
                readable_bytes(entry.memory),
                "yes" if here else "no",
                entry.licence,
                entry.note,
            )
        )
    for path in _other_files():
        size = readable_bytes(path.stat().st_size)
        rows.append((path.name, "llm", size, "", "yes", "", f"your own file in {path.parent}"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
    click.echo("\n* used when you name no other. Models are kept in " + str(paths.weights_folder()))


@models.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.pass_obj
def pull(prepare: Callable[[Path, OnProgress], None] | None, names: tuple[str, ...]) -> None:
    """Fetch models and check them; without a NAME, the two that are used by default."""
    # What is to be done with a model that writes is known to who runs it, a layer above.
    from models.fetch import pull as fetch_model  # noqa: PLC0415  (start-up time)

    chosen = [find(name) for name in dict.fromkeys(names)] or [default("embedder"), default("llm")]
    for entry in chosen:
        started = time.monotonic()
        try:
            with progress_bar() as on_progress:
                copy = find_copy(entry, on_progress=on_progress)
                path = fetch_model(entry, on_progress=on_progress)
        except KeyboardInterrupt:
            click.echo("\nStopped; the same command continues from here.", err=True)
            sys.exit(130)
        seconds = time.monotonic() - started
        done = f"fetched, {readable_bytes(entry.size)} in {seconds:.0f} s"
        if copy is not None and copy.damage is None:
            done = "is already here"
        click.echo(f"{entry.name}: {done}, its sha256 is right: {path}")
        if prepare and entry.purpose == "llm":
            with progress_bar() as on_progress:
                prepare(path, on_progress)


@models.command()
@click.pass_context
def check(context: click.Context) -> None:
    """Read every model that is here again and compare its sha256."""
    is_damaged = False
    for entry in entries():
        with progress_bar() as on_progress:
            copy = find_copy(entry, again=True, on_progress=on_progress)
        if copy is None:
            click.echo(f"absent   {entry.name}")
        elif copy.damage is None:
            click.echo(f"ok       {entry.name}  {copy.path}")
        else:
            is_damaged = True
            click.echo(f"damaged  {entry.name}  {copy.path}: {copy.damage}")
            click.echo(f"         run `footnote models pull {entry.name}` to replace it")
    context.exit(1 if is_damaged else 0)


def _other_files() -> list[Path]:
    """The .gguf files that somebody put beside the models of the catalogue."""
    known = {file.path for entry in entries() for file in entry.files}
    folders = [paths.dropped_folder(), paths.weights_folder()]
    return [
        path
        for folder in folders
        for path in sorted(folder.glob("*.gguf"))
        if path.name not in known
    ]
