"""A model's server on this machine that answers as a test has written down, faults included."""

import json
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

_LONGEST = 5.0
"""Seconds that a silence lasts at most."""


@dataclass(frozen=True)
class Reply:
    """One answer over HTTP, sent part by part."""

    parts: Iterable[str] = ()
    status: int = 200
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    end: Literal["whole", "cut", "silence"] = "whole"


def as_json(record: object, *, status: int = 200, **headers: str) -> Reply:
    """A record; ``headers`` have underscores for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply([json.dumps(record)], status, headers=named)


def streamed(
    *words: str,
    logprob: float | None = -0.1,
    finish: str | None = "stop",
    end: Literal["whole", "cut", "silence"] = "whole",
) -> Reply:
    """An answer of those words as an event stream, which says how likely each was."""
    parts = [event({"role": "assistant"}), *(event({"content": w}, logprob) for w in words)]
    if finish:
        parts += [event({}, finish=finish), "data: [DONE]\n\n"]
    return Reply(parts, kind="text/event-stream; charset=utf-8", end=end)


def word(text: str, likely: Mapping[str, float] | None = None) -> Reply:
    """An answer of one word, with what else it could have been."""
    logprob = None if likely is None else -0.1
    return Reply(
        [event({"content": text}, logprob, likely=likely, finish="length")],
        kind="text/event-stream",
    )


def event(
    delta: object,
    logprob: float | None = None,
    *,
    likely: Mapping[str, float] | None = None,
    finish: str | None = None,
) -> str:
    """One event of a stream."""
    token = _token("x", logprob) | {
        "top_logprobs": [_token(*one) for one in (likely or {}).items()]
    }
    told = None if logprob is None else {"content": [token]}
    choice = {"index": 0, "delta": delta, "logprobs": told, "finish_reason": finish}
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "small"}
    return f"data: {json.dumps(chunk | {'choices': [choice]})}\n\n"


def listing(*models: str) -> Reply:
    """The models that there are."""
    return as_json({"object": "list", "data": [{"id": id_, "object": "model"} for id_ in models]})


def _token(text: str, logprob: float | None) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": None}


@dataclass(frozen=True)
class Request:
    """What the server was asked."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class ScriptedServer(ThreadingHTTPServer):
    """Gives its replies one after another; the last one over and over."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.replies: list[Reply] = []
        self.choose: Callable[[Request], Reply] | None = None
        """Gives the reply to a request, in place of ``replies``."""
        self.requests: list[Request] = []
        self.connections = 0
        self.scheme = "http"
        self.was_left = threading.Event()
        """Set when a client went away before its answer was whole."""
        self.is_over = threading.Event()

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}/v1"

    def reply_to(self, request: Request) -> Reply:
        """What the request, the newest, is answered with."""
        self.requests.append(request)
        if self.choose:
            return self.choose(request)
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def verify_request(self, *_: object) -> bool:
        """Counts the connections."""
        self.connections += 1
        return True

    def handle_error(self, *_: object) -> None:
        """A client that went away is none."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _LONGEST
    disable_nagle_algorithm = True  # else each small write waits for the one before it
    server: ScriptedServer

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.reply_to(Request(self.path, headers, json.loads(body or b"{}")))
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Transfer-Encoding", "chunked")
        for name, value in reply.headers.items():
            self.send_header(name, value)
        try:
            self.end_headers()
            for part in reply.parts:
                sent = part.encode()
                self.wfile.write(f"{len(sent):x}\r\n".encode() + sent + b"\r\n")
            if reply.end == "silence":
                self.server.is_over.wait(_LONGEST)
            if reply.end == "whole":
                self.wfile.write(b"0\r\n\r\n")
            else:
                self.close_connection = True
        except OSError:
            self.close_connection = True
            self.server.was_left.set()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def scripted_server(*replies: Reply, certificate: Path | None = None) -> Iterator[ScriptedServer]:
    """A server that listens until the block is left; encrypted, with a certificate and its key."""
    server = ScriptedServer()
    server.replies = list(replies)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.scheme = "https"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.is_over.set()
        with suppress(OSError):
            server.shutdown()
        thread.join()
        server.server_close()
