"""Where things are kept: indexes in the user's data folder, weights in the cache folder.

The environment variable FOOTNOTE_HOME, when set, holds both. Nothing is ever written
inside an installed package.
"""

import os
from pathlib import Path

from platformdirs import user_cache_path, user_data_path


def _home() -> Path | None:
    home = os.environ.get("FOOTNOTE_HOME")
    return Path(home).expanduser().resolve() if home else None


def _data() -> Path:
    return _home() or user_data_path("footnote", appauthor=False)


def _cache() -> Path:
    return _home() or user_cache_path("footnote", appauthor=False)


def indexes_folder() -> Path:
    """The folder that holds one folder for each named index; it may not exist yet."""
    return _data() / "indexes"


def documents_folder() -> Path:
    """The folder for documents of the user's own, below it one for each index."""
    return _data() / "documents"


def conversations_file() -> Path:
    """The file of the conversations on the page; it may not exist yet."""
    return _data() / "conversations.sqlite"


def users_file() -> Path:
    """The file of those who may log in; it may not exist yet."""
    return _data() / "users.json"


def evaluation_folder() -> Path:
    """The folder for documents that are written out to be measured with; it may not exist yet."""
    return _data() / "evaluation"


def weights_folder() -> Path:
    """The folder into which models are fetched; it may not exist yet."""
    return _cache() / "models"


def states_folder() -> Path:
    """The folder for what models have read once and for all; it may not exist yet."""
    return _cache() / "states"


def loading_file() -> Path:
    """The file of how models are loaded to read fastest; it may not exist yet."""
    return _cache() / "loading.json"


def encoders_folder() -> Path:
    """The folder for embedding models in the form in which they are run; it may not exist yet."""
    return _cache() / "encoders"


def bench_folder() -> Path:
    """The folder for what takes long to make and is measured with; it may not exist yet."""
    return _cache() / "bench"


def dropped_folder() -> Path:
    """The folder of this package, where somebody may have put a model's file by hand.

    It is only read: an installed package may lie where nobody may write.
    """
    return Path(__file__).parent
