"""Who may log in: passwords, tokens and sessions, and what ``footnote users`` changes.

Passwords are kept as Argon2id hashes, tokens as SHA-256 of what is too random to be guessed.
Sessions are signed, and belong to an epoch of their user: a new one ends them all.
"""

import hashlib
import hmac
import logging
import re
import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from itsdangerous import BadData, URLSafeTimedSerializer

from models.errors import AccountError
from models.paths import users_file
from serve.user_file import Role, Stored, StoredToken, StoredUser, UserFile
from ui.user import User

SESSION_SECONDS = 12 * 60 * 60

SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 1024
"""Characters."""

_LONGEST_NAME = 64

_log = logging.getLogger("footnote.access")


@dataclass(frozen=True, slots=True)
class Token:
    """What may be shown of a token."""

    label: str
    created: str  # ISO 8601, UTC


@dataclass(frozen=True, slots=True)
class Account:
    """What may be shown of somebody who may log in."""

    name: str
    role: Role
    has_password: bool  # else by tokens alone
    tokens: tuple[Token, ...]


class Accounts:
    """The users in one file. Every method raises AccountError if the file fails."""

    def __init__(self, file: Path | None = None, *, hasher: PasswordHasher | None = None) -> None:
        """``file`` is made with the first user; without one, it is in the user's data folder."""
        self.file = file or users_file()
        self._file = UserFile(self.file)
        self._hasher = hasher or PasswordHasher()

    # Who is it?

    def of_password(self, name: str, password: str) -> User | None:
        """The user of that name, if it is their password; which takes as long if there is none.

        It takes 64 MB, and a tenth of a second or more: RFC 9106, section 4, second option.
        """
        nobodys = self._nobodys_password  # made before any is compared
        user = _find(self._file.read(), name)
        kept = user.password if user and user.password else nobodys
        typed = _normal(password)
        try:
            self._hasher.verify(kept, typed[:LONGEST_PASSWORD].encode(errors="replace"))
        except (VerificationError, InvalidHashError):
            return None
        if user is None or user.password is None or len(typed) > LONGEST_PASSWORD:
            return None
        self._renew_hash(user, password)
        return _as_user(user)

    def of_token(self, token: str) -> User | None:
        """Whose token this is."""
        digest = hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()
        found = None
        for user in self._file.read().users:
            for one in user.tokens:
                if hmac.compare_digest(one.sha256, digest):
                    found = user  # and on, so that all take as long
        return _as_user(found) if found else None

    def session(self, user: User) -> str:
        """What shows for ``SESSION_SECONDS`` that ``user`` has logged in."""
        stored = self._file.read()
        return _signer(stored).dumps([user.name, _known(stored, user.name).epoch])

    def of_session(self, session: str) -> User | None:
        """Whose session this is; None if it has ended, or was never begun here."""
        stored = self._file.read()
        try:
            name, epoch = _signer(stored).loads(session, max_age=SESSION_SECONDS)
        except (BadData, ValueError, TypeError):
            return None
        user = _find(stored, name)
        return _as_user(user) if user and user.epoch == epoch else None

    def has(self, name: str) -> bool:
        """Whether there is a user of that name."""
        return _find(self._file.read(), name) is not None

    def all(self) -> list[Account]:
        """Everybody who may log in, by name."""
        users = sorted(self._file.read().users, key=lambda user: folded(user.name))
        return [
            Account(
                user.name,
                user.role,
                user.password is not None,
                tuple(Token(token.label, token.created) for token in user.tokens),
            )
            for user in users
        ]

    # Changes

    def add(self, name: str, password: str | None, *, may_manage: bool = False) -> None:
        """A new user; without a password, for programs, which come with a token.

        Raises AccountError if the name is taken, or one of both is not as it must be.
        """
        user = StoredUser(
            name=_checked_name(name),
            role="manage" if may_manage else "read",
            password=None if password is None else self._hash(password),
            epoch=secrets.randbits(48),  # so that no session of a namesake of before fits
        )
        with self._file.changing() as stored:
            if _find(stored, name):
                raise AccountError(
                    f"There is a user “{name}” already: give another name, or run "
                    f"'footnote users password {name}'."
                )
            self._file.write(stored.model_copy(update={"users": (*stored.users, user)}))

    def remove(self, name: str) -> None:
        """Nobody of that name may log in any more; their sessions and tokens end."""
        with self._file.changing() as stored:
            gone = _known(stored, name)
            left = tuple(user for user in stored.users if user is not gone)
            self._file.write(stored.model_copy(update={"users": left}))

    def set_password(self, name: str, password: str) -> None:
        """Another password; sessions end, tokens stay."""
        hash_ = self._hash(password)
        self._change(name, lambda user: {"password": hash_, "epoch": user.epoch + 1})

    def set_role(self, name: str, role: Role) -> None:
        """Another role, which tokens get, too; sessions end."""
        self._change(name, lambda user: {"role": role, "epoch": user.epoch + 1})

    def end_sessions(self, name: str) -> None:
        """Whoever has logged in by that name must do so again."""
        self._change(name, lambda user: {"epoch": user.epoch + 1})

    def new_token(self, name: str, label: str = "") -> str:
        """A new token, which is kept nowhere; without a ``label``, it gets a number.

        Raises AccountError if the label is taken, or is no single line of up to 64 characters.
        """
        token = f"footnote_{secrets.token_urlsafe(32)}"

        def with_token(user: StoredUser) -> dict[str, object]:
            taken = {one.label for one in user.tokens}
            numbers = map(str, range(1, len(taken) + 2))
            chosen = label or next(number for number in numbers if number not in taken)
            if chosen in taken:
                raise AccountError(
                    f"“{name}” has a token “{chosen}” already: give another --label, or run "
                    f"'footnote users revoke {name} {chosen}'."
                )
            if len(chosen) > _LONGEST_NAME or not chosen.isprintable():
                raise AccountError(
                    f"A label is one line of up to {_LONGEST_NAME} characters: "
                    "give another --label."
                )
            new = StoredToken(
                label=chosen,
                sha256=hashlib.sha256(token.encode()).hexdigest(),
                created=datetime.now(UTC).isoformat(timespec="seconds"),
            )
            return {"tokens": (*user.tokens, new)}

        self._change(name, with_token)
        return token

    def revoke(self, name: str, label: str) -> None:
        """Ends a token. Raises AccountError if there is none of that label."""

        def without(user: StoredUser) -> dict[str, object]:
            left = tuple(token for token in user.tokens if token.label != label)
            if len(left) == len(user.tokens):
                raise AccountError(
                    f"“{name}” has no token “{label}”: 'footnote users list' shows them."
                )
            return {"tokens": left}

        self._change(name, without)

    def _change(self, name: str, change: Callable[[StoredUser], dict[str, object]]) -> None:
        with self._file.changing() as stored:
            old = _known(stored, name)
            new = old.model_copy(update=change(old))
            users = tuple(new if user is old else user for user in stored.users)
            self._file.write(stored.model_copy(update={"users": users}))

    # Passwords

    def _hash(self, password: str) -> str:
        typed = _normal(password)
        if not SHORTEST_PASSWORD <= len(typed) <= LONGEST_PASSWORD:
            raise AccountError(
                f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters: "
                "choose another."
            )
        try:
            return self._hasher.hash(typed)
        except UnicodeEncodeError as error:
            raise AccountError("This password is not written as UTF-8: type it again.") from error

    @cached_property
    def _nobodys_password(self) -> str:
        return self._hasher.hash(secrets.token_hex(32))

    def _renew_hash(self, known: StoredUser, password: str) -> None:
        """After a login: a hash that was made with the parameters of before is made anew."""
        if known.password is None or not self._hasher.check_needs_rehash(known.password):
            return
        hash_ = self._hash(password)

        def renewed(user: StoredUser) -> dict[str, object]:
            return {"password": hash_ if user.password == known.password else user.password}

        try:
            self._change(known.name, renewed)
        except AccountError as error:  # who has the right password is let in all the same
            _log.warning("the hash of a password could not be made anew", exc_info=error)


