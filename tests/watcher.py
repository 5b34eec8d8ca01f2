"""Watches a Python program's sockets: what it would reach beyond this machine is written down.

``sitecustomize.py`` is what Python imports by itself at the start of every process. A copy of this
file under that name, in a folder on PYTHONPATH, watches a program and all that it starts. It needs
nothing but Python's own modules, and imports them before the program can.
"""

import ipaddress
import os
import socket
import sys

LOCAL_NAMES = ("", "localhost", "localhost.localdomain", "ip6-localhost", socket.gethostname())

_ADDRESSED = ("socket.connect", "socket.sendto", "socket.sendmsg")
_NAMED = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")


def is_here(host: str) -> bool:
    """Whether an address or a name means this machine."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host.lower() in LOCAL_NAMES
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_loopback or address.is_unspecified


def target_of(event: str, arguments: tuple[object, ...]) -> str | None:
    """Where an audit event of a socket leads to, if that is beyond this machine."""
    if event in _NAMED:
        host = arguments[0]
    elif event == "socket.getnameinfo":
        host = arguments[0][0] if isinstance(arguments[0], tuple) else None
    elif event in _ADDRESSED:
        address = arguments[1]
        # A path is a socket of this machine; without an address it was given in connect; numbers
        # are those of the kernel's own sockets.
        host = address[0] if isinstance(address, tuple) else None
    else:
        return None
    if isinstance(host, bytes):
        host = host.decode(errors="replace")
    return host if isinstance(host, str) and not is_here(host) else None


def watch(path: str) -> None:
    """Append to the file ``path`` who is watched, and each place that it would reach."""
    # Opened now: a reader of documents may not open files later.
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    program = " ".join(sys.orig_argv[1:])
    os.write(file, f"watched\t{program}\n".encode())

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event.startswith("socket.") and (target := target_of(event, arguments)):
            os.write(file, f"reached\t{target}\t{event}\t{program}\n".encode())

    sys.addaudithook(note)


if __name__ == "sitecustomize" and (place := os.environ.get("FOOTNOTE_WATCH")):
    watch(place)
