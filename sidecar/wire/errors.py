"""The error of a parser that cannot follow a connection any further."""

from __future__ import annotations

from ..errors import PilotfishError


class ProtocolError(PilotfishError):
    """The bytes cannot be parsed with certainty; never leaves this package.

    `reason` is one of `channel.layout.DOWNGRADES`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the connection can no longer be followed: {reason}")
        self.reason = reason
