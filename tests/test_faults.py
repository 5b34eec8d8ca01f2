"""What an index lives through: killed builds, full disks, read-only folders, damaged files.

After each of them the old or the new index answers, rightly, or one sentence names the command
that mends it.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from index.build import build
from index.local_files import current_generation
from index.search import Index
from models.errors import FootnoteError, StoreError
from tests.fakes import WordEmbedder

REPOSITORY = Path(__file__).parents[1]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="signals and forks of POSIX"),
]


def write_reports(folder: Path, *, version: int, count: int = 60) -> None:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        text = f"Report{number} tells of version{version}. " * 20
        (folder / f"{number}.txt").write_text(text)


def versions_told(*, count: int = 60) -> set[str]:
    """The versions of which the answers tell; more than one is a mixture of two builds."""
    index = Index.open(embedder=WordEmbedder())
    try:
        hits = [index.search(f"Report{n}", limit=1)[0] for n in range(0, count, 12)]
    finally:
        index.close()
    return {hit.passage.text.split()[3].strip(".") for hit in hits}


def run_program(script: str, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True, text=True, check=False, timeout=300,
        cwd=REPOSITORY, env=os.environ | {"FOOTNOTE_HOME": str(home)},
    )  # fmt: skip


# The imports are made once; each build then runs in a fork, which is killed by its parent.
_KILL = """
import os, random, signal, sys, time
from pathlib import Path
from index.build import build
from index.local_files import current_generation
from tests.fakes import WordEmbedder
from tests.test_faults import versions_told, write_reports
folder, kills = Path(sys.argv[1]), int(sys.argv[2])
moments = random.Random(20261122)
build(folder, embedder=WordEmbedder())
started = time.monotonic()
write_reports(folder, version=1)
build(folder, embedder=WordEmbedder())
whole, version = time.monotonic() - started, 1
killed = switched = writing = 0
generations = Path(sys.argv[3])
while killed < kills:
    version += 1
    write_reports(folder, version=version)
    before = current_generation("default")
    child = os.fork()
    if child == 0:
        build(folder, embedder=WordEmbedder())
        os._exit(0)
    time.sleep(moments.uniform(0, 2 * whole))
    os.kill(child, 9)
    _, status = os.waitpid(child, 0)
    killed += os.WIFSIGNALED(status)
    writing += len(list(generations.iterdir())) > 2  # it had begun the next generation
    told = versions_told()
    assert len(told) == 1, f"a mixture of two builds answers: {told}"
    is_new = current_generation("default") != before
    assert (told == {f"version{version}"}) == is_new, (told, version, is_new)
    switched += is_new
