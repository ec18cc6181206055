from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.control.scale.disruption import disruption_floor
from pilotfish.sidecar.control.scale.target import TargetSurroundings, count_unschedulable, target_facts
from pilotfish.sidecar.control.workload.kinds import KSERVE, rollout_of, scale_body
from tests.control.scale.targets import autoscaler, budget, deployment, reference
from tests.control.situations import NOON
from tests.support.examples import examples


def workload(api_version: str, kind: str, status: dict[str, Any], **spec: Any) -> dict[str, Any]:
    metadata = {"name": "delays", "generation": 3}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec, "status": status}


def stateful_set(updated: int, *, partition: int = 0, kind: str = "RollingUpdate", new: str = "b") -> dict[str, Any]:
    status = {"replicas": 4, "updatedReplicas": updated, "currentRevision": "a", "updateRevision": new}
    strategy = {"type": kind, "rollingUpdate": {"partition": partition}}
    return workload("apps/v1", "StatefulSet", {"observedGeneration": 3, **status}, updateStrategy=strategy)


def leader_worker_set(status: str) -> dict[str, Any]:
    conditions = [{"type": "Progressing", "status": "True"}, {"type": "UpdateInProgress", "status": status}]
    return workload("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", {"conditions": conditions})


def rollout(current: str, generation: str = "3") -> dict[str, Any]:
    status = {"observedGeneration": generation, "stableRS": "a", "currentPodHash": current, "phase": "Paused"}
    return workload("argoproj.io/v1alpha1", "Rollout", status)


IN_PROGRESS = [
    workload(
        "apps/v1", "DaemonSet", {"observedGeneration": 3, "desiredNumberScheduled": 4, "updatedNumberScheduled": 1}
    ),
    workload("apps/v1", "Deployment", {"observedGeneration": 3, "replicas": 4, "updatedReplicas": 1}),
    workload("apps/v1", "Deployment", {"observedGeneration": 3, "replicas": 4}),
    workload("apps/v1", "Deployment", {"observedGeneration": 2, "replicas": 4, "updatedReplicas": 4}),
    stateful_set(2),
    stateful_set(0, partition=1),
    rollout("b"),
    rollout("a", generation="2"),
    leader_worker_set("True"),
    workload("serving.kserve.io/v1beta1", "InferenceService", {"modelStatus": {"transitionStatus": "InProgress"}}),
    workload("example.org/v1", "Model", {"observedGeneration": 2}),
]
DONE = [
    workload(
        "apps/v1", "DaemonSet", {"observedGeneration": 3, "desiredNumberScheduled": 4, "updatedNumberScheduled": 4}
    ),
    workload("apps/v1", "Deployment", {"observedGeneration": 3, "replicas": 4, "updatedReplicas": 4}),
    workload("apps/v1", "Deployment", {"observedGeneration": 3, "replicas": 1, "updatedReplicas": 1}, replicas=9),
    workload("apps/v1", "ReplicaSet", {"observedGeneration": 3, "replicas": 4}),
    stateful_set(4),
    stateful_set(3, partition=1),
    stateful_set(0, kind="OnDelete"),
    stateful_set(0, new="a"),
    rollout("a"),
    leader_worker_set("False"),
    workload("example.org/v1", "Model", {}),
]


@pytest.mark.parametrize("item", IN_PROGRESS, ids=lambda item: item["kind"])
def test_a_template_that_is_being_rolled_out_is_seen(item: dict[str, Any]) -> None:
    assert rollout_of(item)


@pytest.mark.parametrize("item", DONE, ids=lambda item: item["kind"])
def test_other_states_and_a_change_of_the_replicas_are_no_rollout(item: dict[str, Any]) -> None:
    assert rollout_of(item) == ""


@pytest.mark.parametrize(
    ("budgets", "floor"),
    [
        ([], None),
        ([budget(expected=5, healthy=5, desired=3, minAvailable=3)], 3),
        ([budget(expected=5, healthy=5, desired=4, maxUnavailable=1)], 4),
        ([budget(expected=5, healthy=5, desired=5, maxUnavailable=0)], 5),
        ([budget(expected=5, healthy=5, desired=3, minAvailable="50%")], 3),
        ([budget(expected=5, healthy=3, desired=3, minAvailable=3)], 3),
        ([budget(expected=5, healthy=1, desired=3, minAvailable=3)], 3),
        ([budget(expected=5, healthy=5, desired=7, minAvailable=7)], 5),
        ([budget(expected=5, healthy=5, desired=1, minAvailable=1), budget(expected=5, healthy=5, desired=4)], 4),
    ],
)
def test_the_strictest_budget_bounds_the_replicas_downward(budgets: list[dict[str, Any]], floor: int | None) -> None:
    assert disruption_floor(deployment(replicas=5), 5, budgets) == floor


