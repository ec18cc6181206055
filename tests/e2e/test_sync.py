"""A pod with `pilotfish proxy` and `pilotfish analyze --control`: each row reaches the controller exactly once."""

from __future__ import annotations

import json
import signal
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pilotfish.detectors.profile.profile import Profile
from pilotfish.sidecar.sync.messages import SyncRequest
from tests.e2e import upstream
from tests.e2e.stack import Stack
from tests.support.certificates import create_authority, sign_server
from tests.support.ports import free_port
from tests.support.processes import Child, Children
from tests.support.waiting import patient, wait_until
from tests.sync.controller import FakeController, Running, controlling

TICK = 0.5
POD = ["--monitor", "m", "--pod-namespace", "shop", "--pod-name", "m-0", "--pod-uid", "uid-0"]


def document(generation: int, tick: str = "500ms") -> bytes:
    """Return the document with ticks of this length, as the controller sends it."""
    monitor = {
        "apiVersion": "pilotfish.dev/v1alpha1",
        "kind": "ModelMonitor",
        "metadata": {"name": "m", "generation": generation},
        "spec": {
            "model": {"name": "m", "version": "1"},
            "drift": {"tick": tick, "falseAlarms": {"count": 1, "per": "1h"}},
        },
    }
    return json.dumps(monitor).encode()


@dataclass
class PodOfTest:
    """Both containers of a pod; `sent` is how many rows its clients have sent."""

    folder: Path
    spawn: Children
    controller: FakeController
    server: Running
    profile: Profile
    stack: Stack
    proxy: Child
    analyzer: Child | None = None
    sent: int = 0
    random: Random = field(default_factory=lambda: Random(3))

    def start_analyzer(self) -> None:
        self.analyzer = self.spawn.pilotfish(
            "analyze", "--shared", self.folder / "shared", "--state", self.folder / "state",
            "--admin", f"127.0.0.1:{self.stack.admin}",
            "--control", self.controller.url, "--control-ca", self.folder / "ca.pem",
            "--control-token", self.folder / "pod-token", *POD,
        )  # fmt: skip
        self.stack.child = self.analyzer

    def send(self, requests: int, rows: int = 5) -> None:
        """Send requests with `rows` rows, and wait until the analyzer has stored them."""
        for _ in range(requests):
            inputs = [
                {
                    "name": name,
                    "datatype": "FP64",
                    "shape": [rows],
                    "data": [self.random.gauss(0, 1) for _ in range(rows)],
                }
                for name in ("a", "b")
            ]
            body = json.dumps({"inputs": inputs}).encode()
            request = urllib.request.Request(f"http://127.0.0.1:{self.stack.listen}/v2/models/m/infer", body)
            with urllib.request.urlopen(request, timeout=patient(10)) as response:
                response.read()
            self.sent += rows
        wait_until(lambda: self.measured() == self.sent, 20, what="the rows in the analyzer")

    def measured(self) -> int:
        return sum(item["rows"] for item in self.stack.report().get("rows", []) if item["side"] == "input")

    def connected(self) -> bool:
        return "no_reader" not in {spot["reason"] for spot in self.report().get("blind", [{"reason": "no_reader"}])}

    def report(self) -> dict[str, Any]:
        return self.stack.report()

    def received(self) -> int:
        """Return the rows that the controller has."""
        return self.controller.total(self.profile).input_rows

    def all_received(self) -> None:
        wait_until(lambda: self.received() >= self.sent, 40, what="all rows in the controller")
        assert self.received() == self.sent
        assert self.controller.conflicts == 0


