"""The bytes of a model from its publisher's repository, continued at the byte where they stopped.

The repository is asked where ``HF_ENDPOINT`` says, or else where huggingface_hub asks by itself.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import constants, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.errors import HTTPError as TransportError  # type: ignore[attr-defined]
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers, logging  # type: ignore[attr-defined]
from tqdm import tqdm

from models.catalog import Hub, ModelFile
from models.partial import OnBytes, Partial, SourceError


def fill_from_hub(hub: Hub, partial: Partial, on_bytes: OnBytes) -> None:
    """Fetches what is still missing of each file.

    hf_hub_download begins a file again after every kill, so the function below it is called
    here. Raises SourceError when the repository cannot give the bytes; OSError.
    """
    constants.HF_HUB_DISABLE_TELEMETRY = True  # nobody is told what runs here
    for file in partial.entry.files:
        here = min(partial.length(file), file.size)
        partial.cut(file, here)
        try:
            _append(hub, partial, file, here, on_bytes)
        except OfflineModeIsEnabled:
            raise SourceError("HF_HUB_OFFLINE forbids to ask it") from None
        except HfHubHTTPError as failure:
            raise SourceError(f"it answered {failure.response.status_code}") from failure
        except TransportError as failure:
            raise SourceError("it cannot be reached") from failure
        except OSError as failure:
            if failure.errno is not None:
                raise
            # The length was wrong: something else than the file, a log-in page perhaps.
            partial.cut(file, here)
            raise SourceError("it gave something else than the file") from failure


def _append(hub: Hub, partial: Partial, file: ModelFile, here: int, on_bytes: OnBytes) -> None:
    others = partial.size - here

    class Bar(tqdm):  # type: ignore[misc]
        """Shows nothing; tells ``on_bytes`` how much is here."""

        def __init__(self, *_: object, initial: int = 0, **__: object) -> None:
            super().__init__(disable=True)
            self.here = initial

        def update(self, n: float | None = 1) -> None:
            if not partial.is_from_hub:
                partial.continue_from_hub()
            self.here += int(n or 0)
            on_bytes(others + self.here)

    with _quiet(), partial.path(file).open("r+b") as stream:
        stream.seek(here)
        http_get(
            hf_hub_url(hub.repository, file.path, revision=hub.revision),
            stream,
            resume_size=here,
            expected_size=file.size,
            # No compression: the answer's bytes are the file's, at any offset.
            headers=build_hf_headers(library_name="footnote") | {"Accept-Encoding": "identity"},
            tqdm_class=Bar,
        )
        stream.flush()
        os.fsync(stream.fileno())


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the library's account of its retries off the screen."""
    before = logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(before)
