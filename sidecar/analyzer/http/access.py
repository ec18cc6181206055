"""Access control of the admin address: a bearer token, a Host that no attacker controls, and no scripts of a browser.

`views.py` asks `Access.refusal` before any view. Metrics and health need no token, because Prometheus and the kubelet
read them without one.

A page of another site reaches an address of the user's machine by DNS rebinding: the site's own name resolves to
127.0.0.1. The request then has that name as its Host, and no other sign of its origin. So a Host must be an address, or
a name that the public DNS cannot resolve, or one that the operator allows.
"""

from __future__ import annotations

import binascii
import hmac
import re
import socket
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UsageError, quote_value
from ...system.addresses import parse_listen_address
from ...system.tokens import read_token

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

    from ..options import Options

OPEN_PATHS = ("/healthz", "/metrics", "/readyz")
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="pilotfish", Basic realm="pilotfish"'}  # browsers prompt for Basic only
LOCAL_SUFFIXES = (".internal", ".local", ".localhost", ".svc")  # not delegated in the public DNS

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+(?:%[\w.~%-]+)?\]|[^\s\x00-\x20/?#@:\[\]\\]+)(?::[0-9]{0,5})?")


@dataclass(frozen=True, slots=True)
class AccessRefusal:
    """Status, text and headers of the answer to a request that may not pass."""

    status: int
    error: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Access:
    """Decides which requests pass.

    `host` is the host of the admin address, `token_file` has the bearer token (None requires none), and `names` are
    further names that a request may have as its Host. `controlled` is whether the pod follows a controller, which then
    owns profile and episodes.
    """

    def __init__(
        self, host: str, token_file: Path | None = None, names: Iterable[str] = (), *, controlled: bool = False
    ) -> None:
        self.token_file = token_file
        self.controlled = controlled
        self._loopback = is_loopback(host)
        self._names = {name.lower().rstrip(".") for name in (host, socket.gethostname(), *names)}

    @property
    def read_only(self) -> bool:
        """Whether no request may change anything: other pods reach the address, and it has no token."""
        return self.controlled and self.token_file is None

    @property
    def open_to_changes(self) -> bool:
        """Whether other machines may change something without a token."""
        return not (self._loopback or self.controlled or self.token_file is not None)

    def refusal(
        self, method: str, path: str, headers: CIMultiDictProxy[str], *, host_required: bool = True
    ) -> AccessRefusal | None:
        """Return why a request with these headers is refused; None if it may pass.

        `host_required` is False for HTTP/1.0, where probes of load balancers send no Host.
        """
        hosts = headers.getall("Host", [])
        name = host_name(hosts[0]) if len(hosts) == 1 else None
        if name is None and (hosts or host_required):
            return AccessRefusal(400, "give exactly one valid Host")
        if path in OPEN_PATHS:
            checks_name = self._loopback
        elif self.token_file is not None:
            checks_name = False  # a page of another site does not have the token
            if (refusal := _check_token(self.token_file, headers)) is not None:
                return refusal
        else:
            checks_name = True
        if path not in OPEN_PATHS and is_cross_site(method, headers):
            return AccessRefusal(403, "scripts and forms of a browser page are refused; open this address directly")
        if checks_name and name is not None and not (is_local_name(name) or name in self._names):
            return AccessRefusal(
                403, "this Host is not a name of the sidecar; use its IP address, or give --admin-host"
            )
        return None


def access_of(options: Options) -> Access:
    """Return the access control that `options` describe."""
    host, controlled = parse_listen_address(options.admin).host, options.control is not None
    return Access(host, options.token_file, options.admin_hosts, controlled=controlled)


def open_access_warning(admin: str, access: Access) -> str:
    """Return a warning when other machines can change something at `admin` without a token; empty otherwise."""
    if not access.open_to_changes:
        return ""
    return (
        f"anyone who can reach the admin address {quote_value(admin)} can set a profile, send labels and close "
        "episodes: give --token-file, or a loopback address"
    )


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches `host`; a name other than localhost may resolve to any address."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def host_name(value: str) -> str | None:
    """Return the name or address in a Host field, in lower case and without its port; None for an invalid field."""
    match = _HOST.fullmatch(value)
    return match[1].lower().rstrip(".") or None if match else None


def is_local_name(name: str) -> bool:
    """Return whether `name` is an IP address, or a name that an attacker cannot register in the public DNS.

    A name whose last label is a number is an IPv4 address to each client (WHATWG URL, 3.5).
    """
    last = name.rpartition(".")[2]
    return name.startswith("[") or last == name or last.isdecimal() or name.endswith(LOCAL_SUFFIXES)


def is_cross_site(method: str, headers: Mapping[str, str]) -> bool:
    """Return whether a script or a form of a browser page sent this request. The report page has neither.

    Browsers send Sec-Fetch headers to addresses of this machine and by HTTPS only. They send Origin with each request
    of a page that changes something.
    """
    if headers.get("Sec-Fetch-Dest", "document") != "document":
        return True
    return method not in ("GET", "HEAD") and ("Origin" in headers or headers.get("Sec-Fetch-Site", "none") != "none")


def _check_token(token_file: Path, headers: Mapping[str, str]) -> AccessRefusal | None:
    """Return a refusal unless the headers have the token.

    The file is read for each request, so that a token can be rotated without a restart.
    """
    try:
        token = read_token(token_file)
    except UsageError:
        return AccessRefusal(401, "the token file of the sidecar cannot be used; /readyz shows the reason", CHALLENGE)
    if hmac.compare_digest(_credentials(headers.get("Authorization", "")), token):
        return None
    return AccessRefusal(401, "this path requires the bearer token", CHALLENGE)


def _credentials(authorization: str) -> bytes:
    """Return the token of a Bearer or the password of a Basic authorization; empty without either."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip().encode("utf-8", "surrogateescape")
    if scheme.lower() == "basic":
        try:
            return b64decode(value.strip(), validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            return b""
    return b""
