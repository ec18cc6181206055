"""Laws of `adjusted`, checked by the definitions and not by the code under test."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.podspec.adjust import Adjusted, ResizeSurroundings, adjusted
from pilotfish.sidecar.podspec.amounts import KINDS, ContainerResources, Kind, PodAmounts, qos_class
from pilotfish.sidecar.podspec.quantity import format_quantity, quantity
from pilotfish.sidecar.podspec.quotas import BY_QUOTA, counts, usage
from pilotfish.sidecar.podspec.rules import ControlledValues, ResizeRules
from pilotfish.sidecar.podspec.running import RunningPod
from tests.support.examples import examples

from . import pods

RUNNING = st.one_of(
    st.none(),
    st.builds(
        RunningPod,
        st.sampled_from([(1, 36), (1, 36), (1, 36), (1, 34), (1, 33), None]),
        st.one_of(st.none(), st.integers(0, 2**31).map(Fraction)),
        st.fixed_dictionaries({}, optional={"cpu": st.just(Fraction(8)), "memory": st.just(Fraction(2**33))}),
    ),
)
BOUNDS = st.fixed_dictionaries(
    {},
    optional={
        "cpu": st.just((Fraction(1, 4), Fraction(4))),
        "memory": st.just((Fraction(2**26), Fraction(2**32))),
    },
)
Bounds = Mapping[str, tuple[Fraction, Fraction]]
CONTAINERS = st.sampled_from(["model", "model", "model", "other", "sidecar", "init"])
CONTROLLED = st.sampled_from(["RequestsAndLimits", "RequestsOnly"])


def applied(pod: dict[str, Any], container: str, found: Adjusted) -> dict[str, Any]:
    """The pod with the resources of `found`, merged as the API server merges a patch."""
    pod = copy.deepcopy(pod)
    spec = pod["spec"]
    item = next(one for one in [*spec["containers"], *spec.get("initContainers", [])] if one["name"] == container)
    for side, amounts in found.resources.as_object().items():
        if amounts:
            item["resources"][side].update(amounts)
    return pod


def charged(quotas: list[dict[str, Any]], before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    """The quotas after the API server has counted the change of a pod."""
    quotas = copy.deepcopy(quotas)
    for quota in quotas:
        for resource in quota["status"]["used"] if counts(quota, before) else ():
            side, kind = BY_QUOTA[resource]
            old, new = (usage(PodAmounts.of(pod["spec"]), side, kind) for pod in (before, after))
            used = quantity(quota["status"]["used"][resource]) or Fraction(0)
            if new > old:
                quota["status"]["used"][resource] = format_quantity(used + new - old)
    return quotas


def keys(resources: Mapping[str, Any]) -> dict[str, set[str]]:
    return {side: {*(resources.get(side) or {})} & {"cpu", "memory"} for side in ("requests", "limits")}


@settings(max_examples=examples(200))
@given(
    pods.specs(), CONTAINERS, pods.TARGETS, BOUNDS, CONTROLLED, RUNNING,
    pods.limit_ranges(), pods.quotas(),
)  # fmt: skip
def test_the_class_and_the_set_of_requests_and_limits_stay_and_a_second_time_changes_nothing(
    spec: dict[str, Any],
    container: str,
    target: dict[Kind, Fraction],
    bounds: dict[str, tuple[Fraction, Fraction]],
    controlled: ControlledValues,
    running: RunningPod | None,
    limit_ranges: list[dict[str, Any]],
    quotas: list[dict[str, Any]],
) -> None:
    pod, rules = {"spec": spec}, ResizeRules(bounds, controlled)
    original = copy.deepcopy(pod)
    found = adjusted(pod, container, target, rules, ResizeSurroundings(limit_ranges, quotas, running))
    assert pod == original
    item = next(
        (one for one in [*spec["containers"], *spec.get("initContainers", [])] if one["name"] == container), None
    )
    if item is None:
        assert found.resources == ContainerResources()
        return
    own = ContainerResources.of(item["resources"])
    event(f"changed {found.resources != own}, notes {sorted({str(note.reason) for note in found.notes})}")
    assert keys(found.resources.as_object()) == keys(own.as_object())
    after = applied(pod, container, found)
    assert qos_class(after["spec"]) == qos_class(spec)
    if found.resources == own:
        assert found.notes or all(_is_close(own, kind, value, bounds) for kind, value in target.items())
    for kind in KINDS:
        _check_kind(own, found.resources, kind, bounds, controlled)
    again_quotas = charged(quotas, pod, after) if running else quotas
    again = adjusted(after, container, target, rules, ResizeSurroundings(limit_ranges, again_quotas, running))
    assert again.resources == found.resources


def _is_close(
    own: ContainerResources, kind: Kind, value: Fraction, bounds: Mapping[str, tuple[Fraction, Fraction]]
) -> bool:
    """Whether the request is the recommended one already: rounded up, and within the bounds of the document."""
    step = {"cpu": Fraction(1, 1000), "memory": Fraction(2**20)}[kind]
    least, most = bounds.get(kind, (step, Fraction(2**80)))
    return own.amount("requests", kind) == min(max(-(-value // step) * step, step, least), most)


def _check_kind(
    own: ContainerResources,
    new: ContainerResources,
    kind: Kind,
    bounds: Bounds,
    controlled: ControlledValues,
) -> None:
    old_request, request = own.amount("requests", kind), new.amount("requests", kind)
    old_limit, limit = own.limits.get(kind), new.limits.get(kind)
    if request == old_request and limit == old_limit:
        return
    assert request is not None
    assert old_request
    assert request > 0
    if kind in bounds:
        assert bounds[kind][0] <= request <= bounds[kind][1]
    if controlled == "RequestsOnly":
        assert limit == old_limit
    elif limit is not None and old_limit is not None:
        unit = Fraction(1, 1000) if kind == "cpu" else Fraction(1)
        ratio = old_limit / old_request
        assert abs(limit - request * ratio) <= unit * max(ratio, Fraction(1))
        assert limit == request or old_limit != old_request


def test_the_class_of_a_pod_stays_where_only_requests_follow() -> None:
    block = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "1Gi"}}
    pod = {"spec": {"containers": [{"name": "model", "resources": block}]}}
    rules = ResizeRules(controlled="RequestsOnly")
    found = adjusted(pod, "model", {"cpu": Fraction(3)}, rules, ResizeSurroundings())
    assert found.resources.as_object()["requests"]["cpu"] == "1999m"
    assert [str(note.reason) for note in found.notes] == ["QosClass"]


@pytest.mark.parametrize("text", ["10E", "1e30", "9Ei"])
def test_amounts_that_no_server_can_compare_stay(text: str) -> None:
    pod = {"spec": {"containers": [{"name": "model", "resources": {"limits": {"memory": text}}}]}}
    found = adjusted(pod, "model", {"memory": Fraction(2**30)}, ResizeRules(), ResizeSurroundings())
    assert found.resources.limits["memory"] == quantity(text)
