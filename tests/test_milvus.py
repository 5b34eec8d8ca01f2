"""An index in Milvus: the switch, what dies on the way, and what Milvus says in words.

What both stores do is tested on both, beside the step that it belongs to. Here milvus-lite stands
in for a cluster, too: its server listens on a port, and each store that asks it is a machine.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index import vectors
from index.build import build
from index.check import check_index
from index.commands import check
from index.encoders import Vectors
from index.records import Hit
from index.search import Index
from index.stores import open_store
from models.errors import StoreError
from tests.fakes import WordEmbedder, document
from tests.test_store import come_back

pytest.importorskip("pymilvus", reason="the extra milvus is not installed")
import grpc
from milvus_lite.adapter.grpc.server import start_server_in_thread
from milvus_lite.adapter.grpc.servicer import MilvusServicer
from milvus_lite.db import MilvusLite
from pymilvus import exceptions
from pymilvus.grpc_gen import milvus_pb2_grpc

from index.milvus import LONGEST_TEXT, TOKEN, Field, Lookup, Milvus
from index.milvus_lease import Lease
from index.milvus_store import MilvusGeneration, MilvusStore
from index.milvus_writer import number_of, prefix_of

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "planes.txt").write_text("Two planes landed near the capital.")
    (folder / "cargo.txt").write_text("The cargo weighed thirty-five tons.")
    return folder


@pytest.fixture
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Milvus that others reach, too."""
    server, files, port = start_server_in_thread(str(tmp_path_factory.mktemp("server")))
    yield f"http://127.0.0.1:{port}"
    server.stop(grace=0).wait()
    files.close()


@pytest.fixture
def machines(address: str) -> Iterator[tuple[MilvusStore, MilvusStore]]:
    """Two that use it."""
    one, other = MilvusStore(address), MilvusStore(address)
    yield one, other
    one.close()
    other.close()


def search(index: Index, query: str) -> Hit:
    return index.search(query, limit=1)[0]


def collections(store: MilvusStore) -> list[str]:
    return store._milvus.collections("")


def generations(*numbers: int) -> list[str]:
    names = [f"footnote_default_g{number:06d}" for number in numbers]
    return sorted([*names, *(f"{name}_records" for name in names)])


# --- the switch ---


def test_what_one_machine_builds_another_one_answers_from(
    folder: Path, machines: tuple[MilvusStore, MilvusStore]
) -> None:
    one, other = machines
    build(folder, store=one, embedder=WordEmbedder())
    index = Index.open(store=other, embedder=WordEmbedder())
    assert index.current() is index
    (folder / "planes.txt").unlink()
    (folder / "ships.txt").write_text("Three ships sank.")
    build(folder, store=one, embedder=WordEmbedder())
    assert search(index, "Which planes landed?").passage.document == "planes.txt"
    newer = index.current()
    assert newer.document_ids() == ["cargo.txt", "ships.txt"]
    found = newer.search("Which planes landed near the capital?", limit=9)
    assert {hit.passage.document for hit in found} <= {"cargo.txt", "ships.txt"}
    assert newer.document("planes.txt") is None


def test_the_generation_before_is_kept_and_no_older_one(folder: Path, milvus: MilvusStore) -> None:
    for number in range(4):
        (folder / "cargo.txt").write_text(f"The cargo weighed {number} tons.")
        build(folder, store=milvus, embedder=WordEmbedder())
    assert collections(milvus) == generations(3, 4)
    assert milvus.current("default") == "000004"


def test_a_build_that_fails_leaves_the_old_index_and_nothing_else(
    folder: Path, milvus: MilvusStore
) -> None:
    class Failing(WordEmbedder):
        def embed(self, texts: list[str]) -> Vectors:
            raise KeyboardInterrupt

    build(folder, store=milvus, embedder=WordEmbedder())
    (folder / "ships.txt").write_text("Three ships sank.")
    with pytest.raises(KeyboardInterrupt):
        build(folder, store=milvus, embedder=Failing())
    assert collections(milvus) == generations(1)
    index = Index.open(store=milvus, embedder=WordEmbedder())
    assert index.document_ids() == ["cargo.txt", "planes.txt"]


_HANGS = """
import sys, time
from pathlib import Path
from index.build import build
from tests.fakes import WordEmbedder

class Hanging(WordEmbedder):
    def embed(self, texts):
        print("embedding", flush=True)
        time.sleep(60)

build(Path(sys.argv[1]), store=sys.argv[2], embedder=Hanging())
"""


