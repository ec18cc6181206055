"""The signature of a webhook request: HMAC-SHA256 over the timestamp, a dot and the body, as `v1=<hex>`.

The signature covers the timestamp, so that a receiver can reject a replayed request. Receivers implement this scheme;
a change needs a new version prefix.
"""

from __future__ import annotations

import hashlib
import hmac

SIGNATURE_HEADER = "Pilotfish-Signature"
TIMESTAMP_HEADER = "Pilotfish-Timestamp"
TOLERANCE = 300.0  # seconds between the sender's clock and the receiver's


def sign(secret: bytes, timestamp: str, body: bytes) -> str:
    """Return the value of `Pilotfish-Signature` for `body` sent at `timestamp` (Unix seconds, decimal)."""
    return "v1=" + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def verify(
    secret: bytes, timestamp: str, body: bytes, signature: str, *, now: float, tolerance: float = TOLERANCE
) -> bool:
    """Return whether `signature` is valid for `body` and `timestamp`, and `timestamp` is within `tolerance` of `now`.

    For receivers. While a secret is rotated, the header may hold several signatures, separated by spaces; one must
    match. `now` is in epoch seconds, `tolerance` in seconds.
    """
    if not (timestamp.isascii() and timestamp.isdigit()) or abs(now - int(timestamp[:15])) > tolerance:
        return False
    expected = sign(secret, timestamp, body).encode()
    given = signature.encode("utf-8", "replace")[:1024].split()
    return any(hmac.compare_digest(expected, one) for one in given)
