"""The fewest replicas that PodDisruptionBudgets allow.

A budget does not stop a controller from deleting pods when its replicas are lowered. But it says how many pods may be
missing at once, so one change removes no more pods than that.
See https://kubernetes.io/docs/tasks/run-application/configure-pdb/.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..workload.kinds import at_path, number_at

Item = Mapping[str, Any]

UNREADY_FIRST = frozenset(("Deployment", "ReplicaSet", "Rollout"))  # they delete pods that are not ready first


def disruption_floor(target: Item, replicas: int, budgets: Iterable[Item]) -> int | None:
    """Return the fewest replicas that all `budgets` allow for `target`, which has `replicas`; None without a budget.

    `budgets` are those that select the pods of `target`. A budget whose status is older than its document allows
    nothing.
    """
    floors = [_floor(target, replicas, budget) for budget in budgets]
    return max(floors, default=None)


def _floor(target: Item, replicas: int, budget: Item) -> int:
    observed = number_at(budget, ("status", "observedGeneration"))
    if observed < number_at(budget, ("metadata", "generation")):
        return replicas
    allowed = number_at(budget, ("status", "disruptionsAllowed"))
    if target.get("kind") in UNREADY_FIRST:
        expected = number_at(budget, ("status", "expectedPods"))
        unready = expected - number_at(budget, ("status", "currentHealthy"))
        allowed = min(expected - number_at(budget, ("status", "desiredHealthy")), max(0, unready) + allowed)
    size = number_at(target, ("spec", "leaderWorkerTemplate", "size")) or 1  # pods of a replica of a LeaderWorkerSet
    floor = max(0, replicas - max(0, allowed) // size)
    least = at_path(budget, ("spec", "minAvailable"))
    return max(floor, min(replicas, -(-least // size))) if isinstance(least, int) else floor
