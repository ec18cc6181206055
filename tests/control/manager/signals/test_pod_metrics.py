"""CPU and memory by metrics.k8s.io: which containers count, what is missing, and what a failure says."""

from __future__ import annotations

from datetime import UTC, datetime
from math import isfinite
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.control.manager.pod_index import PodIndex
from pilotfish.sidecar.control.manager.pods import OWN_CONTAINERS, trim_pod
from pilotfish.sidecar.control.manager.scaling_sources import SignalReading
from pilotfish.sidecar.control.manager.signals.pod_metrics import (
    PodMetricsReader,
    PodMetricsSource,
    Usage,
    Wanted,
    usage,
)
from pilotfish.sidecar.control.scale.facts import Sample
from pilotfish.sidecar.inject.template import ANALYZER, PROXY, REDIRECT
from tests.control.manager.signals.made import KEY, NOW, wanted
from tests.support.apiserver.faults import Fault
from tests.support.apiserver.server import ApiServer
from tests.support.apiserver.storage import Kind
from tests.support.examples import examples

POD_METRICS = Kind("metrics.k8s.io", "v1beta1", "pods")
CPU, MEMORY = Wanted("cpu"), Wanted("memory")


def pod(name: str, *, model: dict[str, str] | None = None, **others: dict[str, str]) -> dict[str, Any]:
    """Return a pod as the mirror has it: a model and the proxy; `others` are requests of further containers."""
    requests = {"model": model if model is not None else {"cpu": "2", "memory": "1Gi"}, PROXY: {"cpu": "50m"}, **others}
    containers = [{"name": key, "resources": {"requests": value}} for key, value in requests.items()]
    metadata = {
        "name": name,
        "namespace": KEY.namespace,
        "uid": name,
        "labels": {"app": "delays", "pilotfish.dev/injected": "true"},
    }
    return trim_pod({"metadata": metadata, "spec": {"containers": containers}, "status": {"phase": "Running"}})


def measured(name: str, cpu: dict[str, str] | None = None, *, at: float = NOW - 10) -> dict[str, Any]:
    """Return the PodMetrics of a pod: the CPU of its containers, by default that of `pod`."""
    used = cpu if cpu is not None else {"model": "1500m", PROXY: "400m"}
    return {
        "apiVersion": "metrics.k8s.io/v1beta1",
        "kind": "PodMetrics",
        "metadata": {"name": name, "labels": {"app": "delays", "pilotfish.dev/injected": "true"}},
        "timestamp": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "window": "15s",
        "containers": [{"name": key, "usage": {"cpu": value, "memory": "512Mi"}} for key, value in used.items()],
    }


def used(metrics: list[Any], pods: list[dict[str, Any]], one: Wanted, now: float) -> Usage:
    """Return the use by a list of PodMetrics."""
    return usage({"kind": "PodMetricsList", "items": metrics}, pods, one, now)


def test_the_use_and_the_requests_are_those_of_the_model_without_the_sidecar() -> None:
    found = used([measured("a")], [pod("a")], CPU, NOW)
    assert found.values == {"a": Sample(1.5, NOW - 10, 15.0)}
    assert (found.requests, found.problem) == ({"a": 2.0}, "")
    memory = used([measured("a")], [pod("a")], MEMORY, NOW)
    assert (memory.values["a"].value, memory.requests["a"]) == (512 * 1024**2, 1024**3)


def test_all_other_containers_count_unless_one_is_named() -> None:
    pods, metrics = [pod("a", mesh={"cpu": "1"})], [measured("a", {"model": "1", "mesh": "500m", PROXY: "1"})]
    assert used(metrics, pods, CPU, NOW).values["a"].value == 1.5
    one = used(metrics, pods, Wanted("cpu", "mesh"), NOW)
    assert (one.values["a"].value, one.requests["a"]) == (0.5, 1.0)


def test_the_containers_of_the_injector_are_known() -> None:
    assert {ANALYZER, PROXY, REDIRECT} == OWN_CONTAINERS


@pytest.mark.parametrize(
    ("pods", "one", "text"),
    [
        ([pod("a"), pod("b", model={"memory": "1Gi"})], CPU, "container 'model' has no cpu request"),
        ([pod("a", mesh={})], CPU, "container 'mesh' has no cpu request"),
        ([pod("a", model={"cpu": "0"})], CPU, "has no cpu request"),
        ([pod("a", model={"cpu": "x"})], CPU, "has no cpu request"),
        ([pod("a")], Wanted("cpu", "other"), "have no container 'other'"),
    ],
)
def test_no_value_counts_if_a_request_is_missing(pods: list[dict[str, Any]], one: Wanted, text: str) -> None:
    found = used([measured("a"), measured("b")], pods, one, NOW)
    assert (found.values, text in found.problem) == ({}, True), found.problem


