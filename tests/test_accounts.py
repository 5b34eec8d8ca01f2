"""Who may log in: names, passwords, tokens, sessions, their file, and `footnote users`."""

import hashlib
import json
import os
import statistics
import time
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner, Result
from filelock import FileLock
from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from models.errors import AccountError
from models.paths import users_file
from serve.accounts import SESSION_SECONDS, Account, Accounts
from serve.user_commands import users
from ui.user import User

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "four planes came down"
READER, KEEPER = User("desk-1", may_manage=False), User("desk-2", may_manage=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "users.json"


@pytest.fixture
def accounts(file: Path) -> Accounts:
    accounts = Accounts(file, hasher=QUICK)
    accounts.add("desk-1", PASSWORD)
    accounts.add("desk-2", f"{PASSWORD} again", may_manage=True)
    return accounts


# Passwords


def test_a_password_lets_its_user_in_and_nobody_else(accounts: Accounts) -> None:
    assert accounts.of_password("desk-1", PASSWORD) == READER
    assert accounts.of_password("desk-2", f"{PASSWORD} again") == KEEPER
    for name, password in [
        ("desk-1", f"{PASSWORD} again"),
        ("desk-1", ""),
        ("desk-1", PASSWORD.upper()),
        ("desk-3", PASSWORD),
        ("", PASSWORD),
    ]:
        assert accounts.of_password(name, password) is None


def test_the_same_name_and_password_may_be_typed_as_other_characters(accounts: Accounts) -> None:
    accounts.add("Büro.3@house", "vier Flugzeuge über uns")
    assert accounts.of_password("BU\u0308RO.3@house", "vier Flugzeuge u\u0308ber uns") == User(
        "Büro.3@house", may_manage=False
    )
    with pytest.raises(AccountError, match=r"^There is a user “bÜro.3@house” already"):
        accounts.add("bÜro.3@house", PASSWORD)


@pytest.mark.parametrize("name", ["", "desk 1", "../desk", "-desk", "desk\n", "a" * 65, "<b>", "@"])
def test_names_are_plain(accounts: Accounts, name: str) -> None:
    with pytest.raises(AccountError, match="cannot be a user's name: it is up to 64 letters"):
        accounts.add(name, PASSWORD)


def test_the_longest_and_shortest_of_everything(accounts: Accounts) -> None:
    accounts.add("a" * 64, "p" * 1024)
    assert accounts.of_password("a" * 64, "p" * 1024) == User("a" * 64, may_manage=False)
    assert accounts.of_password("a" * 64, "p" * 1025) is None  # no longer one is cut to fit
    accounts.add("b", "p" * 12)
    assert accounts.of_password("b", "p" * 12)
    for password in ("p" * 11, "p" * 1025, "", "u\u0308" * 11):
        with pytest.raises(AccountError, match=r"^A password has 12 to 1024 characters: choose"):
            accounts.add("c", password)
    with pytest.raises(AccountError, match=r"^This password is not written as UTF-8"):
        accounts.add("c", "\udcff" * 12)


def test_passwords_are_kept_as_argon2id(file: Path) -> None:
    Accounts(file).add("desk-1", PASSWORD)
    text = file.read_text()
    assert PASSWORD not in text
    assert "$argon2id$v=19$m=65536,t=3,p=4$" in text


def test_a_hash_of_other_parameters_is_made_anew_when_its_user_logs_in(
    accounts: Accounts, file: Path
) -> None:
    session = accounts.session(READER)
    better = Accounts(file, hasher=PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    assert better.of_password("desk-1", "another password") is None
    assert "m=16,t=2" not in file.read_text()
    assert better.of_password("desk-1", PASSWORD) == READER
    assert file.read_text().count("m=16,t=2") == 1
    assert better.of_password("desk-1", PASSWORD) == READER
    assert better.of_session(session) == READER


def test_a_name_that_nobody_has_takes_as_long(file: Path) -> None:
    accounts = Accounts(file, hasher=PasswordHasher(time_cost=4, memory_cost=4096, parallelism=1))
    accounts.add("desk-1", PASSWORD)
    accounts.add("program", None)
    accounts.of_password("desk-1", PASSWORD)

    def seconds(name: str) -> float:
        began = time.process_time()  # which other programs do not lengthen
        assert accounts.of_password(name, "another password") is None
        return time.process_time() - began

    rounds = [(seconds("desk-1"), seconds("nobody"), seconds("program")) for _ in range(15)]
    assert 0.5 < statistics.median(unknown / known for known, unknown, _ in rounds) < 2
    assert 0.5 < statistics.median(without / known for known, _, without in rounds) < 2


# Tokens


def test_a_token_lets_its_user_in_until_it_is_revoked(accounts: Accounts, file: Path) -> None:
    token = accounts.new_token("desk-1")
    other = accounts.new_token("desk-2", "script")
    assert token.startswith("footnote_")
    assert len(token) == 9 + 43  # 32 random bytes
    assert (accounts.of_token(token), accounts.of_token(other)) == (READER, KEEPER)
    assert token[9:] not in file.read_text()
    for wrong in ("", "footnote_", token[:-1], token + "x", token.upper(), "\udcff"):
        assert accounts.of_token(wrong) is None
    accounts.revoke("desk-1", "1")
    assert accounts.of_token(token) is None
    assert accounts.of_token(other) == KEEPER


def test_labels_tell_tokens_apart(accounts: Accounts) -> None:
    for label in ("", "script", ""):
        accounts.new_token("desk-1", label)
    [listed, _] = accounts.all()
    assert [token.label for token in listed.tokens] == ["1", "script", "2"]
    accounts.revoke("desk-1", "1")
    accounts.new_token("desk-1")
    assert [token.label for token in accounts.all()[0].tokens] == ["script", "2", "1"]
    with pytest.raises(AccountError, match=r"^“desk-1” has a token “script” already: give another"):
        accounts.new_token("desk-1", "script")
    with pytest.raises(AccountError, match=r"^“desk-1” has no token “3”: 'footnote users list'"):
        accounts.revoke("desk-1", "3")
    for label in ("two\nlines", "a" * 65):
        with pytest.raises(AccountError, match=r"^A label is one line of up to 64 characters"):
            accounts.new_token("desk-1", label)


def test_who_has_no_password_comes_in_by_token_alone(accounts: Accounts) -> None:
    accounts.add("program", None)
    token = accounts.new_token("program")
    assert accounts.of_token(token) == User("program", may_manage=False)
    assert accounts.of_password("program", "") is None
    assert accounts.of_password("program", token) is None


# Sessions


def test_a_session_is_its_users(accounts: Accounts) -> None:
    session = accounts.session(READER)
    assert accounts.of_session(session) == READER
    for forged in ("", "x", session[:-1], session.replace(".", ""), f"{session}x"):
        assert accounts.of_session(forged) is None


def signed(file: Path, payload: object, *, ago: int = 0, salt: str = "footnote session") -> str:
    """What the server would have signed so many seconds ago."""

    class Earlier(TimestampSigner):
        def get_timestamp(self) -> int:
            return super().get_timestamp() - ago

    return str(
        URLSafeTimedSerializer(
            json.loads(file.read_text())["secret"],
            salt=salt,
            signer=Earlier,
            signer_kwargs={"digest_method": hashlib.sha256},
        ).dumps(payload)
    )


def test_a_session_ends_after_twelve_hours(accounts: Accounts, file: Path) -> None:
    assert SESSION_SECONDS == 12 * 3600
    epoch = json.loads(file.read_text())["users"][0]["epoch"]
    assert accounts.of_session(signed(file, ["desk-1", epoch], ago=SESSION_SECONDS - 60)) == READER
    assert accounts.of_session(signed(file, ["desk-1", epoch], ago=SESSION_SECONDS + 60)) is None
    assert accounts.of_session(signed(file, ["desk-1", epoch - 1])) is None
    assert accounts.of_session(signed(file, ["desk-2", epoch])) is None
    assert accounts.of_session(signed(file, ["desk-1", epoch], salt="another use")) is None
    assert accounts.of_session(signed(file, {"name": "desk-1"})) is None


@pytest.mark.parametrize("change", ["password", "role", "leave", "remove", "remove and add"])
def test_what_ends_sessions(accounts: Accounts, change: str) -> None:
    session, others = accounts.session(READER), accounts.session(KEEPER)
    token = accounts.new_token("desk-1")
    if change == "password":
        accounts.set_password("desk-1", "another long password")
    elif change == "role":
        accounts.set_role("desk-1", "read")
    elif change == "leave":
        accounts.end_sessions("desk-1")
    else:
        accounts.remove("desk-1")
    if change == "remove and add":
        accounts.add("desk-1", PASSWORD)
    assert accounts.of_session(session) is None
    assert accounts.of_session(others) == KEEPER
    assert accounts.of_token(token) == (None if change.startswith("remove") else READER)


def test_a_role_is_that_of_tokens_and_of_the_next_session(accounts: Accounts) -> None:
    token = accounts.new_token("desk-1")
    accounts.set_role("desk-1", "manage")
    now = User("desk-1", may_manage=True)
    assert accounts.of_token(token) == accounts.of_password("desk-1", PASSWORD) == now
    assert accounts.of_session(accounts.session(now)) == now


# The file


def test_a_running_server_notices_what_another_program_changes(
    accounts: Accounts, file: Path
) -> None:
    server = Accounts(file, hasher=QUICK)
    token = accounts.new_token("desk-1")
    assert server.of_token(token) == READER
    session = server.session(READER)
    accounts.remove("desk-1")
    assert (server.of_token(token), server.of_session(session)) == (None, None)
    file.unlink()
    assert server.all() == []


def test_nobody_else_on_the_machine_may_read_it(accounts: Accounts, file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    before = os.umask(0)
    try:
        accounts.add("desk-3", PASSWORD)
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o600
    for mode in (0o640, 0o604, 0o620):
        file.chmod(mode)
        with pytest.raises(AccountError, match=f"so nobody is let in: run 'chmod 600 {file}'.$"):
            accounts.of_token("footnote_x")
    file.chmod(0o600)
    assert accounts.of_password("desk-3", PASSWORD)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda text: text[:-20], "are damaged: put back a copy, or move the file away"),
        (lambda text: "[]", "are damaged"),
        (lambda text: text.replace('"read"', '"owner"'), "are damaged"),
        (lambda text: text.replace("$argon2id$", "$plain$"), "are damaged"),
        (lambda text: text.replace('"format": 1', '"format": 2'), "by another version of Footnote"),
        (lambda text: "\ud800".encode("utf-8", "surrogatepass"), "are damaged"),
    ],
)
def test_a_damaged_file_lets_nobody_in_and_is_not_written_over(
    accounts: Accounts, file: Path, damage: object, told: str
) -> None:
    assert callable(damage)
    damaged = damage(file.read_text())
    data = damaged if isinstance(damaged, bytes) else damaged.encode()
    file.write_bytes(data)
    with pytest.raises(AccountError, match=told):
        accounts.of_password("desk-1", PASSWORD)
    with pytest.raises(AccountError, match=told):
        accounts.add("desk-3", PASSWORD)
    assert file.read_bytes() == data


