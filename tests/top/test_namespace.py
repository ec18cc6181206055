"""A namespace is polled through the API server, with the least rights, and each missing right is named."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from pilotfish.sidecar import cli
from pilotfish.sidecar.top.history import Poll, SourceName
from pilotfish.sidecar.top.namespace import NamespaceSource
from tests.support.apiserver.server import ApiServer
from tests.support.apiserver.storage import Kind
from tests.top.made import exposition

MONITORS, PODS = Kind("pilotfish.dev", "v1alpha1", "modelmonitors"), Kind("", "v1", "pods")
CONTROLLER = "/api/v1/namespaces/pilotfish-system/services/https:pilotfish-control:https/proxy/metrics"
POD = SourceName("shop", "delays-0")
DRIFT = 'namespace="shop",monitor="delays",model="delays",version="7"'


def pod_path(name: str) -> str:
    return f"/api/v1/namespaces/shop/pods/{name}:9797/proxy/metrics"


def monitor(**status: Any) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": "True", "reason": "Monitoring", "message": ""}]
    found = {"pods": {"heard": 1, "expected": 2}, "replicas": {"desired": 4}, "conditions": conditions} | status
    return {"metadata": {"namespace": "shop", "name": "delays"}, "spec": {}, "status": found}


def pod(name: str, phase: str = "Running", port: str = "pilotfish") -> dict[str, Any]:
    containers = [{"name": "pilotfish-analyzer", "ports": [{"name": port, "containerPort": 9797}]}]
    return {
        "metadata": {"namespace": "shop", "name": name},
        "spec": {"initContainers": containers, "containers": [{"name": "model"}]},
        "status": {"phase": phase},
    }


def filled(api: ApiServer) -> ApiServer:
    api.storage.objects[MONITORS, "shop", "delays"] = monitor()
    for item in pod("delays-0"), pod("plain", port="http"), pod("done", phase="Succeeded"):
        api.storage.objects[PODS, "shop", item["metadata"]["name"]] = item
    api.proxied[pod_path("delays-0")] = exposition(requests=5, monitor="delays")
    api.proxied[CONTROLLER] = f'pilotfish_drift_evidence_ratio{{{DRIFT},family="inputs"}} 0.4\n'
    return api


async def polled(api: ApiServer) -> Poll:
    source = NamespaceSource(await api.connect(), "shop", "pilotfish-system")
    try:
        return await source.poll()
    finally:
        await source.close()


@pytest.mark.asyncio
async def test_monitors_pods_and_controller_are_read_with_four_rights() -> None:
    async with ApiServer() as api:
        found = await polled(filled(api))
        asked = {(call.method, call.path) for call in api.calls}
    assert asked == {
        ("GET", "/apis/pilotfish.dev/v1alpha1/namespaces/shop/modelmonitors"),
        ("GET", "/api/v1/namespaces/shop/pods"),
        ("GET", pod_path("delays-0")),
        ("GET", CONTROLLER),
    }
    metrics = found.sources[POD].metrics
    assert metrics is not None
    assert metrics.monitor == "delays"
    assert list(found.sources) == [POD], "other pods have no sidecar, or have ended"
    assert found.monitors is not None
    state = found.monitors["shop", "delays"]
    assert (state.heard, state.expected, state.desired, state.state) == (1, 2, 4, "watching")
    assert found.drift is not None
    assert found.drift["shop", "delays", "7"].evidence == 0.4
    assert (found.problems, found.orphaned, found.failed) == ((), False, "")


@pytest.mark.asyncio
async def test_without_the_right_on_pods_the_rest_is_shown() -> None:
    async with ApiServer(allows=lambda user, call: "pods/" not in call.path) as api:
        found = await polled(filled(api))
    assert (found.sources, len(found.monitors or {})) == ({}, 1)
    (problem,) = found.problems
    assert problem.startswith("figures of pods cannot be read")
    assert "403" in problem


@pytest.mark.asyncio
async def test_without_the_right_on_the_controller_its_drift_is_missing() -> None:
    async with ApiServer(allows=lambda user, call: "services" not in call.path) as api:
        found = await polled(filled(api))
    assert (found.drift, found.orphaned) == (None, False)
    assert "drift cannot be read" in found.problems[0]
    assert POD in found.sources


@pytest.mark.asyncio
async def test_a_controller_that_does_not_answer_is_no_missing_right() -> None:
    async with ApiServer() as api:
        del filled(api).proxied[CONTROLLER]
        found = await polled(api)
    assert (found.drift, found.orphaned) == (None, True)
    assert "the controller does not answer" in found.problems[0]


@pytest.mark.asyncio
async def test_a_pod_that_does_not_answer_is_silent() -> None:
    async with ApiServer() as api:
        filled(api).storage.objects[PODS, "shop", "delays-1"] = pod("delays-1")
        found = await polled(api)
    silent = found.sources[SourceName("shop", "delays-1")]
    assert silent.metrics is None
    assert "503" in silent.problem
    assert found.sources[POD].metrics is not None


@pytest.mark.long  # a GET is repeated
@pytest.mark.asyncio
async def test_an_api_server_that_does_not_answer_fails_the_round() -> None:
    async with ApiServer() as api:
        source = NamespaceSource(await api.connect(), "shop", "pilotfish-system")
        await api.stop()
        found = await source.poll()
        await source.close()
    assert found.failed
    assert found.monitors is None


@pytest.mark.long  # two rounds, each time
@pytest.mark.asyncio
async def test_the_command_prints_the_models_of_a_namespace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with ApiServer() as api:
        words = ["top", "-n", "shop", "--kubeconfig", str(filled(api).kubeconfig(tmp_path)), "--interval", "0.5"]
        assert await asyncio.to_thread(cli.main, [*words, "--output", "json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert await asyncio.to_thread(cli.main, [*words, "--once"]) == 0
    (row,) = document["rows"]
    assert (row["model"], row["heard"], row["expected"], row["desired"], row["drift"]) == ("delays", 1, 2, 4, 0.4)
    assert row["requests_per_second"] == 0.0
    head, line = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["MODEL", "REPL", "REQ/S"]
    assert line.split()[:3] == ["delays", "7", "1/2→4"]