print(killed, writing, switched)
"""


@pytest.mark.real
def test_killed_at_100_random_moments(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "reports"
    write_reports(folder, version=0)
    generations = home / "indexes/default/generations"
    done = run_program(_KILL, str(folder), "100", str(generations), home=home)
    assert done.stderr == ""
    killed, writing, switched = map(int, done.stdout.split())
    assert killed == 100
    assert writing >= 20, "too few were killed while they wrote to show anything"
    print(f"{killed} builds killed, {writing} of them writing; {switched} builds switched")
    build(folder, embedder=WordEmbedder())
    assert len(list(generations.iterdir())) <= 2


_FULL = """
import resource, signal, sys
from pathlib import Path
from index.build import build
from models.errors import FootnoteError
from tests.fakes import WordEmbedder
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for limit in map(int, sys.argv[2:]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        build(Path(sys.argv[1]), embedder=WordEmbedder())
    except FootnoteError as error:
        print(limit, error)
"""


def test_a_disk_that_fills_at_any_moment_leaves_the_old_index(tmp_path: Path, home: Path) -> None:
    """A limit on the size of files stands for the full disk: the same calls fail."""
    folder = tmp_path / "reports"
    write_reports(folder, version=0)
    build(folder, embedder=WordEmbedder())
    size = max(path.stat().st_size for path in (home / "indexes").rglob("*") if path.is_file())
    write_reports(folder, version=1)
    limits = [str(size * share // 20) for share in range(20)]
    done = run_program(_FULL, str(folder), *limits, home=home)
    assert done.stderr == ""
    told = done.stdout.splitlines()
    assert len(told) >= 15, "the limit has to stop builds to show anything"
    assert all("make room there, or set FOOTNOTE_HOME" in line for line in told)
    assert versions_told() == {"version0"}
    build(folder, embedder=WordEmbedder())
    assert versions_told() == {"version1"}


_AS_NOBODY = """
import os, sys
from pathlib import Path
from index.build import build
from models.errors import FootnoteError
from tests.fakes import WordEmbedder
if os.getuid() == 0:  # who may write everywhere
    os.setgid(65534)
    os.setuid(65534)
try:
    build(Path(sys.argv[1]), embedder=WordEmbedder())
except FootnoteError as error:
    print(error)
"""


def test_a_folder_that_may_not_be_written_is_one_sentence(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "reports"
    write_reports(folder, version=0)
    build(folder, embedder=WordEmbedder())
    write_reports(folder, version=1)
    for path in [*tmp_path.parents, tmp_path]:
        if path.is_relative_to("/tmp") and path.stat().st_uid == os.getuid():  # noqa: S108
            path.chmod(0o755)
    for path in (home / "indexes").rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    done = run_program(_AS_NOBODY, str(folder), home=home)
    for path in (home / "indexes").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert done.stderr == ""
    assert "cannot be written" in done.stdout
    assert "FOOTNOTE_HOME" in done.stdout
    assert versions_told() == {"version0"}


_ORDER = """
import os, sys
from pathlib import Path
seen = []
real = os.fsync
def fsync(descriptor):
    seen.append(("fsync", os.readlink(f"/proc/self/fd/{descriptor}")))
    real(descriptor)
os.fsync = fsync
def note(event, arguments):
    if event == "os.rename":
        seen.append(("rename", os.fspath(arguments[1])))
    if event == "open" and isinstance(arguments[0], str) and isinstance(arguments[2], int) \\
            and arguments[2] & (os.O_WRONLY | os.O_RDWR):
        seen.append(("write", arguments[0]))
sys.addaudithook(note)
from index.build import build
from tests.fakes import WordEmbedder
build(Path(sys.argv[1]), embedder=WordEmbedder())
import json
print(json.dumps(seen))
"""


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_all_is_on_the_disk_before_the_pointer_is_replaced(tmp_path: Path, home: Path) -> None:
    """What a power cut needs: contents first, then their names, then the rename, then its name."""
    folder = tmp_path / "reports"
    write_reports(folder, version=0, count=3)
    done = run_program(_ORDER, str(folder), home=home)
    assert done.stderr == ""
    seen = [(what, Path(path)) for what, path in json.loads(done.stdout)]
    index = home / "indexes" / "default"
    switch = seen.index(("rename", index / "current"))
    generation = current_generation("default")
    assert generation
    for path in [*generation.iterdir(), generation, generation.parent, index / "current.new"]:
        flushed = seen.index(("fsync", path))
        assert flushed < switch
        assert ("write", path) not in seen[flushed:]
    assert ("fsync", index) in seen[switch:]


@pytest.mark.parametrize("damage", ["flip", "truncate"])
def test_a_damaged_file_is_never_a_wrong_answer(damage: str, tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "reports"
    write_reports(folder, version=0)
    build(folder, embedder=WordEmbedder())
    write_reports(folder, version=1)
    build(folder, embedder=WordEmbedder())
    chance = random.Random(20261122)  # noqa: S311
    said: Counter[str] = Counter()
    generation = current_generation("default")
    assert generation
    for path in [*sorted(generation.iterdir()), home / "indexes/default/current"]:
        whole = path.read_bytes()
        for _ in range(40):
            at = chance.randrange(len(whole))
            flipped = whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :]
            path.write_bytes(flipped if damage == "flip" else whole[:at])
            try:
                assert versions_told() <= {"version0", "version1"}
                said["answered"] += 1
            except StoreError as error:
                assert "run 'footnote index'" in str(error)
                said["refused"] += 1
        path.write_bytes(whole)
    assert said["refused"] >= 150
    assert versions_told() == {"version1"}


@pytest.mark.parametrize("file", ["current", "manifest.json", "vectors.npy", "passages.sqlite"])
def test_a_build_mends_what_is_damaged_from_the_folder_it_remembers(
    file: str, tmp_path: Path, home: Path
) -> None:
    folder = tmp_path / "reports"
    write_reports(folder, version=0)
    build(folder, embedder=WordEmbedder())
    write_reports(folder, version=1)
    build(folder, embedder=WordEmbedder())
    generation = current_generation("default")
    assert generation
    (generation / file if file != "current" else generation.parents[1] / file).write_bytes(b"{}")
    with pytest.raises(StoreError, match="run 'footnote index'"):
        Index.open(embedder=WordEmbedder())
    assert build(embedder=WordEmbedder()).folder == folder
    assert versions_told() == {"version1"}


def test_a_folder_that_nobody_remembers_has_to_be_named(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "reports"
    write_reports(folder, version=0)
    build(folder, embedder=WordEmbedder())
    generation = current_generation("default")
    assert generation
    (generation / "manifest.json").unlink()
    with pytest.raises(FootnoteError, match=r"which folder .* run 'footnote index FOLDER'"):
        build(embedder=WordEmbedder())
    build(folder, embedder=WordEmbedder())
    assert versions_told() == {"version0"}


def test_a_dead_writer_does_not_keep_the_lock(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "reports"
    write_reports(folder, version=0)
    script = "import time\nfrom index.local_files import writing\nwith writing('default'):\n    print('held', flush=True)\n    time.sleep(60)"  # noqa: E501
    holder = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True,
        cwd=REPOSITORY, env=os.environ | {"FOOTNOTE_HOME": str(home)},
    )  # fmt: skip
    try:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(StoreError, match=f"being built by process {holder.pid}, since"):
            build(folder, embedder=WordEmbedder())
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            build(folder, embedder=WordEmbedder())
            break
        except StoreError:
            time.sleep(0.1)
    assert versions_told() == {"version0"}
