"""Replicas in the leader: from signals to one write per cause, beside whoever else sets them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pilotfish.sidecar.control.executor import RetryAt
from pilotfish.sidecar.control.manager.switch import PAUSED
from pilotfish.sidecar.control.manager.trouble import TroubleError
from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.workload.managed_fields import FieldWriter
from tests.control.cycles import Crash
from tests.control.manager.fleets import SCALING, STEP, Fleet, signals_of
from tests.control.manager.lives import Life
from tests.control.manager.owning import HELM, HPA
from tests.control.manager.worlds import KEY, monitor_item

pytestmark = pytest.mark.asyncio

MINUTE = 60.0


async def running(**fields: Any) -> Fleet:
    fleet = Fleet(**fields)
    await fleet.begin()
    return fleet


async def test_replicas_follow_the_load_up_and_down() -> None:
    fleet = await running()
    assert (fleet.applied, fleet.condition) == ([], "True/Scaling")
    fleet.load = 60.0
    await fleet.elapse(MINUTE)
    assert fleet.applied == [6]
    assert (fleet.shown["current"], fleet.shown["desired"]) == (6, 6)
    assert "lastScaleTime" in fleet.shown
    fleet.load = 20.0
    await fleet.elapse(4 * MINUTE)
    assert fleet.applied == [6]  # the stabilisation window has not ended
    await fleet.elapse(3 * MINUTE)
    assert fleet.replicas == 2
    assert ("AboveTarget", "3 -> 6") in [(reason, note.split(", ")[1][:6]) for reason, note in fleet.small.events]
    assert {line["state"] for line in fleet.audit()} == {"pending", "delivered"}
    assert fleet.audit()[0]["target"] == "Deployment/team/delays"


async def test_signals_from_before_a_change_cause_no_second_one() -> None:
    rules = {"scaleDown": {"stabilizationWindowSeconds": 0}}
    fleet = await running(load=60.0, scaling={**SCALING, "interval": "5s", "behavior": rules})
    await fleet.elapse(MINUTE)
    assert fleet.applied == [6]
    fleet.load = 31.0
    await fleet.elapse(STEP)
    fleet.late = True  # the pods that stay still send what they measured beside those that are gone
    await fleet.elapse(STEP)
    assert fleet.applied == [6, 4]
    fleet.late = False
    await fleet.elapse(2 * MINUTE)
    assert fleet.applied == [6, 4]


async def test_pods_that_have_just_become_ready_are_no_missing_ones() -> None:
    fleet = await running(warm_up=20.0)
    fleet.load = 60.0
    seen = set()
    for _ in range(24):
        await fleet.elapse(STEP)
        seen.add(fleet.condition)
    assert fleet.applied == [6]
    assert seen <= {"True/Scaling", "True/Settling", "True/Starting"}


async def test_steady_load_with_noise_changes_nothing() -> None:
    fleet = await running(load=27.0)
    for index in range(80):
        fleet.load = 27.0 + (index * 7919 % 5)  # 27 to 31 of 30
        await fleet.elapse(15.0)
    assert fleet.applied == []


async def test_without_signals_replicas_stay_and_the_status_says_so() -> None:
    fleet = await running(load=60.0)
    await fleet.elapse(MINUTE)
    fleet.load = None
    await fleet.elapse(20 * MINUTE)
    assert fleet.applied == [6]
    assert fleet.condition == "False/SignalsMissing"
    assert "0 of 6 ready pods" in fleet.shown["message"]
    fleet.load = 80.0
    await fleet.elapse(MINUTE)
    assert fleet.applied == [6, 8]


async def test_a_minority_of_the_pods_does_not_decide() -> None:
    fleet = await running()
    fleet.silent = {"p1", "p2"}
    await fleet.elapse(30.0)
    fleet.load = 90.0
    await fleet.elapse(2 * MINUTE)
    assert fleet.applied == []
    assert fleet.condition == "False/SignalsMissing"


async def test_an_autoscaler_on_the_target_is_named_and_never_fought() -> None:
    fleet = await running()
    fleet.small.target.fields["owner"] = HPA
    for load in range(40, 80):
        fleet.load = float(load)
        await fleet.elapse(15.0)
    assert fleet.applied == []
    assert fleet.condition == "False/Autoscaler"
    assert fleet.shown["owner"] == "HorizontalPodAutoscaler delays"
    assert "delete it" in fleet.shown["message"]
    assert [reason for reason, _ in fleet.small.events].count("Autoscaler") <= 3
    assert [(entry.state, entry.reason) for entry in fleet.entries] == [("refused", "autoscaler")]


async def test_an_owner_that_yields_is_overruled_only_when_the_document_says_so() -> None:
    fleet = await running(load=60.0)
    fleet.small.target.fields["owner"] = HELM
    fleet.load = 80.0
    await fleet.elapse(MINUTE)
    applied = list(fleet.applied)
    assert fleet.condition == "False/AppliedElsewhere"
    fleet.change(takeOwnership=True)
    await fleet.elapse(MINUTE)
    assert fleet.applied == [*applied, 8]


async def test_a_manual_change_is_kept_for_the_hold_then_scaling_continues_from_there() -> None:
    fleet = await running(load=60.0)
    await fleet.elapse(MINUTE)
    fleet.small.target.set(2, "kubectl")
    await fleet.elapse(29 * MINUTE)
    assert (fleet.replicas, fleet.applied) == (2, [6])
    assert fleet.condition == "False/ManualChange"
    assert "kubectl" in fleet.shown["message"]
    await fleet.elapse(3 * MINUTE)
    assert fleet.replicas == 6


@pytest.mark.long
async def test_a_manual_change_is_kept_by_the_next_leader_for_the_rest_of_the_hold() -> None:
    fleet = await running(load=60.0)
    await fleet.elapse(MINUTE)
    fleet.small.target.set(2, "kubectl")
    await fleet.elapse(20 * MINUTE)
    fleet.life = Life(fleet.small, fleet.item())
    await fleet.elapse(8 * MINUTE)
    assert fleet.replicas == 2
    await fleet.elapse(4 * MINUTE)
    assert fleet.replicas == 6


@pytest.mark.long
async def test_a_loop_that_reverts_each_change_is_named_and_not_fought() -> None:
    fleet = await running(load=60.0, scaling={**SCALING, "manualHold": "1m"})
    for _ in range(240):
        await fleet.elapse(15.0)
        if fleet.replicas != 3:
            fleet.small.target.set(3, "argocd-controller", fleet.small.now)
    assert len(fleet.applied) <= 2
    assert fleet.condition == "False/Reverted"
    assert "argocd-controller" in fleet.shown["message"]


async def test_a_target_that_cannot_be_read_for_a_minute_costs_nothing_but_the_minute() -> None:
    fleet = await running(load=30.0)
    fleet.small.target.trouble = TroubleError(Reason.API_SERVER_UNREACHABLE, "the API server does not answer")
    fleet.load = 60.0
    await fleet.elapse(MINUTE)
    assert fleet.applied == []
    assert fleet.condition == "Unknown/ApiServerUnreachable"
    assert "desired" not in fleet.shown
    fleet.small.target.trouble = None
    await fleet.elapse(MINUTE)
    assert fleet.applied == [6]


async def test_without_contact_to_the_api_server_nothing_is_decided() -> None:
    fleet = await running(load=30.0)
    fleet.small.contact, fleet.load = 91.0, 60.0
    await fleet.elapse(MINUTE)
    assert (fleet.applied, fleet.condition) == ([], "Unknown/ApiServerUnreachable")


async def test_an_attempt_that_fails_is_shown_and_repeated() -> None:
    fleet = await running(load=60.0)
    fleet = await running()
    fleet.small.target.outcomes = [RetryAt(Reason.NOT_AUTHORIZED, fleet.small.now + MINUTE, "may not update scale")]
    fleet.load = 60.0
    await fleet.elapse(30.0)
    assert fleet.condition == "False/NotAuthorized"
    assert "may not update scale" in fleet.shown["message"]
    await fleet.elapse(2 * MINUTE)
    assert fleet.applied == [6]


async def test_mode_recommend_shows_the_number_and_writes_nothing() -> None:
    fleet = await running(mode="recommend")
    fleet.load = 60.0
    await fleet.elapse(MINUTE)
    before = fleet.small.writes
    await fleet.elapse(10 * MINUTE)
    assert fleet.applied == []
    assert (fleet.condition, fleet.shown["desired"]) == ("False/Mode", 6)
    assert [(entry.state, entry.reason, entry.desired) for entry in fleet.entries] == [("recommended", "mode", 6)]
    assert fleet.small.writes - before <= 11  # a checkpoint each minute


async def test_the_surface_metric_publishes_the_number_although_an_autoscaler_writes() -> None:
    fleet = await running(scaling={**SCALING, "surface": "metric"}, load=60.0)
    fleet.small.target.fields["owner"] = HPA
    await fleet.elapse(MINUTE)
    assert fleet.applied == []
    assert (fleet.condition, fleet.shown["desired"]) == ("True/Published", 6)
    assert [(entry.state, entry.reason) for entry in fleet.entries] == [("recommended", "published")]


HELD = {
    "rollout": ({"rollout_in_progress": True, "rollout": "1 of 3 pods is old"}, "RolloutInProgress"),
    "a pod without a node": ({"unschedulable": 1}, "Unschedulable"),
    "pods that a quota refuses": ({"refused": "exceeded quota: small"}, "PodsRefused"),
}


@pytest.mark.parametrize(("fields", "reason"), HELD.values(), ids=HELD)
async def test_a_target_that_is_not_settled_is_left_alone(fields: dict[str, Any], reason: str) -> None:
    fleet = await running()
    fleet.small.target.fields |= fields
    fleet.load = 60.0
    await fleet.elapse(2 * MINUTE)
    assert (fleet.applied, fleet.condition) == ([], f"False/{reason}")
    for name in fields:
        del fleet.small.target.fields[name]
    await fleet.elapse(MINUTE)
    assert fleet.applied == [6]


async def test_refused_pods_are_announced_once_although_no_other_number_is_wanted() -> None:
    fleet = await running()
    fleet.small.target.fields["refused"] = "exceeded quota: small"
    await fleet.elapse(2 * MINUTE)
    assert (fleet.applied, fleet.condition) == ([], "False/PodsRefused")
    assert "the API server refuses new pods: exceeded quota: small" in fleet.shown["message"]
    told = [note for reason, note in fleet.small.events if reason == "PodsRefused"]
    assert len(told) == 1
    assert "exceeded quota: small" in told[0]
    assert len(fleet.audit("pods_refused")) == 1
    fleet.small.target.fields["refused"] = ""
    await fleet.elapse(MINUTE)
    assert fleet.condition == "True/Scaling"


async def test_what_cannot_be_seen_of_missing_pods_is_in_the_message() -> None:
    fleet = await running()
    fleet.small.target.fields["unseen"] = "1 replica missing, and it is not known why"
    await fleet.elapse(MINUTE)
    assert "1 replica missing, and it is not known why" in fleet.shown["message"]


async def test_a_target_with_no_replicas_is_off() -> None:
    fleet = await running()
    fleet.small.target.set(0)
    await fleet.elapse(2 * MINUTE)
    assert (fleet.applied, fleet.condition) == ([], "False/ScalingDisabled")


async def test_a_paused_monitor_changes_nothing() -> None:
    fleet = await running()
    fleet.life.runtime.item["metadata"]["annotations"] = {PAUSED: ""}
    fleet.load = 60.0
    await fleet.elapse(MINUTE)
    assert (fleet.applied, fleet.condition) == ([], "False/Paused")


async def test_of_two_monitors_of_a_target_the_older_one_scales_it() -> None:
    fleet = await running()
    older = replace(KEY, name="first", uid="5d0b5c1e-0000-4000-8000-000000000002")
    items = [fleet.item(), monitor_item(key=older, scaling=SCALING)]
    for item, created in zip(items, ("2026-02-01T00:00:00Z", "2026-01-01T00:00:00Z"), strict=True):
        item["metadata"]["creationTimestamp"] = created
    fleet.small.scaling_targets.update(items)
    fleet.load = 60.0
    await fleet.elapse(MINUTE)
    assert (fleet.applied, fleet.condition) == ([], "False/ScalingElsewhere")
    assert "first" in fleet.shown["message"]
    fleet.small.scaling_targets.update(items[:1])
    await fleet.elapse(MINUTE)
    assert fleet.applied == [6]


async def test_pods_of_an_older_release_are_used_and_named() -> None:
    fleet = await running()
    fleet.make = lambda name, load: signals_of(name, None, in_flight=round(load))
    fleet.load = 60.0
    await fleet.elapse(30.0)
    assert fleet.applied == [6]
    await fleet.elapse(MINUTE)
    assert "of an older release" in fleet.shown["message"]


async def test_without_the_block_the_condition_says_so_and_there_is_no_number() -> None:
    fleet = await running()
    fleet.generation += 1
    item = fleet.item()
    del item["spec"]["scaling"]
    fleet.life.runtime.item = item
    fleet.load = 60.0
    await fleet.elapse(MINUTE)
    assert (fleet.applied, fleet.condition) == ([], "False/NotConfigured")
    assert fleet.small.status.get("replicas") is None


async def test_a_new_leader_that_has_not_read_the_target_does_not_deny_the_block() -> None:
    fleet = await running()
    fleet.life.runtime.scaling.latest = None
    found = fleet.life.runtime.replicas
    assert found is not None
    assert (found.reason, found.desired) == (Reason.WAITING, None)


async def test_a_clock_that_is_set_back_holds_nothing_for_ever() -> None:
    fleet = await running(load=60.0)
    await fleet.elapse(MINUTE)
    fleet.small.now -= 3600.0
    fleet.life.look_at = 0.0
    fleet.load = 80.0
    await fleet.elapse(5 * MINUTE)
    assert fleet.replicas == 8


async def test_after_a_clock_that_is_set_back_the_policies_still_limit_each_change() -> None:
    slow = {"scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 120}]}}
    fleet = await running(load=40.0, scaling={**SCALING, "behavior": slow})
    await fleet.elapse(MINUTE)
    assert fleet.applied == [4]
    fleet.small.now -= 3600.0
    fleet.life.look_at = 0.0
    fleet.load = 80.0
    await fleet.elapse(4.5 * MINUTE)
    assert fleet.applied == [4, 5, 6, 7]


@pytest.mark.parametrize("nth", range(1, 26))
async def test_a_leader_that_is_killed_anywhere_neither_repeats_nor_loses_a_change(nth: int) -> None:
    fleet = await running(load=30.0)
    dead = False
    left = nth

    def die(_name: str) -> None:
        nonlocal left, dead
        left -= 1
        if left == 0 or dead:
            dead = True
            raise Crash

    fleet.life = Life(fleet.small, fleet.item(), die)
    fleet.load = 60.0
    try:
        await fleet.elapse(2 * MINUTE)
    except Crash:
        fleet.life = Life(fleet.small, fleet.item())
        await fleet.elapse(2 * MINUTE)
    assert fleet.replicas == 6
    assert fleet.applied in ([6], [5, 6])  # the mean of an interval that contains the change may be in between


async def test_two_leaders_at_once_write_each_change_once() -> None:
    fleet = await running(load=30.0)
    other = Life(fleet.small, fleet.item())
    fleet.load = 60.0
    for _ in range(40):
        await fleet.elapse(STEP)
        await other.turn()
    assert fleet.applied in ([6], [5, 6])
    fleet.load = 80.0
    for _ in range(40):
        await fleet.elapse(STEP)
        await other.turn()
    assert fleet.replicas == 8
    assert fleet.applied == sorted(set(fleet.applied))


async def test_the_writer_of_the_last_change_is_known_without_its_time() -> None:
    fleet = await running(load=60.0)
    await fleet.elapse(MINUTE)
    fleet.small.target.writer = FieldWriter("pilotfish", "Update", "scale")
    await fleet.elapse(MINUTE)
    assert fleet.condition == "True/Scaling"
