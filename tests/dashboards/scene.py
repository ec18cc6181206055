"""What the dashboards show in tests and in the pictures of the docs: sidecars under traffic, and a Prometheus.

Three complete `pilotfish run` (two pods of version 3, a canary of version 4) watch models in this process. Traffic has
errors, streams and labels, and drifts when `Traffic.drift` is set. The metrics of controller and injector come from
their collectors with made readings (`cluster.py`), those of others from `exporters.py`.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from dashboards.alerts.recorded import POD_MODEL, REQUESTS, TRAFFIC
from dashboards.alerts.rule import Group, text_of
from dashboards.alerts.usage import USAGE
from pilotfish.detectors.reference.build import build_profile
from tests.dashboards import cluster, exporters, prometheus
from tests.dashboards.exporters import exposing
from tests.dashboards.prometheus import Prometheus, ScrapeTarget
from tests.e2e.model import Answer, serving
from tests.e2e.stack import TOKEN, Stack
from tests.support.ports import free_port
from tests.support.processes import Children
from tests.support.waiting import patient, wait_until

NAMESPACE, MODEL = "shop", "delays"
SIDECARS = {"delays-5f6-a": "3", "delays-5f6-b": "3", "delays-canary-c": "4"}  # pod to version
ROWS, PAUSE = 20, 0.1  # rows of a request, and seconds between two requests of a client
CARRIERS = ("AA", "B6", "DL", "UA")
FAIL, STREAM = "fail", "stream"
DOCUMENT = """
apiVersion: pilotfish.dev/v1alpha1
kind: ModelMonitor
metadata: {name: delays}
spec:
  mode: act
  model: {name: delays, version: "%s"}
  profiles: [{version: "%s", path: profile.json}]
  drift: {tick: 1s}
  traffic: {keepRows: {rows: 1000}}
  prices: {cpuHour: 0.04, memoryGiBHour: 0.005, currency: EUR}
  retrain:
    cooldown: 1h
    webhook: {url: "%s", secretFile: secret}
"""
EVENTS = b"".join(b'data: {"token": "%d"}\n\n' % number for number in range(20))


def profile(version: str) -> bytes:
    """Return a profile of the model's rows, with predictions and labels."""
    random = np.random.default_rng(1)
    size = 20_000
    distance, hour = random.gamma(4, 250, size), random.integers(5, 23, size)
    predicted = distance / 8 + 20
    columns: dict[str, Any] = {
        "distance": distance,
        "hour": hour.astype(float),
        "carrier": random.choice(CARRIERS, size),
        "y": predicted,
        "truth": predicted + random.normal(0, 10, size),
    }
    sides: Any = {"y": "prediction", "truth": "label"}
    made = build_profile(columns, sides=sides, model=MODEL, version=version, exchangeable=True, tick_seconds=1.0)
    return made.to_bytes()


def respond(body: bytes) -> Answer:
    """Return the response of the model: predictions, an error, or a stream of events."""
    request = json.loads(body or b"{}")
    parameters = request.get("parameters", {})
    if FAIL in parameters:
        return Answer({"error": "out of memory"}, status=500)
    if STREAM in parameters:
        return Answer(EVENTS, headers={"Content-Type": "text/event-stream"})
    data = [value / 8 + 20 for value in request["inputs"][0]["data"]] if "inputs" in request else []
    output = {"name": "y", "datatype": "FP64", "shape": [len(data)], "data": data}
    return Answer({"model_name": MODEL, "outputs": [output]})


@dataclass
class Traffic:
    """Clients of the sidecars, one per pod, and their labels. With `drift`, distances are in kilometres."""

    stacks: dict[str, Stack]
    drift: threading.Event = field(default_factory=threading.Event)
    sent: dict[str, int] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)
    failures: list[str] = field(default_factory=list)

    def client(self, pod: str, seed: int) -> None:
        """Send requests and labels until `stop` is set."""
        random = Random(seed)
        connection = http.client.HTTPConnection("127.0.0.1", self.stacks[pod].listen, timeout=patient(10))
        labels: list[dict[str, Any]] = []
        number = 0
        while not self.stop.wait(PAUSE):
            number += 1
            name = f"{pod}-{number}"
            distances = [random.gammavariate(4, 250) * (1.6 if self.drift.is_set() else 1) for _ in range(ROWS)]
            body = self._request(name, number, distances, random)
            try:
                connection.request("POST", f"/v2/models/{MODEL}/infer", body)
                status = connection.getresponse()
                status.read()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
                continue
            self.sent[pod] = number
            if status.status == 200 and number % 20:
                labels.append({"id": name, "labels": [value / 8 + 20 + random.gauss(0, 10) for value in distances]})
            if len(labels) == 10:
                raw = json.dumps({"feedback": labels}).encode()
                self.stacks[pod].get("/v1/feedback", "POST", raw, content_type="application/json")
                labels = []
        connection.close()

    def _request(self, name: str, number: int, distances: list[float], random: Random) -> bytes:
        columns = {
            "distance": ("FP64", distances),
            "hour": ("FP64", [float(random.randrange(5, 23)) for _ in range(ROWS)]),
            "carrier": ("BYTES", [random.choice(CARRIERS) for _ in range(ROWS)]),
        }
        inputs = [
            {"name": column, "datatype": kind, "shape": [ROWS], "data": data}
            for column, (kind, data) in columns.items()
        ]
        found: dict[str, Any] = {"id": name, "inputs": inputs}
        if number % 50 == 0:
            found["parameters"] = {FAIL: True}
        elif number % 20 == 0:
            found["parameters"] = {STREAM: True}
        return json.dumps(found).encode()


