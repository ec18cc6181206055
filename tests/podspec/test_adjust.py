"""One rule of `adjusted` at a time."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from pilotfish.sidecar.podspec.adjust import Adjusted, ResizeSurroundings, adjusted
from pilotfish.sidecar.podspec.notes import NoteReason
from pilotfish.sidecar.podspec.rules import ControlledValues, ResizeRules
from pilotfish.sidecar.podspec.running import MIRROR, RunningPod

GI = Fraction(2**30)
HALF = {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "2Gi"}}  # Burstable
FULL = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}}  # Guaranteed
UNCHANGED = ("500m", "1Gi", "1", "2Gi")
RUNS = RunningPod((1, 36), GI)


def pod(resources: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "model", "resources": HALF if resources is None else resources}], **spec}}


def resized(
    item: dict[str, Any],
    cpu: str = "1",
    memory: str = "2",
    *,
    running: RunningPod | None = RUNS,
    limits: dict[str, Any] | None = None,
    quota: dict[str, Any] | None = None,
    bounds: dict[str, tuple[Fraction, Fraction]] | None = None,
    controlled: ControlledValues = "RequestsAndLimits",
) -> Adjusted:
    """Adjust `item` to cores and gibibytes."""
    ranges = [{"metadata": {"name": "range"}, "spec": {"limits": [limits]}}] if limits else []
    quotas = [{"metadata": {"name": "team"}, **quota}] if quota else []
    target: dict[Any, Fraction] = {"cpu": Fraction(cpu), "memory": Fraction(memory) * GI}
    surroundings = ResizeSurroundings(ranges, quotas, running)
    return adjusted(item, "model", target, ResizeRules(bounds or {}, controlled), surroundings)


def texts(found: Adjusted) -> tuple[str, ...]:
    """Requests and limits: CPU, memory, CPU, memory; "" for what is missing."""
    block = found.resources.as_object()
    return tuple(block[side].get(kind, "") for side in ("requests", "limits") for kind in ("cpu", "memory"))


def reasons(found: Adjusted) -> set[str]:
    return {str(note.reason) for note in found.notes}


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        (HALF, ("1", "2Gi", "2", "4Gi")),  # the ratio stays
        (FULL, ("1", "2Gi", "1", "2Gi")),
        ({"requests": {"cpu": "2"}}, ("1", "", "", "")),
        ({"limits": {"memory": "1Gi"}}, ("", "", "", "2Gi")),  # a request that equals the limit
        ({"requests": {"cpu": "100m"}, "limits": {"cpu": "1"}}, ("1", "", "10", "")),
        ({}, ("", "", "", "")),
    ],
)
def test_what_is_written_follows_and_nothing_is_added(resources: dict[str, Any], expected: tuple[str, ...]) -> None:
    found = resized(pod(resources))
    assert texts(found) == expected
    assert reasons(found) == (set() if resources in (HALF, FULL) else {"NotSet"})


def test_recommendations_are_rounded_up_to_a_millicore_and_a_mebibyte() -> None:
    assert texts(resized(pod(), "1.00001", "1.5001")) == ("1001m", "1537Mi", "2002m", "3074Mi")


def test_the_bounds_of_the_document_hold() -> None:
    bounds = {"cpu": (Fraction(1, 4), Fraction(3, 4)), "memory": (GI, 2 * GI)}
    assert texts(resized(pod(), "4", "0.1", bounds=bounds)) == ("750m", "1Gi", "1500m", "2Gi")


def test_equal_bounds_between_two_units_leave_the_lower_one() -> None:
    bounds = {"cpu": (Fraction(1.2), Fraction(1.2))}  # a float just below 1.2
    assert texts(resized(pod(), "4", "1", bounds=bounds))[0] == "1199m"


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"type": "Container", "max": {"cpu": "1500m"}}, ("750m", "2Gi", "1500m", "4Gi")),
        ({"type": "Container", "min": {"memory": "3Gi"}}, ("1", "3Gi", "2", "6Gi")),
        ({"type": "Pod", "max": {"memory": "3Gi"}}, ("1", "1536Mi", "2", "3Gi")),
        ({"type": "Container", "maxLimitRequestRatio": {"cpu": "1"}}, UNCHANGED),  # broken already
        ({"type": "Container", "min": {"cpu": "4"}, "max": {"cpu": "3"}}, UNCHANGED),
    ],
)
def test_a_limit_range_bounds_requests_and_limits(limits: dict[str, Any], expected: tuple[str, ...]) -> None:
    found = resized(pod(), limits=limits)
    assert texts(found) == expected
    assert reasons(found) == {"LimitRange"}
    assert "the LimitRange range " in found.notes[0].text


def test_a_pod_that_is_older_than_a_limit_range_is_not_resized_since_defaults_would_be_added() -> None:
    item = pod()
    item["spec"]["containers"].append({"name": "log"})
    limits = {"type": "Container", "default": {"cpu": "1"}}
    found = resized(item, limits=limits)
    assert texts(found) == UNCHANGED
    assert "would add a request of cpu to the container log" in found.notes[0].text
    assert texts(resized(item, limits=limits, running=None)) == ("1", "2Gi", "2", "4Gi")


@pytest.mark.parametrize(
    ("hard", "scopes", "expected"),
    [
        ({"requests.cpu": "1200m"}, [], "700m"),  # 200m are free
        ({"limits.cpu": "1300m"}, [], "650m"),  # the limit may grow by 300m
        ({"cpu": "900m"}, [], "500m"),  # nothing is free
        ({"requests.cpu": "1200m"}, ["Terminating"], "1"),
        ({"requests.cpu": "1200m"}, ["NotTerminating", "NotBestEffort"], "700m"),
    ],
)
def test_a_quota_leaves_what_is_free_and_what_the_pod_has(
    hard: dict[str, str], scopes: list[str], expected: str
) -> None:
    quota = {"spec": {"hard": hard, "scopes": scopes}, "status": {"hard": hard, "used": dict.fromkeys(hard, "1")}}
    found = resized(pod(), quota=quota)
    assert texts(found)[0] == expected
    assert reasons(found) == (set() if expected == "1" else {"Quota"})


def test_a_quota_counts_what_a_container_holds_until_it_is_resized() -> None:
    item = pod()
    held = {"requests": {"cpu": "900m", "memory": "1Gi"}, "limits": {"cpu": "1800m", "memory": "2Gi"}}
    item["status"] = {"containerStatuses": [{"name": "model", "resources": held, "state": {"running": {}}}]}
    quota = {"spec": {"hard": {"requests.cpu": "1"}}, "status": {"used": {"requests.cpu": "1"}}}
    assert texts(resized(item, quota=quota))[0] == "900m"  # an increase up to what is held costs nothing


def test_resources_of_the_pod_itself_bound_those_of_its_containers() -> None:
    level = {"requests": {"cpu": "800m", "memory": "4Gi"}, "limits": {"cpu": "2", "memory": "3Gi"}}
    found = resized({"spec": {**pod()["spec"], "resources": level}})
    assert texts(found) == ("800m", "1536Mi", "1600m", "3Gi")
    assert reasons(found) == {"PodResources"}
    old = resized({"spec": {**pod()["spec"], "resources": level}}, running=RunningPod((1, 35), GI))
    assert (texts(old)[0], reasons(old)) == ("500m", {"ServerVersion"})


def test_the_node_bounds_the_requests_of_the_whole_pod() -> None:
    item = pod(overhead={"cpu": "100m"})
    item["spec"]["containers"].append({"name": "log", "resources": {"requests": {"cpu": "200m"}}})
    running = RunningPod((1, 36), GI, {"cpu": Fraction(1)})
    found = resized(item, running=running)
    assert (texts(found)[0], reasons(found)) == ("700m", {"NodeCapacity"})


@pytest.mark.parametrize(
    ("running", "expected", "reason"),
    [
        (RunningPod((1, 36), GI), "1127Mi", "MemoryInUse"),  # 1 Gi in use and 10 %
        (RunningPod((1, 36), GI / 4), "512Mi", None),
        (RunningPod((1, 36), 2 * GI), "2Gi", "MemoryInUse"),  # at its limit already
        (RunningPod((1, 36)), "2Gi", "MemoryInUse"),
        (RunningPod((1, 33), GI / 4), "2Gi", "ServerVersion"),
        (None, "512Mi", None),  # a new pod uses nothing yet
    ],
)
def test_a_memory_limit_is_lowered_only_where_the_server_can_and_above_what_is_used(
    running: RunningPod | None, expected: str, reason: str | None
) -> None:
    found = resized(pod(), "0.5", "0.25", running=running)
    assert texts(found)[3] == expected
    assert reasons(found) == ({reason} if reason else set())
    assert Fraction(found.resources.limits["memory"], found.resources.requests["memory"]) == pytest.approx(2)


def test_a_container_that_restarts_for_memory_may_be_lowered_on_older_servers() -> None:
    item = pod()
    item["spec"]["containers"][0]["resizePolicy"] = [{"resourceName": "memory", "restartPolicy": "RestartContainer"}]
    assert texts(resized(item, "0.5", "0.25", running=RunningPod((1, 33), GI / 4)))[3] == "512Mi"


def test_only_requests_are_controlled() -> None:
    found = resized(pod(), "4", "1", controlled="RequestsOnly")
    assert texts(found) == ("1", "1Gi", "1", "2Gi")
    assert reasons(found) == {"RequestLimit"}
    assert reasons(resized(pod(FULL), "0.5", "1", controlled="RequestsOnly")) == {"QosClass"}


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({**pod(), "metadata": {"annotations": {MIRROR: "x"}}}, NoteReason.NOT_RESIZABLE),
        ({**pod(), "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}, NoteReason.NOT_RESIZABLE),
        ({**pod(), "status": {"phase": "Succeeded"}}, NoteReason.NOT_RESIZABLE),
        (pod(os={"name": "windows"}), NoteReason.NOT_RESIZABLE),
        ({**pod(), "status": {"nodeAllocatableResourceClaimStatuses": [{}]}}, NoteReason.NOT_RESIZABLE),
        (
            {**pod(), "status": {"containerStatuses": [{"name": "model", "state": {"running": {}}}]}},
            NoteReason.NOT_RESIZABLE,
        ),
        ({**pod(), "status": {"qosClass": "Guaranteed"}}, NoteReason.QOS_CLASS),
        (
            {"spec": {"containers": [], "initContainers": [{"name": "model", "resources": HALF}]}},
            NoteReason.INIT_CONTAINER,
        ),
        ({"spec": {"containers": [{"name": "other"}]}}, NoteReason.NOT_FOUND),
    ],
)
def test_a_pod_that_cannot_be_resized_stays_as_it_is(item: dict[str, Any], reason: NoteReason) -> None:
    found = resized(item)
    assert [note.reason for note in found.notes] == [reason]
    assert found.resources.requests in ({}, {"cpu": Fraction(1, 2), "memory": GI})


@pytest.mark.parametrize("version", [None, (1, 32)])
def test_a_server_that_cannot_resize_is_named(version: tuple[int, int] | None) -> None:
    assert reasons(resized(pod(), running=RunningPod(version, GI))) == {"ServerVersion"}


def test_a_sidecar_is_resized_as_a_container() -> None:
    spec = {"containers": [], "initContainers": [{"name": "model", "restartPolicy": "Always", "resources": HALF}]}
    assert texts(resized({"spec": spec})) == ("1", "2Gi", "2", "4Gi")


def test_an_older_node_cannot_resize_a_pod_whose_init_container_a_limit_range_touches() -> None:
    item = pod(initContainers=[{"name": "copy", "resources": {"requests": {"cpu": "1"}}}])
    limits = {"type": "Container"}
    running = RunningPod((1, 36), GI, features=frozenset())
    assert reasons(resized(item, limits=limits, running=running)) == {"NotResizable"}
    assert reasons(resized(item, running=running)) == set()