@pytest.fixture
def pod(tmp_path: Path, spawn: Children, profile: bytes) -> Iterator[PodOfTest]:
    create_authority(tmp_path)
    sign_server(tmp_path)
    port_file = tmp_path / "upstream.port"
    spawn(sys.executable, upstream.__file__, port_file)
    wait_until(port_file.exists, what="the model server")
    found = Profile.from_bytes(profile)
    (tmp_path / "pod-token").write_text("a-pod\n")
    (tmp_path / "pod-token").chmod(0o600)
    stack = Stack(tmp_path, spawn, free_port(), free_port(), int(port_file.read_text()))
    with controlling(tmp_path) as (controller, server):
        controller.document, controller.generation = document(3), 3
        controller.profiles[found.hash], controller.profile_hash = profile, found.hash
        proxy = spawn.pilotfish(
            "proxy", "--shared", tmp_path / "shared", "--listen", f"127.0.0.1:{stack.listen}",
            "--upstream", f"127.0.0.1:{stack.upstream}",
        )  # fmt: skip
        wait_until(lambda: "relaying" in proxy.errors() or not proxy.running(), what="the proxy")
        made = PodOfTest(tmp_path, spawn, controller, server, found, stack, proxy)
        made.start_analyzer()
        wait_until(lambda: made.report().get("state") == "watching", 40, what="the profile of the controller")
        wait_until(made.connected, what="the channel")
        yield made


def has_more(items: list[SyncRequest], before: int) -> bool:
    return len(items) > before


@pytest.mark.long
def test_each_row_is_received_once_over_kills_and_outages(pod: PodOfTest) -> None:
    controller = pod.controller
    pod.send(20)
    assert pod.report()["ticks"]["tick_seconds"] == TICK
    killed = {"lost", "refused", "slow"}  # a few, because the supervisor waits longer after each one
    for fault in ("500", "lost", "refused", "silence", "slow", "garbage", "redirect", "flood"):
        if fault == "refused":
            pod.server.stop()
        else:
            controller.fault = fault
        before, requests = len(controller.requests), controller.requests
        pod.send(20)
        if fault != "refused":
            wait_until(partial(has_more, requests, before), 30, what=f"a request during {fault}")
        if fault in killed:
            pod.stack.kill_analyzer(signal.SIGKILL)
            wait_until(lambda: pod.measured() == pod.sent, 30, what="the analyzer after its restart")
            wait_until(pod.connected, 20, what="the channel")
        pod.send(10)
        if fault == "refused":
            pod.server.start()
        controller.fault = ""
    pod.all_received()
    wait_until(lambda: pod.report()["sync"]["unacknowledged"] == 0, 20, what="the acknowledgements")
    found = pod.report()["sync"]
    assert found["dropped"] == 0
    assert found["generation"] == 3
    assert len({request.epoch for request in controller.requests if request.ticks}) == 1
    assert {request.pod.uid for request in controller.requests} == {"uid-0"}
    wait_until(lambda: controller.signals, 20, what="signals")
    assert controller.signals[-1].pod.name == "m-0"


@pytest.mark.long
def test_a_pod_that_ends_sends_its_open_tick_and_goes_on_after_a_restart(pod: PodOfTest) -> None:
    pod.send(20)
    begun = time.monotonic()
    assert pod.stack.stop() == 0
    assert time.monotonic() - begun < patient(5)
    assert pod.controller.requests[-1].leaving
    assert pod.received() == pod.sent
    pod.controller.fault = "silence"
    pod.start_analyzer()  # without the controller, it has the document and the profile
    wait_until(lambda: pod.report().get("state") == "watching", 40, what="the stored profile")
    wait_until(pod.connected, 20, what="the channel")
    assert pod.stack.get("/readyz")[0] == 200
    pod.send(20)
    pod.controller.fault = ""
    pod.all_received()


@pytest.mark.long
def test_the_controller_owns_profile_and_episodes(pod: PodOfTest) -> None:
    for method, path in (
        ("PUT", "/profile"),
        ("POST", "/rebaseline"),
        ("DELETE", "/rebaseline"),
        ("POST", "/episodes/a/close"),
    ):
        status, body = pod.stack.get(path, method, b"{}" if method != "DELETE" else None)
        assert (status, "the controller owns" in json.loads(body)["error"]) == (403, True), (method, path, body)
    assert pod.stack.get("/profile")[0] == 200
    label = b'{"id": "x", "row": 0, "label": 1}'
    status, body = pod.stack.get("/v1/feedback", "POST", label, content_type="application/json")
    assert (status, b"of the controller" in body) == (403, True), body
    pod.controller.document, pod.controller.generation = document(4, tick="1s"), 4
    wait_until(lambda: pod.report().get("ticks", {}).get("tick_seconds") == 1.0, 30, what="the changed document")
    assert pod.report()["sync"]["generation"] == 4
