"""What an autoscaler is told that asks the controller for the replicas of a monitor (`server/scaling.py`). Pure.

Whoever reads the number acts on it. It is therefore given only where the controller itself would act, and only to
one autoscaler: with `surface: scale` the controller sets the replicas, and a second one would fight it.
"""

from __future__ import annotations

from ..reasons import Reason
from .scaling_status import ScalingFinding
from .server.backend import ScaleAnswer


def scale_answer(found: ScalingFinding | None) -> ScaleAnswer:
    """Return the answer for the finding of a monitor, which is None without a block `spec.scaling`."""
    if found is None:
        problem = "the document has no spec.scaling; add it to the document"
        return ScaleAnswer(reason=Reason.NOT_CONFIGURED, problem=problem)
    if not found.published:
        reason = Reason.NOT_PUBLISHED
        return ScaleAnswer(reason=reason, problem=f"{reason.meaning}; {reason.remedy}")
    return ScaleAnswer(
        desired=found.desired,
        current=found.current,
        reason=found.reason,
        message=found.message,
        at=found.at,
        problem=found.withheld,
    )
