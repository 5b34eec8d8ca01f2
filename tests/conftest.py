"""What every test gets: a home of its own, and none of the user's settings of the hub."""

import signal
from pathlib import Path

import pytest

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
