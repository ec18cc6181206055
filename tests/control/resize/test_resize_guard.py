"""Which change of resources is allowed: every hold, one pod at a time, and what a node does not make."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.control.guard import check_intent
from pilotfish.sidecar.control.ledger import PENDING, RECOMMENDED, IntentLedger
from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.resize.guard import (
    HOLDS,
    PATIENCE,
    ResizedPod,
    ResizeView,
    find_hold,
    find_revert,
    resize_situation,
)
from pilotfish.sidecar.control.resize.policy import POLICY
from pilotfish.sidecar.control.resize.progress import NONE, State
from pilotfish.sidecar.control.situation import Situation
from pilotfish.sidecar.control.workload.hold import Hold
from pilotfish.sidecar.settings.resources import CpuRange, MemoryRange, Resources
from tests.control.situations import NOON, situation
from tests.support.examples import examples

SETTINGS = Resources(container="model", cpu=CpuRange(max=4), memory=MemoryRange(max=2**32), cooldown=300.0)
BEFORE, AFTER = {"requests": {"cpu": "1"}, "limits": {}}, {"requests": {"cpu": "2"}, "limits": {}}
VPA = Hold(Reason.VERTICAL_AUTOSCALER, "the VerticalPodAutoscaler delays sets resources; delete it")


def pod(name: str = "a", **changes: Any) -> ResizedPod:
    """Return the view of a pod that should be resized."""
    view = ResizedPod(
        key=f"Pod/team/{name}/uid/model",
        name=name,
        observed=BEFORE,
        desired=AFTER,
        why=Reason.OUTSIDE_BOUNDS,
        progress=NONE,
    )
    return replace(view, **changes)


def resizing(state: State, since: float = 0.0, name: str = "a", *, own: bool = True) -> ResizedPod:
    """Return the view of a pod whose resize is in a state for `since` seconds."""
    return pod(
        name,
        observed=AFTER,
        progress=replace(NONE, state=state, text="the kubelet says why"),
        since=NOON - since,
        revert=BEFORE if own else None,
    )


def seen(*pods: ResizedPod, **changes: Any) -> ResizeView:
    """Return a view in which nothing prevents a change."""
    view = ResizeView(key="Deployment/team/delays", settings=SETTINGS, mode="act", at=NOON, pods=pods or (pod(),))
    return replace(view, **changes)


def situated(view: ResizeView) -> Situation:
    return replace(situation(now=NOON), ledger=IntentLedger(), resize=resize_situation(view, NOON))


KEPT = pod(desired=BEFORE, held=Hold(Reason.LIMIT_RANGE, "the LimitRange small allows at most 1"))
UNREADY = pod(desired=BEFORE, unready=True)
CPU, MEMORY = Hold(Reason.HORIZONTAL_OWNS_CPU), Hold(Reason.HORIZONTAL_OWNS_MEMORY)
VIEWS = {
    "a pod outside of the bounds": (seen(), PENDING, "outside_bounds"),
    "no pod to change": (seen(pod(desired=BEFORE)), None, ""),
    "mode observe": (seen(mode="observe"), "refused", "mode"),
    "mode recommend": (seen(mode="recommend"), RECOMMENDED, "mode"),
    "kill switch": (seen(stopped=Reason.KILL_SWITCH), "refused", "kill_switch"),
    "target cannot be read": (seen(trouble=Hold(Reason.NOT_AUTHORIZED)), "refused", "not_authorized"),
    "another monitor": (seen(trouble=Hold(Reason.RESIZING_ELSEWHERE)), "refused", "resizing_elsewhere"),
    "no contact": (seen(contact_age=91.0), "refused", "api_server_unreachable"),
    "nothing recommended yet": (seen(at=None), None, "waiting"),
    "an old recommendation": (seen(at=NOON - 181.0), "refused", "stale"),
    "autoscalers cannot be listed": (seen(unknown=Hold(Reason.NOT_AUTHORIZED)), "refused", "not_authorized"),
    "a vertical autoscaler": (seen(owner=VPA), "refused", "vertical_autoscaler"),
    "replicas follow both": (seen(withheld={"cpu": CPU, "memory": MEMORY}), "refused", "horizontal_owns_cpu"),
    "replicas follow one": (seen(withheld={"cpu": CPU}), PENDING, "outside_bounds"),
    "no pod": (replace(seen(), pods=()), None, "no_pods"),
    "low confidence": (seen(unsure=Hold(Reason.LOW_CONFIDENCE)), None, "low_confidence"),
    "low confidence, but killed for its memory": (
        seen(pod(urgent=True), unsure=Hold(Reason.LOW_CONFIDENCE)),
        PENDING,
        "outside_bounds",
    ),
    "rollout": (seen(rollout="1 of 4 pods is old"), "refused", "rollout_in_progress"),
    "a pod waits for a node": (seen(unschedulable=1), "refused", "unschedulable"),
    "the API server would refuse it": (seen(KEPT), None, "limit_range"),
    "the API server would refuse it for one of two": (seen(KEPT, pod("b")), PENDING, "outside_bounds"),
    "a change that is not visible yet": (seen(pod(settling=True), pod("b")), None, ""),
    "another pod is resized": (seen(resizing("in_progress"), pod("b")), None, ""),
    "throttled, and observed for a short time": (
        seen(pod(why=Reason.CPU_THROTTLED), unsure=Hold(Reason.LOW_CONFIDENCE)),
        None,
        "low_confidence",
    ),
    "another pod is resized for too long": (seen(resizing("in_progress", 301), pod("b")), "refused", "resize_slow"),
    "the kubelet has not decided": (seen(resizing("proposed", 121), pod("b")), "refused", "resize_slow"),
    "deferred": (seen(resizing("deferred", 599), pod("b")), None, ""),
    "deferred for long": (seen(resizing("deferred", 601), pod("b")), "refused", "resize_deferred"),
    "deferred for long, but killed for its memory": (
        seen(resizing("deferred", 601), pod("b", urgent=True)),
        PENDING,
        "outside_bounds",
    ),
    "another pod is not ready since its resize": (seen(UNREADY, pod("b")), None, "pod_not_ready"),
    "a pod that is not ready may change without a restart": (
        seen(replace(UNREADY, desired=AFTER), pod("b")),
        PENDING,
        "outside_bounds",
    ),
    "a container that starts after a resize is not restarted": (
        seen(replace(UNREADY, desired=AFTER, restarts=True)),
        None,
        "pod_not_ready",
    ),
    "another pod is not ready, but CPU is lacking": (
        seen(UNREADY, pod("b", why=Reason.CPU_THROTTLED)),
        PENDING,
        "cpu_throttled",
    ),
    "another pod is not ready, and CPU restarts the container": (
        seen(UNREADY, pod("b", why=Reason.CPU_THROTTLED, restarts=True)),
        None,
        "pod_not_ready",
    ),
    "another pod is not ready, but one was killed for its memory": (
        seen(UNREADY, pod("b", urgent=True, restarts=True)),
        PENDING,
        "outside_bounds",
    ),
    "infeasible": (seen(resizing("infeasible")), PENDING, "resize_infeasible"),
    "deferred for half an hour": (seen(resizing("deferred", 1800)), PENDING, "resize_deferred"),
    "cannot be made": (seen(resizing("error", 600)), PENDING, "resize_slow"),
    "taken back during a rollout": (seen(resizing("infeasible"), rollout="1 of 4"), PENDING, "resize_infeasible"),
    "not taken back with the kill switch": (
        seen(resizing("infeasible"), stopped=Reason.KILL_SWITCH),
        "refused",
        "kill_switch",
    ),
    "infeasible, of somebody else": (seen(resizing("infeasible", own=False), pod("b")), PENDING, "outside_bounds"),
}


@pytest.mark.parametrize(("view", "state", "reason"), VIEWS.values(), ids=VIEWS)
def test_each_change_is_allowed_recommended_or_refused_with_its_reason(
    view: ResizeView, state: str | None, reason: str
) -> None:
    found = situated(view)
    made = [
        (one.state, str(one.reason))
        for intent in POLICY.wanted(found)
        if (one := check_intent(intent, found)) is not None
    ]
    assert made == ([(state, reason)] if state is not None else [])
    hold = find_hold(view, NOON)
    if state is None:
        assert (hold.reason if hold is not None else "") == reason


def test_every_hold_is_in_the_table_of_tests() -> None:
    found = {check for view, _, _ in VIEWS.values() for check in HOLDS if check(view, NOON) is not None}
    assert found == set(HOLDS)


def test_what_is_taken_back_is_what_the_container_had_before() -> None:
    change = resize_situation(seen(resizing("infeasible")), NOON).change
    assert change is not None
    assert (change.observed.value, change.desired) == (AFTER, BEFORE)
    assert "the kubelet says why" in change.text


def test_a_change_that_does_not_wait_for_a_cooldown_still_counts_for_the_limit() -> None:
    pods = (pod(), pod(urgent=True), pod(why=Reason.CPU_THROTTLED), pod(why=Reason.POOL_SHARE))
    rules = [resize_situation(seen(one), NOON).rules for one in pods]
    assert [one.cooldown for one in rules] == [300.0, 0.0, 0.0, 0.0]
    assert {one.max_per_hour for one in rules} == {60}


STATES = st.sampled_from([*PATIENCE, "none", "done"])
PODS = st.lists(
    st.builds(
        lambda name, state, since, own, wanted, urgent: replace(
            resizing(state, since, name, own=own),
            desired=BEFORE if wanted else AFTER,
            urgent=urgent,
        ),
        st.sampled_from("abcdef"),
        STATES,
        st.floats(0, 4000),
        st.booleans(),
        st.booleans(),
        st.booleans(),
    ),
    max_size=6,
    unique_by=lambda one: one.name,
)


@settings(max_examples=examples(300), deadline=None)
@given(PODS, st.booleans())
def test_one_pod_is_resized_at_a_time(pods: list[ResizedPod], rollout: bool) -> None:
    view = seen(*pods, rollout="1 of 4" if rollout else "") if pods else replace(seen(), pods=())
    found = resize_situation(view, NOON)
    change = found.change
    if change is None or found.rules.blocked_reason:
        return
    changed = next(one for one in pods if one.key == change.key)
    assert change.desired != change.observed.value
    if find_revert(view, NOON) is not None:
        assert change.desired == changed.revert
    else:
        assert not rollout
        assert not changed.active
        assert changed.urgent or not any(one.active for one in pods)
