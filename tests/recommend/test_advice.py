"""What is advised: resources that the API server accepts, their cost, and why they are not so yet."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from pilotfish.sidecar.recommend.advice import Advice
from pilotfish.sidecar.recommend.fitting import NamespaceRules, advise
from pilotfish.sidecar.recommend.recommended import from_status
from pilotfish.sidecar.recommend.workload import MeasuredWorkload
from tests.recommend.made import STATUS, workload

NOTHING = NamespaceRules()


def advised(found: MeasuredWorkload, number: int = 0, surroundings: NamespaceRules = NOTHING, **changed: Any) -> Advice:
    return advise(found, found.containers()[number], from_status(STATUS | changed), surroundings)


def test_limits_keep_their_ratio_to_the_requests() -> None:
    found = advised(workload(STATUS))
    assert found.proposed.as_object() == {
        "requests": {"cpu": "350m", "memory": "1229Mi"},
        "limits": {"cpu": "700m", "memory": "1229Mi"},
    }
    assert found.notes == ()


def test_limits_stay_if_the_document_controls_requests_only() -> None:
    resources = {"container": "model", "cpu": {"max": 4}, "controlledValues": "RequestsOnly"}
    found = advised(workload(STATUS, resources=resources))
    assert found.proposed.as_object()["limits"] == {"cpu": "4", "memory": "4Gi"}


def test_a_container_without_requests_gets_them_and_no_limit() -> None:
    found = advised(workload(STATUS, model={}))
    assert found.proposed.as_object() == {"requests": {"cpu": "350m", "memory": "1288490189"}, "limits": {}}
    assert [note.split(";")[0] for note in found.notes] == ["it has no cpu request now", "it has no memory request now"]


def test_a_limit_range_is_respected_and_named() -> None:
    limits = [{"type": "Container", "min": {"cpu": "40m"}}]
    surroundings = NamespaceRules([{"metadata": {"name": "small"}, "spec": {"limits": limits}}])
    found = advised(workload(STATUS), surroundings=surroundings, target={"cpu": "20m"})
    assert found.proposed.requests["cpu"] == Fraction(40, 1000)
    assert "the LimitRange small" in found.notes[0]


def test_a_bound_that_decides_is_named_with_what_the_use_asks_for() -> None:
    target, uncapped = {"cpu": "50m", "memory": "8Gi"}, {"cpu": "20m", "memory": "9Gi"}
    assert advised(workload(STATUS), target=target, uncapped=uncapped).notes == (
        "its use asks for 20m of cpu; the minimum of spec.resources is 50m",
        "its use asks for 9Gi of memory; the maximum of spec.resources is 8Gi",
    )
    small = advised(workload(monitored=False), target={"memory": "125Mi"}, uncapped={"memory": "60Mi"})
    assert small.notes == ("its use asks for 60Mi of memory; the minimum of a pod is 125Mi",)
    assert advised(workload(STATUS), uncapped=uncapped).notes == (), "something else decided, such as a pool"


def test_a_quota_without_room_for_all_pods_is_named() -> None:
    quota = {
        "metadata": {"name": "team"},
        "spec": {"hard": {"requests.cpu": "8"}},
        "status": {"hard": {"requests.cpu": "8"}, "used": {"requests.cpu": "7"}},
    }
    enough = advised(workload(STATUS), surroundings=NamespaceRules(quotas=[quota]), target={"cpu": "2300m"})
    assert enough.notes == ()
    found = advised(workload(STATUS), surroundings=NamespaceRules(quotas=[quota]), target={"cpu": "2500m"})
    assert found.notes == ("the ResourceQuota team has 1 of requests.cpu left; all pods need 1.5 more",)


def test_the_cost_is_that_of_the_requests_of_all_pods() -> None:
    found = advised(workload(STATUS, pods=2))
    cpu, memory = 0.35 - 2, 1229 / 1024 - 4
    assert found.cost == pytest.approx(720 * 2 * (cpu * 0.04 + memory * 0.005))
    assert advised(workload(STATUS, prices={})).cost is None


@pytest.mark.parametrize(
    ("found", "number", "told"),
    [
        (workload(STATUS), 0, "the mode of spec.resources is recommend"),
        (workload(STATUS, mode="act"), 0, ""),
        (workload(STATUS | {"reason": "Quota", "message": "no room"}, mode="act"), 0, "Quota: no room"),
        (workload(STATUS, mode="act"), 1, "the chart sets the resources of Pilotfish's sidecars"),
        (workload(monitored=False), 0, "no ModelMonitor names this workload"),
        (workload(resources={"container": "other", "cpu": {"max": 4}}), 0, "does not name this container"),
    ],
)
def test_it_says_why_it_is_not_applied(found: MeasuredWorkload, number: int, told: str) -> None:
    text = advised(found, number).unapplied
    assert told in text
    assert bool(told) == bool(text)


def test_without_a_recommendation_nothing_changes() -> None:
    found = workload(STATUS | {"target": None, "reason": "LowConfidence", "message": "wait"}, mode="act")
    advice = advise(found, found.containers()[0], None, NamespaceRules())
    assert (advice.is_changed, advice.cost, advice.unapplied) == (False, None, "LowConfidence: wait")
