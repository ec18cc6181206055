"""Parses addresses: HOST:PORT, [IPV6]:PORT and, if the caller allows them, :PORT and unix:/path.

The only parser of addresses, for all command lines and documents, so that each option accepts the same forms.
"""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass

from ..errors import UsageError, quote_value

ADMIN_ADDRESS = "127.0.0.1:9797"  # the default of --admin; 9090 belongs to Prometheus
LONGEST_SOCKET_PATH = 107  # bytes; sun_path of sockaddr_un without the final NUL
LONGEST_HOST_NAME = 253  # bytes, without the final dot
LARGEST_PORT = 65535
_UNIX = "unix:"
_TCP = re.compile(r"(?:\[([^\[\]/@\s]+)\]|([^:\[\]/@\s]*)):([0-9]{1,5})\Z")


class AddressError(UsageError):
    """An invalid address."""


@dataclass(frozen=True, slots=True)
class Address:
    """A TCP host and port (an empty host means all addresses of this machine), or the path of a Unix socket."""

    host: str
    port: int
    path: str = ""

    @property
    def pair(self) -> tuple[str, int]:
        """Host and port, in the form of the socket module."""
        return self.host, self.port

    def __str__(self) -> str:
        if self.path:
            return f"{_UNIX}{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, *, what: str = "address", any_host: bool = False, unix: bool = False) -> Address:
    """Return the address `text`; raise AddressError, which begins with `what` and lists the valid forms.

    `any_host` allows `:PORT`, `unix` allows `unix:/path`.
    """
    if unix and text.startswith(_UNIX):
        path = text.removeprefix(_UNIX)
        if not path or len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
            raise AddressError(
                f"{what} {quote_value(text)}: a Unix socket needs a path of 1 to {LONGEST_SOCKET_PATH} bytes"
            )
        return Address("", 0, path)
    match = _TCP.match(text)
    if match is None or int(match[3]) > LARGEST_PORT or not (match[1] or match[2] or any_host):
        raise AddressError(
            f"{what} {quote_value(text)}: is not an address; write {_forms(any_host=any_host, unix=unix)}"
        )
    host = match[1] or match[2]
    if host and not (_is_ipv6(match[1]) if match[1] else _is_host_name(host)):
        raise AddressError(f"{what} {quote_value(text)}: {quote_value(host)} not a host name or IP address; correct it")
    return Address(host, int(match[3]))


def _is_ipv6(text: str) -> bool:
    """Return whether `text` is an IPv6 address, possibly with a scope such as %eth0 (RFC 4007, 11)."""
    try:
        socket.inet_pton(socket.AF_INET6, text.partition("%")[0])
    except (OSError, ValueError):
        return False
    return True


def _is_host_name(text: str) -> bool:
    """Return whether DNS can look up `text`: labels of 1 to 63 bytes, at most 253 in total (RFC 1035, 2.3.4)."""
    try:
        return len(text.encode("idna")) <= LONGEST_HOST_NAME
    except UnicodeError:  # also a label that is empty or too long
        return False


def _forms(*, any_host: bool, unix: bool) -> str:
    """Return the allowed forms, each with an example."""
    forms = [f"HOST:PORT ({ADMIN_ADDRESS})", "[IPV6]:PORT ([::1]:9797)"]
    forms += [":PORT (all addresses)"] * any_host + ["unix:/path"] * unix
    return f"{', '.join(forms[:-1])} or {forms[-1]}"