def test_a_build_that_is_killed_is_cleaned_up_by_the_next(
    folder: Path, address: str, machines: tuple[MilvusStore, MilvusStore]
) -> None:
    store, _ = machines
    build(folder, store=store, embedder=WordEmbedder())
    (folder / "ships.txt").write_text("Three ships sank.")
    command = [sys.executable, "-c", _HANGS, str(folder), address]
    environment = os.environ | {"TMPDIR": str(folder.parent)}  # what it leaves there goes, too
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as builder:
        assert builder.stdout
        assert builder.stdout.readline() == "embedding\n"
        with pytest.raises(StoreError, match=f"being built by process {builder.pid} on"):
            build(folder, store=store, embedder=WordEmbedder())
        builder.send_signal(signal.SIGKILL)
    assert {"footnote_default_g000002_records", "footnote_default_lock_000001"} <= set(
        collections(store)
    )
    index = Index.open(store=store, embedder=WordEmbedder())
    assert index.document_ids() == ["cargo.txt", "planes.txt"]
    assert build(folder, store=store, embedder=WordEmbedder()).added == ("ships.txt",)
    assert collections(store) == generations(1, 2)
    assert search(index.current(), "ships").passage.document == "ships.txt"


def test_names_of_indexes_do_not_meet() -> None:
    names = ["a", "a.b", "a-b", "a_b", "a_g000001", "a_2eb", "A"]
    assert len({prefix_of(name) for name in names}) == len(names)
    for name in names:
        for other in names:
            number = number_of(name, f"{prefix_of(other)}_g000001_records")
            assert number == ("000001" if name == other else None)


# --- what is kept ---

_LETTERS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=9)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(_LETTERS, min_size=1, max_size=3), st.integers(1, 2000))
def test_long_texts_keep_every_character_in_its_place(
    milvus: MilvusStore, parts: list[str], times: int
) -> None:
    """Whatever its bytes: Milvus counts those, Footnote counts characters."""
    text = " ".join([*parts, "🚢 Москва é. "] * times)
    come_back(milvus, [document(text, id_="lang.txt", title="Ё" * 99), document("End. " + text)])


def test_a_text_of_many_parts_comes_back_whole(milvus: MilvusStore) -> None:
    text = "🚢🚢🚢🚢🚢🚢🚢🚢 ä. " * (3 * LONGEST_TEXT // 10)
    come_back(milvus, [document(text)])


def test_among_many_passages_recall_is_measured(
    tmp_path: Path, milvus: MilvusStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "many").mkdir()
    for number in range(60):
        text = f"Ship {number} of the {number % 7} fleets sank in {1900 + number}."
        (tmp_path / "many" / f"{number}.txt").write_text(text)
    build(tmp_path / "many", name="exact", store=milvus, embedder=WordEmbedder())
    monkeypatch.setattr(vectors, "EXACT_LIMIT", 50)
    build(tmp_path / "many", store=milvus, embedder=WordEmbedder())
    exact = Index.open("exact", store=milvus, embedder=WordEmbedder())
    index = Index.open(store=milvus, embedder=WordEmbedder())
    manifest = index.generation.manifest
    assert manifest.search.startswith("HNSW M 32 ef ")
    assert manifest.recall is not None
    assert manifest.recall >= 0.98
    for query in ("Which ship sank in 1917?", "the fleets of 1950"):
        assert search(index, query) == search(exact, query)


# --- what goes wrong ---


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://somewhere", "is no store: give http://HOST:19530"),
        ("http://", "is no store"),
        ("milvus-lite:", "is no store"),
        ("http://me:secret@host:19530", f"holds no password.*set {TOKEN} to user:password"),
    ],
)
def test_what_is_no_url_is_one_sentence(url: str, says: str) -> None:
    with pytest.raises(StoreError, match=says) as raised:
        open_store(url)
    assert "secret" not in str(raised.value)


def test_a_milvus_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(StoreError, match=r"No Milvus answers at http://127.0.0.1:9: start it"):
        Index.open(store="http://127.0.0.1:9", embedder=WordEmbedder())


class _Door(grpc.ServerInterceptor):  # type: ignore[misc]
    """Lets in who has the token, as Milvus does."""

    def intercept_service(self, go_on: Callable[..., Any], call: Any) -> Any:
        if dict(call.invocation_metadata).get("authorization") == "bWU6c2VjcmV0":  # me:secret
            return go_on(call)

        def refuse(_request: object, context: grpc.ServicerContext) -> None:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "auth check failure, please check")

        return grpc.unary_unary_rpc_method_handler(refuse)


