"""Why a connection cannot be followed any further."""

from __future__ import annotations

from ..errors import PilotfishError


class ProtocolError(PilotfishError):
    """The bytes are no HTTP/1.1 that can be followed with certainty.

    `reason` is one of `channel.layout.DOWNGRADES`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the connection can no longer be followed: {reason}")
        self.reason = reason
