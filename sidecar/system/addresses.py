"""Parses addresses: HOST:PORT, [IPV6]:PORT and, if the caller allows them, :PORT and unix:/path.

The only parser of addresses, for all command lines and documents, so that each option accepts the same forms.
"""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass

from ..errors import UsageError, quote_value

ADMIN_ADDRESS = "127.0.0.1:9797"  # the default of --admin; 9090 is the port of Prometheus
LONGEST_SOCKET_PATH = 107  # bytes; sun_path of sockaddr_un without the final NUL
LONGEST_HOST_NAME = 253  # bytes, without the final dot
LARGEST_PORT = 65535
_UNIX = "unix:"
_MISTAKES = (
    (re.compile(r"(?i)https?://"), ("is a URL and not an address", "leave out http:// and the path, and write")),
    (re.compile(r"[A-Za-z][\w.-]*\Z|[\d.]+\.\d+\Z|\[[\da-fA-F:.]+\]\Z"), ("has no port", "write")),
)
_NO_ADDRESS = ("is not an address", "write")
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


def parse_address(
    text: str, *, what: str = "address", any_host: str = "", unix: bool = False, example: str = ADMIN_ADDRESS
) -> Address:
    """Return the address `text`; raise AddressError, which begins with `what` and lists the valid forms.

    `any_host` allows `:PORT` and describes its meaning, `unix` allows `unix:/path`; `example` is a HOST:PORT.
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
        why, remedy = next((words for pattern, words in _MISTAKES if pattern.match(text)), _NO_ADDRESS)
        raise AddressError(f"{what} {quote_value(text)}: {why}; {remedy} {_forms(any_host, example, unix=unix)}")
    host = match[1] or match[2]
    if host and not (_is_ipv6(match[1]) if match[1] else _is_host_name(host)):
        raise AddressError(f"{what} {quote_value(text)}: {quote_value(host)} not a host name or IP address; correct it")
    return Address(host, int(match[3]))


def parse_listen_address(text: str, *, what: str = "address") -> Address:
    """Return the TCP address of a server; `:PORT` means all addresses. Raise AddressError as `parse_address`."""
    return parse_address(text, what=what, any_host="all addresses")


def parse_server_address(text: str, *, what: str = "address") -> Address:
    """Return the TCP address to connect to; `:PORT` means this machine. Raise AddressError as `parse_address`."""
    address = parse_address(text, what=what, any_host="this machine")
    return local_address(address, address.port)


def local_address(address: Address, port: int) -> Address:
    """Return where this machine reaches a server that listens at `address` on `port`: no browser opens 0.0.0.0."""
    if not address.host or _is_unspecified(address.host):
        return Address("::1" if ":" in address.host else "127.0.0.1", port)
    return Address(address.host, port)


def _is_unspecified(host: str) -> bool:
    """Return whether an IP address means all addresses of this machine."""
    try:
        packed = socket.inet_pton(socket.AF_INET6, host) if ":" in host else socket.inet_aton(host)
    except (OSError, ValueError):
        return False
    return not any(packed)


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


def _forms(any_host: str, example: str, *, unix: bool) -> str:
    """Return the allowed forms, each with an example."""
    forms = [f"HOST:PORT ({example})", f"[IPV6]:PORT ([::1]:{example.rpartition(':')[2]})"]
    forms += [f":PORT ({any_host})"] * bool(any_host) + ["unix:/path"] * unix
    return f"{', '.join(forms[:-1])} or {forms[-1]}"