def test_a_write_that_fails_loses_nothing(accounts: Accounts, file: Path) -> None:
    before = file.read_bytes()
    file.with_name("users.json.new").mkdir()  # so that no file can be made there
    with pytest.raises(AccountError, match=r"^The users cannot be written to “.*make room there"):
        accounts.set_role("desk-1", "manage")
    assert file.read_bytes() == before
    file.with_name("users.json.new").rmdir()
    file.with_name("users.json.new").write_text("of a write that was cut short")
    accounts.set_role("desk-1", "manage")
    assert accounts.all()[0].role == "manage"
    assert sorted(path.name for path in file.parent.iterdir()) == ["users.json", "users.json.lock"]


def test_one_program_changes_it_at_a_time(
    accounts: Accounts, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve.user_file._SECONDS_FOR_LOCK", 0.05)
    before = file.read_bytes()
    with (
        FileLock(file.with_name("users.json.lock")),
        pytest.raises(AccountError, match=r"^Another program is changing the users in “.*try it"),
    ):
        accounts.remove("desk-1")
    assert file.read_bytes() == before


# The command


def run(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(users, list(arguments), input=typed)


def test_users_are_added_listed_changed_and_removed() -> None:
    result = run("list")
    assert result.output == "There is no user yet: 'footnote users add NAME' adds one.\n"
    result = run("add", "desk-1", typed=f"{PASSWORD}\n{PASSWORD}\n")
    assert (result.exit_code, PASSWORD in result.output) == (0, False)
    assert result.output.endswith("“desk-1” may read.\n")
    result = run("add", "desk-2", "--manage", "--password-stdin", typed=f"{PASSWORD} é\r\nmore\n")
    assert result.output == "“desk-2” may read and manage documents.\n"
    run("add", "program", "--without-password")
    result = run("token", "program", "--label", "nightly")
    token = result.stdout.strip()
    today = time.strftime("%Y-%m-%d", time.gmtime())
    assert run("list").output == (
        "name     role    password  tokens\n"
        "desk-1   read    yes\n"
        "desk-2   manage  yes\n"
        f"program  read    no        nightly ({today})\n"
    )
    accounts = Accounts()
    assert accounts.of_token(token) == User("program", may_manage=False)
    assert accounts.of_password("desk-2", f"{PASSWORD} é") == KEEPER
    run("password", "desk-2", "--password-stdin", typed="another long password")
    run("role", "desk-2", "read")
    assert accounts.of_password("desk-2", "another long password") == User(
        "desk-2", may_manage=False
    )
    run("revoke", "program", "nightly")
    run("remove", "desk-1")
    assert accounts.all() == [
        Account("desk-2", "read", has_password=True, tokens=()),
        Account("program", "read", has_password=False, tokens=()),
    ]
    assert users_file().stat().st_mode & 0o777 == 0o600


def test_a_password_that_is_typed_differently_the_second_time_is_asked_again() -> None:
    result = run("add", "desk-1", typed=f"{PASSWORD}\nanother\n{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0
    assert Accounts().of_password("desk-1", PASSWORD) == READER


@pytest.mark.parametrize(
    ("arguments", "typed", "told"),
    [
        (["add", "desk 1", "--password-stdin"], PASSWORD, "cannot be a user's name"),
        (["add", "desk-1", "--password-stdin"], "short", "A password has 12 to 1024 characters"),
        (["add", "desk-1", "--password-stdin"], "", "A password has 12 to 1024 characters"),
        (["remove", "desk-9"], "", "There is no user “desk-9”: 'footnote users list' shows them."),
        (["password", "desk-9", "--password-stdin"], PASSWORD, "There is no user “desk-9”"),
        (["token", "desk-9"], "", "There is no user “desk-9”"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(
    arguments: list[str], typed: str, told: str
) -> None:
    result = run(*arguments, typed=typed)
    assert isinstance(result.exception, AccountError)
    assert told in str(result.exception)
    assert not users_file().exists()


def test_wrong_usage() -> None:
    assert run("role", "desk-1", "owner").exit_code == 2
    both = run("add", "desk-1", "--without-password", "--password-stdin")
    assert "exclude one another" in both.output