@pytest.mark.parametrize(
    "metrics",
    [
        [],
        [measured("other")],
        [measured("a", at=NOW - 121)],
        [measured("a", at=NOW + 121)],
        [{**measured("a"), "timestamp": None}],
        [measured("a", {PROXY: "1"})],
        [measured("a", {"model": ""})],
        [measured("a", {"model": "-1"})],
        [{**measured("a"), "containers": None}],
    ],
)
def test_a_pod_without_a_current_value_is_missing(metrics: list[dict[str, Any]]) -> None:
    found = used(metrics, [pod("a")], CPU, NOW)
    assert (found.values, found.requests) == ({}, {"a": 2.0})
    assert "no current cpu of 1 of 1 pods" in found.problem


@settings(max_examples=examples(100))
@given(st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.integers(0, 4000), st.integers(-300, 300)), max_size=6))
def test_the_values_are_those_of_the_pods_that_were_measured_lately(seen: dict[str, tuple[int, int]]) -> None:
    metrics = [measured(name, {"model": f"{milli}m"}, at=NOW + age) for name, (milli, age) in seen.items()]
    found = used(metrics, [pod(name) for name in "abcd"], CPU, NOW)
    lately = {name for name, (_, age) in seen.items() if abs(age) <= 120 and name in "abcd"}
    assert found.values.keys() == lately
    assert all(found.values[name].value == pytest.approx(seen[name][0] / 1000) for name in lately)
    assert (found.problem == "") == (len(lately) == 4)


_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
_WORDS = st.sampled_from(["a", "model", "500m", "-1", "15s", "2027-01-15T08:00:00Z", "0001-01-01T00:00:00"])
_KEYS = st.sampled_from(["items", "metadata", "name", "timestamp", "window", "containers", "usage", "cpu"])
_JSON = st.recursive(
    _LEAVES | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=14,
)


@settings(max_examples=examples(400))
@given(_JSON, st.sampled_from(["metadata", "timestamp", "window", "containers"]))
def test_no_response_of_any_form_raises_or_gives_a_value_that_is_no_number(found: Any, place: str) -> None:
    for metrics in (found, {"items": found}, {"items": [{**measured("a"), place: found}]}):
        seen = usage(metrics, [pod("a")], CPU, NOW)
        assert all(isfinite(sample.value) and sample.value >= 0 for sample in seen.values.values())
        assert bool(seen.problem) == (not seen.values)


def indexed(*names: str) -> PodIndex:
    """Return the mirror with these pods."""
    index = PodIndex()
    for name in names:
        index.change("ADDED", pod(name))
    return index


async def read(api: ApiServer, *types: str, pods: frozenset[str] = frozenset({"a", "b"})) -> SignalReading:
    """Read signals of these types."""
    kube = await api.connect()
    try:
        signals: list[dict[str, object]] = [{"type": type_, "targetUtilization": 60} for type_ in types]
        return await PodMetricsSource(PodMetricsReader(kube, lambda: NOW), indexed("a", "b", "other")).read(
            wanted(*signals, pods=pods)
        )
    finally:
        await kube.close()


@pytest.mark.asyncio
async def test_the_pods_of_the_target_are_read_in_one_request() -> None:
    async with ApiServer() as api:
        for name in ("a", "b", "other"):
            api.storage.create(POD_METRICS, KEY.namespace, measured(name))
        found = await read(api, "cpu", "memory")
    assert {name: sorted(values) for name, values in found.by_pod.items()} == {"cpu": ["a", "b"], "memory": ["a", "b"]}
    assert found.requests["cpu"] == {"a": 2.0, "b": 2.0}
    assert not found.problems
    assert [call.query["labelSelector"] for call in api.calls if call.path.startswith("/apis/metrics")] == [
        "pilotfish.dev/injected=true"
    ]


@pytest.mark.asyncio
async def test_nothing_is_read_for_a_document_without_such_a_signal() -> None:
    async with ApiServer() as api:
        assert await read(api) == SignalReading()
        assert api.calls == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault(status=404, reason="NotFound"), "install metrics-server"),
        (Fault(status=403, reason="Forbidden"), "grant it by a Role"),
        (Fault(status=503, reason="ServiceUnavailable"), "cannot be read"),
        (Fault(raw=b"<html>"), "cannot be read"),
        (Fault(drop="before"), "cannot be read"),
        (Fault(raw=b"[]"), "no current"),
        (Fault(raw=b'{"items": [null, {"metadata": null}]}'), "no current"),
    ],
)
async def test_a_failure_is_a_problem_of_each_signal(fault: Fault, text: str) -> None:
    async with ApiServer() as api:
        api.faults.add(fault)
        found = await read(api, "cpu", "memory")
    assert not any(found.by_pod.values())
    assert [text in found.problems[name] for name in ("cpu", "memory")] == [True, True], found.problems


@pytest.mark.asyncio
async def test_a_server_that_does_not_answer_costs_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pilotfish.sidecar.control.manager.signals.pod_metrics.SOURCE_SECONDS", 0.1)
    async with ApiServer() as api:
        fault = api.faults.add(Fault(hang="before"))
        found = await read(api, "cpu")
        fault.release()
    assert "did not answer within 0.1 s" in found.problems["cpu"]
