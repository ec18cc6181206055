"""What a controller would observe of the simulated service: pods, and the signals that they send."""

from __future__ import annotations

from ..control.scale.facts import PodFacts, Sample, ScaleFacts
from .plant import STEP, Plant, Replica, StepResult

SIGNALS = ("concurrency", "cpu", "latency", "requestRate")  # that the simulated pods send
CPU_REQUEST = {"cpu": 100.0}  # so that the CPU of a pod is in percent


class PlantObserver:
    """Makes the facts of a plant.

    Pods send signals after each step; a value of the facts is their mean since the last facts. All pods that serve send
    the same values, because they share the load evenly. Most pods do not change from one
    observation to the next: their PodFacts are kept, with one mapping of values that each observation replaces the
    content of. So facts are valid until the next call only.
    """

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        self._sent: list[StepResult] = []
        self._values: dict[str, Sample] = {}
        self._serving: dict[int, PodFacts] = {}

    def send(self, result: StepResult) -> None:
        """Let the pods send the signals of a step."""
        if result.ready:
            self._sent.append(result)

    def facts(self, now: float) -> ScaleFacts:
        """Return the facts at `now`, the end of the last step; without signals since the last facts, without values."""
        self._values.clear()
        if self._sent:
            self._fill(now)
            self._sent.clear()
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

    def _fill(self, now: float) -> None:
        sent = self._sent
        count, window = len(sent), len(sent) * STEP
        each = [one.inside / one.ready for one in sent]
        self._values["concurrency"] = Sample(sum(each) / count, now, window)
        self._values["cpu"] = Sample(100.0 * sum(one.busy for one in sent) / count, now, window)
        self._values["requestRate"] = Sample(sum(one.completed / one.ready for one in sent) / window, now, window)
        latencies = [
            self.plant.queue.latency(one) for one, step in zip(each, sent, strict=True) if step.completed > 0.0
        ]
        if latencies:
            self._values["latency"] = Sample(sum(latencies) / len(latencies), now, window)
