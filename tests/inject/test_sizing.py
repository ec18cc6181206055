"""The recommended resources of a monitor on new pods."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.inject.context import Context
from pilotfish.sidecar.inject.operations import patch_json
from pilotfish.sidecar.inject.server.kinds import trim
from pilotfish.sidecar.inject.sizing import SizedPod, size, sizing_of
from pilotfish.sidecar.kube.objects import MODEL_MONITORS
from pilotfish.sidecar.podspec.amounts import qos_class
from tests.podspec import pods
from tests.support.examples import examples

from .patching import apply

RESOURCES = {
    "requests": {"cpu": "500m", "memory": "1Gi"},
    "limits": {"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": "1"},
}


def monitor(entry: dict[str, Any] | None = None, mode: str = "act", **changes: Any) -> dict[str, Any]:
    """A monitor that acts and recommends 750m and 2Gi."""
    resources = {"container": "model", "cpu": {"max": 4}, "memory": {"max": "8Gi"}, "mode": mode, **changes}
    own = {"container": "model", "target": {"cpu": "750m", "memory": "2Gi"}, **(entry or {})}
    return {
        "metadata": {"name": "prices", "generation": 3},
        "spec": {"mode": "recommend", "resources": resources},
        "status": {"observedGeneration": 3, "resources": [own]},
    }


def pod(**metadata: Any) -> dict[str, Any]:
    return {"metadata": metadata, "spec": {"containers": [{"name": "model", "resources": RESOURCES}]}}


def sized(item: dict[str, Any], pod: dict[str, Any], context: Context = Context("models")) -> SizedPod:  # noqa: B008
    sizing = sizing_of(item)
    assert sizing is not None
    return size(pod, sizing, context)


def resources_after(found: SizedPod, pod: dict[str, Any]) -> dict[str, Any]:
    after = apply(pod, patch_json(found.patch))
    resources: dict[str, Any] = after["spec"]["containers"][0]["resources"]
    return resources


@pytest.mark.parametrize("metadata", [{}, {"annotations": None}, {"annotations": {"a": "b"}}])
def test_a_new_pod_gets_the_recommended_requests_and_keeps_its_ratios_and_its_gpu(metadata: dict[str, Any]) -> None:
    found = sized(monitor(), pod(**metadata))
    assert found.changed
    assert resources_after(found, pod(**metadata)) == {
        "requests": {"cpu": "750m", "memory": "2Gi"},
        "limits": {"cpu": "1500m", "memory": "2Gi", "nvidia.com/gpu": "1"},
    }
    after = apply(pod(**metadata), patch_json(found.patch))
    note = json.loads(after["metadata"]["annotations"]["pilotfish.dev/resources"])
    assert (note["from"]["requests"], note["to"]["requests"]) == (
        {"cpu": "500m", "memory": "1Gi"},
        {"cpu": "750m", "memory": "2Gi"},
    )
    assert (note["monitor"], note["container"]) == ("prices", "model")


def test_a_second_review_of_the_same_pod_changes_nothing() -> None:
    after = apply(pod(), patch_json(sized(monitor(), pod()).patch))
    again = sized(monitor(), after)
    assert (again.patch, again.changed, again.reason) == ((), False, "Recommended")


@pytest.mark.parametrize(
    "item",
    [
        monitor(mode="recommend"),
        monitor(method="rollout"),
        {**monitor(), "spec": {"mode": "act"}},
        {**monitor(), "spec": {"resources": {"container": "model", "cpu": {"max": 1}}}},
    ],
)
def test_a_monitor_that_does_not_resize_in_place_sizes_no_pod(item: dict[str, Any]) -> None:
    assert sizing_of(item) is None


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (monitor({"withheld": ["cpu", "memory"], "reason": "VerticalAutoscaler"}), "Withheld"),
        (monitor({"target": {}}), "NotKnown"),
        (monitor({"target": {"cpu": "0", "memory": "much"}}), "NotKnown"),
        (monitor({"container": "other"}), "NotKnown"),
        ({**monitor(), "status": {}}, "NotKnown"),
        ({**monitor(), "status": {**monitor()["status"], "observedGeneration": 2}}, "NotKnown"),
        ({**monitor(), "spec": {"resources": {**monitor()["spec"]["resources"], "container": "gone"}}}, "NotKnown"),
        (monitor(pool="cpu", memory=None), "NotKnown"),
    ],
)
def test_a_pod_stays_as_it_is_where_the_recommendation_is_in_doubt(item: dict[str, Any], reason: str) -> None:
    found = sized(item, pod())
    assert (found.patch, found.changed, found.reason) == ((), False, reason)
    assert "prices" in found.message


def test_one_resource_is_withheld_and_the_other_one_set() -> None:
    found = sized(monitor({"withheld": ["cpu"], "reason": "HorizontalOwnsCpu"}), pod())
    assert resources_after(found, pod())["requests"] == {"cpu": "500m", "memory": "2Gi"}


def test_the_share_of_a_pool_bounds_the_cpu_of_a_new_pod() -> None:
    found = sized(monitor({"poolShare": "600m"}, pool="cpu"), pod())
    assert resources_after(found, pod())["requests"]["cpu"] == "600m"
    without = sized(monitor(pool="cpu"), pod())
    assert resources_after(without, pod())["requests"] == {"cpu": "500m", "memory": "2Gi"}


def test_the_namespace_bounds_what_a_new_pod_gets() -> None:
    limits = [{"metadata": {"name": "small"}, "spec": {"limits": [{"type": "Container", "max": {"memory": "1536Mi"}}]}}]
    hard = {"requests.cpu": "10"}
    status = {"hard": hard, "used": {"requests.cpu": "9400m"}}
    quotas = [{"metadata": {"name": "team"}, "spec": {"hard": hard}, "status": status}]
    found = sized(monitor(), pod(), Context("models", limit_ranges=limits, quotas=quotas))
    assert resources_after(found, pod())["requests"] == {"cpu": "600m", "memory": "1536Mi"}
    assert "the LimitRange small" in found.message
    assert "the ResourceQuota team" in found.message
    assert found.reason in {"LimitRange", "Quota"}


def test_a_pod_whose_annotations_are_full_stays_as_it_is() -> None:
    found = sized(monitor(), pod(annotations={"large": "x" * (256 * 1024 - 100)}))
    assert (found.patch, found.reason) == ((), "AnnotationsFull")


def test_a_pod_without_the_container_stays_as_it_is() -> None:
    found = sized(monitor(), {"metadata": {}, "spec": {"containers": [{"name": "other"}]}})
    assert (found.patch, found.reason) == ((), "ContainerNotFound")


@settings(max_examples=examples(200))
@given(pods.specs(), pods.limit_ranges(), pods.quotas(), st.sampled_from(["model", "sidecar"]))
def test_only_cpu_and_memory_of_one_container_change_and_the_class_stays(
    spec: dict[str, Any], limit_ranges: list[dict[str, Any]], quotas: list[dict[str, Any]], container: str
) -> None:
    item = monitor({"container": container}, container=container)
    new = {"metadata": {}, "spec": spec}
    found = sized(item, new, Context("models", limit_ranges=limit_ranges, quotas=quotas))
    after = apply(new, patch_json(found.patch))
    assert qos_class(after["spec"]) == qos_class(spec)
    before, changed = copy.deepcopy(spec), after["spec"]
    for one, other in zip(_containers(before), _containers(changed), strict=True):
        if one["name"] == container:
            assert _shape(one.pop("resources")) == _shape(other.pop("resources"))
    assert changed == before


def _containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [*spec["containers"], *spec.get("initContainers", [])]


def _shape(resources: dict[str, Any]) -> dict[str, set[str]]:
    return {side: {*amounts} for side, amounts in resources.items()}


FIELDS = st.sampled_from(["cpu", "memory", "container", "target", "withheld", "mode", "pool", "max"])
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=4)


@settings(max_examples=examples(200))
@given(st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4)))
def test_a_monitor_with_any_resources_still_says_which_traffic_is_intercepted(value: Any) -> None:
    spec = {
        "mode": "act",
        "resources": value,
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"},
    }
    item = {"metadata": {"name": "a", "namespace": "b"}, "spec": spec, "status": {"resources": value}}
    assert trim(MODEL_MONITORS)(item)["parsed"].traffic.name == "a"
