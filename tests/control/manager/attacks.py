"""A cluster that attacks the controller: an API server in the process, a kubelet, people, and a clock that is wrong.

The readers, executors and stores are the real ones. Only the watches are missing: before each step, the mirrors get
what the API server has, as after a list.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from pilotfish.sidecar.control.conditions import CONDITIONS
from pilotfish.sidecar.control.manager.app import Controller
from pilotfish.sidecar.control.manager.conditions import TRUE, UNKNOWN, findings
from pilotfish.sidecar.control.manager.key import MonitorKey
from pilotfish.sidecar.control.manager.monitors import Mirrors
from pilotfish.sidecar.control.manager.options import ControllerOptions
from pilotfish.sidecar.control.manager.pods import trim_pod
from pilotfish.sidecar.control.manager.world import World
from pilotfish.sidecar.control.outbox import ignore_step
from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.kube.errors import NotLeaderError
from pilotfish.sidecar.kube.objects import MODEL_MONITORS
from pilotfish.sidecar.log import whole_second
from pilotfish.sidecar.podspec.amounts import ContainerResources, qos_class
from tests.control.cycles import Crash
from tests.control.manager.lives import Killer, Life
from tests.control.manager.worlds import KEY, LABELS, SmallWorld, monitor_item
from tests.support.apiserver.faults import Call, Fault
from tests.support.apiserver.server import ApiServer
from tests.support.apiserver.storage import Kind

STEP = 5.0
CONTAINER = "model"
PODS, DEPLOYMENTS = Kind("", "v1", "pods"), Kind("apps", "v1", "deployments")
MONITORS = Kind(MODEL_MONITORS.group, MODEL_MONITORS.version, MODEL_MONITORS.plural)
METRICS = Kind("metrics.k8s.io", "v1beta1", "pods")
NODES = Kind("", "v1", "nodes")
GIVEN = {
    "Burstable": {"requests": {"cpu": "500m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}},
    "Guaranteed": {"requests": {"cpu": "500m", "memory": "256Mi"}, "limits": {"cpu": "500m", "memory": "256Mi"}},
}
BOUNDS = (("50m", "4"), ("100m", "1"), ("300m", "2"))
UNENDED = frozenset(("deferred", "in_progress", "proposed"))
MAX_STATE = 64 * 1024  # bytes of a checkpoint without detectors
MAX_ENTRIES = 1000  # of the ledger


@dataclass
class AttackedWorld(SmallWorld):
    """The surroundings of a process whose readers and executors use an API server; `elapsed` never jumps."""

    api: ApiServer = field(default_factory=ApiServer)
    kube: Kube | None = None
    elapsed: float = 0.0
    mirrors: Mirrors | None = None

    def world(self) -> World:
        assert self.kube is not None
        options = ControllerOptions(
            namespace="system", kubeconfig=None, context="", watched="", lease="pilotfish", lease_seconds=3.0,
            pod="control-0", listen="", metrics_listen="", tls=None, service="pilotfish", webhook_hosts=(),
            kill_switch=Path("/nonexistent/stop"),
        )  # fmt: skip
        controller = Controller(self.kube, options, self.lines.append, clock=lambda: self.now)
        self.kube.guard = None
        self.mirrors = Mirrors(self.kube)
        self.mirrors.index = self.pods
        found = controller.build_world(self.mirrors)
        return replace(
            found,
            monotonic=lambda: self.elapsed,
            contact_age=lambda: self.contact,
            check_leading=self._check,
            record=self._record,
            signals=self.signals,
            scaling_targets=self.scaling_targets,
        )

    def _check(self) -> None:
        if not self.leading:
            raise NotLeaderError("another process leads")


@dataclass
class Attack:
    """One monitor with its pods under attack by `chance`. `broken` lists the laws that were broken."""

    chance: Random
    small: AttackedWorld
    given: Mapping[str, Any]
    qos: str
    answer: str = "done"
    generation: int = 1
    made: int = 0
    broken: list[str] = field(default_factory=list)
    writes: int = 0
    log: list[str] = field(default_factory=list)
    late: int = 0  # steps until the watches bring something again
    _revision: int = 0
    _bounds: tuple[tuple[str, str], ...] = (BOUNDS[0],)  # that may still be in force, the newest last
    _acted_at: dict[str, float] = field(default_factory=dict)
    life: Life = field(init=False)

    @property
    def storage(self) -> Any:
        return self.small.api.storage

    def begin(self) -> None:
        """Create node, target, pods and monitor, and let a process lead."""
        node = {"metadata": {"name": "node-1"}, "status": {"allocatable": {"cpu": "16", "memory": "64Gi"}}}
        self.storage.create(NODES, "", node)
        self.create_target()
        item = monitor_item(profiles=[], retrain=None, resources=self.resources(), targetRef=TARGET)
        for name in ("uid", "resourceVersion", "generation"):
            item["metadata"].pop(name)
        self.storage.create(MONITORS, KEY.namespace, item)
        self._revision = self.storage.revision
        self.life = self.new_life()

    def new_life(self, step: Any = ignore_step) -> Life:
        life = Life(self.small, self.monitor(), step)
        key = MonitorKey(KEY.namespace, KEY.name, self.monitor()["metadata"]["uid"])
        life.runtime.key = key
        return life

    def monitor(self) -> dict[str, Any]:
        found: dict[str, Any] = self.storage.get(MONITORS, KEY.namespace, KEY.name)
        return found

    def resources(self, **fields: Any) -> dict[str, Any]:
        low, high = self._bounds[-1]
        return {
            "container": CONTAINER,
            "cpu": {"min": low, "max": high},
            "memory": {"min": "64Mi", "max": "2Gi"},
            "cooldown": "30s",
            "interval": "15s",
            "minHistory": "0s",
            "actionsPerHour": 120,
            **fields,
        }

    def create_target(self) -> None:
        labels = {"app": "delays"}
        spec = {
            "replicas": 3,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [self.container()]}},
        }
        metadata = {"name": "delays", "namespace": KEY.namespace}
        body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
        self.storage.create(DEPLOYMENTS, KEY.namespace, body)
        for _ in range(3):
            self.add_pod()

    def container(self) -> dict[str, Any]:
        return {"name": CONTAINER, "image": "model", "resources": json.loads(json.dumps(self.given))}

    def add_pod(self) -> None:
        self.made += 1
        name = f"p{self.made}"
        metadata = {"name": name, "namespace": KEY.namespace, "labels": dict(LABELS)}
        started = whole_second(self.small.now)
        given = json.loads(json.dumps(self.given))
        status = {
            "phase": "Running",
            "startTime": started,
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": started}],
            "containerStatuses": [
                {
                    "name": CONTAINER,
                    "resources": given,
                    "allocatedResources": given["requests"],
                    "state": {"running": {"startedAt": started}},
                }
            ],
        }
        spec = {"containers": [self.container()], "nodeName": "node-1"}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}
        self.storage.create(PODS, KEY.namespace, body)

    def pods(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.storage.all(PODS, KEY.namespace)
        return found

    def edit(self, **spec: Any) -> None:
        """Change the document as a person does."""
        item = self.monitor()
        item["spec"] |= spec
        self.storage.update(MONITORS, KEY.namespace, KEY.name, item)

    # what may happen

    async def happen(self) -> None:
        """Let something happen that a cluster may do."""
        name = self.chance.choice(sorted(EVENTS))
        self.log.append(name)
        await EVENTS[name](self)

    async def bounds(self) -> None:
        bounds = self.chance.choice(BOUNDS)
        self._bounds = (*self._bounds, bounds)[-2:]
        self.edit(resources=self.resources())

    async def invalid(self) -> None:
        self.edit(resources=self.resources(cpu={"min": "4", "max": "1"}))

    async def method(self) -> None:
        self.edit(mode=self.chance.choice(("act", "act", "recommend", "observe")), resources=self.resources())

    async def unconfigured(self) -> None:
        self.edit(resources=None)

    async def configured(self) -> None:
        self.edit(resources=self.resources(), mode="act")

    async def recreated(self) -> None:
        """Delete the target with its pods, and create it again."""
        self.storage.delete(DEPLOYMENTS, KEY.namespace, "delays")
        for pod in self.pods():
            self.storage.delete(PODS, KEY.namespace, pod["metadata"]["name"])
        await self.elapse(self.chance.randint(0, 6))
        self.create_target()

    async def leader(self) -> None:
        self.life = self.new_life()

    async def crash(self) -> None:
        self.life = self.new_life(Killer(self.chance.randint(1, 12)))
        await self.elapse(6)
        self.life = self.new_life()

    async def errors(self) -> None:
        """Let some requests fail: before they are made, or after, so that the answer is lost."""
        status, reason = self.chance.choice(
            ((409, "Conflict"), (429, "TooManyRequests"), (500, "InternalError"), (503, "ServiceUnavailable"),
             (403, "Forbidden"), (404, "NotFound"), (422, "Invalid"))
        )  # fmt: skip
        fault = Fault(when=_some(self.chance), times=self.chance.randint(1, 6))
        kind = self.chance.choice(("status", "before", "after"))
        if kind == "status":
            fault.status, fault.reason = status, reason
        else:
            fault.drop = "before" if kind == "before" else "after"
        self.small.api.faults.add(fault)

    async def vanish(self) -> None:
        """Delete a pod, one in the middle of a resize if there is one, and create another."""
        pods = self.pods()
        busy = [pod for pod in pods if _unended(pod)]
        if pods:
            self.storage.delete(PODS, KEY.namespace, self.chance.choice(busy or pods)["metadata"]["name"])
            self.add_pod()

    async def clock(self) -> None:
        self.small.now += self.chance.choice((-3600.0, -3600.0, -600.0, 600.0, 3600.0))

    async def kubelet(self) -> None:
        self.answer = self.chance.choice(("done", "done", "in_progress", "deferred", "infeasible", "error"))

    async def kill(self) -> None:
        """Let a container be killed for its memory."""
        for pod in self.pods()[:1]:
            ended = {"reason": "OOMKilled", "finishedAt": whole_second(self.small.now)}
            ended["containerID"] = f"containerd://{pod['metadata']['name']}-{self.small.elapsed:g}"
            pod["status"]["containerStatuses"][0]["lastState"] = {"terminated": ended}
            self.put_status(pod)

    async def silence(self) -> None:
        """Let the watches bring nothing for some time."""
        self.late = self.chance.randint(2, 30)

    async def wait(self) -> None:
        await self.elapse(self.chance.randint(10, 60))

    # time

    async def elapse(self, steps: int) -> None:
        for _ in range(steps):
            self.small.now += STEP
            self.small.elapsed += STEP
            self.actuate()
            self.measure()
            self.mirror()
            try:
                await self.life.turn()
                await self.life.turn()
            except Crash:
                self.life = self.new_life()
            self.check()

    def mirror(self) -> None:
        """Bring the mirrors up to date, unless the watches are late."""
        self.late = max(0, self.late - 1)
        self.small.contact = self.small.contact + STEP if self.late else 0.0
        if self.late:
            return
        index = self.small.pods
        present = {pod["metadata"]["uid"]: pod for pod in self.pods()}
        for item in list(index.pods_in(KEY.namespace)):
            if item["metadata"]["uid"] not in present:
                index.change("DELETED", item)
        for pod in present.values():
            index.change("MODIFIED", trim_pod(pod))
        self.life.runtime.item = self.monitor()

    def measure(self) -> None:
        """Let metrics.k8s.io measure each pod."""
        storage = self.storage
        for key in [key for key in storage.objects if key[0] == METRICS]:
            del storage.objects[key]
        if self.chance.random() < 0.1:
            return
        for pod in self.pods():
            name = pod["metadata"]["name"]
            use = {"cpu": f"{self.chance.choice((20, 400, 900, 3000))}m", "memory": f"{self.chance.randint(40, 700)}Mi"}
            storage.objects[METRICS, KEY.namespace, name] = {
                "metadata": {"name": name, "namespace": KEY.namespace, "labels": dict(LABELS)},
                "timestamp": whole_second(self.small.now),
                "window": "15s",
                "containers": [{"name": CONTAINER, "usage": use}],
            }

    def actuate(self) -> None:
        """Let the kubelet make the resizes, or not."""
        for pod in self.pods():
            [status] = pod["status"]["containerStatuses"]
            wanted, ready = pod["spec"]["containers"][0]["resources"], pod["status"]["conditions"][:1]
            conditions = ready
            if status["resources"] != wanted:
                at = whole_second(self.small.now)
                old = [one for one in pod["status"]["conditions"] if one["type"].startswith("PodResize")]
                since = old[0]["lastTransitionTime"] if old else at
                if self.answer in {"deferred", "infeasible"}:
                    conditions = [*ready, _condition("PodResizePending", self.answer.capitalize(), since)]
                elif self.answer in {"in_progress", "error"}:
                    status["allocatedResources"] = wanted["requests"]
                    reason = "Error" if self.answer == "error" else ""
                    conditions = [*ready, _condition("PodResizeInProgress", reason, since)]
                else:
                    status["resources"], status["allocatedResources"] = wanted, wanted["requests"]
            pod["status"]["conditions"] = conditions
            self.put_status(pod)

    def put_status(self, pod: dict[str, Any]) -> None:
        self.storage.update(PODS, KEY.namespace, pod["metadata"]["name"], pod, "status")

    # laws

    def check(self) -> None:
        """Check each write since the last step, and what is said and kept."""
        for change in self.storage.since(self._revision):
            if change.kind == PODS and change.type == "MODIFIED" and change.before is not None:
                self.check_write(change.before, change.object)
        self._revision = self.storage.revision
        self.check_said()
        self.check_state()

    def check_write(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        old, new = (one["spec"]["containers"][0]["resources"] for one in (before, after))
        if old == new:
            return
        self.writes += 1
        name = after["metadata"]["name"]
        if {side: block.keys() for side, block in old.items()} != {side: block.keys() for side, block in new.items()}:
            self.broken.append(f"{name}: an amount was added or removed: {old} {new}")
        if qos_class(after["spec"]) != self.qos:
            self.broken.append(f"{name}: the QoS class changed: {new}")
        amounts = ContainerResources.of(new).requests
        if old["requests"]["cpu"] != new["requests"]["cpu"] and not any(
            _cores(low) <= float(amounts["cpu"]) <= _cores(high) for low, high in self._bounds
        ):
            taken_back = any(entry.why.startswith("resize_") for entry in self.entries())
            if not taken_back:
                self.broken.append(f"{name}: outside of {self._bounds}: {new}")
        others = [pod["metadata"]["name"] for pod in self.pods() if pod["metadata"]["name"] != name and _unended(pod)]
        urgent = any(entry.why == "oom_killed" or entry.why.startswith("resize_") for entry in self.entries())
        if others and not urgent:
            self.broken.append(f"{name} was resized while {others} were: {new}")

    def entries(self) -> list[Any]:
        loop = self.life.loop
        return [one for one in loop.outbox.ledger.entries.values() if one.kind == "resize"] if loop is not None else []

    def check_said(self) -> None:
        runtime = self.life.runtime
        if not runtime.loaded:
            return
        found, view = runtime.resources, runtime.view()
        condition = next(one for one in findings(view) if one.type == "Resizing")
        kind = CONDITIONS["Resizing"]
        table = kind.true if condition.status == TRUE else kind.unknown if condition.status == UNKNOWN else kind.false
        if condition.reason not in {reason.camel for reason in table}:
            self.broken.append(f"the condition says {condition.status} {condition.reason}, which is in no table")
        if not condition.message:
            self.broken.append(f"the condition {condition.reason} has no message")
        views = runtime.resizing.view(paused=False)
        if found is not None and found.held is None and views is not None:
            idle = views.active is None and views.candidate is None
            if idle and any(pod.held is not None for pod in views.pods):
                self.broken.append("a pod is held, and the monitor says nothing of it")

    def check_state(self) -> None:
        core, watch = self.life.runtime.core, self.life.runtime.resizing
        size = len(core.snapshot().data) if core.dirty else len(core.resizing.recommender)
        if size > MAX_STATE:
            self.broken.append(f"{size} bytes of state")
        if len(self.entries()) > MAX_ENTRIES:
            self.broken.append(f"{len(self.entries())} entries")
        if len(watch._views._seen) > len(self.pods()) + 3:
            self.broken.append("views of pods that are gone")


def _condition(kind: str, reason: str, at: str) -> dict[str, str]:
    found = {"type": kind, "status": "True", "lastTransitionTime": at}
    return {**found, "reason": reason, "message": "of the test"} if reason else found


def _unended(pod: dict[str, Any]) -> bool:
    """Return whether the node is to make a resize of a pod, which it can make."""
    found = [one for one in pod["status"]["conditions"] if one["type"].startswith("PodResize")]
    same = pod["status"]["containerStatuses"][0]["resources"] == pod["spec"]["containers"][0]["resources"]
    return not same and not any(one.get("reason") == "Infeasible" for one in found)


def _cores(text: str) -> float:
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)


def _some(chance: Random) -> Any:
    """Return which requests fail: all, those that write, or those of one kind."""
    kinds = ("deployments", "pods", "resize", "configmaps", "modelmonitors", "limitranges", "metrics.k8s.io", "nodes")
    choice = chance.choice(("all", "writes", *kinds))

    def matches(call: Call) -> bool:
        return choice == "all" or (call.method != "GET" if choice == "writes" else choice in call.path)

    return matches


TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "delays"}
EVENTS = {
    "bounds": Attack.bounds,
    "clock": Attack.clock,
    "configured": Attack.configured,
    "crash": Attack.crash,
    "errors": Attack.errors,
    "invalid": Attack.invalid,
    "kill": Attack.kill,
    "kubelet": Attack.kubelet,
    "leader": Attack.leader,
    "method": Attack.method,
    "recreated": Attack.recreated,
    "silence": Attack.silence,
    "unconfigured": Attack.unconfigured,
    "vanish": Attack.vanish,
    "wait": Attack.wait,
}


class Problems(logging.Handler):
    """Keeps what the controller logs as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        self.found.append(f"{text}: {record.exc_info[1]!r}" if record.exc_info else text)


@asynccontextmanager
async def attacked(chance: Random) -> AsyncIterator[Attack]:
    """Yield a cluster under attack; what the controller logs as an error breaks a law."""
    problems, log = Problems(), logging.getLogger("pilotfish")
    async with ApiServer() as api:
        kube = await api.connect()
        qos = chance.choice(sorted(GIVEN))
        found = Attack(chance, AttackedWorld(api=api, kube=kube), GIVEN[qos], qos)
        log.addHandler(problems)
        try:
            found.begin()
            yield found
            found.broken += problems.found
            api.faults.end()
        finally:
            log.removeHandler(problems)
            await kube.close()


async def attack(seed: int, events: int = 20) -> Attack:
    """Return an attack after it has ended; `broken` is empty if every law held."""
    chance = Random(seed)
    async with attacked(chance) as found:
        await found.elapse(20)
        for _ in range(events):
            await found.happen()
            await found.elapse(chance.randint(1, 10))
    return found
