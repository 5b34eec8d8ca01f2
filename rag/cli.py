"""The program ``footnote``: a table of its commands, each loaded only when it is called."""

import importlib
from pathlib import Path

import click

from models.progress import OnProgress
from models.terminal import run

_COMMANDS = {
    "ask": "rag.commands:ask",
    "bench": "rag.commands:bench",
    "chat": "ui.commands:chat",
    "check": "index.commands:check",
    "eval": "rag.commands:evaluate",
    "index": "index.commands:index",
    "mcp": "serve.commands:mcp",
    "models": "models.commands:models",
    "serve": "serve.commands:serve",
    "users": "serve.user_commands:users",
}
"""Where each command is. Names, not imports: ``--help`` starts at once, and the packages'
imports keep running one way, for the chat page stands above this package."""


class _Commands(click.Group):
    def list_commands(self, context: click.Context) -> list[str]:
        """The names of the commands, sorted."""
        return sorted(_COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command of that name, or None."""
        if name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[name].split(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Commands)
@click.version_option(package_name="footnote")
@click.pass_context
def footnote(context: click.Context) -> None:
    """Answers about a folder of documents, with the exact passage under every sentence."""
    context.obj = _prepare


def _prepare(path: Path, on_progress: OnProgress) -> None:
    """What ``models pull`` does with a model that writes."""
    from rag.generate import measure_once  # noqa: PLC0415  (start-up time)

    measure_once(path, on_progress=on_progress)


def main() -> None:
    """Runs the program."""
    run(footnote, name="footnote")
