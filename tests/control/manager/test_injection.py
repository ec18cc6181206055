"""Pods of a target without a sidecar: how many, why, and at what cost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.control.manager import injection
from pilotfish.sidecar.control.manager.injection import NOT_SEEN, OPTED_OUT, InjectionWatch, explain
from pilotfish.sidecar.control.manager.selectors import Selector, from_object, from_text
from pilotfish.sidecar.control.manager.trouble import TroubleError
from pilotfish.sidecar.control.reasons import Reason
from tests.control.manager.lives import PODS, Life
from tests.control.manager.worlds import NOON, TICK, SmallWorld, pod_item

FIRST = int(NOON // TICK)
REFUSED = {"mode": "none", "reason": "host_network", "message": "the pod has hostNetwork: true; remove it"}


def bare(name: str, annotation: str | None = json.dumps(REFUSED), **metadata: Any) -> dict[str, Any]:
    """The metadata of a pod without a sidecar."""
    annotations = {} if annotation is None else {"pilotfish.dev/injection": annotation}
    return {"metadata": {"name": name, "annotations": annotations, **metadata}}


def condition(small: SmallWorld, kind: str) -> tuple[str, str]:
    found = next(item for item in small.status["conditions"] if item["type"] == kind)
    return f"{found['status']}/{found['reason']}", found["message"]


@pytest.mark.asyncio
async def test_nothing_is_listed_while_the_workload_has_no_other_pods() -> None:
    small = SmallWorld()
    watch = InjectionWatch("team", small.world())
    for replicas, injected in ((0, 0), (3, 3), (3, 4)):  # the last one: a rollout, or an old status
        await watch.look(from_text("app=x"), replicas, injected)
        assert watch.finding is not None
        assert not watch.finding.others
    assert small.lists == []


@pytest.mark.asyncio
async def test_other_pods_are_listed_once_a_minute_and_those_that_end_do_not_count() -> None:
    small = SmallWorld(uninjected=[bare("c"), bare("d", deletionTimestamp="2027-01-15T07:30:00Z")])
    watch = InjectionWatch("team", small.world())
    for _ in range(125):
        await watch.look(from_text("app=x"), 4, 2)
        small.now += 1
    assert small.lists == ["pods"] * 3
    assert watch.finding is not None
    assert watch.finding.text == (
        "1 of 3 pods of the target have no sidecar: HostNetwork: the pod has hostNetwork: true; remove it"
    )


@pytest.mark.asyncio
async def test_a_number_that_may_be_larger_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(injection, "MAX_LISTED", 2)
    small = SmallWorld(uninjected=[bare("c"), bare("d")])
    watch = InjectionWatch("team", small.world())
    await watch.look(from_text("app=x"), 400, 0)
    assert watch.finding is not None
    assert watch.finding.text.startswith("at least 2 of 2 pods")


@pytest.mark.asyncio
async def test_a_rollout_that_brings_the_sidecars_is_shown_as_it_is_and_nothing_waits_for_the_others() -> None:
    small = SmallWorld(replicas=4, uninjected=[bare("x", None), bare("y", None)])
    small.add_pods("a", "b")
    life = Life(small)
    await life.begin()
    for tick in range(FIRST, FIRST + 4):
        await life.hear(tick, ("a", "b"))
    ready, why = condition(small, "Ready")
    assert (ready, small.status["pods"]) == ("True/Monitoring", {"heard": 2, "expected": 2})
    assert f"2 of 4 pods of the target have no sidecar: {NOT_SEEN}" in why
    assert condition(small, "Injected")[0] == "False/NotInjected"
    assert condition(small, "Degraded")[0] == "True/NotInjected"
    status = life.runtime.core.status("7")
    assert status is not None
    assert status.closed_through == FIRST + 3
    small.add_pods("c")
    small.pods.change("ADDED", pod_item("d"))
    small.now += 60
    await life.turn()
    await life.hear(FIRST + 5, ("a", "b", "c", "d"))
    assert condition(small, "Injected") == ("True/Injected", "4 pods of the target, each with a sidecar")
    assert condition(small, "Ready")[0] == "True/Monitoring"


@pytest.mark.asyncio
async def test_a_target_without_any_sidecar_says_why() -> None:
    small = SmallWorld(replicas=2, uninjected=[bare("x"), bare("y"), bare("z", None)])
    life = Life(small)
    await life.begin()
    ready, why = condition(small, "Ready")
    assert ready == "False/NotInjected"
    assert "HostNetwork: the pod has hostNetwork: true" in why
    small.replicas = 0
    small.now += 60
    await life.turn()
    small.now += 3
    await life.turn()
    assert condition(small, "Ready")[0] == "False/NoPods"
    assert condition(small, "Injected")[0] == "Unknown/NoPods"


@pytest.mark.asyncio
async def test_pods_that_may_not_be_listed_are_counted_by_the_workload(monkeypatch: pytest.MonkeyPatch) -> None:
    small = SmallWorld(replicas=5)
    small.add_pods(*PODS)

    async def refuse(_namespace: str, _selector: Selector) -> list[dict[str, Any]]:
        raise TroubleError(Reason.NOT_AUTHORIZED, "may not list pods")

    monkeypatch.setattr(small, "list_uninjected", refuse)
    life = Life(small)
    await life.begin()
    assert condition(small, "Injected") == ("Unknown/NotAuthorized", "may not list pods")


def test_pods_that_opted_out_are_told_from_those_that_the_injector_has_not_seen() -> None:
    out = bare("x", None, labels={"pilotfish.dev/inject": "false"})
    assert explain([out, bare("y", None), out]) == OPTED_OUT
    assert explain([bare("y", None)]) == NOT_SEEN


@given(st.text() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps) | st.just('{"reason": 1}'))
def test_no_annotation_stops_the_search_for_a_reason(annotation: str) -> None:
    assert explain([bare("x", annotation)])


@given(
    st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz"), min_size=1),
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]), st.sets(
            st.sampled_from("xyz"), min_size=1
        )),
        max_size=3,
    ),
)  # fmt: skip
def test_the_text_of_a_selector_is_the_same_selector(labels: dict[str, str], expressions: list) -> None:
    made = [
        {"key": key, "operator": operator, "values": sorted(values) if "In" in operator else []}
        for key, operator, values in expressions
    ]
    selector = from_object({"matchLabels": labels, "matchExpressions": made})
    assert from_text(str(selector)) == selector
