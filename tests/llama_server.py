"""A real server of llama.cpp, for the tests of answers that another server writes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.errors import ModelError
from rag.remote import RemoteModel
from tests.browser import free_port
from tests.serving import wait_until

_MAIN = """
import llama_cpp.llama
defaults = llama_cpp.llama.llama_cpp.llama_model_default_params
def as_stored():
    params = defaults()
    params.use_extra_bufts = False
    return params
llama_cpp.llama.llama_cpp.llama_model_default_params = as_stored
from llama_cpp.server.__main__ import main
main()
"""
"""llama_cpp.server, but with the weights as they are stored: repacked ones end the process on some
processors with AMX (``rag.loading``), and it has no option for that."""


class LlamaServer:
    """llama-cpp-python's server on one port; it may be killed and started again."""

    def __init__(self, gguf: Path, log: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._gguf, self._log = gguf, log
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-c", _MAIN, "--model", str(self._gguf)),
                    *("--host", "127.0.0.1", "--port", str(self.port), "--n_ctx", "4096"),
                    *("--interrupt_requests", "false"),  # of one client by another
                ],
                stdout=log,
                stderr=log,
                env={name: value for name, value in os.environ.items() if name != "HOST"},
            )
        wait_until(self._is_up, seconds=60)

    def _is_up(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        try:
            RemoteModel(self.url, pauses=())
        except ModelError:
            return False
        return True

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def llama_server(gguf: Path, log: Path) -> Iterator[LlamaServer]:
    """Runs until the end of the block."""
    one = LlamaServer(gguf, log)
    try:
        yield one
    finally:
        one.kill()
