"""Who may ask: a bearer token for everything but metrics and health, and no request that another site's page sends."""

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
CHALLENGE = 'Bearer realm="pilotfish", Basic realm="pilotfish"'  # a browser can answer the second one


def open_access_warning(host: str, token_file: Path | None) -> str:
    """Return a warning where whoever reaches `host` may change something without a token; empty where nobody can."""
    try:
        near = host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # a name: who is behind it is not known
        near = False
    if near or token_file is not None:
        return ""
    return (
        f"whoever reaches the admin address ({quote_value(host)}) may put a profile, send labels and close episodes: "
        "give --token-file, or an address of the loopback"
    )


def is_authorized(path: str, headers: Mapping[str, str], token_file: Path | None) -> bool:
    """Tell whether a request with these headers may have `path`; the file is read anew: a token can be changed."""
    if token_file is None or path in OPEN_PATHS:
        return True
    try:
        token = read_token(token_file)
    except UsageError:
        return False
    return hmac.compare_digest(_credentials(headers.get("Authorization", "")), token)


def is_cross_site(method: str, headers: Mapping[str, str]) -> bool:
    """Tell whether a page in a browser sent this request, by a script or a form: ours has neither.

    So a page of another site reads and changes nothing, not even under a name that it made point here.
    """
    if headers.get("Sec-Fetch-Dest", "document") != "document":
        return True
    return method not in ("GET", "HEAD") and ("Origin" in headers or headers.get("Sec-Fetch-Site", "none") != "none")


def _credentials(authorization: str) -> bytes:
    """Return the token of a Bearer, or the password of a Basic authorization; empty when there is none."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip().encode("utf-8", "surrogateescape")
    if scheme.lower() == "basic":
        try:
            return b64decode(value.strip(), validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            return b""
    return b""
