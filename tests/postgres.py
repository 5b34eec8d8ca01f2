"""For tests of what is kept in PostgreSQL: a server of their own, in a folder that goes again."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.browser import free_port

USER, PASSWORD = "footnote", "not a secret: a/b@c:d%e"


def find_postgres() -> Path | None:
    """The folder of the newest PostgreSQL's programs: FOOTNOTE_POSTGRES, or Debian's."""
    named = os.environ.get("FOOTNOTE_POSTGRES")
    if named:
        return Path(named)
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((one.parent for one in found), key=lambda one: float(one.parent.name), default=None)


@dataclass
class Cluster:
    """A server that may be stopped and started."""

    programs: Path
    folder: Path
    user: str | None  # of the system, who runs it; None: whoever runs the tests
    port: int = field(default_factory=free_port)
    _databases: int = 0

    def start(self) -> None:
        self._run("pg_ctl", "start", "--wait", "--log", str(self.folder / "log"))

    def stop(self, how: str = "fast") -> None:
        self._run("pg_ctl", "stop", "--wait", "--mode", how)

    def new_database(self) -> str:
        """Its URL, without the password."""
        self._databases += 1
        self.run(f'CREATE DATABASE "test{self._databases}"')
        return self.url(f"test{self._databases}")

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}/{database}"

    def run(self, statement: str, *, database: str = "postgres") -> list[Any]:
        """Does one statement, and gives its rows."""
        import psycopg
        from psycopg import sql

        with psycopg.connect(
            host="127.0.0.1", port=self.port, dbname=database, user=USER, password=PASSWORD,
            autocommit=True,
        ) as connection:  # fmt: skip
            done = connection.execute(sql.SQL(statement))
            return done.fetchall() if done.description else []

    def make(self) -> None:
        """All that it is, in ``folder``."""
        (self.folder / "password").write_text(PASSWORD)
        if self.user:
            shutil.chown(self.folder, self.user)
            shutil.chown(self.folder / "password", self.user)
        self._run(
            "initdb", "--no-sync", "--no-locale", "--encoding", "UTF8", "--username", USER,
            "--auth", "scram-sha-256", "--pwfile", str(self.folder / "password"),
        )  # fmt: skip
        with (self.folder / "data" / "postgresql.conf").open("a") as settings:
            settings.write(
                f"port = {self.port}\nlisten_addresses = '127.0.0.1'\nfsync = off\n"
                "unix_socket_directories = ''\nmax_connections = 60\nshared_buffers = 16MB\n"
            )

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self.programs / program, "--pgdata", self.folder / "data", *arguments],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
            cwd=self.folder, user=self.user, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, f"{program}: {done.stderr}"


@contextmanager
def postgres() -> Iterator[Cluster]:
    """A running server; the test is skipped where there can be none."""
    programs = find_postgres()
    if programs is None:
        pytest.skip("no PostgreSQL: run sh tests/postgres.sh, or name its bin in FOOTNOTE_POSTGRES")
    pytest.importorskip("psycopg", reason="run pip install 'footnote[postgres]'")
    with tempfile.TemporaryDirectory(prefix="footnote-postgres-") as folder:
        cluster = Cluster(programs, Path(folder), _unprivileged())
        cluster.make()
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop("immediate")


def _unprivileged() -> str | None:
    """PostgreSQL does not let root run it."""
    if os.geteuid() != 0:
        return None
    known = {one.pw_name for one in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"