def test_a_wrong_token_is_one_sentence_and_is_not_shown(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = MilvusLite(str(tmp_path / "closed"))
    server = grpc.server(futures.ThreadPoolExecutor(2), interceptors=[_Door()])
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(MilvusServicer(files), server)
    address = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    store = MilvusStore(address)
    for wrong in ("", "me:wrong"):
        monkeypatch.setenv(TOKEN, wrong)
        with pytest.raises(StoreError, match=f"does not let .* in: set {TOKEN} to its token") as no:
            Index.open(store=store, embedder=WordEmbedder())
        assert "wrong" not in str(no.value)
    monkeypatch.setenv(TOKEN, "me:secret")
    build(folder, store=store, embedder=WordEmbedder())
    assert Index.open(store=store, embedder=WordEmbedder()).search("planes", limit=1)
    store.close()
    server.stop(grace=0).wait()
    files.close()


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for kind in vars(exceptions).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    ],
)
def test_every_error_of_pymilvus_leaves_as_one_of_ours(
    kind: type[Exception], milvus: MilvusStore
) -> None:
    with pytest.raises(StoreError, match=r"Milvus at .* cannot do this"), milvus._milvus._asked():
        raise kind(message="it is broken")  # type: ignore[call-arg]


def _drop_records(milvus: Milvus) -> None:
    milvus.drop("footnote_default_g000001_records")


def _drop_passages(milvus: Milvus) -> None:
    passages = "footnote_default_g000001"
    milvus._client.drop_alias("footnote_default")
    milvus.drop(passages)
    milvus.create(passages, [Field("row", "integer"), Field("vector", "vector", 2)])
    milvus.finish(passages, [Lookup("vector", "FLAT", "IP")])
    milvus.point("footnote_default", passages)


def _delete_a_row(milvus: Milvus) -> None:
    milvus._client.delete("footnote_default_g000001", ids=[1])


def _change_the_manifest(milvus: Milvus) -> None:
    records = "footnote_default_g000001_records"
    (row,) = milvus.some(records, 'kind == "manifest"', ["*"])
    milvus.put(records, row | {"text": "{}"})


@pytest.mark.parametrize(
    "damage", [_drop_records, _drop_passages, _delete_a_row, _change_the_manifest]
)
def test_a_damaged_index_is_told_and_built_again(
    folder: Path, milvus: MilvusStore, damage: Callable[[Milvus], None]
) -> None:
    build(folder, store=milvus, embedder=WordEmbedder())
    damage(milvus._milvus)
    with pytest.raises(StoreError, match=r"is damaged \(.*\): run 'footnote index --store /.*db'"):
        Index.open(store=milvus, embedder=WordEmbedder())
    if damage in (_drop_records, _change_the_manifest):
        with pytest.raises(StoreError, match=r"which folder .* run 'footnote index FOLDER --store"):
            build(store=milvus, embedder=WordEmbedder())
    build(folder, store=milvus, embedder=WordEmbedder())
    assert search(Index.open(store=milvus, embedder=WordEmbedder()), "planes")


def test_a_reader_is_told_when_its_generation_is_gone(folder: Path, milvus: MilvusStore) -> None:
    build(folder, store=milvus, embedder=WordEmbedder())
    index = Index.open(store=milvus, embedder=WordEmbedder())
    for name in collections(milvus):
        milvus._milvus.drop(name)
    for ask in (
        lambda: index.search("planes", limit=1),
        lambda: index.document("planes.txt"),
        index.document_ids,
    ):
        with pytest.raises(StoreError, match=r"is damaged .a collection of it is missing"):
            ask()


@pytest.mark.parametrize(
    ("collection", "where", "says"),
    [
        ("footnote_default_g000001", "row == 1", "a passage is not as it was written"),
        ("footnote_default_g000001_records", 'kind == "text"', "is not as it was written"),
    ],
)
def test_a_changed_text_is_found_by_a_check(
    folder: Path, milvus: MilvusStore, collection: str, where: str, says: str
) -> None:
    build(folder, store=milvus, embedder=WordEmbedder())
    check_index(store=milvus).close()
    row = milvus._milvus.some(collection, where, ["*"])[0]
    row.pop("bm25", None)
    milvus._milvus.put(collection, row | {"text": "Three planes landed near the capital."})
    with pytest.raises(StoreError, match=says):
        check_index(store=milvus)


