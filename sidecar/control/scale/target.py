"""The facts about a target that decisions on its replicas need, and their conversion from objects of the API server.

`manager/scale_target.py` reads the objects. A fact that could not be read is in `problems`: it is unknown, and nothing
is done without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..reasons import Reason
from ..workload.field_owner import FieldOwner, map_at
from ..workload.kinds import at_path, replicas_path, rollout_of, spec_replicas, status_replicas, surge_of
from ..workload.managed_fields import FieldWriter, epoch_seconds, writers_of
from ..workload.refusals import NO_REFUSAL, PodRefusal
from .appliers import is_default, later_reset
from .disruption import disruption_floor
from .owners import ReplicaDriver, find_most_replicas, find_owner, find_replica_drivers, find_resources_owner

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FactProblem:
    """Why the fact `fact` is unknown: a reason, and a sentence with the value, the cause and the remedy.

    `fact` is `autoscalers`, `budgets`, `object`, `pods`, `scaledObjects` or `verticalAutoscalers`.
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
        default: whether nobody set the desired replicas, so that the default of the API server holds.
        owner: another owner of the replicas.
        resources_owner: another owner of the resources of the pods.
        replica_drivers: autoscalers that set the replicas by the use of CPU or memory.
        most_replicas: to which an autoscaler may set the replicas; 0 without one.
        surge: how many pods a rollout may create beyond the replicas.
        template: the pod spec of the template; None for a kind without one.
        warning: who will reset the replicas at a later time, and the remedy; empty if nobody will.
        rollout_in_progress: whether pods of an older template are being replaced.
        rollout: what the rollout waits for, empty without one.
        unschedulable: pods of the target that no node has room for.
        refused: why the API server refuses new pods while some are missing, in its words; empty if it does not.
        unseen: why it is not known whether it refuses them, while some are missing.
        disruption_floor: the fewest replicas that all PodDisruptionBudgets allow now; None without one.
        problems: the facts that are unknown.
        at: when the oldest of the facts was requested, in epoch seconds.
        created_at: when the object was created, by the clock of the API server; 0 if that is unknown.
    """

    kind: str
    name: str
    uid: str
    resource_version: str
    spec_replicas: int
    status_replicas: int
    at: float
    created_at: float = 0.0
    writers: tuple[FieldWriter, ...] = ()
    default: bool = False
    owner: FieldOwner | None = None
    resources_owner: FieldOwner | None = None
    replica_drivers: tuple[ReplicaDriver, ...] = ()
    most_replicas: int = 0
    surge: int = 0
    template: Item | None = None
    warning: str = ""
    rollout_in_progress: bool = False
    rollout: str = ""
    unschedulable: int = 0
    refused: str = ""
    unseen: str = ""
    disruption_floor: int | None = None
    problems: tuple[FactProblem, ...] = ()

    @property
    def last_writer(self) -> FieldWriter | None:
        """The client that wrote the desired replicas last; None if nobody is recorded."""
        return self.writers[0] if self.writers else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSurroundings:
    """The objects of the namespace that decide whether the replicas of a target may change.

    `budgets` and `pods` are those of the target only. A list that could not be read is empty, and in `problems`.
    `refusal` is why the API server refuses new pods of the target.
    """

    autoscalers: Sequence[Item] = ()
    scaled_objects: Sequence[Item] = ()
    vertical_autoscalers: Sequence[Item] = ()
    budgets: Sequence[Item] = ()
    pods: Sequence[Item] = ()
    refusal: PodRefusal = NO_REFUSAL
    problems: tuple[FactProblem, ...] = field(default=())


def target_facts(target: Item, scale: Item | None, found: TargetSurroundings, at: float) -> TargetFacts:
    """Return the facts about the object `target`; `scale` is its scale subresource, for a kind that needs it."""
    replicas, rollout = spec_replicas(scale or target), rollout_of(target)
    return TargetFacts(
        kind=str(target.get("kind") or ""),
        name=str(at_path(target, ("metadata", "name")) or ""),
        uid=str(at_path(target, ("metadata", "uid")) or ""),
        resource_version=str(at_path(scale or target, ("metadata", "resourceVersion")) or ""),
        spec_replicas=replicas,
        status_replicas=status_replicas(scale or target),
        at=at,
        created_at=epoch_seconds(at_path(target, ("metadata", "creationTimestamp"))) or 0.0,
        writers=writers_of(target, replicas_path(target)),
        default=is_default(target),
        owner=find_owner(target, autoscalers=found.autoscalers, scaled_objects=found.scaled_objects),
        resources_owner=find_resources_owner(target, vertical_autoscalers=found.vertical_autoscalers),
        replica_drivers=find_replica_drivers(
            target, autoscalers=found.autoscalers, scaled_objects=found.scaled_objects
        ),
        most_replicas=find_most_replicas(target, autoscalers=found.autoscalers, scaled_objects=found.scaled_objects),
        surge=surge_of(target, replicas),
        template=map_at(target, "spec", "template", "spec") or None,
        warning=later_reset(target),
        rollout_in_progress=bool(rollout),
        rollout="; ".join(filter(None, (rollout, rollout and found.refusal.words))),
        unschedulable=count_unschedulable(found.pods),
        refused=found.refusal.words if found.refusal.missing else "",
        unseen=found.refusal.unseen,
        disruption_floor=disruption_floor(target, replicas, found.budgets),
        problems=found.problems,
    )


def count_unschedulable(pods: Iterable[Item]) -> int:
    """Return how many of the pods no node has room for; a pod that is being deleted does not count."""
    return sum(_unschedulable(pod) for pod in pods)


def _unschedulable(pod: Item) -> bool:
    conditions = at_path(pod, ("status", "conditions"))
    return at_path(pod, ("metadata", "deletionTimestamp")) is None and any(
        isinstance(found, dict)
        and (found.get("type"), found.get("status"), found.get("reason")) == ("PodScheduled", "False", "Unschedulable")
        for found in (conditions if isinstance(conditions, list) else ())
    )
