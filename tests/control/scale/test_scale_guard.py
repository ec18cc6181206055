"""The guard of replicas: each hold has its reason, and no intent leaves the bounds, whatever was observed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.control.guard import build_entry, check_intent
from pilotfish.sidecar.control.ledger import DELIVERED, PENDING, RECOMMENDED, ChangeEntry, IntentLedger, PutEntry
from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.scale.guard import HOLDS, ScaleView, Wish, find_hold, scale_situation
from pilotfish.sidecar.control.scale.policy import POLICY
from pilotfish.sidecar.control.situation import Fact, Situation
from pilotfish.sidecar.control.workload.hold import Hold
from pilotfish.sidecar.settings.scaling import Scaling
from tests.control.situations import NOON, situation
from tests.support.examples import examples

SCALING = Scaling(min_replicas=2, max_replicas=8)
HPA = Hold(Reason.AUTOSCALER, "the HorizontalPodAutoscaler delays scales it; delete it")

QUOTA = 'pods "delays-7d9f8-x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=4, limited: pods=4'


def seen(current: int = 4, wanted: int = 6, *, now: float = NOON, **changes: object) -> ScaleView:
    """Return a view in which nothing prevents a change from `current` to `wanted`."""
    view = ScaleView(
        key="Deployment/team/delays",
        settings=SCALING,
        mode="act",
        replicas=Fact(current, now),
        wish=Wish(wanted, Reason.SCALING, "concurrency 15 of 10", now),
        heard=current,
        expected=current,
    )
    return replace(view, **changes)  # type: ignore[arg-type]  # a table of tests names the fields


def situated(view: ScaleView, now: float = NOON, ledger: IntentLedger | None = None) -> Situation:
    return replace(situation(now=now), ledger=ledger or IntentLedger(), scale=scale_situation(view, now))


METRIC = Scaling(min_replicas=2, max_replicas=8, surface="metric")
VIEWS = {
    "up": (seen(), PENDING, "scaling"),
    "down": (seen(wanted=3), PENDING, "scaling"),
    "at the target": (seen(wanted=4), None, ""),
    "mode observe": (seen(mode="observe"), "refused", "mode"),
    "mode recommend": (seen(mode="recommend"), RECOMMENDED, "mode"),
    "published": (seen(settings=METRIC), RECOMMENDED, "published"),
    "published, which an HPA on the target is meant to follow": (
        seen(settings=METRIC, owner=HPA, rollout="1 of 4 pods is old", unschedulable=1),
        RECOMMENDED,
        "published",
    ),
    "published in mode recommend": (seen(settings=METRIC, mode="recommend"), RECOMMENDED, "mode"),
    "kill switch": (seen(stopped=Reason.KILL_SWITCH), "refused", "kill_switch"),
    "paused": (seen(stopped=Reason.PAUSED), "refused", "paused"),
    "target cannot be read": (seen(trouble=Hold(Reason.NOT_AUTHORIZED)), "refused", "not_authorized"),
    "another monitor": (seen(trouble=Hold(Reason.SCALING_ELSEWHERE)), "refused", "scaling_elsewhere"),
    "no contact": (seen(contact_age=91.0), "refused", "api_server_unreachable"),
    "old target": (seen(replicas=Fact(4, NOON - 46.0)), "refused", "stale"),
    "old wish": (seen(wish=Wish(6, Reason.SCALING, "", NOON - 46.0)), "refused", "stale"),
    "off": (seen(0), "refused", "scaling_disabled"),
    "owner": (seen(owner=HPA), "refused", "autoscaler"),
    "autoscalers cannot be listed": (seen(unknown=Hold(Reason.NOT_AUTHORIZED)), "refused", "not_authorized"),
    "manual change": (seen(manual=Hold(Reason.MANUAL_CHANGE)), "refused", "manual_change"),
    "half of the pods": (seen(heard=2), PENDING, "scaling"),
    "less than half": (seen(heard=1), "refused", "signals_missing"),
    "signals from before the last change": (seen(heard=1, outdated=3), "refused", "settling"),
    "pods that have just become ready": (seen(heard=0, expected=0, starting=4), "refused", "starting"),
    "no pod": (seen(heard=0, expected=0), "refused", "signals_missing"),
    "no pod, but a query": (seen(heard=0, expected=0, external=True), PENDING, "scaling"),
    "no pod, and outside of the bounds": (seen(9, 8, heard=0), PENDING, "scaling"),
    "a signal is missing": (
        seen(wish=Wish(4, Reason.SIGNALS_MISSING, "cpu is missing", NOON, held=True)),
        "refused",
        "signals_missing",
    ),
    "rollout": (seen(rollout="1 of 4 pods is old"), "refused", "rollout_in_progress"),
    "pods are refused": (seen(refused=QUOTA), "refused", "pods_refused"),
    "pods are refused, and no other number is wanted": (seen(wanted=4, refused=QUOTA), "refused", "pods_refused"),
    "fewer pods while some are refused": (seen(wanted=3, refused=QUOTA), PENDING, "scaling"),
    "published while pods are refused": (seen(settings=METRIC, refused=QUOTA), RECOMMENDED, "published"),
    "a pod waits for a node": (seen(unschedulable=1), "refused", "unschedulable"),
    "fewer pods while one waits for a node": (seen(wanted=3, unschedulable=1), PENDING, "scaling"),
    "a disruption budget needs all": (seen(wanted=3, floor=4), "refused", "disruption_budget"),
    "a disruption budget needs more than all": (seen(wanted=3, floor=5), "refused", "disruption_budget"),
    "a disruption budget upward": (seen(floor=4), PENDING, "scaling"),
}


@pytest.mark.parametrize(("view", "state", "reason"), VIEWS.values(), ids=VIEWS)
def test_each_intent_is_allowed_recommended_or_refused_with_its_reason(
    view: ScaleView, state: str | None, reason: str
) -> None:
    found = situated(view)
    decisions = [check_intent(intent, found) for intent in POLICY.wanted(found)]
    made = [(one.state, str(one.reason)) for one in decisions if one is not None]
    if state != "refused" and view.bounded != view.current:
        assert made == [(state, reason)]
    elif state == "refused":
        hold = find_hold(view, NOON)
        assert made == [(state, reason)] or (hold is not None and hold.reason == reason)
    else:
        assert made == []


def test_every_hold_is_in_the_table_of_tests() -> None:
    reasons = {hold.reason for view, _, _ in VIEWS.values() if (hold := find_hold(view, NOON)) is not None}
    assert len(reasons) >= len(HOLDS) - 1  # an unknown fact has the reason of its problem


def test_before_the_target_was_read_nothing_is_wanted() -> None:
    for view in (seen(replicas=None), seen(wish=None)):
        found = find_hold(view, NOON)
        assert found is not None
        assert found.reason is Reason.WAITING
    assert POLICY.wanted(situated(seen(replicas=None))) == ()


def test_a_refusal_names_the_owner_and_the_remedy() -> None:
    found = situated(seen(owner=HPA))
    (intent,) = POLICY.wanted(found)
    decision = check_intent(intent, found)
    assert decision is not None
    assert build_entry(decision, found).detail == HPA.text


def test_a_refusal_of_pods_has_the_words_of_the_api_server_and_the_remedy() -> None:
    hold = find_hold(seen(refused=QUOTA), NOON)
    assert hold is not None
    assert hold.explained == f"the API server refuses new pods: {QUOTA}; {Reason.PODS_REFUSED.remedy}"


def test_a_step_down_ends_at_what_the_disruption_budgets_need() -> None:
    assert seen(8, 2, floor=5).bounded == 5


def _moved(fact: Fact[int] | None, index: int) -> Fact[int] | None:
    return Fact(fact.value, fact.at + 60.0 * index) if fact is not None else None


def _wish(wish: Wish | None, index: int) -> Wish | None:
    return replace(wish, at=wish.at + 60.0 * index) if wish is not None else None


def _delivered(id_: str, now: float) -> ChangeEntry:
    return ChangeEntry(id=id_, at=now, state=DELIVERED, reason="scaling", attempts=1)


views = st.builds(
    seen,
    st.integers(0, 12),
    st.integers(-5, 20),
    now=st.floats(NOON - 100, NOON + 100),
    mode=st.sampled_from(("observe", "recommend", "act")),
    stopped=st.sampled_from((None, Reason.PAUSED)),
    contact_age=st.floats(0, 200),
    owner=st.sampled_from((None, HPA)),
    heard=st.integers(0, 12),
    expected=st.integers(0, 12),
    rollout=st.sampled_from(("", "1 of 4 pods is old")),
    unschedulable=st.integers(0, 2),
    refused=st.sampled_from(("", QUOTA)),
    floor=st.integers(0, 14),
)


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(views, min_size=1, max_size=40), st.integers(1, 5), st.floats(0, 120))
def test_no_history_of_observations_is_acted_on_outside_of_bounds_limits_and_fresh_facts(
    observed: list[ScaleView], limit: int, cooldown: float
) -> None:
    rules = Scaling(min_replicas=2, max_replicas=8, actions_per_hour=limit, cooldown=cooldown)
    ledger, acted = IntentLedger(), list[float]()
    for index, view in enumerate(observed):
        now = NOON + 60.0 * index
        moved = replace(view, settings=rules, replicas=_moved(view.replicas, index), wish=_wish(view.wish, index))
        found = situated(moved, now, ledger)
        for intent in POLICY.wanted(found):
            decision = check_intent(intent, found)
            if decision is None:
                continue
            entry = build_entry(decision, found)
            if decision.state == PENDING:
                assert isinstance(entry.desired, int)
                assert moved.mode == "act"
                assert moved.stopped is None
                assert moved.owner is None
                assert moved.contact_age <= 90
                assert 2 <= entry.desired <= max(8, min(moved.floor, moved.current))
                assert entry.desired > moved.current or entry.desired >= min(moved.floor, moved.current)
                assert not ((moved.unschedulable or moved.refused) and entry.desired > moved.current)
                assert moved.replicas is not None
                assert now - moved.replicas.at <= 45.0
                assert moved.current > 0
                acted.append(now)
                ledger = ledger.apply([PutEntry(entry), _delivered(entry.id, now)])
            else:
                ledger = ledger.apply([PutEntry(entry)])
    assert all(sum(0 <= at - other < 3600 for other in acted) <= limit for at in acted)
    assert all(later - at >= cooldown for at, later in pairwise(acted))