def test_another_version_is_told(folder: Path, milvus: MilvusStore) -> None:
    build(folder, store=milvus, embedder=WordEmbedder())
    records = "footnote_default_g000001_records"
    (row,) = milvus._milvus.some(records, 'kind == "manifest"', ["*"])
    milvus._milvus.put(records, row | {"text": row["text"].replace('"layout": 1', '"layout": 99')})
    with pytest.raises(StoreError, match="another version of Footnote: run 'footnote index --st"):
        MilvusGeneration(milvus._milvus, "default", "000001")


def test_a_file_is_for_one_process(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "index.db"
    script = f"""
from milvus_lite.db import MilvusLite
opened = MilvusLite({str(file)!r})
print("open", flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == "open\n"
        store = MilvusStore(f"milvus-lite:{file}")
        with pytest.raises(StoreError, match=r"index.db” is in use by another process"):
            build(folder, store=store, embedder=WordEmbedder())
        other.communicate("\n")
    build(folder, store=store, embedder=WordEmbedder())
    store.close()


def test_what_is_no_folder_of_milvus_lite_is_told(tmp_path: Path) -> None:
    (tmp_path / "old.db").write_text("A file.")
    with pytest.raises(StoreError, match=r"milvus-lite cannot open “.*old.db” .* another file"):
        MilvusStore(str(tmp_path / "old.db")).current("default")


def test_without_the_library_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("index.milvus")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with pytest.raises(StoreError, match=r"pymilvus for --store is missing: run \"pip install"):
        open_store("another.db")


def test_who_names_no_store_does_not_wait_for_the_library() -> None:
    script = "import sys, index.build, index.search, rag.options; print('pymilvus' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_the_commands_take_a_url(folder: Path, tmp_path: Path) -> None:
    url = f"milvus-lite:{tmp_path / 'index.db'}"
    build(folder, name="news", store=url, embedder=WordEmbedder())
    text = (folder / "planes.txt").read_text()
    cited = {"document": "planes.txt", "sha256": "", "start": 0, "end": len(text), "quote": text}
    (tmp_path / "answers.json").write_text(json.dumps({"citations": [cited]}))
    asked = ["--name", "news", "--store", url, "--answers", str(tmp_path / "answers.json")]
    done = CliRunner().invoke(check, asked, catch_exceptions=False)
    assert "The index “news” is as it was written" in done.output
    assert "1 citation: 1 unchanged" in done.output
    store = open_store(url)
    assert isinstance(store, MilvusStore)
    store.close()


# --- one writer ---


def test_one_machine_writes_at_a_time(
    folder: Path, machines: tuple[MilvusStore, MilvusStore]
) -> None:
    one, other = machines
    with (
        one.writing("default"),
        pytest.raises(StoreError, match=rf"being built by process {os.getpid()} on .*, since"),
    ):
        build(folder, store=other, embedder=WordEmbedder())
    build(folder, store=other, embedder=WordEmbedder())
    assert collections(one) == generations(1)


def test_a_lease_that_was_left_behind_is_taken_over(
    machines: tuple[MilvusStore, MilvusStore],
) -> None:
    one, other = (machine._milvus for machine in machines)
    slept, next_ = Lease(one, "footnote_x", "x"), Lease(other, "footnote_x", "x")
    with pytest.raises(StoreError, match="Another process has begun"), slept.held():
        slept.check()
        (lock,) = one.collections("footnote_x_lock_")
        (row,) = one.some(lock, "row == 0", ["*"])
        one.put(lock, row | {"host": "elsewhere", "renewed": int(time.time()) - 299})
        with pytest.raises(StoreError, match=r"by process .* on elsewhere"), next_.held():
            pass
        one.put(lock, row | {"host": "elsewhere", "renewed": int(time.time()) - 301})
        with next_.held():
            next_.check()
            slept.check()
    assert one.collections("footnote_x_lock_") == []


def test_of_two_that_begin_at_once_at_most_one_writes(
    machines: tuple[MilvusStore, MilvusStore],
) -> None:
    holding = []

    def write(store: MilvusStore) -> None:
        for _ in range(8):
            with suppress(StoreError), store.writing("default"):
                holding.append(1)
                assert len(holding) == 1
                time.sleep(0.02)
                holding.pop()

    with futures.ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(write, store) for store in machines]:
            done.result()
    assert not holding
