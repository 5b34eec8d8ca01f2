"""The command line: ``footnote users``, who may log in to ``footnote serve``."""

import sys
from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    from serve.accounts import Accounts

_from_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input, one line."
)


@click.group("users")
def users() -> None:
    """Who may log in to `footnote serve`: add and remove users, give them tokens."""


@users.command()
@click.argument("name")
@click.option("--manage", "may_manage", is_flag=True, help="They may add and leave out documents.")
@click.option("--without-password", is_flag=True, help="For a program, which sends a token.")
@_from_stdin
def add(*, name: str, may_manage: bool, without_password: bool, password_stdin: bool) -> None:
    """Add a user, who may read; asks for their password."""
    if without_password and password_stdin:
        raise click.UsageError("--without-password and --password-stdin exclude one another.")
    accounts = _accounts()
    password = None if without_password else _password(is_from_stdin=password_stdin)
    accounts.add(name, password, may_manage=may_manage)
    click.echo(f"“{name}” may {'read and manage documents' if may_manage else 'read'}.")
    if without_password:
        click.echo(f"'footnote users token {name}' makes the token to come in with.")


@users.command()
@click.argument("name")
def remove(*, name: str) -> None:
    """Remove a user; their sessions and tokens end at once."""
    _accounts().remove(name)
    click.echo(f"“{name}” may not come in any more; their conversations are kept.")


@users.command()
@click.argument("name")
@_from_stdin
def password(*, name: str, password_stdin: bool) -> None:
    """Give a user another password; their sessions end, their tokens stay."""
    _accounts().set_password(name, _password(is_from_stdin=password_stdin))
    click.echo(f"“{name}” has another password, and must log in again.")


@users.command()
@click.argument("name")
@click.argument("role", type=click.Choice(["read", "manage"]))
def role(*, name: str, role: Literal["read", "manage"]) -> None:
    """Let a user only read, or manage documents, too; their sessions end."""
    _accounts().set_role(name, role)
    may = "read" if role == "read" else "read and manage documents"
    click.echo(f"“{name}” may {may}, and must log in again.")


@users.command("list")
def list_users() -> None:
    """Show every user: role, whether there is a password, and the tokens."""
    accounts = _accounts().all()
    if not accounts:
        click.echo("There is no user yet: 'footnote users add NAME' adds one.")
        return
    rows = [("name", "role", "password", "tokens")]
    for account in accounts:
        tokens = ", ".join(f"{one.label} ({one.created[:10]})" for one in account.tokens)
        rows.append((account.name, account.role, "yes" if account.has_password else "no", tokens))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


@users.command()
@click.argument("name")
@click.option("--label", default="", help="What it is called in the list.  [default: a number]")
def token(*, name: str, label: str) -> None:
    """Make a token for a user's programs, and print it, this once."""
    made = _accounts().new_token(name, label)
    click.echo("Send it as “Authorization: Bearer …”; it is shown this once:", err=True)
    click.echo(made)


@users.command()
@click.argument("name")
@click.argument("label")
def revoke(*, name: str, label: str) -> None:
    """End a token."""
    _accounts().revoke(name, label)
    click.echo(f"The token “{label}” of “{name}” is none any more.")


def _accounts() -> "Accounts":
    from serve.accounts import Accounts  # noqa: PLC0415  (start-up time)

    return Accounts()


def _password(*, is_from_stdin: bool) -> str:
    if is_from_stdin:
        line = sys.stdin.buffer.readline()
        return line.decode(errors="surrogateescape").rstrip("\r\n")
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return typed
