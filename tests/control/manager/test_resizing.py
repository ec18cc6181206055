"""Resources in the leader: from the use of a container to one change at a time, beside whoever else sets them."""

from __future__ import annotations

from typing import Any

import pytest

from pilotfish.sidecar.control.executor import Failed
from pilotfish.sidecar.control.manager.resizing_sources import NamespaceLimits
from pilotfish.sidecar.control.manager.switch import PAUSED
from pilotfish.sidecar.control.manager.trouble import Trouble, TroubleError
from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.scale.owners import ReplicaDriver, find_resources_owner
from tests.control.manager.resized import HOUR, MINUTE, ResizedFleet
from tests.control.manager.worlds import KEY, Receiver, monitor_item

pytestmark = [pytest.mark.asyncio, pytest.mark.long]

SMALL = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}
RIGHT = {"requests": {"cpu": "476m", "memory": "363Mi"}, "limits": {"memory": "726Mi"}}
VPA = {
    "metadata": {"name": "delays"},
    "spec": {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "delays"}},
}
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "delays"}}


async def running(**fields: Any) -> ResizedFleet:
    fleet = ResizedFleet(**{"given": SMALL, **fields})
    await fleet.begin()
    return fleet


async def confident(**fields: Any) -> ResizedFleet:
    """A fleet whose use was observed for long enough."""
    fleet = await running(**fields)
    await fleet.elapse(11 * MINUTE)
    return fleet


async def test_pods_get_what_they_use_with_a_margin_one_after_another() -> None:
    fleet = await running()
    assert fleet.condition == "False/LowConfidence"
    await fleet.elapse(11 * MINUTE)
    assert fleet.applied == ["p0", "p1", "p2"]
    assert [fleet.resources_of(name) for name in ("p0", "p1", "p2")] == [RIGHT] * 3
    assert fleet.condition == "True/WithinBounds"
    assert fleet.shown["target"] == {"cpu": "476m", "memory": "363Mi"}
    assert (fleet.shown["resized"], fleet.shown.get("pending"), fleet.shown.get("withheld")) == (3, None, None)
    assert "lastResizeTime" in fleet.shown
    notes = [note for reason, note in fleet.small.events if reason == "OutsideBounds"]
    assert notes[0].startswith("Pod/team/p0/model: delivered, cpu 100m, memory 128Mi/256Mi -> cpu 476m")


async def test_a_use_that_stays_changes_nothing_more() -> None:
    fleet = await confident()
    for index in range(60):
        fleet.cpu = 0.4 + 0.05 * (index % 3 - 1)
        await fleet.elapse(10 * MINUTE, step=60.0)
    assert fleet.applied == ["p0", "p1", "p2"]


@pytest.mark.parametrize("mode", ["observe", "recommend"])
async def test_a_recommendation_is_shown_and_nothing_written_in_other_modes(mode: str) -> None:
    fleet = await confident(mode=mode)
    assert fleet.applied == []
    assert fleet.condition == "False/Mode"
    assert fleet.shown["target"] == {"cpu": "476m", "memory": "363Mi"}
    assert list(fleet.shown["withheld"]) == ["cpu", "memory"]
    assert fleet.shown["pending"] == 3


async def test_the_next_pod_waits_until_the_node_has_made_the_resize() -> None:
    fleet = await running()
    fleet.node.answers["p0"] = "in_progress"
    await fleet.elapse(13 * MINUTE)
    assert fleet.applied == ["p0"]
    assert fleet.condition == "True/ResizeInProgress"
    await fleet.elapse(5 * MINUTE)
    assert fleet.condition == "False/ResizeSlow"
    fleet.node.answers.clear()
    [pod] = [item for item in fleet.small.pods.pods_in(KEY.namespace) if item["metadata"]["name"] == "p0"]
    fleet.node.put(pod, RIGHT, "done", fleet.small.now)
    await fleet.elapse(MINUTE)
    assert fleet.applied == ["p0", "p1", "p2"]


