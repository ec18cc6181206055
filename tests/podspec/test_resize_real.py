"""A real API server accepts what `adjusted` returns, and what it would refuse is explained before."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.podspec.adjust import ResizeSurroundings, adjusted
from pilotfish.sidecar.podspec.amounts import ContainerResources, Kind, amounts_of, containers_of, qos_class
from pilotfish.sidecar.podspec.quantity import MOST, quantity
from pilotfish.sidecar.podspec.rules import ControlledValues, ResizeRules
from pilotfish.sidecar.podspec.running import INIT_CONTAINERS, RunningPod
from tests.podspec import pods
from tests.podspec.server import ALLOCATABLE, NODES, Namespace
from tests.support.cluster import ControlPlane
from tests.support.examples import examples

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]


NUMBERS = st.from_regex(r"\A[+-]?([0-9]{1,4}\.?[0-9]{0,4}|\.[0-9]{1,4})\Z")  # the server takes "-" for 0
UNITS = st.sampled_from(["mi", "i", "", *"numkKMGTPE", *(f"{unit}i" for unit in "KMGTPE")])
EXPONENTS = st.from_regex(r"\A[eE]([+-]?[0-9]{0,2})?\Z")


@settings(max_examples=examples(300), suppress_health_check=[*HealthCheck], phases=[Phase.generate])
@given(number=NUMBERS, unit=UNITS | EXPONENTS)
def test_quantities_are_those_of_the_server(control_plane: ControlPlane, number: str, unit: str) -> None:
    space, text = Namespace.default(control_plane), number + unit
    container = {"name": "a", "image": "a", "resources": {"requests": {"memory": text}}}
    body = {"metadata": {"name": "a"}, "spec": {"containers": [container]}}
    status, answer = space.request("POST", space.path("pods") + "?dryRun=All", body)
    own = quantity(text)
    if status != 201:
        assert own is None or own < 0 or own >= MOST, answer
        return
    stored = answer["spec"]["containers"][0]["resources"]["requests"]["memory"]
    assert own is not None
    assert quantity(stored) == Fraction(-(-own * 1000 // 1), 1000), stored


@settings(max_examples=examples(120), suppress_health_check=[*HealthCheck], phases=[Phase.generate])
@given(
    specs=st.lists(pods.specs(), min_size=3, max_size=3),
    targets=st.lists(pods.TARGETS, min_size=4, max_size=4),
    limit_ranges=pods.limit_ranges(),
    quotas=pods.quotas(),
    older=st.booleans(),
    node=st.sampled_from(["", *NODES]),
    runs=st.booleans(),
    controlled=st.sampled_from(["RequestsAndLimits", "RequestsAndLimits", "RequestsOnly"]),
)
def test_the_server_accepts_each_adjusted_resize_and_the_class_stays(
    control_plane: ControlPlane,
    specs: list[dict[str, Any]],
    targets: list[dict[Kind, Fraction]],
    limit_ranges: list[dict[str, Any]],
    quotas: list[dict[str, Any]],
    older: bool,
    node: str,
    runs: bool,
    controlled: ControlledValues,
) -> None:
    space = Namespace(control_plane)
    if not older:
        space.limit(limit_ranges)
        space.bound(quotas)
    stored = [pod for spec in specs if (pod := space.pod(spec, node=node, runs=runs))]
    if older:
        space.limit(limit_ranges)
        space.bound(quotas)
    features = frozenset(NODES.get(node, [INIT_CONTAINERS]))
    running = RunningPod((1, 36), Fraction(2**27), amounts_of(ALLOCATABLE), features)
    surroundings = ResizeSurroundings(space.limit_ranges(), space.quotas(), running)
    for pod in stored:
        assert qos_class(pod["spec"]) == pod["status"]["qosClass"]
        for place, _, container in containers_of(pod["spec"]):
            for target in targets:
                check(space, pod, place, container, target, ResizeRules(controlled=controlled), surroundings)


def check(
    space: Namespace,
    pod: dict[str, Any],
    place: str,
    container: Mapping[str, Any],
    target: dict[Kind, Fraction],
    rules: ResizeRules,
    surroundings: ResizeSurroundings,
) -> None:
    name, own = container["name"], ContainerResources.of(container.get("resources"))
    found = adjusted(pod, name, target, rules, surroundings)
    if found.resources != own:
        refusal = space.resize(pod, place, name, found.resources.as_object())
        assert not refusal, (refusal, found)
        event("accepted")
    naive = own
    for kind, wanted in target.items():
        request, limit = own.amount("requests", kind), own.limits.get(kind)
        if request:
            amount = Fraction(-(-wanted * 1000 // 1), 1000)
            follows = limit is not None and rules.controlled == "RequestsAndLimits"
            naive = naive.with_amounts(kind, amount, amount * limit / request if follows and limit else limit)
    if naive != own and found.resources == own:
        refusal = space.resize(pod, place, name, naive.as_object())
        if refusal:
            assert found.notes, (refusal, naive)
            event(f"refused: {', '.join(sorted({str(note.reason) for note in found.notes}))}")
