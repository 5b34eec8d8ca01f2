"""A build shared out with Ray: the same index, whatever becomes of the workers."""

import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index import onnx_model
from index.build import build
from index.encoders import Vectors
from index.generation import Store
from index.local_files import current_generation
from index.records import BuildReport
from index.worker import File
from models.errors import WorkersError
from models.progress import Progress
from models.resolve import local_path
from tests.documents import write_samples
from tests.fakes import WordEmbedder

ROOT = Path(__file__).resolve().parents[1]

needs_ray = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of many formats, some broken, some the same; enough that every worker gets many."""
    pytest.importorskip("ray", reason="the extra ray is not installed")
    folder = tmp_path / "documents"
    folder.mkdir()
    write_samples(folder)
    for number in range(24):
        paragraphs = [f"Report {number}, part {part}. " + "It is so. " * 50 for part in range(20)]
        (folder / f"report-{number:02}.md").write_text("\n\n".join(paragraphs))
    shutil.copy(folder / "report-03.md", folder / "again.md")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 and then nothing")
    (folder / "empty.txt").write_bytes(b"")
    (folder / "noise.docx").write_bytes(bytes(range(256)) * 9)
    return folder


class SlowEmbedder(WordEmbedder):
    """Gives the time to end a worker that embeds."""

    def embed(self, texts: list[str]) -> Vectors:
        time.sleep(0.02 * len(texts))
        return super().embed(texts)


class DeadlyEmbedder(WordEmbedder):
    """Ends the process that embeds a certain text."""

    def embed(self, texts: list[str]) -> Vectors:
        if any("Report 7, part 7." in text for text in texts):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().embed(texts)


def rows(name: str) -> list[list[tuple[object, ...]]]:
    """All that an index says of its documents and passages, row by row."""
    generation = current_generation(name)
    assert generation
    connection = sqlite3.connect(generation / "passages.sqlite")
    tables = ("documents", "passages", "problems", "skipped")
    found = [connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in tables]  # noqa: S608
    connection.close()
    return found


def vectors(name: str) -> Vectors:
    generation = current_generation(name)
    assert generation
    return np.asarray(np.load(generation / "vectors.npy"))


def told(report: BuildReport) -> BuildReport:
    """The report without what no two builds have alike."""
    return replace(report, seconds=0)


def assert_same_index(name: str, other: str) -> None:
    assert rows(name) == rows(other)
    assert np.abs(vectors(name) - vectors(other)).max() <= 1e-4


def processes(of: int, kind: str = "") -> list[int]:
    """The processes that ``of`` started, and theirs, whose command line matches ``kind``."""
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True
    ).stdout
    parents: dict[int, int] = {}
    matching = []
    for line in listed.splitlines():
        pid, parent, state, arguments = line.split(None, 3)
        parents[int(pid)] = int(parent)
        if re.match(kind, arguments) and not state.startswith("Z"):
            matching.append(int(pid))

    def is_below(pid: int) -> bool:
        while pid in parents:
            pid = parents[pid]
            if pid == of:
                return True
        return False

    return [pid for pid in matching if is_below(pid)]


@contextmanager
def killed(kinds: list[str]) -> Iterator[list[int]]:
    """Kills a worker at each of those tasks, one after the other, never the same one twice."""
    ended: list[int] = []
    stop = threading.Event()

    def kill() -> None:
        for kind in kinds:
            while not stop.wait(0.02):
                found = [pid for pid in processes(os.getpid(), kind) if pid not in ended]
                if found:
                    os.kill(found[0], signal.SIGKILL)
                    ended.append(found[0])
                    break

    thread = threading.Thread(target=kill)
    thread.start()
    yield ended
    stop.set()
    thread.join()


@pytest.mark.slow
@needs_ray
def test_workers_build_the_same_index(folder: Path) -> None:
    on_sigterm = signal.getsignal(signal.SIGTERM)
    alone = build(folder, name="alone", embedder=WordEmbedder())
    stages: list[Progress] = []
    addresses: set[str] = set()
    sessions: set[Path] = set()

    def on_progress(progress: Progress) -> None:
        import ray

        stages.append(progress)
        if progress.stage == "Embedding passages":
            addresses.update(node["NodeManagerAddress"] for node in ray.nodes())
            sessions.add(Path(ray._private.worker._global_node.get_session_dir_path()))

    shared = build(
        folder, name="shared", workers="ray", embedder=WordEmbedder(), on_progress=on_progress
    )
    assert addresses == {"127.0.0.1"}  # nobody else reaches it
    assert told(shared) == told(alone)
    assert shared.documents > 30
    assert {one.path for one in shared.skipped} >= {"broken.pdf", "empty.txt", "noise.docx"}
    assert shared.copies == (("report-03.md", "again.md"),)
    assert_same_index("shared", "alone")
    read = [one.done for one in stages if one.stage == "Reading documents"]
    assert read == sorted(read)

    # Then only what is new goes to workers, and nothing is left of them.
    (folder / "report-05.md").write_text("One edited report.")
    (folder / "report-06.md").rename(folder / "renamed.md")
    changes = [
        told(build(folder, name=name, workers=workers, embedder=WordEmbedder()))
        for name, workers in (("alone", None), ("shared", "ray"))
    ]
    assert changes[0] == changes[1]
    assert changes[1].embedded_passages == 1
    assert_same_index("shared", "alone")
    stages.clear()
    (folder / "report-08.md").unlink()
    build(folder, name="shared", workers="ray", embedder=WordEmbedder(), on_progress=stages.append)
    assert "Starting Ray" not in {one.stage for one in stages}  # for nothing is new
    assert processes(os.getpid(), r"ray::|.*(raylet|gcs_server|index\.sandbox)") == []
    (session,) = sessions
    assert not session.parent.exists()
    assert signal.getsignal(signal.SIGTERM) == on_sigterm


@pytest.mark.slow
@needs_ray
def test_a_lost_worker_loses_and_doubles_nothing(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    alone = build(folder, name="alone", embedder=WordEmbedder())
    with killed(["ray::_load", "ray::_embed", "ray::_embed"]) as ended:
        shared = build(folder, name="shared", workers="ray", embedder=SlowEmbedder())
    assert len(ended) == 3
    assert told(shared) == told(alone)
    assert_same_index("shared", "alone")
    assert capfd.readouterr().out == ""


@pytest.mark.slow
@needs_ray
def test_a_lost_machine_of_a_cluster_loses_and_doubles_nothing(folder: Path) -> None:
    import ray
    from ray.cluster_utils import Cluster

    from index import workers  # noqa: F401  (before Ray: it sees to it that nothing is sent)

    alone = build(folder, name="alone", embedder=WordEmbedder())
    node = {"num_cpus": 1, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    machine = cluster.add_node(num_cpus=1)

    def lose() -> None:
        wait_for(lambda: bool(processes(os.getpid(), "ray::_embed")))
        time.sleep(1)  # so that it embeds, too
        cluster.remove_node(machine, allow_graceful=False)

    thread = threading.Thread(target=lose)
    thread.start()
    address = f"ray={cluster.address}"
    shared = build(folder, name="shared", workers=address, embedder=SlowEmbedder())
    thread.join()
    assert told(shared) == told(alone)
    assert_same_index("shared", "alone")
    assert not ray.is_initialized()
    assert processes(os.getpid(), ".*raylet")  # the cluster is left as it was
    cluster.shutdown()


@pytest.mark.slow
@needs_ray
def test_passages_that_end_every_worker_are_an_error(folder: Path) -> None:
    build(folder, embedder=WordEmbedder())
    (folder / "report-07.md").write_text("Report 7, part 7. " + "Another text. " * 9)
    before = rows("default")
    with pytest.raises(WorkersError, match=r"ended 4 workers.*run the same command again"):
        build(folder, workers="ray", embedder=DeadlyEmbedder())
    assert rows("default") == before
    assert processes(os.getpid(), "ray::") == []


@pytest.mark.slow
@needs_ray
def test_a_file_that_ends_every_worker_is_reported(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from index import workers

    # Stands in for a file that nothing in this program survives: none is known.
    monkeypatch.setattr(workers, "_load", _load_but_one)
    report = build(folder, workers="ray", embedder=WordEmbedder())
    (lost,) = [one for one in report.skipped if one.path == "report-07.md"]
    assert lost.reason == "ends the worker that reads it, perhaps for want of memory"
    again = build(folder, embedder=WordEmbedder())  # the reason may have passed
    assert again.added == ("report-07.md",)


def _load_but_one(file: File, ocr: bool, version: tuple[int, int]) -> object:
    from index import workers

    if file.id == "report-07.md":
        os.kill(os.getpid(), signal.SIGKILL)
    return workers._load(file, ocr, version)


@pytest.mark.slow
@needs_ray
def test_ctrl_c_leaves_the_old_index_and_no_process(folder: Path, home: Path) -> None:
    build(folder, embedder=WordEmbedder())
    (folder / "new.md").write_text("\n\n".join(f"Part {n}. " + "New. " * 90 for n in range(200)))
    before = rows("default")
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from pathlib import Path\nfrom index.build import build\n"
        "from tests.test_workers import SlowEmbedder\n"
        f"build(Path({str(folder)!r}), workers='ray', embedder=SlowEmbedder(),\n"
        "      on_progress=lambda progress: print(progress.stage, flush=True))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"FOOTNOTE_HOME": str(home)},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_for(lambda: bool(processes(process.pid, "ray::_embed")))
        theirs = processes(process.pid)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does it
        _, errors = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors
    wait_for(lambda: not any(is_running(pid) for pid in theirs))
    assert rows("default") == before


def wait_for(is_so: Callable[[], bool], *, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    listed = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return bool(listed) and not listed.startswith("Z")


@pytest.mark.slow
@needs_ray
def test_workers_fill_milvus_too(folder: Path, milvus: Store) -> None:
    build(folder, name="alone", store=milvus, embedder=WordEmbedder())
    build(folder, name="shared", store=milvus, workers="ray", embedder=WordEmbedder())
    alone, shared = milvus.open("alone"), milvus.open("shared")
    assert alone and shared
    everything = range(alone.manifest.passages)
    assert shared.passages(everything) == alone.passages(everything)
    assert shared.skipped() == alone.skipped()
    assert np.abs(shared.vectors_of(everything) - alone.vectors_of(everything)).max() <= 1e-4


@pytest.mark.real
@needs_ray
def test_the_real_model_gives_the_same_vectors(folder: Path, home_with_models: Path) -> None:
    assert local_path("all-minilm-l6-v2")
    alone = build(folder, name="alone")
    with killed(["ray::_load", "ray::_embed", "ray::_embed"]) as ended:
        shared = build(folder, name="shared", workers="ray")
    assert len(ended) == 3
    assert told(shared) == told(alone)
    assert_same_index("shared", "alone")


@pytest.mark.parametrize(
    ("workers", "message"),
    [
        ("spark", "no workers “spark”: give ray or ray=HOST:PORT"),
        ("ray=nonsense", "joined at “nonsense” .*'ray start --head'"),
        ("ray=127.0.0.1:{free}", "joined at “127.0.0.1:.* refused.*--workers ray"),
    ],
)
@needs_ray
def test_workers_that_are_not_there_are_an_error(folder: Path, workers: str, message: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    with pytest.raises(WorkersError, match=message):
        build(folder, workers=workers.format(free=free), embedder=WordEmbedder())


def test_ray_is_imported_only_when_it_is_wanted() -> None:
    code = "import sys, index.build, index.commands; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize(("told", "used"), [("1", 1), ("3", 3), ("", None), ("all", None)])
def test_a_worker_embeds_on_its_own_cores_alone(
    told: str, used: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", told)  # as Ray does, with a task's cores
    assert onnx_model._cores() == (used or os.cpu_count())


@needs_ray
def test_a_worker_with_another_version_is_told() -> None:
    pytest.importorskip("ray", reason="the extra ray is not installed")
    from index import workers

    file = File("a.txt", ".txt", b"A text.")
    with pytest.raises(WorkersError, match="install the same one on every machine"):
        workers._load(file, False, (0, 0))
    with pytest.raises(WorkersError, match="install the same one on every machine"):
        workers._embed(WordEmbedder(), "1" * 64, ["A text."])


def test_a_missing_library_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("A text.")
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "index.workers", raising=False)
    with pytest.raises(WorkersError, match=r"ray for --workers is missing.*'footnote\[ray\]'"):
        build(tmp_path, workers="ray", embedder=WordEmbedder())
