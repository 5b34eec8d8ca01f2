"""For the test of the proxy: nginx with the file of ``deploy/``, on ports of this machine."""

import datetime
import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.browser import free_port
from tests.serving import wait_until

REPOSITORY = Path(__file__).parents[1]
NAME = "footnote.example"


def find_nginx() -> str | None:
    """Nginx's path: FOOTNOTE_NGINX, the one on the PATH, or what tests/nginx.sh has unpacked."""
    unpacked = REPOSITORY / ".venv" / "nginx" / "usr" / "sbin" / "nginx"
    usual = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return (
        os.environ.get("FOOTNOTE_NGINX") or usual or (str(unpacked) if unpacked.exists() else None)
    )


@dataclass(frozen=True)
class Proxy:
    """A running nginx."""

    https: int
    http: int
    folder: Path  # all that it writes lies there
    certificate: Path

    def client(self, *, timeout: float = 30) -> httpx.Client:
        """A client that looks for ``NAME`` at this machine, and believes its certificate alone."""
        return httpx.Client(
            base_url=f"https://127.0.0.1:{self.https}",
            headers={"Host": NAME},
            verify=ssl.create_default_context(cafile=str(self.certificate)),
            trust_env=False,
            timeout=timeout,
            event_hooks={"request": [_name_it]},
        )


def _name_it(request: httpx.Request) -> None:
    request.extensions["sni_hostname"] = NAME


@contextmanager
def nginx(program: str, folder: Path, *, upstream: int) -> Iterator[Proxy]:
    """Nginx before ``upstream``, a port of this machine, with the shipped file for its site."""
    for name in ("tls", "body", "proxy", "rest"):
        (folder / name).mkdir()
    proxy = Proxy(free_port(), free_port(), folder, folder / "tls" / "certificate.pem")
    _write_certificate(folder / "tls")
    site = (REPOSITORY / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    for shipped, here in {
        "    listen 80;": f"    listen 127.0.0.1:{proxy.http};",
        "    listen [::]:80;": "",
        "    listen 443 ssl http2;": f"    listen 127.0.0.1:{proxy.https} ssl http2;",
        "    listen [::]:443 ssl http2;": "",
        "server 127.0.0.1:7860;": f"server 127.0.0.1:{upstream};",
        "/etc/footnote/tls/": f"{folder}/tls/",
    }.items():
        assert shipped in site, shipped
        site = site.replace(shipped, here)
    (folder / "site.conf").write_text(site)
    # Started by root, its worker would be nobody, who may not write into a folder of the tests.
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; worker_processes 1; pid nginx.pid; error_log stderr;\n"
        "events { worker_connections 256; }\n"
        "http {\n"
        "    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path rest;\n"
        "    uwsgi_temp_path rest; scgi_temp_path rest; access_log off;\n"
        f"    include {folder}/site.conf;\n"
        "}\n"
    )
    with (folder / "errors").open("w") as errors:
        process = subprocess.Popen(
            [program, "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"], stderr=errors
        )
        try:
            wait_until(lambda: process.poll() is not None or _answers(proxy.http))
            assert process.poll() is None, (folder / "errors").read_text()
            yield proxy
        finally:
            process.terminate()
            process.wait(10)


def _answers(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
    except httpx.TransportError:
        return False
    return True


def _write_certificate(folder: Path) -> None:
    """A certificate of ``NAME``, signed by itself, for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(encoding))
    (folder / "key.pem").write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
