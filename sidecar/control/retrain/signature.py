"""The signature of a webhook: HMAC-SHA256 over the timestamp, a dot and the body, as `v1=<hex>`.

The timestamp is part of what is signed, so that a receiver can refuse an old request that someone plays again.
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
    """Return whether `signature` belongs to `body` and `timestamp`, and `timestamp` to `now`: what a receiver calls.

    Several signatures may stand in one header, separated by spaces, while a secret is being changed; one must match.
    """
    if not (timestamp.isascii() and timestamp.isdigit()) or abs(now - int(timestamp[:15])) > tolerance:
        return False
    expected = sign(secret, timestamp, body).encode()
    given = signature.encode("utf-8", "replace")[:1024].split()
    return any(hmac.compare_digest(expected, one) for one in given)
