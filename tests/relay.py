"""For tests of what happens on the way: a relay that passes connections on, and can be held."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count


class Relay:
    """Takes connections at a port, and passes each on to one of ``ports`` that takes it.

    ``is_even``: to one after the other; else to the first that does, as a proxy does that keeps
    a browser on one server.
    """

    def __init__(self, ports: Sequence[int], *, is_even: bool = False) -> None:
        self._ports = list(ports)
        self._is_even = is_even
        self._numbers = count()
        self._flows = threading.Event()
        self._flows.set()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listening.getsockname()[1]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def hold(self) -> None:
        """From now on nothing is passed on, and nothing is closed."""
        self._flows.clear()

    def let_go(self) -> None:
        self._flows.set()

    def serve(self) -> None:
        """Until ``close``."""
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                threading.Thread(target=self._pass_on, args=(near,), daemon=True).start()

    def close(self) -> None:
        self.let_go()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _pass_on(self, near: socket.socket) -> None:
        with near:
            far = self._connected()
            if far is None:
                return
            with far:
                back = threading.Thread(target=self._pump, args=(far, near), daemon=True)
                back.start()
                self._pump(near, far)
                back.join()

    def _connected(self) -> socket.socket | None:
        first = next(self._numbers) % len(self._ports) if self._is_even else 0
        for port in self._ports[first:] + self._ports[:first]:
            with suppress(OSError):
                return socket.create_connection(("127.0.0.1", port))
        return None

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._flows.wait()
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextmanager
def relay(*ports: int, is_even: bool = False) -> Iterator[Relay]:
    """A running ``Relay``."""
    one = Relay(ports, is_even=is_even)
    thread = threading.Thread(target=one.serve)
    thread.start()
    try:
        yield one
    finally:
        one.close()
        thread.join(10)
