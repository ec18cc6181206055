from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.scale.manual import (
    REVERTS,
    REVERTS_COUNTED,
    REVERTS_OF_OTHERS,
    ManualChange,
    OwnWrite,
    blocking_owner,
    manual_change,
    reverting_owner,
)
from pilotfish.sidecar.control.scale.owners import find_owner
from pilotfish.sidecar.control.workload.appliers import is_loop
from tests.control.scale.targets import autoscaler, deployment, facts, reference, written_by
from tests.control.situations import HOUR, NOON
from tests.support.examples import examples

WRITE = OwnWrite(2, 4, NOON - 60)
HOLD = 1800.0


def test_other_replicas_of_another_writer_are_a_manual_change() -> None:
    assert manual_change([WRITE], facts(3, "kubectl"), None) == ManualChange(3, "kubectl", NOON, WRITE.at)


@pytest.mark.parametrize(
    ("writes", "replicas", "managers", "at"),
    [
        ([], 3, ("kubectl",), NOON),
        ([WRITE], 4, (), NOON),
        ([WRITE], 3, ("pilotfish",), NOON),
        ([WRITE], 3, ("argocd-controller", "pilotfish"), NOON),
        ([WRITE], 2, ("kubectl",), WRITE.at),
    ],
    ids=["never written", "same number without a record", "own", "own and another", "seen before the write"],
)
def test_nothing_else_is_a_manual_change(
    writes: list[OwnWrite], replicas: int, managers: tuple[str, ...], at: float
) -> None:
    assert manual_change(writes, facts(replicas, *managers, at=at), None) is None


def test_a_number_that_others_changed_and_set_again_is_a_manual_change() -> None:
    assert manual_change([WRITE], facts(WRITE.after, "kubectl"), None) == ManualChange(4, "kubectl", NOON, WRITE.at)


def test_the_default_after_a_manifest_lost_the_field_is_no_manual_change() -> None:
    assert manual_change([WRITE], facts(1, "kubectl-client-side-apply", default=True), None) is None


def test_a_target_that_was_created_anew_is_no_manual_change_and_reverts_nothing() -> None:
    again = facts(2, "helm", created_at=NOON - 30)
    assert manual_change([WRITE], again, None) is None
    assert reverting_owner(reverts(2, 2, 2), facts(2, "helm", created_at=NOON - 30)) is None
    older = facts(2, "helm", created_at=NOON - HOUR)
    assert manual_change([WRITE], older, None) is not None


def test_a_writer_that_is_not_recorded_is_another_one() -> None:
    assert manual_change([WRITE], facts(3), None) == ManualChange(3, "", NOON, WRITE.at)


def test_the_time_of_a_change_without_a_record_is_that_of_the_first_observation() -> None:
    first = manual_change([WRITE], facts(3, "kubectl"), None)
    later = manual_change([WRITE], facts(3, "kubectl", at=NOON + 900), first)
    assert later == first
    again = manual_change([WRITE], facts(5, "kubectl", at=NOON + 900), later)
    assert again == ManualChange(5, "kubectl", NOON + 900, WRITE.at), "another number is another change"


def test_the_same_number_after_another_write_is_another_change() -> None:
    first = manual_change([WRITE], facts(2, "kubectl"), None)
    writes = [WRITE, OwnWrite(2, 4, NOON + 100)]
    assert manual_change(writes, facts(2, "kubectl", at=NOON + 200), first) == ManualChange(
        2, "kubectl", NOON + 200, NOON + 100
    )


def test_the_recorded_time_of_a_change_counts_where_there_is_one() -> None:
    found = manual_change([WRITE], facts(3, "kubectl-patch", written_at=NOON - 30), None)
    assert found == ManualChange(3, "kubectl-patch", NOON - 30, WRITE.at)
    skewed = manual_change([WRITE], facts(3, "kubectl-patch", written_at=NOON - 500), None)
    assert skewed == ManualChange(3, "kubectl-patch", WRITE.at, WRITE.at), "it is not older than the write"


def test_a_clock_that_was_set_back_neither_hides_a_change_nor_holds_it_for_ever() -> None:
    earlier = NOON - 2 * HOUR
    first = manual_change([WRITE], facts(3, "kubectl", at=earlier), None)
    assert first == ManualChange(3, "kubectl", earlier, WRITE.at)
    later = manual_change([WRITE], facts(3, "kubectl", at=earlier + HOLD), first)
    assert later is not None
    assert later.held_for(HOLD, earlier + HOLD) == 0
    recorded = manual_change([WRITE], facts(3, "kubectl-patch", at=earlier, written_at=NOON), None)
    assert recorded is not None
    assert recorded.at == earlier


@pytest.mark.parametrize(("now", "left"), [(NOON, 1800), (NOON + 600, 1200), (NOON + 1800, 0), (NOON + 9000, 0)])
def test_a_change_is_held_for_a_time_and_then_taken_up(now: float, left: float) -> None:
    assert ManualChange(3, "kubectl", NOON).held_for(HOLD, now) == left