@dataclass(frozen=True)
class Scene:
    """The running parts."""

    prometheus: Prometheus
    traffic: Traffic
    stacks: dict[str, Stack]
    began: float
    targets: Sequence[ScrapeTarget]


def create_sidecar(folder: Path, spawn: Children, version: str, upstream: int, webhook: str) -> Stack:
    """Start one complete Pilotfish and wait until it measures."""
    folder.mkdir()
    stack = Stack(folder, spawn, free_port(), free_port(), upstream)
    stack.write("monitor.yaml", DOCUMENT % (version, version, webhook))
    stack.write("profile.json", profile(version))
    stack.write("secret", "a-secret-of-tests")
    stack.write("token", TOKEN)
    stack.start()
    return stack


def recording_rules() -> str:
    """Return the rules that panels read, evaluated as often as the targets are scraped."""
    traffic = Group("traffic", [rule for rule in TRAFFIC.rules if rule.name in (POD_MODEL, REQUESTS)])
    return text_of([traffic, USAGE]).replace("interval: 1m", "interval: 1s")


@contextmanager
def running(folder: Path, spawn: Children, webhook: str, *more: ScrapeTarget) -> Iterator[Scene]:
    """Run the scene until the block ends; `more` are further targets."""
    began = time.time()

    def seconds() -> float:
        return time.time() - began

    with ExitStack() as stack:
        upstream = stack.enter_context(serving(respond))
        stacks = {
            pod: create_sidecar(folder / pod, spawn, version, upstream, webhook) for pod, version in SIDECARS.items()
        }
        traffic = Traffic(stacks)
        for seed, pod in enumerate(stacks):
            thread = threading.Thread(target=traffic.client, args=(pod, seed), daemon=True)
            thread.start()
            stack.callback(thread.join)
        stack.callback(traffic.stop.set)
        parts: dict[str, Callable[[], str | tuple[bytes, str]]] = {
            "controller": lambda: cluster.controller(NAMESPACE, seconds(), time.time()),
            "injector": lambda: cluster.injector(seconds(), time.time()),
            "node": lambda: cluster.node(seconds()),
            "kubernetes": lambda: exporters.kubernetes(NAMESPACE, tuple(SIDECARS), seconds(), time.time()),
            "triton": lambda: exporters.triton(seconds()),
            "vllm": lambda: exporters.vllm(seconds()),
        }
        ports = {name: stack.enter_context(exposing(render)) for name, render in parts.items()}
        targets = [
            *(
                ScrapeTarget("pilotfish", one.admin, {"namespace": NAMESPACE, "pod": pod})
                for pod, one in stacks.items()
            ),
            ScrapeTarget("control", ports["controller"], {"namespace": "pilotfish-system", "pod": "control-0"}, True),
            ScrapeTarget("injector", ports["injector"], {"namespace": "pilotfish-system", "pod": "injector-0"}),
            ScrapeTarget("node", ports["node"], {"namespace": "pilotfish-system", "pod": "node-0"}),
            ScrapeTarget("kubernetes", ports["kubernetes"], {}, True),
            ScrapeTarget("vllm", ports["vllm"], {"namespace": NAMESPACE, "pod": "delays-5f6-a"}),
            ScrapeTarget("triton", ports["triton"], {"namespace": NAMESPACE, "pod": "delays-5f6-b"}),
            *more,
        ]
        wait_until(lambda: all(one.ready() for one in stacks.values()), timeout=60, what="sidecars that measure")
        yield Scene(prometheus.start(folder, spawn, targets, recording_rules()), traffic, stacks, began, targets)
