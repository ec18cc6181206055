"""Access control of the admin address: a bearer token, and no requests from scripts or forms of a browser page.

`views.py` calls both checks before any view. Metrics and health stay open, because Prometheus and the kubelet read them
without a token.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path

from ...errors import UsageError, quote_value
from ...system.tokens import read_token

OPEN_PATHS = ("/healthz", "/metrics", "/readyz")
CHALLENGE = 'Bearer realm="pilotfish", Basic realm="pilotfish"'  # browsers prompt for Basic only


def open_access_warning(host: str, token_file: Path | None) -> str:
    """Return a warning when other machines can change state at `host` without a token; empty otherwise."""
    try:
        loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # a host name may resolve to any address
        loopback = False
    if loopback or token_file is not None:
        return ""
    return (
        f"anyone who can reach the admin address {quote_value(host)} can set a profile, send labels and close "
        "episodes: give --token-file, or a loopback address"
    )


def is_authorized(path: str, headers: Mapping[str, str], token_file: Path | None) -> bool:
    """Return whether a request with these headers may access `path`.

    The token file is read for each request, so that a token can be rotated without a restart.
    """
    if token_file is None or path in OPEN_PATHS:
        return True
    try:
        token = read_token(token_file)
    except UsageError:
        return False
    return hmac.compare_digest(_credentials(headers.get("Authorization", "")), token)


def is_cross_site(method: str, headers: Mapping[str, str]) -> bool:
    """Return whether a script or a form of a browser page sent this request.

    The report page has neither. So a page of another site can neither read nor change anything, even by DNS rebinding.
    """
    if headers.get("Sec-Fetch-Dest", "document") != "document":
        return True
    return method not in ("GET", "HEAD") and ("Origin" in headers or headers.get("Sec-Fetch-Site", "none") != "none")


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