async def test_a_deferred_resize_holds_the_others_then_is_taken_back() -> None:
    fleet = await running()
    fleet.node.answers["p0"] = "deferred"
    await fleet.elapse(15 * MINUTE)
    assert (fleet.applied, fleet.condition) == (["p0"], "True/ResizeInProgress")
    await fleet.elapse(10 * MINUTE)
    assert fleet.condition == "False/ResizeDeferred"
    assert "node: deferred" in fleet.shown["message"]
    await fleet.elapse(20 * MINUTE)
    assert fleet.applied == ["p0", "p0", "p1", "p2"]
    assert fleet.resources_of("p0") == SMALL


async def test_an_infeasible_resize_is_taken_back_at_once_and_tried_again_after_half_an_hour() -> None:
    fleet = await running()
    fleet.node.answers["p0"] = "infeasible"
    await fleet.elapse(12 * MINUTE)
    assert fleet.applied == ["p0", "p0", "p1", "p2"]
    assert fleet.resources_of("p0") == SMALL
    assert fleet.condition == "False/ResizeInfeasible"
    assert "it is tried again at" in fleet.shown["message"]
    assert [pod for pod, _ in fleet.node.applied].count("p0") == 2
    fleet.restart()  # the next leader keeps the wait
    await fleet.elapse(20 * MINUTE)
    assert fleet.applied.count("p0") == 2
    fleet.node.answers.clear()
    await fleet.elapse(15 * MINUTE)
    assert fleet.resources_of("p0") == RIGHT


async def test_what_the_api_server_refuses_is_not_repeated_at_each_interval() -> None:
    fleet = await running(pods=1)
    fleet.node.outcomes = [Failed(Reason.RESIZE_INFEASIBLE, "the node has 2 cores")] * 9
    await fleet.elapse(38 * MINUTE)
    assert len(fleet.node.outcomes) == 8
    assert fleet.condition == "False/ResizeInfeasible"
    await fleet.elapse(10 * MINUTE)
    assert len(fleet.node.outcomes) == 7


async def test_a_container_killed_for_its_memory_gets_more_at_once_and_once() -> None:
    fleet = await confident()
    before = len(fleet.applied)
    fleet.kill("p1")
    await fleet.elapse(15)
    assert sorted(fleet.applied[before:]) == ["p0", "p1", "p2"]  # the others have the same limit
    raised = fleet.resources_of("p1")["requests"]["memory"]
    assert raised == "1052Mi"  # above 1.2 times the limit of 726Mi that it was killed at, with the margin
    assert "OomKilled" in [reason for reason, _ in fleet.small.events]
    fleet.restart()
    await fleet.elapse(30 * MINUTE)
    assert len(fleet.applied) == before + 3
    assert fleet.resources_of("p1")["requests"]["memory"] == raised


async def test_a_kill_raises_memory_even_before_the_use_is_known_for_long() -> None:
    fleet = await running()
    fleet.kill("p1")
    await fleet.elapse(15)
    assert "p1" in fleet.applied
    assert fleet.resources_of("p1")["requests"]["cpu"] == SMALL["requests"]["cpu"]


@pytest.mark.parametrize(("resource", "reason"), [("cpu", "HorizontalOwnsCpu"), ("memory", "HorizontalOwnsMemory")])
async def test_a_resource_that_replicas_follow_is_not_resized(resource: str, reason: str) -> None:
    fleet = ResizedFleet(given=SMALL)
    fleet.small.target.fields["replica_drivers"] = (ReplicaDriver(resource, "", "the HPA delays scales by it"),)
    await fleet.begin()
    await fleet.elapse(12 * MINUTE)
    other = "memory" if resource == "cpu" else "cpu"
    assert fleet.resources_of("p0")["requests"][resource] == SMALL["requests"][resource]
    assert fleet.resources_of("p0")["requests"][other] == RIGHT["requests"][other]
    assert list(fleet.shown["withheld"]) == [resource]
    fleet.resources.pop(other)
    fleet.change()
    await fleet.elapse(15)
    assert fleet.condition == f"False/{reason}"


async def test_a_scaling_signal_of_another_monitor_owns_the_resource() -> None:
    fleet = ResizedFleet(given=SMALL, resources={"container": "model", "cpu": {"max": 4}})
    scaling = {"maxReplicas": 3, "signals": [{"type": "cpu", "targetUtilization": 60}]}
    fleet.small.scaling_targets.update([monitor_item(scaling=scaling), fleet.item()])
    await fleet.begin()
    await fleet.elapse(12 * MINUTE)
    assert (fleet.applied, fleet.condition) == ([], "False/HorizontalOwnsCpu")
    assert "scales by cpu" in fleet.shown["message"]