def test_a_change_in_the_future_of_the_clock_is_held_no_longer_than_the_hold() -> None:
    assert ManualChange(3, "kubectl", NOON + 9000).held_for(HOLD, NOON) == HOLD


def reverts(*numbers: int) -> list[OwnWrite]:
    """Return writes of 9 replicas, one an hour; before each of them, another client had set one of `numbers`."""
    first = NOON - HOUR * len(numbers)
    return [OwnWrite(number, 9, first + HOUR * index) for index, number in enumerate(numbers)]


@pytest.mark.parametrize(
    ("manager", "numbers", "owns"),
    [
        ("argocd-controller", (2,), False),
        ("argocd-controller", (2, 2), True),
        ("kustomize-controller", (2, 2), True),
        ("helm-controller", (2, 2), True),
        ("helm", (2, 2), True),
        ("argocd-controller", (2, 3), False),
        ("argocd-controller", (3, 2), True),
        ("kubectl", (2, 2), False),
        ("kubectl", (2, 2, 2), True),
        ("", (2, 2, 2), True),
    ],
)
def test_who_keeps_setting_one_number_is_an_owner(manager: str, numbers: tuple[int, ...], owns: bool) -> None:
    owner = reverting_owner(reverts(*numbers), facts(2, *filter(None, [manager])))
    assert (owner is not None) == owns
    if owner is not None:
        assert (owner.reason, owner.manager, owner.yields) == (Reason.REVERTED, manager, False)
        assert manager in owner.text


@pytest.mark.parametrize(
    ("writes", "replicas"),
    [
        ([OwnWrite(2, 4, NOON - HOUR), OwnWrite(2, 5, NOON - 60)], 5),
        ([OwnWrite(2, 4, NOON - HOUR), OwnWrite(2, 5, NOON - 60)], 3),
        ([OwnWrite(2, 4, NOON - REVERTS_COUNTED - 1), OwnWrite(2, 5, NOON - 60)], 2),
    ],
    ids=["not set back now", "another number", "a day ago"],
)
def test_a_loop_that_stops_setting_the_number_is_no_owner(writes: list[OwnWrite], replicas: int) -> None:
    assert reverting_owner(writes, facts(replicas, "argocd-controller")) is None


def test_a_slow_loop_that_undoes_several_writes_at_once_is_an_owner() -> None:
    writes = [OwnWrite(before, before + 1, NOON - 3600 + 60 * index) for index, before in enumerate((2, 3, 4, 2, 3))]
    owner = reverting_owner(writes, facts(2, "argocd-controller"))
    assert owner is not None


@pytest.mark.parametrize(
    ("client", "numbers", "take", "reason"),
    [
        (None, (2,), False, None),
        ("argocd-server-side", (2,), False, Reason.GITOPS),
        ("argocd-server-side", (2,), True, None),
        ("argocd-server-side", (2, 2), True, Reason.REVERTED),
    ],
)
def test_taking_ownership_overrides_an_owner_until_it_reverts(
    client: str | None, numbers: tuple[int, ...], take: bool, reason: Reason | None
) -> None:
    found = facts(2, "argocd-controller", owner=find_owner(written_by(client)) if client else None)
    owner = blocking_owner(reverts(*numbers), found, take_ownership=take)
    assert (owner.reason if owner is not None else None) == reason


def test_taking_ownership_never_overrides_an_autoscaler() -> None:
    found = facts(2, owner=find_owner(deployment(), autoscalers=[autoscaler(reference())]))
    owner = blocking_owner([], found, take_ownership=True)
    assert owner is not None
    assert owner.reason is Reason.AUTOSCALER


@settings(max_examples=examples(200))
@given(
    wanted=st.lists(st.integers(1, 9), min_size=1, max_size=60),
    applied=st.integers(1, 9),
    pause=st.integers(1, 4),
    hold=st.sampled_from((0.0, 60.0, HOLD)),
    manager=st.sampled_from(("argocd-controller", "kubectl", "")),
)
def test_a_reverting_loop_is_fought_a_bounded_number_of_times(
    wanted: list[int], applied: int, pause: int, hold: float, manager: str
) -> None:
    """A loop sets `applied` again each `pause` minutes, and a number is wanted each minute."""
    replicas, writer, fought = applied, manager, 0
    writes, change = list[OwnWrite](), None
    for minute, desired in enumerate(wanted * 3):
        now = NOON + 60 * minute
        if minute % pause == 0 and replicas != applied:
            replicas, writer, fought = applied, manager, fought + 1
        seen = facts(replicas, *filter(None, [writer]), at=now)
        change = manual_change(writes, seen, change)
        held = change is not None and change.held_for(hold, now) > 0
        if desired != replicas and not held and reverting_owner(writes, seen) is None:
            writes.append(OwnWrite(replicas, desired, now))
            replicas, writer = desired, "pilotfish"
    assert fought <= (REVERTS if is_loop(manager) else REVERTS_OF_OTHERS)
