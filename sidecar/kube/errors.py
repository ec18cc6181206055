"""Errors of the Kubernetes API, by HTTP status; each class says whether the same request may succeed later.

A message contains the method, the path, and the first characters of the server's own message. It never contains a
request body, a header or a token.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from ..errors import PilotfishError, escape_unprintable

SHOWN = 300  # characters of the server's message; for an invalid object it quotes the values
MAX_RETRY_AFTER = 3600.0  # seconds; a longer Retry-After is shortened to it


class KubeError(PilotfishError):
    """A request to the API server that failed. `status` is None when no response arrived; `reason` is Kubernetes' own.

    `retry_after` is the wait in seconds that the server asked for, or None. `causes` are the machine-readable types of
    the causes that the server gives, such as `FieldValueInvalid` or `NodeCapacity`.
    """

    retryable: ClassVar[bool] = False
    remedy: ClassVar[str] = "look at the log of the API server"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        reason: str = "",
        retry_after: float | None = None,
        causes: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after
        self.causes = causes


class UnauthorizedError(KubeError):
    """401: the credentials were refused, also after they were loaded anew."""

    remedy = "check the token or the certificate of the kubeconfig or service account"


class ForbiddenError(KubeError):
    """403: RBAC or an admission policy does not allow the request."""

    remedy = "grant the missing verb by a Role"


class NotFoundError(KubeError):
    """404: the object, its namespace or its kind does not exist."""

    remedy = "create it, or install its CustomResourceDefinition"


class AlreadyExistsError(KubeError):
    """409 for a creation: an object has this name."""

    remedy = "read the object that exists"


class ConflictError(KubeError):
    """409 for a change: the object changed since it was read, or another field manager owns the field."""

    remedy = "read the object again and repeat the change"


class ExpiredError(KubeError):
    """410: the resourceVersion or the page token is too old."""

    remedy = "list the objects again"


class InvalidError(KubeError):
    """400, 413, 415 or 422: the server refuses the object or the request as it is."""

    remedy = "correct the object"


class TooManyRequestsError(KubeError):
    """429: the server asks to wait."""

    retryable = True
    remedy = "wait, then repeat the request"


class UnavailableError(KubeError):
    """408, 5xx, no connection, or no response in time. A write may have been carried out all the same."""

    retryable = True
    remedy = "check the API server and the network; the request is repeated where that is safe"


class NotLeaderError(KubeError):
    """This process does not lead, or no longer does, so it must not write. Nothing was sent."""

    remedy = "the leader writes"


_BY_STATUS: dict[int, type[KubeError]] = {
    400: InvalidError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    408: UnavailableError,
    409: ConflictError,
    410: ExpiredError,
    413: InvalidError,
    415: InvalidError,
    422: InvalidError,
    429: TooManyRequestsError,
}
_BY_REASON: dict[str, type[KubeError]] = {"AlreadyExists": AlreadyExistsError}


def error_of_response(what: str, status: int, body: bytes, headers: Mapping[str, str]) -> KubeError:
    """Return the error of a response with a status of 300 or more; `what` names the request: `GET /api/v1/pods`."""
    return error_of_status(what, _status_object(body), status, headers.get("Retry-After", ""))


def error_of_status(what: str, found: Mapping[str, Any], status: int | None = None, retry_after: str = "") -> KubeError:
    """Return the error of a `Status` object, such as a watch sends in an event of type ERROR."""
    if status is None:
        code = found.get("code")
        status = code if isinstance(code, int) else 500
    reason = str(found.get("reason") or "")
    kind = _BY_REASON.get(reason) or _BY_STATUS.get(status) or (UnavailableError if status >= 500 else KubeError)
    text = escape_unprintable(str(found.get("message") or reason or "no message"))
    text = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
    return kind(
        f"{what} failed: {status}{f' {reason}' if reason else ''}: {text}; {kind.remedy}",
        status=status,
        reason=reason,
        retry_after=_seconds(retry_after, found),
        causes=_causes(found),
    )


def _status_object(body: bytes) -> Mapping[str, Any]:
    """Return the body as a `Status`; a proxy in front of the server may answer with any other text."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _causes(found: Mapping[str, Any]) -> frozenset[str]:
    details = found.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    rows = causes if isinstance(causes, list) else []
    return frozenset(str(row["reason"]) for row in rows if isinstance(row, dict) and row.get("reason"))


def _seconds(header: str, found: Mapping[str, Any]) -> float | None:
    details = found.get("details")
    asked: object = header.strip() or (details.get("retryAfterSeconds") if isinstance(details, dict) else None)
    if isinstance(asked, str) and asked.isascii() and asked.isdigit():
        asked = int(asked[:9])
    if isinstance(asked, bool) or not isinstance(asked, int | float) or not 0 <= asked < float("inf"):
        return None
    return min(float(asked), MAX_RETRY_AFTER)