HOLDS: dict[str, tuple[dict[str, Any], str]] = {
    "rollout": ({"rollout": "1 of 3 pods have an older template"}, "False/RolloutInProgress"),
    "unschedulable": ({"unschedulable": 1}, "False/Unschedulable"),
    "vertical autoscaler": (
        {"resources_owner": find_resources_owner(TARGET, vertical_autoscalers=[VPA])},
        "False/VerticalAutoscaler",
    ),
}


@pytest.mark.parametrize("name", HOLDS)
async def test_nothing_is_resized_while_something_else_changes_the_target(name: str) -> None:
    fields, condition = HOLDS[name]
    fleet = ResizedFleet(given=SMALL)
    fleet.small.target.fields |= fields
    await fleet.begin()
    await fleet.elapse(12 * MINUTE)
    assert (fleet.applied, fleet.condition) == ([], condition)
    for field in fields:
        del fleet.small.target.fields[field]
    await fleet.elapse(2 * MINUTE)
    assert fleet.applied == ["p0", "p1", "p2"]


async def test_the_kill_switch_of_a_person_stops_resizing_at_once() -> None:
    fleet = await running()
    fleet.life.runtime.item["metadata"]["annotations"] = {PAUSED: "true"}
    await fleet.elapse(12 * MINUTE)
    assert (fleet.applied, fleet.condition) == ([], "False/Paused")
    assert list(fleet.shown["withheld"]) == ["cpu", "memory"]


async def test_an_unreadable_target_or_list_stops_resizing_and_says_why() -> None:
    fleet = await running()
    fleet.small.limits = NamespaceLimits(problem=Trouble(Reason.NOT_AUTHORIZED, "the limitranges: grant list"))
    await fleet.elapse(12 * MINUTE)
    assert (fleet.applied, fleet.condition) == ([], "False/NotAuthorized")
    fleet.small.target.trouble = TroubleError(Reason.API_SERVER_UNREACHABLE, "no answer")
    await fleet.elapse(5 * MINUTE)
    assert fleet.applied == []
    assert fleet.condition == "Unknown/ApiServerUnreachable"


async def test_without_measurements_nothing_is_resized() -> None:
    fleet = await running(cpu=None)
    await fleet.elapse(15 * MINUTE)
    assert (fleet.applied, fleet.condition) == ([], "False/UsageMissing")
    assert "target" not in fleet.shown
    assert fleet.shown["message"].count("metrics.k8s.io has no current use of the container in 3 pods") == 1


async def test_a_limit_range_bounds_what_is_set() -> None:
    limits = {"metadata": {"name": "small"}, "spec": {"limits": [{"type": "Container", "max": {"cpu": "100m"}}]}}
    fleet = ResizedFleet(given={"requests": {"cpu": "100m"}, "limits": {"cpu": "100m"}})
    fleet.small.limits = NamespaceLimits(limit_ranges=(limits,), version=(1, 36))
    await fleet.begin()
    await fleet.elapse(12 * MINUTE)
    assert (fleet.applied, fleet.condition) == ([], "False/LimitRange")
    assert "LimitRange small" in fleet.shown["message"]


async def test_a_container_that_restarts_needs_leave() -> None:
    fleet = ResizedFleet(given=SMALL, pods=1)
    [pod] = fleet.small.pods.pods_in(KEY.namespace)
    pod["spec"]["containers"][0]["resizePolicy"] = [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]
    await fleet.begin()
    await fleet.elapse(12 * MINUTE)
    assert fleet.resources_of("p0")["requests"] == {"cpu": "100m", "memory": "363Mi"}
    assert fleet.condition == "False/RestartNeeded"
    fleet.change(allowRestart=True)
    await fleet.elapse(10 * MINUTE)
    assert fleet.resources_of("p0") == RIGHT


