"""Classes and sums of pods."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from pilotfish.sidecar.podspec.amounts import ContainerResources, PodAmounts, qos_class

FULL = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}}


@pytest.mark.parametrize(
    ("resources", "expected"),
    [({}, "BestEffort"), ({"requests": {"cpu": "0"}}, "BestEffort"),
     ({"limits": {"cpu": "1", "memory": "1"}}, "Guaranteed"),
     (FULL, "Guaranteed"), ({"limits": {"cpu": "1"}}, "Burstable"), ({**FULL, "requests": {"cpu": "1"}}, "Guaranteed"),
     ({**FULL, "requests": {"cpu": "500m"}}, "Burstable"), ({"limits": {"nvidia.com/gpu": "1"}}, "BestEffort")],
)  # fmt: skip
def test_the_class_of_a_pod_is_that_of_kubernetes(resources: dict[str, Any], expected: str) -> None:
    assert qos_class({"containers": [{"name": "model", "resources": resources}]}) == expected
    assert qos_class({"containers": [{"name": "model"}], "resources": resources}) == expected


def test_an_init_container_counts_only_where_it_needs_more_than_the_containers_after_it() -> None:
    def amounts(cpu: str) -> dict[str, Any]:
        return {"resources": {"requests": {"cpu": cpu}}}

    spec = {
        "initContainers": [
            {"name": "proxy", "restartPolicy": "Always", **amounts("1")},
            {"name": "copy", **amounts("5")},
            {"name": "log", "restartPolicy": "Always", **amounts("2")},
        ],
        "containers": [{"name": "model", **amounts("1")}],
    }
    pod = PodAmounts.of(spec)
    assert pod.total("requests", "cpu") == 6  # proxy and copy
    assert pod.others("model", "requests", "cpu") == 3
    assert pod.others("proxy", "requests", "cpu") == 5
    assert pod.total("limits", "cpu") is None
    larger = pod.changed("model", ContainerResources({"cpu": Fraction(4)}))
    assert larger.total("requests", "cpu") == 7


def test_amounts_are_rounded_up_to_thousandths_and_other_resources_are_left_out() -> None:
    block = {"requests": {"cpu": "100u", "memory": "-1"}, "limits": {"cpu": 0.5, "nvidia.com/gpu": 1, "memory": "x"}}
    found = ContainerResources.of(block)
    assert found.as_object() == {"requests": {"cpu": "1m"}, "limits": {"cpu": "500m"}}
    assert ContainerResources.of(None) == ContainerResources.of({"requests": None}) == ContainerResources()
