"""The signature of a webhook request: HMAC-SHA256 over the timestamp, a dot and the body, as `v1=<hex>`.

The signature covers the timestamp, so that a receiver can reject a replayed request. In binary mode, the id of the
event is a header, so `v2=<hex>` covers the timestamp, a dot, the id, a dot and the body. Receivers implement these
schemes; a change needs a new version prefix.
"""

from __future__ import annotations

import hashlib
import hmac

SIGNATURE_HEADER = "Pilotfish-Signature"
TIMESTAMP_HEADER = "Pilotfish-Timestamp"
TOLERANCE = 300.0  # seconds between the sender's clock and the receiver's


def sign(secret: bytes, timestamp: str, body: bytes, id_: str = "") -> str:
    """Return the value of `Pilotfish-Signature` for `body` sent at `timestamp` (Unix seconds, decimal).

    `id_` is that of an event in binary mode; leave it out for any other request.
    """
    scheme, signed = ("v2", f"{timestamp}.{id_}.") if id_ else ("v1", f"{timestamp}.")
    return f"{scheme}=" + hmac.new(secret, signed.encode() + body, hashlib.sha256).hexdigest()


def verify(
    secret: bytes,
    timestamp: str,
    body: bytes,
    signature: str,
    *,
    now: float,
    tolerance: float = TOLERANCE,
    id_: str = "",
) -> bool:
    """Return whether `signature` is valid for `body` and `timestamp`, and `timestamp` is within `tolerance` of `now`.

    For receivers. While a secret is rotated, the header may hold several signatures, separated by spaces; one must
    match. `now` is in epoch seconds, `tolerance` in seconds. `id_` is the header `ce-id` of an event in binary mode.
    """
    if not (timestamp.isascii() and timestamp.isdigit()) or abs(now - int(timestamp[:15])) > tolerance:
        return False
    expected = sign(secret, timestamp, body, id_).encode()
    given = signature.encode("utf-8", "replace")[:1024].split()
    return any(hmac.compare_digest(expected, one) for one in given)
