"""The error that a parser raises internally when it cannot parse a connection any further."""

from __future__ import annotations

from ..errors import PilotfishError


class ProtocolError(PilotfishError):
    """The bytes cannot be parsed with certainty. Parsers catch this error: it never leaves this package.

    `reason` is one of `channel.layout.DOWNGRADES`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"connection cannot be parsed any further: {reason}")
        self.reason = reason
