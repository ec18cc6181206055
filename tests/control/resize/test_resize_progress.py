"""The progress of a resize, from statuses as the kubelet 1.36 wrote them on a real node."""

from __future__ import annotations

from copy import deepcopy
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.control.resize.progress import NONE, is_running, resize_progress
from pilotfish.sidecar.podspec.amounts import ContainerResources

Json = dict[str, Any]

OLD: Json = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "200m", "memory": "256Mi"}}
NEW: Json = {"requests": {"cpu": "300m", "memory": "200Mi"}, "limits": {"cpu": "600m", "memory": "400Mi"}}
AT, SECONDS = "2026-11-29T14:29:47Z", 1_795_962_587.0
NO_ROOM = "Node didn't have enough resource: cpu, requested: 1800, used: 350, capacity: 2000"
STATIC = 'Resize is infeasible for Guaranteed Pods alongside CPU Manager policy "static"'
BELOW_USE = (
    "cannot decrease memory limits: [attempting to set pod memory limit (41943040) below current usage (109109248)]"
)


def condition(kind: str, reason: str = "", message: str = "", generation: int = 2) -> Json:
    """Return a condition of a pod."""
    found = {"type": kind, "status": "True", "lastTransitionTime": AT, "observedGeneration": generation}
    return found | ({"reason": reason, "message": message} if reason else {})


def pod(*conditions: Json, spec: Json = NEW, allocated: Json = OLD, actual: Json | None = OLD) -> Json:
    """Return a pod of generation 2 whose second container is being resized."""
    status: Json = {"name": "model", "allocatedResources": allocated["requests"], "state": {"running": {}}}
    status |= {"resources": actual} if actual is not None else {}
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": AT}
    return {
        "metadata": {"name": "delays-1", "generation": 2},
        "spec": {"containers": [{"name": "log"}, {"name": "model", "resources": spec}]},
        "status": {"conditions": [ready, *conditions], "containerStatuses": [{"name": "log"}, status]},
    }


IN_PROGRESS = condition("PodResizeInProgress")
DEFERRED = condition("PodResizePending", "Deferred", NO_ROOM)
CASES: dict[str, tuple[Json, str, str]] = {
    "just written": (pod(), "proposed", ""),
    "no room": (pod(DEFERRED), "deferred", NO_ROOM),
    "never": (pod(condition("PodResizePending", "Infeasible", STATIC)), "infeasible", STATIC),
    "allocated": (pod(IN_PROGRESS, allocated=NEW), "in_progress", ""),
    "memory limit below use": (
        pod(condition("PodResizeInProgress", "Error", BELOW_USE), allocated=NEW),
        "error",
        BELOW_USE,
    ),
    "carried out": (pod(allocated=NEW, actual=NEW), "done", ""),
    "carried out, condition not yet removed": (pod(IN_PROGRESS, allocated=NEW, actual=NEW), "done", ""),
    "nothing to do": (pod(spec=OLD), "none", ""),
    "another container has no room": (pod(DEFERRED, allocated=NEW, actual=NEW), "done", ""),
    "no room for what was wanted before": (
        pod(condition("PodResizePending", "Deferred", NO_ROOM, generation=1)),
        "proposed",
        "",
    ),
    "an ended condition": (pod({**DEFERRED, "status": "False"}), "proposed", ""),
}


@pytest.mark.parametrize("name", CASES)
def test_each_status_of_the_kubelet_is_recognised(name: str) -> None:
    item, state, text = CASES[name]
    found = resize_progress(item, "model", NEW)
    assert (found.state, found.text) == (state, text)
    assert found.since == (SECONDS if state in {"deferred", "infeasible", "in_progress", "error"} else inf)


def test_the_amounts_of_the_node_are_given() -> None:
    found = resize_progress(pod(IN_PROGRESS, allocated=NEW), "model", NEW)
    assert found.allocated == ContainerResources.of(NEW).requests
    assert found.actual == ContainerResources.of(OLD)


def test_a_sidecar_is_found_among_the_init_containers() -> None:
    item = pod(DEFERRED)
    item["spec"]["initContainers"] = item["spec"].pop("containers")
    item["status"]["initContainerStatuses"] = item["status"].pop("containerStatuses")
    assert resize_progress(item, "model", NEW).state == "deferred"


def test_the_same_amounts_in_other_units_are_equal() -> None:
    other = {"requests": {"cpu": "0.3", "memory": "209715200"}, "limits": {"cpu": "0.6", "memory": "400Mi"}}
    assert resize_progress(pod(allocated=NEW, actual=NEW), "model", other).state == "done"


def test_a_container_that_is_missing_or_unknown_to_the_node_has_none() -> None:
    unknown = pod()
    del unknown["status"]["containerStatuses"]
    assert resize_progress(unknown, "model", NEW) == resize_progress(pod(), "other", NEW) == NONE
    assert not is_running(unknown, "model")


@pytest.mark.parametrize("state", [{"waiting": {"reason": "CrashLoopBackOff"}}, {"terminated": {"exitCode": 137}}, {}])
def test_a_container_between_two_starts_does_not_run(state: Json) -> None:
    item = pod()
    assert is_running(item, "model")
    item["status"]["containerStatuses"][1]["state"] = state
    assert not is_running(item, "model")


BLOCKS = st.sampled_from([OLD, NEW, {**OLD, "limits": NEW["limits"]}, {"requests": {"cpu": "1"}, "limits": {}}])
CONDITIONS = st.lists(
    st.builds(
        condition,
        st.sampled_from(["PodResizePending", "PodResizeInProgress"]),
        st.sampled_from(["", "Deferred", "Infeasible", "Error"]),
        st.just("text"),
        st.integers(1, 3),
    ),
    max_size=3,
)


@given(conditions=CONDITIONS, spec=BLOCKS, allocated=BLOCKS, actual=BLOCKS, desired=BLOCKS)
def test_a_resize_is_done_only_if_spec_allocation_and_cgroup_agree(
    conditions: list[Json], spec: Json, allocated: Json, actual: Json, desired: Json
) -> None:
    item = pod(*conditions, spec=spec, allocated=allocated, actual=actual)
    before = deepcopy(item)
    found = resize_progress(item, "model", desired)
    agree = spec == desired and allocated["requests"] == desired["requests"] and actual == desired
    assert (found.state == "done") == agree
    assert (found.state == "none") == (spec != desired)
    assert item == before
