"""Kubernetes' own HorizontalController as a child process: what the recommender and the benchmarks are compared with.

`.ci/autoscaler > build/autoscaler` builds it from the Go module of Kubernetes. Its clock is an injected one: each step
lets one interval pass, and takes less than a millisecond.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import msgspec
import pytest

from pilotfish.sidecar.control.scale.facts import PodFacts, ScaleFacts
from pilotfish.sidecar.control.scale.plan import STABILIZATION_DOWN, PlanSignal, ScalePlan
from pilotfish.sidecar.settings.scaling import Scaling, ScalingRules
from pilotfish.sidecar.settings.units import show_quantity
from tests.support.waiting import patient

SAID = Path(__file__).resolve().parents[3] / "build/autoscaler"  # by .ci/autoscaler


@dataclass(frozen=True, slots=True)
class HorizontalAnswer:
    """The replicas after a step, and the reason of the condition ScalingActive."""

    replicas: int
    reason: str


@dataclass(slots=True)
class Horizontal:
    """A running HorizontalController. `begin` starts a case at a time in epoch seconds, `step` continues it."""

    requests: IO[str]
    answers: IO[str]
    signals: tuple[PlanSignal, ...] = ()
    begun: float = 0.0

    def begin(self, scaling: Scaling, replicas: int, begun: float) -> None:
        """Start a new controller for the block without its gate. Its first step ends one interval after `begun`."""
        plan = ScalePlan.of(scaling).horizontal()
        self.signals, self.begun = plan.signals, begun
        start = {
            "Min": plan.min_replicas,
            "Max": plan.max_replicas,
            "Replicas": replicas,
            "Interval": plan.interval,
            "Downscale": STABILIZATION_DOWN,
            "CPUInitialization": plan.cpu_initialization,
            "InitialReadiness": plan.initial_readiness_delay,
            "Behavior": {
                name: _rules(rules)
                for name, rules in (("scaleUp", scaling.behavior.scale_up), ("scaleDown", scaling.behavior.scale_down))
                if rules is not None
            },
            "Metrics": [_metric(signal) for signal in self.signals],
        }
        self._write({"start": start})

    def step(self, facts: ScaleFacts, *, changed: bool = False) -> HorizontalAnswer:
        """Let one interval pass, and return what the controller makes of `facts` at its end.

        The controller keeps the replicas that it set. With `changed`, someone else has set those of `facts`.
        """
        values: dict[str, dict[str, Any]] = {}
        for signal in self.signals:
            found = {pod.name: pod.values[signal.id] for pod in facts.pods if signal.id in pod.values}
            values[signal.id] = {
                name: {"Value": round(one.value * 1000), "At": one.at - self.begun, "Window": one.window}
                for name, one in found.items()
            }
        step = {
            "Replicas": facts.spec_replicas if changed else None,
            "Status": facts.status_replicas,
            "Pods": [self._pod(pod) for pod in facts.pods],
            "Values": {name: found for name, found in values.items() if found},
            "External": {one.signal: round(one.value * 1000) for one in facts.external},
        }
        self._write({"step": step})
        return HorizontalAnswer(**json.loads(self.answers.readline()))

    def _write(self, line: dict[str, Any]) -> None:
        self.requests.write(json.dumps(line) + "\n")
        self.requests.flush()

    def _pod(self, pod: PodFacts) -> dict[str, Any]:
        return {
            "Name": pod.name,
            "Phase": pod.phase,
            "Ready": pod.ready,
            "ReadyChanged": pod.ready_changed_at - self.begun,
            "Started": None if pod.started_at is None else pod.started_at - self.begun,
            "Deleting": pod.deleting,
            "Requests": {name: round(value * 1000) for name, value in pod.requests.items()},
        }


@contextmanager
def running_horizontal() -> Iterator[Horizontal]:
    """Run the controller; skip the test where it is not built."""
    program = SAID.read_text().strip() if SAID.exists() else ""
    if not program or not Path(program).exists():
        pytest.skip("the HorizontalController is not built: `.ci/autoscaler > build/autoscaler` builds it, with Go")
    command = [program, "-test.run=^TestServe$", "-test.timeout=0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            yield Horizontal(child.stdin, child.stdout)
        finally:
            child.stdin.close()
            child.wait(timeout=patient(10))


def _rules(rules: ScalingRules) -> dict[str, Any]:
    found = {name: value for name, value in msgspec.to_builtins(rules).items() if value not in (None, [], ())}
    if rules.tolerance is not None:
        found["tolerance"] = show_quantity(rules.tolerance)
    return found


def _metric(signal: PlanSignal) -> dict[str, Any]:
    target = show_quantity(signal.target)
    if signal.kind == "utilization":
        return {
            "type": "Resource",
            "resource": {
                "name": signal.id,
                "target": {"type": "Utilization", "averageUtilization": int(signal.target)},
            },
        }
    if signal.kind == "average":
        wanted = {"type": "AverageValue", "averageValue": target}
        return {"type": "Pods", "pods": {"metric": {"name": signal.id}, "target": wanted}}
    wanted = (
        {"type": "Value", "value": target}
        if signal.kind == "external_value"
        else {"type": "AverageValue", "averageValue": target}
    )
    return {"type": "External", "external": {"metric": {"name": signal.id}, "target": wanted}}