async def test_a_server_that_cannot_resize_is_named() -> None:
    fleet = ResizedFleet(given=SMALL)
    fleet.small.limits = NamespaceLimits(version=(1, 32))
    await fleet.begin()
    await fleet.elapse(12 * MINUTE)
    assert (fleet.applied, fleet.condition) == ([], "False/ServerVersion")


async def test_a_new_leader_continues_and_repeats_nothing() -> None:
    fleet = await confident()
    fleet.restart()
    await fleet.elapse(15 * MINUTE)
    assert fleet.applied == ["p0", "p1", "p2"]
    assert fleet.condition == "True/WithinBounds"
    assert fleet.shown["samples"] > 40  # those of the leader before count


async def test_more_changes_than_the_document_allows_are_not_made_in_an_hour() -> None:
    fleet = await running(pods=6, resources={"container": "model", "cpu": {"max": 4}, "actionsPerHour": 2})
    await fleet.elapse(20 * MINUTE)
    assert (fleet.applied, fleet.condition) == (["p0", "p1"], "False/ActionsPerHour")
    await fleet.elapse(HOUR, step=20.0)
    assert fleet.applied == ["p0", "p1", "p2", "p3"]


async def test_the_older_of_two_monitors_resizes_a_container() -> None:
    fleet = ResizedFleet(given=SMALL)
    other = fleet.item()
    other["metadata"] = {**other["metadata"], "name": "older", "uid": "o", "creationTimestamp": "2026-01-01T00:00:00Z"}
    own = fleet.item()
    own["metadata"]["creationTimestamp"] = "2027-01-01T00:00:00Z"
    fleet.small.scaling_targets.update([own, other])
    await fleet.begin()
    await fleet.elapse(12 * MINUTE)
    assert (fleet.applied, fleet.condition) == ([], "False/ResizingElsewhere")


async def test_the_template_is_changed_once_with_the_method_rollout() -> None:
    fleet = ResizedFleet(given=SMALL, resources={"container": "model", "cpu": {"max": 4}, "method": "rollout"})
    fleet.small.target.fields["template"] = {"containers": [{"name": "model", "resources": SMALL}]}
    fleet.small.node = Receiver()
    await fleet.begin()
    await fleet.elapse(10 * MINUTE + 30)
    [entry] = [entry for entry in fleet.entries if entry.state != "refused"]
    assert entry.key == "Deployment/team/delays/model"
    assert entry.desired == {"requests": {"cpu": "476m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}


async def test_one_look_reads_the_use_of_the_namespace_once() -> None:
    fleet = await running()
    fleet.small.lists.clear()
    await fleet.elapse(5 * MINUTE)
    assert 4 <= fleet.small.lists.count("metrics") <= 6


async def test_a_document_without_the_block_has_no_status() -> None:
    fleet = await confident()
    fleet.life.runtime.item = monitor_item(9, profiles=[])
    await fleet.elapse(15)
    assert "resources" not in fleet.small.status
    assert fleet.condition == "False/NotConfigured"


async def test_a_status_is_not_written_for_each_measurement() -> None:
    fleet = await confident()
    seen = set()
    for _ in range(40):
        await fleet.elapse(30, step=15.0)
        runtime = fleet.life.runtime
        runtime.item = {**runtime.item, "status": fleet.small.status}  # as the mirror brings it
        seen.add(fleet.life.runtime.item["metadata"]["resourceVersion"])
    assert len(seen) <= 4  # in 20 minutes


async def test_a_rollout_that_begins_between_two_looks_holds_the_next_pod() -> None:
    fleet = await running(resources={"container": "model", "cpu": {"max": 4}, "interval": "5m"})
    fleet.node.answers["p0"] = "in_progress"
    await fleet.elapse(16 * MINUTE)
    assert fleet.applied == ["p0"]
    fleet.small.target.fields["rollout"] = "1 of 3 pods have an older template"
    await fleet.elapse(20)
    assert fleet.condition == "False/RolloutInProgress"
    [pod] = [item for item in fleet.small.pods.pods_in(KEY.namespace) if item["metadata"]["name"] == "p0"]
    fleet.node.put(pod, fleet.resources_of("p0"), "done", fleet.small.now)
    await fleet.elapse(2 * MINUTE)
    assert fleet.applied == ["p0"]
