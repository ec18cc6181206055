"""What the API server answers instead of an object."""

from __future__ import annotations

from typing import Any


class Problem(Exception):  # noqa: N818  # Kubernetes calls the object a Status; this is one that ends a request
    """A request that is refused, with HTTP status and Kubernetes' reason."""

    def __init__(self, code: int, reason: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.retry_after = retry_after

    def status(self) -> dict[str, Any]:
        """Return the Status object."""
        details = {"retryAfterSeconds": self.retry_after} if self.retry_after is not None else {}
        return {
            "apiVersion": "v1",
            "kind": "Status",
            "metadata": {},
            "status": "Failure",
            "code": self.code,
            "reason": self.reason,
            "message": str(self),
            "details": details,
        }


def not_found(plural: str, name: str) -> Problem:
    return Problem(404, "NotFound", f'{plural} "{name}" not found')


def conflict(plural: str, name: str, why: str) -> Problem:
    return Problem(409, "Conflict", f'Operation cannot be fulfilled on {plural} "{name}": {why}')


def invalid(plural: str, name: str, why: str) -> Problem:
    return Problem(422, "Invalid", f'{plural} "{name}" is invalid: {why}')


def expired() -> Problem:
    return Problem(410, "Expired", "too old resource version")
