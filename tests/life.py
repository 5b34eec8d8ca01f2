"""The whole life of the program: documents are indexed, and asked in every way that there is.

``python -m tests.life FOLDER``, with the models at hand; it says each step that was done. The
test of privacy runs it where there is no network.
"""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import httpx
from mcp import Client as ToolClient
from mcp import StdioServerParameters

from tests.browser import free_port
from tests.serving import wait_until

REPOSITORY = Path(__file__).parents[1]
QUESTION = "How many planes landed near the capital?"
QUICK = ("--model", "smollm2-135m")  # what it answers is of no matter here

_LOADED = re.compile(
    r"""(?:src|href)\s*=\s*["']([^"']+)|url\(["']?([^"')]+)|import\(["']([^"']+)"""
)
"""What a page names that a browser would load."""


def main(folder: Path) -> None:
    """Lives through all of it; raises whatever goes wrong."""
    folder.mkdir(exist_ok=True)
    (folder / "planes.md").write_text("# Planes\n\nTwo planes landed near the capital on Saturday.")
    (folder / "page.html").write_text(
        "<html><head><link rel=stylesheet href='https://name.invalid/a.css'></head><body><h1>Trucks"
        "</h1><img src='https://name.invalid/a.png'><p>Nine trucks waited at the gate.</p></body>"
    )
    run("index", str(folder))
    run("check")
    run("models", "list")
    run("ask", *QUICK, QUESTION, codes=(0, 3))
    with (
        served("chat", "--no-open") as address,
        httpx.Client(base_url=address, timeout=300) as client,
    ):
        look_at(client)
        ask_the_page(client)
    with served("serve") as address, httpx.Client(base_url=address, timeout=300) as client:
        look_at(client)
        ask_the_page(client)
        ask_the_server(client)
        ask_the_tools(f"{address}/mcp")
    program = ["-m", "rag", "mcp", *QUICK]
    ask_the_tools(
        StdioServerParameters(
            command=sys.executable, args=program, cwd=REPOSITORY, env=dict(os.environ)
        )
    )
    print("did mcp", flush=True)


def run(*arguments: str, codes: tuple[int, ...] = (0,)) -> None:
    """``footnote`` with those arguments, to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "rag", *arguments],
        capture_output=True, text=True, check=False, cwd=REPOSITORY, timeout=600,
    )  # fmt: skip
    assert done.returncode in codes, f"footnote {arguments[0]}: {done.stdout}{done.stderr}"
    print(f"did {arguments[0]}", flush=True)


@contextmanager
def served(command: str, *options: str) -> Iterator[str]:
    """The address of ``footnote chat`` or ``footnote serve``, which ends afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "rag", command, *QUICK, "--port", str(free_port()), *options],
        stdout=subprocess.PIPE, text=True, cwd=REPOSITORY,
    )  # fmt: skip
    late = Timer(300, process.kill)
    late.start()
    try:
        assert process.stdout
        found = (re.search(r"http://127\.0\.0\.1:\d+", line) for line in process.stdout)
        address = next(filter(None, found), None)
        assert address, f"footnote {command} tells no address"
        wait_until(lambda: _answers(address[0]), seconds=60)
        yield address[0]
    finally:
        late.cancel()
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
    assert code == 0, f"footnote {command} ended with {code}"
    print(f"did {command}", flush=True)


def _answers(address: str) -> bool:
    try:
        return httpx.get(address).is_success
    except httpx.TransportError:
        return False


def look_at(client: httpx.Client) -> None:
    """Get the page and what a browser would load for it: nothing of that is elsewhere."""
    page = client.get("/")
    page.raise_for_status()
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    wanted = {next(filter(None, found)) for found in _LOADED.findall(page.text)}
    scripts = [one for one in sorted(wanted) if one.endswith((".js", ".css"))]
    assert scripts, "the page names no script"
    for one in scripts:
        client.get(httpx.URL(client.base_url).join(one)).raise_for_status()
    print(f"looked at the page, and at {len(scripts)} files of it", flush=True)


def ask_the_page(client: httpx.Client) -> None:
    """Ask as gradio_client does, which would itself report to its maker that it is used."""
    (ask,) = (
        one for one in client.get("/config").json()["dependencies"] if one["api_name"] == "ask"
    )
    asked = {"data": [QUESTION], "fn_index": ask["id"], "session_hash": "a1"}
    client.post("/gradio_api/queue/join", json=asked).raise_for_status()
    with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": "a1"}) as events:
        told = [json.loads(line[5:]) for line in events.iter_lines() if line.startswith("data:")]
    (done,) = (one for one in told if one["msg"] == "process_completed")
    assert done["success"], done
    assert done["output"]["data"][0]["question"] == QUESTION
    print("asked the page", flush=True)


def ask_the_server(client: httpx.Client) -> None:
    """Ask at every endpoint that gives an answer."""
    client.get("/api/health").raise_for_status()
    client.get("/api/version").raise_for_status()
    client.get("/metrics").raise_for_status()
    found = client.get("/api/search", params={"query": QUESTION})
    assert found.json()["hits"][0]["passage"]["document"] == "planes.md"
    answer = client.post("/api/ask", json={"question": QUESTION})
    assert answer.json()["question"] == QUESTION
    completion = client.post(
        "/v1/chat/completions",
        json={"model": "footnote", "messages": [{"role": "user", "content": QUESTION}]},
    )
    assert completion.json()["choices"][0]["message"]["content"]
    print("asked the server", flush=True)


def ask_the_tools(server: str | StdioServerParameters) -> None:
    """Ask as another program's model does."""

    async def ask() -> None:
        async with ToolClient(server) as client:
            answer = await client.call_tool("ask", {"question": QUESTION})
            assert not answer.is_error
            assert answer.structured_content
            assert answer.structured_content["question"] == QUESTION

    asyncio.run(ask())
    print("asked the tools", flush=True)


if __name__ == "__main__":
    for name in [one for one in os.environ if one.lower().endswith("_proxy")]:
        del os.environ[name]
    main(Path(sys.argv[1]))
