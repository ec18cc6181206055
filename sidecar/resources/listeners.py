"""Finds the process that listens at an address: from the sockets in /proc/net to the descriptors in /proc/PID/fd.

The tables have each listening socket of this network namespace with its inode. A process that has the socket open shows
the inode in one of its descriptors. In a pod, the sockets of all containers are in the tables, but the processes of
other containers are visible only with `shareProcessNamespace`.

Source: Documentation/networking/proc_net_tcp.rst of Linux, proc_pid_fd(5).
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..system.addresses import Address
from .kernel_files import kernel_text
from .processes import PROC

_LISTENING = "0A"
_IP = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class ListeningSocket:
    """A listening TCP socket. `inode` identifies it in /proc/PID/fd."""

    host: _IP
    port: int
    inode: int


def parse_tcp(text: str) -> list[ListeningSocket]:
    """Return the listening sockets in a `/proc/net/tcp` or `tcp6`. Lines that are not understood are left out."""
    found = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 10 or fields[3] != _LISTENING:
            continue
        host, _, port = fields[1].partition(":")
        with suppress(ValueError):
            found.append(ListeningSocket(_host(host), int(port, 16), int(fields[9])))
    return found


def parse_unix(text: str) -> dict[str, int]:
    """Return the inode of each named socket in a `/proc/net/unix` that accepts connections, by path."""
    found = {}
    for line in text.splitlines()[1:]:
        fields = line.split(None, 7)
        with suppress(ValueError):
            if len(fields) == 8 and int(fields[3], 16) & 0x10000:  # __SO_ACCEPTCON
                found[fields[7]] = int(fields[6])
    return found


def inodes_at(address: Address, hosts: Collection[_IP], proc: Path = PROC) -> set[int]:
    """Return the inodes of the sockets that accept connections to `address`; `hosts` are its IP addresses."""
    if address.path:
        return {inode for path, inode in parse_unix(kernel_text(proc / "net/unix")).items() if path == address.path}
    found = set()
    for name in ("tcp", "tcp6"):
        with suppress(OSError):
            for listener in parse_tcp(kernel_text(proc / "net" / name)):
                if listener.port == address.port and any(_accepts(listener.host, host) for host in hosts):
                    found.add(listener.inode)
    return found


def owners(inodes: Collection[int], proc: Path = PROC) -> set[int]:
    """Return the ids of the visible processes that have one of these sockets open."""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    return {pid for pid in _pids(proc) if _has_open(proc / str(pid) / "fd", wanted)} if wanted else set()


def own_addresses(address: Address) -> set[_IP] | None:
    """Return the IP addresses of a host that belong to this machine; None if its name does not resolve.

    It may look the name up, which can take seconds.
    """
    try:
        places = socket.getaddrinfo(address.host or None, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return None
    hosts = {str(place[0]) for family, _, _, _, place in places if _is_own(family, str(place[0]))}
    return {_plain(ipaddress.ip_address(host.partition("%")[0])) for host in hosts}


def _is_own(family: socket.AddressFamily, host: str) -> bool:
    """Return whether an IP address is one of this machine: only then can a socket be bound to it. Nothing is sent."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True


def _accepts(listener: _IP, host: _IP) -> bool:
    if listener.is_unspecified:
        return listener.version == host.version or listener.version == 6  # an IPv6 socket accepts IPv4, by default
    return listener == host


def _host(text: str) -> _IP:
    """Return the address in a table of sockets: words of 32 bits in the order of this machine."""
    raw = bytes.fromhex(text)
    if len(raw) not in (4, 16):
        raise ValueError(text)
    if sys.byteorder == "little":
        raw = b"".join(raw[start : start + 4][::-1] for start in range(0, len(raw), 4))
    return _plain(ipaddress.ip_address(raw))


def _plain(host: _IP) -> _IP:
    """Return an IPv4 address for one that is mapped to IPv6."""
    mapped = host.ipv4_mapped if isinstance(host, ipaddress.IPv6Address) else None
    return mapped or host


def _pids(proc: Path) -> Iterator[int]:
    return (int(name) for name in os.listdir(proc) if name.isdecimal())


def _has_open(folder: Path, wanted: Collection[str]) -> bool:
    with suppress(OSError):
        for descriptor in os.listdir(folder):
            with suppress(OSError):
                if os.readlink(folder / descriptor) in wanted:
                    return True
    return False
