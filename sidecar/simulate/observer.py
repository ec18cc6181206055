"""What a controller would observe of the simulated service: pods, and the signals that they send."""

from __future__ import annotations

from ..control.scale.facts import PodFacts, Sample, ScaleFacts
from .plant import STEP, Plant, Replica, StepResult

SIGNALS = ("concurrency", "cpu", "latency", "requestRate")  # that the simulated pods send
CPU_REQUEST = {"cpu": 100.0}  # so that the CPU of a pod is in percent


class Observer:
    """Makes the facts of a plant.

    All pods that serve send the same values, because they share the load evenly. Most pods do not change from one
    observation to the next: their PodFacts are kept, with one mapping of values that each observation replaces the
    content of. So facts are valid until the next call only.
    """

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        self._values: dict[str, Sample] = {}
        self._serving: dict[int, PodFacts] = {}

    def facts(self, result: StepResult, now: float, *, known: bool) -> ScaleFacts:
        """Return the facts after a step; if its load is not `known`, no pod sends signals."""
        self._values.clear()
        if known and result.ready:
            self._fill(result, now)
        replicas = self.plant.replicas
        pods = tuple(self._serving.get(replica.number) or self._pod(replica, now) for replica in replicas)
        return ScaleFacts(spec_replicas=len(pods), status_replicas=len(pods), pods=pods, at=now)

    def _pod(self, replica: Replica, now: float) -> PodFacts:
        ready = replica.ready_at <= now
        serving = replica.ready_at < now  # it has served in the last step
        name = f"replica-{replica.number}"
        pod = PodFacts(
            uid=name,
            name=name,
            phase="Running",
            ready=ready,
            ready_changed_at=replica.ready_at if ready else replica.created_at,
            started_at=replica.created_at,
            created_at=replica.created_at,
            answering=serving,
            values=self._values if serving else {},
            requests=CPU_REQUEST,
        )
        if serving:
            self._serving[replica.number] = pod
        return pod

    def _fill(self, result: StepResult, now: float) -> None:
        each = result.inside / result.ready
        self._values["concurrency"] = Sample(each, now, STEP)
        self._values["cpu"] = Sample(100.0 * result.busy, now, STEP)
        self._values["requestRate"] = Sample(result.completed / result.ready / STEP, now, STEP)
        if result.completed > 0.0:
            self._values["latency"] = Sample(self.plant.queue.latency(each), now, STEP)
