"""What every test gets: a home of its own, and none of the user's settings of the hub."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.generation import Store
from index.store import LocalStore
from models.paths import weights_folder

WEIGHTS = weights_folder()
"""Where the user's models are, read before the tests move the home."""

# A shell's background job ignores Ctrl-C, and so would the programs that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty FOOTNOTE_HOME."""
    folder = tmp_path / "footnote-home"
    monkeypatch.setenv("FOOTNOTE_HOME", str(folder))
    for setting in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_ENDPOINT", "HF_TOKEN"):
        monkeypatch.delenv(setting, raising=False)
    return folder


@pytest.fixture
def home_with_models(home: Path) -> Path:
    """A FOOTNOTE_HOME without indexes, with the user's models."""
    home.mkdir()
    (home / "models").symlink_to(WEIGHTS, target_is_directory=True)
    return home


@pytest.fixture(params=["files", "milvus"])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """Each kind of store, empty: the files in FOOTNOTE_HOME, and Milvus, in this process."""
    if request.param == "files":
        yield LocalStore()
        return
    pytest.importorskip("pymilvus", reason="the extra milvus is not installed")
    from index.milvus_store import MilvusStore

    milvus = MilvusStore(str(tmp_path_factory.mktemp("milvus") / "index.db"))
    yield milvus
    milvus.close()
