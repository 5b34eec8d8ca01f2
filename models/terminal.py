"""What every command does on a terminal: draw progress, and end in one sentence, not a trace."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import click

from models.errors import FootnoteError
from models.progress import OnProgress, Progress


def run(command: click.Command, *, name: str) -> NoReturn:
    """Runs ``command`` as the program ``name`` and exits.

    0: done. 1: a failure, told in one sentence. 2: a wrong option. 3: ``ask`` found no
    answer. 130: stopped with Ctrl-C.
    """
    try:
        code = command.main(prog_name=name, standalone_mode=False)
    except FootnoteError as error:
        click.echo(f"{name.split(maxsplit=1)[0]}: {error}", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    sys.exit(code or 0)


@contextmanager
def patience(doing: str) -> Iterator[None]:
    """Says what takes so long, if it takes longer than a second."""
    timer = threading.Timer(1, click.echo, (doing,), {"err": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def progress_bar() -> Iterator[OnProgress]:
    """What draws one bar after another on a terminal, and elsewhere a line for each stage."""
    from tqdm import tqdm  # noqa: PLC0415  (start-up time)

    stage = ""
    bar: tqdm[None] | None = None

    def on_progress(progress: Progress) -> None:
        nonlocal stage, bar
        if progress.stage != stage:
            if bar is not None:
                bar.close()
            stage = progress.stage
            if not sys.stderr.isatty() or not progress.total:
                click.echo(f"{stage}…", err=True)
            bar = tqdm(
                desc=stage,
                total=progress.total,
                initial=progress.done,
                unit="B" if progress.unit == "bytes" else f" {progress.unit}",
                unit_scale=progress.unit == "bytes",
                disable=True if not progress.total else None,
                leave=False,
            )
        assert bar is not None
        bar.update(progress.done - bar.n)

    try:
        yield on_progress
    finally:
        if bar is not None:
            bar.close()
