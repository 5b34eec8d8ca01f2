"""No request leaves the machine: the whole life of the program, where every one would be seen.

It runs in a network namespace that has no way out, and is watched twice: by an audit hook in each
Python process, which sees names that are looked up and addresses that are reached for; and by
strace, which sees what compiled libraries do as well. The controls show that both would notice.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import watcher

REPOSITORY = Path(__file__).parents[1]

_STRACE = "strace -f --seccomp-bpf -qq -e trace=connect,sendto,sendmsg,sendmmsg".split()

_ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')


def namespace() -> list[str]:
    """What runs a command where only this machine can be reached; skips if that may not be."""
    if sys.platform != "linux" or not (shutil.which("unshare") and shutil.which("ip")):
        pytest.skip("needs Linux with unshare and ip: install util-linux and iproute2")
    rights = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    begun = ["unshare", *rights, "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    tried = subprocess.run([*begun, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no network namespace may be made here: {tried.stderr.strip()}")
    return begun


@dataclass
class Watched:
    """A program that was run, and what both watchers saw."""

    output: str
    programs: list[str]  # each Python process that was watched
    reached: list[str]  # where one of them would go
    connected: set[str] | None  # addresses in calls to the system; None without strace


@pytest.fixture
def watched_folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "watch"
    folder.mkdir()
    shutil.copy(watcher.__file__, folder / "sitecustomize.py")
    yield folder


def watched(folder: Path, *command: str) -> Watched:
    """Runs ``command`` in a namespace, watched."""
    log, calls = folder / "log", folder / "calls"
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy")
    } | {
        "PYTHONPATH": str(folder),
        "FOOTNOTE_WATCH": str(log),
        "HF_HOME": str(folder / "hub"),  # nothing has been fetched that would not be fetched again
        # For other programs of the user's; nothing of ours may follow it.
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://192.0.2.1:4318",
    }  # fmt: skip
    tracing = [*_STRACE, "-o", str(calls)] if shutil.which("strace") else []
    done = subprocess.run(
        [*namespace(), *tracing, *command],
        capture_output=True, text=True, check=False, cwd=REPOSITORY, env=environment, timeout=1800,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.split("\t") for line in log.read_text().splitlines()]
    return Watched(
        output=done.stdout,
        programs=[line[1] for line in lines if line[0] == "watched"],
        reached=[" ".join(line[1:]) for line in lines if line[0] == "reached"],
        connected=(
            {one or other for one, other in _ADDRESS.findall(calls.read_text())}
            if tracing else None
        ),
    )  # fmt: skip


@pytest.mark.real
@pytest.mark.usefixtures("home_with_models")
def test_nothing_leaves_the_machine(watched_folder: Path, tmp_path: Path) -> None:
    seen = watched(watched_folder, sys.executable, "-m", "tests.life", str(tmp_path / "documents"))
    for step in ("index", "check", "models", "ask", "chat", "serve", "mcp"):
        assert f"did {step}\n" in seen.output
        assert any(re.search(rf"-m rag {step}\b", one) for one in seen.programs), step
    assert any("index.sandbox" in one for one in seen.programs)
    assert seen.reached == []
    if seen.connected is not None:
        assert "127.0.0.1" in seen.connected  # the page was asked
        assert {one for one in seen.connected if not watcher.is_here(one)} == set()


# Controls: what the watchers see when somebody does leave

_LEAVING = """
import socket
for attempt in (
    lambda: socket.create_connection(("192.0.2.1", 80), timeout=2),
    lambda: socket.getaddrinfo("name.invalid", 443),
    lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.2", 53)),
    lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).connect(("2001:db8::1", 53)),
):
    try:
        attempt()
    except OSError as error:
        print(error)
"""

_PAST_PYTHON = """
import ctypes, socket, struct
system = ctypes.CDLL(None)
address = struct.pack("=HH4s8x", socket.AF_INET, socket.htons(80), socket.inet_aton("192.0.2.3"))
system.connect(system.socket(socket.AF_INET, socket.SOCK_DGRAM, 0), address, 16)
"""


def test_both_watchers_see_a_program_that_leaves_and_it_gets_nowhere(watched_folder: Path) -> None:
    seen = watched(watched_folder, sys.executable, "-c", _LEAVING)
    assert [one.split()[:2] for one in seen.reached] == [
        ["192.0.2.1", "socket.getaddrinfo"],
        ["192.0.2.1", "socket.connect"],
        ["name.invalid", "socket.getaddrinfo"],
        ["192.0.2.2", "socket.sendto"],
        ["2001:db8::1", "socket.connect"],
    ]
    assert seen.output.count("Network is unreachable") == 3
    if seen.connected is not None:
        assert {"192.0.2.1", "192.0.2.2", "2001:db8::1"} <= seen.connected


def test_a_library_that_goes_past_python_is_seen_by_strace(watched_folder: Path) -> None:
    seen = watched(watched_folder, sys.executable, "-c", _PAST_PYTHON)
    if seen.connected is None:
        pytest.skip("needs strace: install it")
    assert seen.reached == []
    assert "192.0.2.3" in seen.connected


def test_processes_that_a_program_starts_are_watched_too(watched_folder: Path) -> None:
    code = (
        "import subprocess, sys\n"
        "subprocess.run([sys.executable, '-m', 'timeit', '-n1', '-r1', '-s', 'import socket',"
        " 'try: socket.getaddrinfo(\"name.invalid\", 1)\\nexcept OSError: pass'], check=True)"
    )
    seen = watched(watched_folder, sys.executable, "-c", code)
    assert len(seen.programs) == 2
    assert [one.split()[0] for one in seen.reached] == ["name.invalid"]


@pytest.mark.parametrize(
    ("host", "is_here"),
    [
        ("127.0.0.1", True), ("127.8.0.9", True), ("::1", True), ("localhost", True), ("", True),
        ("::ffff:127.0.0.1", True), ("0.0.0.0", True), ("fe80::1%eth0", False),  # noqa: S104
        ("192.0.2.1", False), ("10.0.0.1", False), ("169.254.169.254", False),
        ("2001:db8::1", False), ("::ffff:192.0.2.1", False), ("localhost.example", False),
        ("name.invalid", False),
    ],
)  # fmt: skip
def test_what_this_machine_is_called(host: str, is_here: bool) -> None:
    assert watcher.is_here(host) is is_here
