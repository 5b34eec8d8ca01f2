"""The file of those who may log in, as it is on disk: read, checked, and changed as a whole."""

import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field

from models.errors import AccountError

Role = Literal["read", "manage"]

_FORMAT = 1
"""Changes when an older Footnote could not read the file any more."""

_SECONDS_FOR_LOCK = 10

_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class StoredToken(_Record):
    """A token, which only its owner knows."""

    label: str
    sha256: _Sha256
    created: str  # ISO 8601, UTC


class StoredUser(_Record):
    """Somebody who may log in."""

    name: str
    role: Role
    password: Annotated[str, Field(pattern=r"^\$argon2id\$")] | None  # None: by tokens alone
    epoch: int  # sessions that were begun in another one have ended
    tokens: tuple[StoredToken, ...] = ()


class Stored(_Record):
    """All of the file."""

    format: Literal[1] = 1
    secret: _Sha256  # signs sessions
    users: tuple[StoredUser, ...] = ()


class UserFile:
    """One such file. Every method raises AccountError if the file fails."""

    def __init__(self, path: Path) -> None:
        """``path`` is made when something is first written."""
        self._path = path
        self._known: tuple[tuple[int, int, int], Stored] | None = None

    def read(self) -> Stored:
        """What it says now; looked at each time, and read again when it has changed."""
        try:
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                self._refuse_if_shared(status)
                mark = (status.st_mtime_ns, status.st_size, status.st_ino)
                known = self._known  # another thread may put a newer one in its place
                if known is not None and known[0] == mark:
                    return known[1]
                stored = self._parsed(file.read())
        except FileNotFoundError:
            return Stored(secret=secrets.token_hex(32))
        except OSError as error:
            raise AccountError(
                f"The users in “{self._path}” cannot be read ({error.strerror}): set its rights."
            ) from error
        self._known = mark, stored
        return stored

    @contextmanager
    def changing(self) -> Iterator[Stored]:
        """What it says, while no other program changes it."""
        path = self._path.with_name(f"{self._path.name}.lock")
        lock = FileLock(path, _SECONDS_FOR_LOCK, mode=0o600)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout as error:
            raise AccountError(
                f"Another program is changing the users in “{self._path}”: try it again."
            ) from error
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            yield self.read()
        finally:
            lock.release()

    def write(self, stored: Stored) -> None:
        """Puts a whole new file in the place of the old one; only while ``changing``."""
        new = self._path.with_name(f"{self._path.name}.new")
        try:
            new.unlink(missing_ok=True)  # of a write that was cut short
            handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(stored.model_dump_json(indent=2) + "\n")
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
        except OSError as error:
            raise self._unwritable(error) from error

    def _refuse_if_shared(self, status: os.stat_result) -> None:
        if os.name != "nt" and stat.S_IMODE(status.st_mode) & 0o077:
            raise AccountError(
                f"Others on this machine may read or change the users in “{self._path}”, so nobody "
                f"is let in: run 'chmod 600 {self._path}'."
            )

    def _parsed(self, data: bytes) -> Stored:
        try:
            found = json.loads(data)
            if isinstance(found, dict) and found.get("format", _FORMAT) != _FORMAT:
                raise AccountError(
                    f"The users in “{self._path}” were written by another version of Footnote: use "
                    "that one, or move the file away and add them again with 'footnote users add'."
                )
            return Stored.model_validate_json(data)
        except ValueError as error:  # pydantic's, too
            raise AccountError(
                f"The users in “{self._path}” are damaged: put back a copy, or move the file away "
                "and add them again with 'footnote users add'."
            ) from error

    def _unwritable(self, error: OSError) -> AccountError:
        return AccountError(
            f"The users cannot be written to “{self._path}” ({error.strerror}): make room there, "
            "set its rights, or set FOOTNOTE_HOME to another folder."
        )
