"""A request that a server of the cluster refuses."""

from __future__ import annotations

from ..errors import RefusedError


class RefusedRequestError(RefusedError):
    """A request that cannot be served. The text says what failed, why, and what to do.

    Attributes:
        status: the HTTP status.
        reason: the value of the label `reason` in metrics; one word of a bounded set, in snake case.
        retry_after: seconds for Retry-After; None without one.
    """

    def __init__(
        self, text: str, *, status: int = 400, reason: str = "refused", retry_after: float | None = None
    ) -> None:
        super().__init__(text)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after
