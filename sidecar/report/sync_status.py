"""The state of the sync with the controller for /report and /metrics; a pod outside of a cluster has none."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncStatus:
    """How far the controller has the counts of this pod. Times are epoch seconds.

    Attributes:
        control: host and port of the controller.
        monitor: name of the ModelMonitor that this pod follows; empty before the first response, and without one.
        no_monitor: whether the controller answered that no ModelMonitor targets this pod.
        last_success: when the last request succeeded; None before the first.
        unacknowledged: closed ticks that the controller may not have.
        oldest: end of the oldest one; None if there is none.
        dropped: ticks that were dropped without an acknowledgement, because they were too old or too many.
        problem: why the last request failed, or why its response is not followed; empty otherwise.
        generation: of the document in force; 0 without one.
        requests: requests by outcome: ok, refused (by its status), failed (without a response).
    """

    control: str
    monitor: str = ""
    no_monitor: bool = False
    last_success: float | None = None
    unacknowledged: int = 0
    oldest: float | None = None
    dropped: int = 0
    problem: str = ""
    generation: int = 0
    requests: tuple[tuple[str, int], ...] = ()


NO_MONITOR = (
    "No ModelMonitor targets this pod: its traffic is measured, drift is not. Create one whose spec.targetRef names "
    "the workload of this pod; the pod follows it within a minute or so, without a restart."
)
