"""The facts about a target that decisions on its replicas need, and their conversion from objects of the API server.

`manager/scale_target.py` reads the objects. A fact that could not be read is in `problems`: it is unknown, and nothing
is done without it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..reasons import Reason
from .managed_fields import FieldWriter
from .owners import FieldOwner


@dataclass(frozen=True, slots=True)
class FactProblem:
    """Why the fact `fact` is unknown: a reason, and a sentence with the value, the cause and the remedy.

    `fact` is `autoscalers`, `budgets`, `pods`, `scaledObjects` or `verticalAutoscalers`.
    """

    fact: str
    reason: Reason
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFacts:
    """A target as it was read at one moment.

    Attributes:
        kind, name, uid: the object.
        resource_version: of the object, or of its scale subresource.
        spec_replicas: the desired replicas; of a kind with bounds, its lower bound.
        status_replicas: the replicas that exist.
        writers: the clients that wrote the present desired replicas, the latest one first.
        owner: another owner of the replicas.
        resources_owner: another owner of the resources of the pods.
        warning: who will reset the replicas at a later time, and the remedy; empty if nobody will.
        rollout_in_progress: whether pods of an older template are being replaced.
        rollout: what the rollout waits for, empty without one.
        unschedulable: pods of the target that no node has room for.
        disruption_floor: the fewest replicas that all PodDisruptionBudgets allow now; None without one.
        problems: the facts that are unknown.
        at: when the oldest of the facts was requested, in epoch seconds.
    """

    kind: str
    name: str
    uid: str
    resource_version: str
    spec_replicas: int
    status_replicas: int
    at: float
    writers: tuple[FieldWriter, ...] = ()
    owner: FieldOwner | None = None
    resources_owner: FieldOwner | None = None
    warning: str = ""
    rollout_in_progress: bool = False
    rollout: str = ""
    unschedulable: int = 0
    disruption_floor: int | None = None
    problems: tuple[FactProblem, ...] = ()

    @property
    def last_writer(self) -> FieldWriter | None:
        """The client that wrote the desired replicas last; None if nobody is recorded."""
        return self.writers[0] if self.writers else None
