"""Which pods may have their share now, so that the sum of all commitments stays within the budget. In millicores.

A lowered request frees its cores only once the node has made the resize. Until then, the pod holds what it had, so the
raise of another one waits. Pods are raised one after the other, each to its share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil

from .member import PoolMember, PoolPod

PART = 4  # a raise is made in part if a quarter of it is free


@dataclass(frozen=True, slots=True)
class Grants:
    """What a member may request until its next exchange: each pod by UID, and each pod that may still come."""

    pods: Mapping[str, int] = field(default_factory=dict)
    entry: int = 0


def millis(cores: float) -> int:
    """Return the millicores of a commitment, rounded up as Kubernetes does."""
    return ceil(round(cores * 1000.0, 6))


def held(pod: PoolPod) -> int:
    """Return what a pod holds: the largest of its request, its allocation, and a resize in flight."""
    return max(millis(pod.requested), millis(pod.allocated or 0.0), millis(pod.pending))


def committed(member: PoolMember, grants: Grants) -> int:
    """Return what a member may hold at most until its next exchange; another pod may replace each of its pods."""
    pods = sum(max(held(pod), grants.pods.get(pod.uid, 0), grants.entry) for pod in member.pods)
    return pods + member.may_come * grants.entry


def kept(member: PoolMember, room: int | None, extra: int = 0) -> Grants:
    """Return the grants of a member whose pods stay as they are; `room` and `extra` as for `granted`.

    A new pod gets what the smallest one has, as it may replace that one: more would be kept from the other members.
    """
    pods = {pod.uid: millis(pod.requested) for pod in member.pods}
    if room is None:
        room = committed(member, Grants(pods, millis(member.minimum)))
    return Grants(pods, _entry(member, min(pods.values(), default=millis(member.minimum)), room, extra, pods))


def granted(member: PoolMember, share: int, room: int, extra: int) -> Grants:
    """Return the grants of a member with a share for each pod.

    It may hold `room` in all. A new pod may have `extra` more than its minimum, which no share needs.
    """
    pods = {pod.uid: min(millis(pod.requested), share) for pod in member.pods}
    minimum = min(millis(member.minimum), share)
    free = room - committed(member, Grants(pods, minimum))
    for pod in sorted(member.pods, key=lambda pod: (pods[pod.uid], pod.uid)):
        wanted = share - pods[pod.uid]
        more = min(share, held(pod) + max(free, 0))
        if wanted > 0 and (more - pods[pod.uid]) * PART >= wanted:
            free -= max(0, more - held(pod))
            pods[pod.uid] = more
    return Grants(pods, _entry(member, share, room, extra, pods))


def _entry(member: PoolMember, share: int, room: int, extra: int, pods: Mapping[str, int]) -> int:
    low = min(millis(member.minimum), share)
    high = min(share, low + extra) if member.may_come else share
    while low < high:
        middle = (low + high + 1) // 2
        fits = committed(member, Grants(pods, middle)) <= room
        low, high = (middle, high) if fits else (low, middle - 1)
    return low
