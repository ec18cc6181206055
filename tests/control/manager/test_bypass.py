"""A Service that goes past the proxies is named, and nothing is claimed of a model that is only idle."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.control.manager.bypass import QUIET_SECONDS, detours, intercepted_ports, quiet_pods
from pilotfish.sidecar.control.manager.pods import MonitoredPod
from pilotfish.sidecar.sync.messages import Pod, Signals
from tests.control.manager.lives import Life
from tests.control.manager.worlds import NOON, TICK, SmallWorld, pod_item

FIRST = int(NOON // TICK)
PORT = {"mode": "port", "ports": [{"listen": 9800, "upstream": 8080, "names": ["http"]}]}
MOVE = {"mode": "move", "ports": [{"listen": 8080, "upstream": 9800}]}
REDIRECT = {"mode": "redirect", "ports": [{"listen": 9800, "upstream": 8080}]}


def pod(note: object, name: str = "a") -> dict[str, Any]:
    """A pod whose model has the ports 8080, grpc (9000) and metrics (8002)."""
    found = pod_item(name)
    found["metadata"]["annotations"] = {"pilotfish.dev/injection": json.dumps(note)}
    ports = [
        {"containerPort": 8080},
        {"name": "grpc", "containerPort": 9000},
        {"name": "metrics", "containerPort": 8002},
    ]
    proxy = {"name": "pilotfish-proxy", "ports": [{"name": "http", "containerPort": 9800}]}
    found["spec"] = {"initContainers": [proxy], "containers": [{"name": "model", "ports": ports}]}
    return found


def service(name: str, *targets: int | str | None, **selector: str) -> dict[str, Any]:
    ports = [{"port": 80, **({"targetPort": target} if target is not None else {})} for target in targets]
    return {"metadata": {"name": name}, "spec": {"selector": selector or {"app": "delays"}, "ports": ports}}


@pytest.mark.parametrize(
    ("note", "services", "found"),
    [
        (PORT, [service("s", "http")], []),
        (PORT, [service("s", 8080)], ["s"]),
        (PORT, [service("s", 9800)], []),
        (PORT, [service("s", 8080), service("t", "http")], ["s"]),  # the port of the model itself
        (PORT, [service("s", "http", "metrics")], []),
        (PORT, [service("s", "metrics")], ["s"]),  # no Service leads to a proxy
        (PORT, [service("s", 9797, "pilotfish", 9796)], []),
        (PORT, [service("s", 8080, app="other")], []),
        (PORT, [{"metadata": {"name": "s"}, "spec": {"ports": [{"port": 8080}]}}], []),  # it selects nothing
        (MOVE, [service("s", 8080)], []),
        (MOVE, [service("s", 9800)], ["s"]),
        (MOVE, [service("s", 8080, "grpc")], []),
        (MOVE, [service("s", "grpc")], ["s"]),
        (REDIRECT, [service("s", 8080)], []),
        (REDIRECT, [service("s", None)], ["s"]),  # port 80
        ({"mode": "port"}, [service("s", 8080)], []),
        (None, [service("s", 8080)], []),
    ],
)
def test_a_service_that_leads_past_the_proxy_is_found(
    note: object, services: list[dict[str, Any]], found: list[str]
) -> None:
    assert [one.service for one in detours(services, pod(note))] == found


@given(st.recursive(st.none() | st.integers() | st.text(), lambda item: st.lists(item) | st.dictionaries(
    st.sampled_from(["mode", "ports", "listen", "upstream", "names"]), item
)))  # fmt: skip
def test_an_annotation_of_another_form_is_no_evidence(note: object) -> None:
    assert intercepted_ports(pod(note)) is None or isinstance(note, dict)


def signals(quiet: float, name: str = "a") -> Signals:
    return Signals(pod=Pod(namespace="team", name=name, uid=f"uid-{name}"), monitor="", at=0.0, quiet=quiet)


@pytest.mark.parametrize(
    ("since", "arrived", "quiet", "found"),
    [
        (0.0, 990.0, 700.0, 1),
        (500.0, 990.0, 700.0, 0),  # ready for 500 s
        (None, 990.0, 700.0, 0),
        (0.0, 990.0, 599.0, 0),  # a request came
        (0.0, 900.0, 700.0, 0),  # silent
    ],
)
def test_the_evidence_needs_a_ready_pod_that_says_that_it_is_idle(
    since: float | None, arrived: float, quiet: float, found: int
) -> None:
    idle, busy = MonitoredPod("uid-a", "a", "7", since), MonitoredPod("uid-b", "b", "7", 0.0)
    assert len(quiet_pods([idle], {"uid-a": (arrived, signals(quiet))}, 1000.0)) == found
    heard = {"uid-a": (arrived, signals(quiet)), "uid-b": (990.0, signals(3.0, "b"))}
    assert quiet_pods([idle, busy], heard, 1000.0) == []


async def listen(life: Life, quiet: float) -> None:
    """Let a minute pass in which each pod sends its signals."""
    life.small.now += 60
    for name in ("a", "b"):
        life.runtime.take_signals(signals(quiet, name))
    await life.turn()
    life.small.now += 3
    await life.turn()


def state(small: SmallWorld, kind: str) -> str:
    found = next(item for item in small.status["conditions"] if item["type"] == kind)
    return f"{found['status']}/{found['reason']}"


@pytest.mark.asyncio
async def test_a_bypass_is_shown_until_traffic_arrives_and_an_idle_model_is_looked_at_rarely() -> None:
    small = SmallWorld(replicas=2)
    for name in ("a", "b"):
        small.pods.change("ADDED", pod(PORT, name))
    life = Life(small)
    await life.begin()
    for quiet in range(0, 3600, 60):
        await listen(life, quiet)
    assert state(small, "Degraded") != "True/Bypassed"
    assert len(small.lists) == 4  # once in 15 minutes
    small.services.append(service("shop", 8080))
    for _ in range(16):
        await listen(life, QUIET_SECONDS)
    assert state(small, "Degraded") == "True/Bypassed"
    assert state(small, "Ready") == "False/Bypassed"
    assert "Service shop leads to port 8080" in str(small.status["conditions"])
    assert any("Service shop" in note for _, note in small.events)
    await listen(life, 1.0)
    assert state(small, "Degraded") != "True/Bypassed"
