"""The watermark: which tick may close, and why another one waits.

A tick closes at once when all pods that served it are complete: they have sent their counts up to this tick. After the
grace, a quorum of them is enough. Below the quorum the tick is held as long as the missing pods can still send; then it
is closed without its rows. The rows of a smaller part of the pods are a sample of other traffic wherever requests are
not spread at random, and would look like drift.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from .rules import FleetRules


class Verdict(Enum):
    """What becomes of a tick."""

    WAIT = "pods may still send their counts in time"
    COUNT = "close it with its rows"
    HOLD = "too few pods were heard, and the missing ones may still send"
    DROP = "close it without rows: too few pods were heard, and the missing ones can send no more"


@dataclass(frozen=True, slots=True)
class ExpectedPods:
    """The pods that should report now, ready and with a sidecar: uid, and the epoch seconds since when."""

    pods: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class PodRecord:
    """What is known of a pod. Times are in epoch seconds.

    Attributes:
        since: since when it has been expected; None if it never was.
        left: when it was no longer expected; None while it is, or if it never was.
        heard_at: time of its last message, None before the first.
        complete_through: it has closed all ticks up to this one, -1 before the first.
        finished: its last message was the last one of its life.
        clock_off: its last message had counts of other times only, so its clock differs from the controller's.
    """

    since: float | None = None
    left: float | None = None
    heard_at: float | None = None
    complete_through: int = -1
    finished: bool = False
    clock_off: bool = False

    def served(self, start: float, end: float) -> bool:
        """Return whether the pod was expected at a time between `start` and `end`."""
        return self.since is not None and self.since < end and (self.left is None or self.left > start)

    def is_starting(self, now: float, start_up: float) -> bool:
        """Return whether the pod is so new that it may not have sent anything yet."""
        until = now if self.left is None else self.left
        return self.heard_at is None and self.since is not None and until < self.since + start_up


@dataclass(frozen=True, slots=True)
class Attendance:
    """The pods that served one tick.

    Attributes:
        complete: pods that have sent all their counts.
        missing: pods that have not, and can still do so.
        gone: pods that have not, and no longer exist.
        starting: new pods that were never heard; they are waited for during the grace, and not part of the quorum.
    """

    complete: int = 0
    missing: int = 0
    gone: int = 0
    starting: int = 0

    def reaches(self, quorum: float, heard: int) -> bool:
        """Return whether `heard` pods are at least the share `quorum` of all."""
        return heard >= quorum * (self.complete + self.missing + self.gone) - 1e-9


def attendance(
    tick: int,
    tick_seconds: float,
    pods: Iterable[tuple[str, PodRecord]],
    counted: Collection[str],
    now: float,
    rules: FleetRules,
) -> Attendance:
    """Return the attendance at a tick; `counted` are the pods with counts in it, which served it in any case.

    Pods with a wrong clock are left out as long as they are not more than the others: their counts never fit.
    """
    start, end = tick * tick_seconds, (tick + 1) * tick_seconds
    complete = missing = gone = starting = off = 0
    for uid, pod in pods:
        if not pod.served(start, end) and uid not in counted:
            continue
        if pod.finished or pod.complete_through >= tick:
            complete += 1
        elif pod.clock_off:
            off += 1
        elif pod.is_starting(now, rules.start_up):
            starting += 1
        elif pod.since is not None and pod.left is None:
            missing += 1
        else:
            gone += 1
    if off > complete + missing + gone + starting:
        missing += off
    return Attendance(complete, missing, gone, starting)


def verdict(found: Attendance, *, in_grace: bool, expired: bool, quorum: float) -> Verdict:
    """Return what becomes of a tick that has ended.

    `in_grace` is whether all pods are still waited for; `expired` is whether no counts of the tick are accepted
    any more.
    """
    if found.missing + found.gone + found.starting == 0:
        return Verdict.COUNT
    if in_grace and not expired:
        return Verdict.WAIT
    if found.reaches(quorum, found.complete):
        return Verdict.COUNT
    if expired or not found.reaches(quorum, found.complete + found.missing):
        return Verdict.DROP
    return Verdict.HOLD
