"""`GET /v1/scale/NAMESPACE/MONITOR`: the desired replicas of a monitor, for an autoscaler that reads a number by HTTP.

KEDA's trigger `metrics-api` reads `desiredReplicas`. A number that is not current would hold a fleet at an old size
without anybody noticing. The response is then 503 with the reason, so that the fallback of the autoscaler applies.
"""

from __future__ import annotations

from typing import Any

from ....callers.errors import RefusedRequestError
from .backend import ScaleAnswer

RETRY_SECONDS = 15.0  # the usual interval of the recommendation


def scale_body(answer: ScaleAnswer | None) -> dict[str, Any]:
    """Return the JSON object of the response.

    Raises RefusedRequestError: 404 for a monitor that does not exist, 503 without a current number.
    """
    if answer is None:
        raise RefusedRequestError(
            "there is no ModelMonitor with this name; correct the namespace and the name in the path",
            status=404,
            reason="unknown_monitor",
        )
    if answer.problem or answer.desired is None:
        raise RefusedRequestError(
            f"there is no current number of replicas: {answer.problem or 'none was computed yet; ask again later'}",
            status=503,
            reason=answer.reason or "starting",
            retry_after=RETRY_SECONDS,
        )
    return {
        "desiredReplicas": answer.desired,
        "currentReplicas": answer.current,
        "reason": answer.reason,
        "message": answer.message,
        "at": answer.at,
    }
