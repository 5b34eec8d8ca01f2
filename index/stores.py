"""Where indexes are kept: in the user's data folder, or in Milvus, by its URL."""

from functools import cache

from index.generation import Store
from index.store import LocalStore


def open_store(store: Store | str | None = None) -> Store:
    """The store of that URL, by default the user's data folder; one that is open is itself.

    Raises StoreError if the URL is none.
    """
    if store is None:
        return LocalStore()
    return _named(store) if isinstance(store, str) else store


@cache
def _named(url: str) -> Store:
    raise NotImplementedError(url)
