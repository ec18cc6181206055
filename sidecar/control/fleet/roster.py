"""The pods of a fleet: which are expected, which have left, and what each one has sent last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from . import checkpoint
from .rules import FleetRules
from .watermark import ExpectedPods, PodRecord


class Roster:
    """The records of all pods that a message or a tick may still concern.

    `expected` and `heard` are numbers of pods: those that should report, and those of them that did so lately.
    `clock_off` has the uids of those of them whose clock differs from the controller's.
    """

    def __init__(self) -> None:
        self.pods: dict[str, PodRecord] = {}
        self.expected = 0
        self.heard = 0
        self.clock_off: tuple[str, ...] = ()

    def expect(self, expected: ExpectedPods, now: float, rules: FleetRules) -> None:
        """Record which pods are expected at `now`, and which no longer are."""
        for uid, since in expected.pods.items():
            pod = self.pods.setdefault(uid, PodRecord())
            pod.since, pod.left = since if pod.since is None else min(since, pod.since), None
        for uid, pod in self.pods.items():
            if uid not in expected.pods and pod.since is not None and pod.left is None:
                pod.left = now
        self.expected = len(expected.pods)
        self.heard = sum(_was_heard(self.pods[uid], now - rules.heard) for uid in expected.pods)
        self.clock_off = tuple(uid for uid in expected.pods if self.pods[uid].clock_off)

    def forget_before(self, start: float) -> list[str]:
        """Forget and return the pods that have left and were silent since `start`; all ticks before it are closed."""
        gone = [
            uid
            for uid, pod in self.pods.items()
            if (pod.since is None or (pod.left is not None and pod.left <= start)) and not _was_heard(pod, start)
        ]
        for uid in gone:
            del self.pods[uid]
        return gone

    def has_left(self, uid: str) -> bool:
        """Return whether a pod can send no more."""
        pod = self.pods.get(uid)
        return pod is None or pod.left is not None

    def state(self, left_out: Mapping[str, int]) -> tuple[checkpoint.StoredPod, ...]:
        """Return all records; `left_out` is, for some pods, the first tick of which their counts are not stored."""
        return tuple(_stored(uid, pod, left_out.get(uid)) for uid, pod in sorted(self.pods.items()))

    def restore(self, stored: Iterable[checkpoint.StoredPod]) -> None:
        """Continue with stored records."""
        self.pods = {
            pod.uid: PodRecord(pod.since, pod.left, pod.heard_at, pod.complete_through, pod.finished) for pod in stored
        }


def _stored(uid: str, pod: PodRecord, left_out: int | None) -> checkpoint.StoredPod:
    through, finished = pod.complete_through, pod.finished
    if left_out is not None:
        through, finished = min(through, left_out - 1), False
    return checkpoint.StoredPod(uid, pod.since, pod.left, pod.heard_at, through, finished)


def _was_heard(pod: PodRecord, since: float) -> bool:
    return pod.heard_at is not None and pod.heard_at >= since