def is_name(name: str) -> bool:
    """Whether somebody may be called that."""
    normal = unicodedata.normalize("NFKC", name)
    return re.fullmatch(rf"\w[\w.@-]{{0,{_LONGEST_NAME - 1}}}", normal) is not None


def folded(name: str) -> str:
    """Names are the same if these are: those of “Desk-1” and “desk-1”."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def _checked_name(name: str) -> str:
    if not is_name(name):
        raise AccountError(
            f"“{name}” cannot be a user's name: it is up to {_LONGEST_NAME} letters, digits and "
            "“. _ - @”, and begins with a letter or digit."
        )
    return unicodedata.normalize("NFKC", name)


def _find(stored: Stored, name: str) -> StoredUser | None:
    wanted = folded(name)
    return next((user for user in stored.users if folded(user.name) == wanted), None)


def _known(stored: Stored, name: str) -> StoredUser:
    user = _find(stored, name)
    if user is None:
        raise AccountError(f"There is no user “{name}”: 'footnote users list' shows them.")
    return user


def _as_user(user: StoredUser) -> User:
    return User(user.name, may_manage=user.role == "manage")


def _signer(stored: Stored) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        stored.secret,
        salt="footnote session",
        signer_kwargs={"digest_method": hashlib.sha256},
    )


def _normal(password: str) -> str:
    """Keyboards write the same letter in more than one way: RFC 8265, section 4.2.2."""
    return unicodedata.normalize("NFC", password)
