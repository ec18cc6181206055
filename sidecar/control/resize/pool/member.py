"""What a pool reads of a member, and what it returns to it, as plain values. All amounts of CPU are cores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPod:
    """One pod that exists, also while it ends.

    Attributes:
        requested: the CPU request in its spec.
        allocated: what its node has allocated; None before the node has accepted the pod.
        pending: the request that a resize in flight would set; 0 without one.
    """

    uid: str
    requested: float
    allocated: float | None = None
    pending: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLoad:
    """The load of all pods of a member together.

    Attributes:
        cpu: cores in use.
        rate: completed requests per second; None if unknown.
        in_flight: requests in flight; None if unknown.
        limit: cores that the CPU limits of the pods let them use; None without limits.
        at: when it was measured, in epoch seconds.
    """

    cpu: float
    rate: float | None = None
    in_flight: float | None = None
    limit: float | None = None
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolMember:
    """A monitor in a pool.

    Attributes:
        pods: all pods whose CPU the pool pays for.
        minimum, maximum: bounds of the request of a pod.
        load: the newest load; None without one. The member then keeps what it has.
        acts: whether its pods are resized: by mode, method, and because nobody else owns their CPU.
        may_come: how many more pods may be created: surge of a rollout, and replicas up to the maximum of scaling.
        latency_target: in seconds; None without one.
    """

    pods: tuple[PoolPod, ...]
    minimum: float
    maximum: float
    load: PoolLoad | None = None
    acts: bool = True
    may_come: int = 0
    latency_target: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolShare:
    """What a member gets.

    Attributes:
        cores: the share, for each pod; None if the CPU stays as it is.
        entry: the most that a new pod may request, at most the share; None if nothing is known about the pool.
        pods: the request that each pod should have now, by UID. It is what the pod has while a raise waits for room.
        reason: why the CPU stays as it is or is less than needed; None if the share covers the demand.
        text: the reason in words, with its figures.
    """

    cores: float | None = None
    entry: float | None = None
    pods: Mapping[str, float] = field(default_factory=dict)
    reason: Reason | None = None
    text: str = ""
