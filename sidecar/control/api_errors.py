"""What becomes of an attempt whose request the API server refused: one table for all executors."""

from __future__ import annotations

import re

from ..kube.errors import ForbiddenError, InvalidError, KubeError, NotFoundError, TooManyRequestsError
from .executor import RetryAt
from .reasons import Reason

MEND_SECONDS = 60.0  # between two attempts, while a person has to create or permit something

# the words of the API server about an admission webhook, and about a ValidatingAdmissionPolicy; both name the object
_DENIED = re.compile(r"admission webhook \S+ denied the request|ValidatingAdmissionPolicy \S+ with binding \S+ denied")
# of a server that has just started and does not know all objects yet, or of a quota that is not computed yet
_NOT_READY = re.compile(r"not yet ready to handle request|status unknown for quota")

_REASONS: tuple[tuple[type[KubeError], Reason, float], ...] = (  # the shortest wait in seconds
    (ForbiddenError, Reason.NOT_AUTHORIZED, MEND_SECONDS),
    (InvalidError, Reason.INVALID_OBJECT, MEND_SECONDS),
    (TooManyRequestsError, Reason.THROTTLED, 0.0),
    (KubeError, Reason.API_SERVER_UNREACHABLE, 0.0),
)


def is_denied_by_admission(error: KubeError) -> bool:
    """Return whether an admission webhook or policy refused the request, which the message names."""
    return isinstance(error, ForbiddenError | InvalidError) and _DENIED.search(str(error)) is not None


def retry_of_error(error: KubeError, now: float, *, missing: Reason, detail: str) -> RetryAt:
    """Return the outcome of a request that failed at `now`, in epoch seconds.

    A person may mend it, so it is tried again until it is given up. `missing` is the reason of a NotFoundError, whose
    meaning depends on the request.
    """
    if is_denied_by_admission(error):
        return RetryAt(Reason.ADMISSION_DENIED, now + MEND_SECONDS, detail)
    if isinstance(error, ForbiddenError) and _NOT_READY.search(str(error)):
        return RetryAt(Reason.API_SERVER_UNREACHABLE, now + (error.retry_after or 0.0), detail)
    table = ((NotFoundError, missing, MEND_SECONDS), *_REASONS)
    reason, wait = next((reason, wait) for kind, reason, wait in table if isinstance(error, kind))
    return RetryAt(reason, now + max(wait, error.retry_after or 0.0), detail)
