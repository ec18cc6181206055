"""Which change of resources repeats a refusal: by the message of the node, the resource and the direction."""

from __future__ import annotations

import pytest

from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.resize.refusals import RefusedResize, Shown

BOTH = {"cpu", "memory"}
NO_CPU = "Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000"
TOO_SMALL = "node didn't have enough allocatable resources: memory, requested: 9663676416, allocatable: 8589934592"
EXCLUSIVE = 'Resize is infeasible for Guaranteed Pods alongside CPU Manager policy "static"'
SWAP = "In-place resize of containers with swap is not supported."
QUOTA = "exceeded quota: small, requested: requests.cpu=500m, used: requests.cpu=1, limited: requests.cpu=1"


def amounts(cpu: str, memory: str) -> Shown:
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}}


@pytest.mark.parametrize(
    ("reason", "text", "refused", "wanted", "repeated"),
    [
        (Reason.RESIZE_INFEASIBLE, EXCLUSIVE, ("2", "2Gi"), ("2", "2Gi"), {"cpu"}),
        (Reason.RESIZE_INFEASIBLE, EXCLUSIVE, ("500m", "2Gi"), ("499m", "2Gi"), {"cpu"}),
        (Reason.RESIZE_INFEASIBLE, EXCLUSIVE, ("500m", "1Gi"), ("2", "1Gi"), {"cpu"}),
        (Reason.RESIZE_INFEASIBLE, SWAP, ("2", "2Gi"), ("2", "1536Mi"), {"memory"}),
        (Reason.RESIZE_INFEASIBLE, "unknown", ("2", "1Gi"), ("1500m", "2Gi"), {"cpu"}),
        (Reason.RESIZE_INFEASIBLE, "unknown", ("2", "2Gi"), ("500m", "512Mi"), BOTH),
        (Reason.RESIZE_INFEASIBLE, TOO_SMALL, ("2", "9Gi"), ("2", "9Gi"), {"memory"}),
        (Reason.RESIZE_INFEASIBLE, TOO_SMALL, ("2", "9Gi"), ("2", "8Gi"), set()),
        (Reason.RESIZE_DEFERRED, NO_CPU, ("2", "2Gi"), ("2", "2Gi"), {"cpu"}),
        (Reason.RESIZE_DEFERRED, NO_CPU, ("2", "2Gi"), ("1500m", "2Gi"), set()),
        (Reason.QUOTA, QUOTA, ("2", "1Gi"), ("3", "1Gi"), {"cpu"}),
        (Reason.QUOTA, QUOTA, ("2", "1Gi"), ("500m", "1Gi"), set()),
        (Reason.INVALID_OBJECT, "", ("500m", "512Mi"), ("400m", "768Mi"), {"cpu"}),
    ],
)
def test_a_change_is_held_for_what_the_refusal_says_of_it(
    reason: Reason, text: str, refused: tuple[str, str], wanted: tuple[str, str], repeated: set[str]
) -> None:
    refusal = RefusedResize(amounts(*refused), 0.0, reason, text)
    present = amounts("1", "1Gi")
    assert refusal.repeated(amounts(*wanted), present) == repeated
    assert refusal.repeated(present, present) == frozenset()