def test_a_budget_without_a_current_status_allows_nothing() -> None:
    found = budget(expected=5, healthy=5, desired=1, minAvailable=1)
    found["metadata"]["generation"] = 2
    assert disruption_floor(deployment(replicas=5), 5, [found]) == 5
    assert disruption_floor(deployment(replicas=5), 5, [{"metadata": {"generation": 1}, "spec": {}}]) == 5


def test_pods_that_are_not_ready_count_as_removable_only_where_they_are_deleted_first() -> None:
    found = [budget(expected=5, healthy=3, desired=3, maxUnavailable=2)]
    ordered = {**deployment(replicas=5), "kind": "StatefulSet"}
    assert disruption_floor(deployment(replicas=5), 5, found) == 3
    assert disruption_floor(ordered, 5, found) == 5, "the pods with the highest numbers go, ready or not"


def test_a_replica_of_a_leader_worker_set_has_several_pods() -> None:
    item = workload("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", {}, leaderWorkerTemplate={"size": 4})
    assert disruption_floor(item, 3, [budget(expected=12, healthy=12, desired=4, minAvailable=4)]) == 1
    assert disruption_floor(item, 3, [budget(expected=12, healthy=12, desired=7, minAvailable=7)]) == 2


@settings(max_examples=examples(200))
@given(
    replicas=st.integers(0, 20),
    states=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(0, 25)), max_size=3),
    kind=st.sampled_from(("Deployment", "StatefulSet", "Model")),
)
def test_a_floor_never_asks_for_more_replicas_than_there_are(
    replicas: int, states: list[tuple[int, int, int]], kind: str
) -> None:
    budgets = [budget(expected=expected, healthy=healthy, desired=least) for expected, healthy, least in states]
    floor = disruption_floor({**deployment(), "kind": kind}, replicas, budgets)
    assert floor is None or 0 <= floor <= replicas


def pod(reason: str = "Unschedulable", status: str = "False", **metadata: Any) -> dict[str, Any]:
    conditions = [{"type": "PodScheduled", "status": status, "reason": reason}]
    return {"metadata": metadata, "status": {"phase": "Pending", "conditions": conditions}}


def test_pods_without_a_node_are_counted_and_those_that_start_or_end_are_not() -> None:
    pods = [pod(), pod(), pod("SchedulingGated"), pod("", "True"), pod(deletionTimestamp="now"), {"metadata": {}}]
    assert count_unschedulable(pods) == 2


def test_facts_are_those_of_the_object_and_its_surroundings() -> None:
    item = deployment(replicas=5, creationTimestamp="2023-11-14T22:13:20Z")
    item["status"]["updatedReplicas"] = 2
    found = TargetSurroundings(
        autoscalers=[autoscaler(reference())],
        budgets=[budget(expected=5, healthy=5, desired=4)],
        pods=[pod()],
    )
    facts = target_facts(item, None, found, NOON)
    assert (facts.kind, facts.name, facts.uid, facts.at) == ("Deployment", "delays", "u1", NOON)
    assert (facts.spec_replicas, facts.status_replicas) == (5, 5)
    assert (facts.rollout_in_progress, facts.unschedulable, facts.disruption_floor) == (True, 1, 4)
    assert facts.rollout == "3 of 5 pods have an older template"
    assert facts.owner is not None
    assert (facts.last_writer, facts.created_at) == (None, NOON)


def test_the_numbers_of_a_kind_of_the_user_are_those_of_its_scale() -> None:
    item = workload("example.org/v1", "Model", {}, size=7)
    scale = {"kind": "Scale", "metadata": {"resourceVersion": "9"}, "spec": {}, "status": {"replicas": 2}}
    facts = target_facts(item, scale, TargetSurroundings(), NOON)
    assert (facts.spec_replicas, facts.status_replicas, facts.resource_version) == (0, 2, "9")


def test_both_bounds_of_an_inference_service_are_set_if_it_did_not_change() -> None:
    found = {"metadata": {"resourceVersion": "7"}, "spec": {"predictor": {"minReplicas": 1, "maxReplicas": 9}}}
    assert scale_body(found, KSERVE["InferenceService"], 3) == {
        "metadata": {"resourceVersion": "7"},
        "spec": {"predictor": {"minReplicas": 3, "maxReplicas": 3}},
    }
    assert scale_body(found, KSERVE["LLMInferenceService"], 3)["spec"] == {"replicas": 3}
