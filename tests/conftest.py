"""What every test gets: a home of its own, and none of the user's settings of the hub."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from index.generation import Store
from index.local_store import LocalStore
from models.paths import weights_folder

if TYPE_CHECKING:
    from index.milvus_store import MilvusStore

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


@pytest.fixture
def milvus(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[MilvusStore]":
    """An empty Milvus, in this process."""
    pytest.importorskip("pymilvus", reason="the extra milvus is not installed")
    from index.milvus_store import MilvusStore

    opened = MilvusStore(str(tmp_path_factory.mktemp("milvus") / "index.db"))
    yield opened
    opened.close()


@pytest.fixture(params=["files", pytest.param("milvus", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest) -> Store:
    """Each kind of store, empty: the files in FOOTNOTE_HOME, and Milvus."""
    if request.param == "files":
        return LocalStore()
    milvus: Store = request.getfixturevalue("milvus")
    return milvus
