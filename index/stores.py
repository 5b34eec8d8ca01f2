"""Where indexes are kept: in the user's data folder, or in Milvus, by its URL."""

from functools import cache

from index.generation import Store
from index.local_store import LocalStore
from models.errors import StoreError


def open_store(store: Store | str | None = None) -> Store:
    """The store of that URL, by default the user's data folder; one that is open is itself.

    Who names the same URL gets the same store. Raises StoreError if the URL is none, or the
    library for it is not installed.
    """
    if store is None:
        return LocalStore()
    return _milvus(store) if isinstance(store, str) else store


@cache
def _milvus(url: str) -> Store:
    try:
        from index.milvus_store import MilvusStore  # noqa: PLC0415  (start-up time)
    except ModuleNotFoundError as error:
        raise StoreError(
            f'The library {error.name} for --store is missing: run "pip install '
            "'footnote[milvus]'\"."
        ) from error
    return MilvusStore(url)
