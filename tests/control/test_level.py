"""Intents of nature LEVEL in guard, ledger, loop and crashes, with a simulated cluster."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.control.executor import Done, Dropped, Failed, Outcome, RetryAt
from pilotfish.sidecar.control.guard import build_entry, check_intent
from pilotfish.sidecar.control.intent import Intent
from pilotfish.sidecar.control.ledger import (
    DEAD,
    DELIVERED,
    PENDING,
    RECOMMENDED,
    REFUSED,
    SUPERSEDED,
    IntentLedger,
    LedgerEntry,
    Nature,
    PutEntry,
)
from pilotfish.sidecar.control.pending import superseded_changes
from pilotfish.sidecar.control.scale.policy import KIND, POLICY
from pilotfish.sidecar.control.situation import OBSERVE, RECOMMEND, Rules, Situation
from tests.control.cycles import Crash, run_cycle
from tests.control.scaling import KEY, SCALE_RULES, Cluster, scaled
from tests.control.situations import HOUR, NOON
from tests.support.examples import examples

COOLED = replace(SCALE_RULES, cooldown=300.0)
LIMITED = replace(SCALE_RULES, max_per_hour=2)
RECOMMENDING = replace(SCALE_RULES, mode=RECOMMEND)
BLOCKED = replace(SCALE_RULES, blocked_reason="autoscaler", blocked_detail="the HPA delays scales it; delete it")


def previous(state: str, desired: int = 4, age: float = 10.0, **fields: object) -> PutEntry:
    """Return an entry of the key `KEY`, decided and changed `age` seconds ago."""
    entry = LedgerEntry(
        id=f"{state}-{desired}",
        kind=KIND,
        why="latency",
        key=KEY,
        model="delays",
        version="7",
        profile_hash="",
        decided_at=NOON - age,
        changed_at=NOON - age,
        state=state,
        reason="latency",
        desired=desired,
        nature=Nature.LEVEL,
    )
    return PutEntry(msgspec.structs.replace(entry, **fields))


DECISIONS = {
    "new": (scaled(), (PENDING, "latency")),
    "reached": (scaled(4, 4), None),
    "observe": (scaled(rules=replace(SCALE_RULES, mode=OBSERVE)), (REFUSED, "mode")),
    "recommend": (scaled(rules=replace(SCALE_RULES, mode=RECOMMEND)), (RECOMMENDED, "mode")),
    "blocked": (scaled(rules=replace(SCALE_RULES, blocked_reason="secret_ref")), (REFUSED, "secret_ref")),
    "fresh-enough": (scaled(at=NOON - 60), (PENDING, "latency")),
    "stale": (scaled(at=NOON - 61), (REFUSED, "stale")),
    "pending-already": (scaled(done=(previous(PENDING),)), None),
    "done-but-not-observed-since": (scaled(at=NOON - 10, done=(previous(DELIVERED),)), None),
    "done-and-reverted-by-another": (scaled(done=(previous(DELIVERED),)), (PENDING, "latency")),
    "done-when-the-clock-was-ahead": (scaled(done=(previous(DELIVERED, age=-HOUR),)), (PENDING, "latency")),
    "cooldown": (scaled(target=5, rules=COOLED, done=(previous(DELIVERED),)), (REFUSED, "cooldown")),
    "cooldown-of-another-key": (scaled(rules=COOLED, done=(previous(DELIVERED, key="other"),)), (PENDING, "latency")),
    "cooldown-of-another-kind": (
        scaled(rules=COOLED, done=(previous(DELIVERED, kind="resize"),)),
        (PENDING, "latency"),
    ),
    "cooldown-over": (scaled(target=5, rules=COOLED, done=(previous(DELIVERED, age=300.0),)), (PENDING, "latency")),
    "given-up": (scaled(done=(previous(DEAD),)), None),
    "given-up-for-ten-minutes": (scaled(done=(previous(DEAD, age=600.0),)), (PENDING, "latency")),
    "as-many-as-allowed-in-an-hour": (
        scaled(target=5, rules=LIMITED, done=(previous(DELIVERED, 2, 3599.0), previous(DELIVERED, 3))),
        (REFUSED, "actions_per_hour"),
    ),
    "fewer-than-allowed-in-an-hour": (
        scaled(target=5, rules=LIMITED, done=(previous(DELIVERED, 2, 3600.0), previous(DELIVERED, 3))),
        (PENDING, "latency"),
    ),
    "a-dropped-attempt-is-no-effect": (
        scaled(target=5, rules=COOLED, done=(previous(SUPERSEDED, reason="conflict"),)),
        (PENDING, "latency"),
    ),
    "an-attempt-without-an-answer-may-be-an-effect": (
        scaled(target=5, rules=COOLED, done=(previous(SUPERSEDED, reason="satisfied", attempts=1),)),
        (REFUSED, "cooldown"),
    ),
    "refused-for-the-same-reason-lately": (
        scaled(target=5, rules=BLOCKED, done=(previous(REFUSED, reason="autoscaler", age=299.0),)),
        None,
    ),
    "refused-for-the-same-reason-for-minutes": (
        scaled(target=5, rules=BLOCKED, done=(previous(REFUSED, reason="autoscaler", age=300.0),)),
        (REFUSED, "autoscaler"),
    ),
    "refused-for-another-reason": (
        scaled(target=5, rules=BLOCKED, done=(previous(REFUSED, reason="cooldown"),)),
        (REFUSED, "autoscaler"),
    ),
    "recommended-another-value-lately": (
        scaled(target=5, rules=replace(SCALE_RULES, mode=RECOMMEND), done=(previous(RECOMMENDED, reason="mode"),)),
        None,
    ),
    "recommended-another-value-minutes-ago": (
        scaled(
            target=5,
            rules=replace(SCALE_RULES, mode=RECOMMEND),
            done=(previous(RECOMMENDED, reason="mode", age=300.0),),
        ),
        (RECOMMENDED, "mode"),
    ),
    "published-for-another-autoscaler": (
        scaled(rules=replace(SCALE_RULES, mode=RECOMMEND, recommended_reason="published")),
        (RECOMMENDED, "published"),
    ),
    "another-value-after-giving-up": (scaled(target=5, done=(previous(DEAD),)), (PENDING, "latency")),
    "given-up-at-another-target": (
        scaled(rules=replace(SCALE_RULES, target="new"), done=(previous(DEAD),)),
        (PENDING, "latency"),
    ),
    "recommended-already": (
        scaled(rules=replace(COOLED, mode=RECOMMEND), done=(previous(RECOMMENDED, reason="mode"),)),
        None,
    ),
    "recommendations-cool-recommendations": (
        scaled(target=5, rules=replace(COOLED, mode=RECOMMEND), done=(previous(RECOMMENDED, reason="mode"),)),
        (REFUSED, "cooldown"),
    ),
    "mode-raised": (scaled(rules=COOLED, done=(previous(RECOMMENDED, reason="mode"),)), (PENDING, "latency")),
}


@pytest.mark.parametrize(("case", "expected"), DECISIONS.values(), ids=DECISIONS)
def test_guard(case: Situation, expected: tuple[str, str] | None) -> None:
    decision = check_intent(POLICY.wanted(case)[0], case)
    assert (decision and (decision.state, decision.reason)) == expected


ENDS = {
    "still-wanted": (scaled(done=(previous(PENDING),)), []),
    "another-value": (scaled(target=5, done=(previous(PENDING),)), ["replaced"]),
    "reached": (scaled(4, done=(previous(PENDING),)), ["satisfied"]),
    "no-longer-wanted": (scaled(target=None, done=(previous(PENDING),)), ["withdrawn"]),
    "stale": (scaled(at=NOON - 61, done=(previous(PENDING),)), ["stale"]),
    "in-flight": (replace(scaled(target=5, done=(previous(PENDING),)), in_flight=frozenset({"pending-4"})), []),
    "delivered": (scaled(target=5, done=(previous(DELIVERED),)), []),
    "blocked": (scaled(rules=BLOCKED, done=(previous(PENDING),)), ["autoscaler"]),
    "mode-lowered": (scaled(rules=replace(SCALE_RULES, mode=RECOMMEND), done=(previous(PENDING),)), ["mode"]),
    "of-another-kind": (scaled(target=None, done=(previous(PENDING, kind="resize"),)), []),
}


@pytest.mark.parametrize(("case", "expected"), ENDS.values(), ids=ENDS)
def test_a_pending_level_ends_with_its_desired_value(case: Situation, expected: list[str]) -> None:
    changes = superseded_changes(POLICY, POLICY.wanted(case), case)
    assert [(change.state, change.reason) for change in changes] == [(SUPERSEDED, reason) for reason in expected]


@pytest.mark.long
@pytest.mark.parametrize(
    ("rules", "state", "reason"), [(BLOCKED, REFUSED, "autoscaler"), (RECOMMENDING, RECOMMENDED, "mode")]
)
def test_a_value_that_varies_for_a_day_without_being_applied_is_recorded_a_few_times_an_hour(
    rules: Rules, state: str, reason: str
) -> None:
    ledger, writes = IntentLedger(), 0
    for index in range(24 * 240):
        case = replace(scaled(3, 4 + index % 5, now=NOON + 15 * index, rules=rules), ledger=ledger)
        decision = check_intent(POLICY.wanted(case)[0], case)
        if decision is not None:
            writes += 1
            ledger = ledger.apply([PutEntry(build_entry(decision, case))])
    assert 24 * 11 <= writes <= 24 * 12
    assert {(entry.state, entry.reason) for entry in ledger.entries.values()} == {(state, reason)}


def test_the_effects_of_the_last_hour_survive_a_compaction_whatever_else_happened() -> None:
    effects = [previous(DELIVERED, index, index * 30.0) for index in range(1, 101)]
    noise = [previous(SUPERSEDED, 1000 + index, 1.0, reason="conflict") for index in range(300)]
    ledger = IntentLedger().apply([*effects, *noise])
    kept = IntentLedger().apply(ledger.snapshot_operations(200))
    assert sum(entry.state == DELIVERED for entry in kept.entries.values()) == 100
    assert sum(entry.state == SUPERSEDED for entry in kept.entries.values()) == 200


def test_a_refused_level_says_what_to_do_and_why_it_was_wanted() -> None:
    case = scaled(rules=BLOCKED)
    decision = check_intent(POLICY.wanted(case)[0], case)
    assert decision is not None
    entry = build_entry(decision, case)
    assert (entry.detail, entry.text) == ("the HPA delays scales it; delete it", "p95 is high")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path)
    yield made
    made.loop.outbox.close()


def test_a_level_is_applied_once(cluster: Cluster) -> None:
    for _ in range(5):
        cluster.cycle()
    assert cluster.applied == [4]
    assert cluster.shown[-1].totals == ((KIND, "executed", "latency", 1),)
    assert [(entry.state, entry.desired, entry.observed) for entry in cluster.entries()] == [(DELIVERED, 4, 2)]
    (shown,) = cluster.shown[-1].intents
    assert (shown.kind, shown.cause, shown.episode) == (KIND, "latency", "")


def test_a_level_that_was_reverted_is_applied_again_with_another_id(cluster: Cluster) -> None:
    cluster.cycle()
    cluster.replicas = 2
    cluster.cycle()
    assert cluster.applied == [4, 4]
    assert len({entry.id for entry in cluster.entries()}) == 2


def test_the_newest_value_replaces_one_that_waits_for_its_retry(cluster: Cluster) -> None:
    cluster.outcome = lambda _intent: RetryAt("conflict", cluster.now + 30)
    cluster.cycle()
    cluster.target, cluster.outcome = 6, lambda intent: Done(intent.why)
    cluster.cycle()
    cluster.cycle(after=60)
    assert cluster.applied == [4, 6]
    assert [(entry.state, entry.reason) for entry in cluster.entries()] == [
        (SUPERSEDED, "replaced"),
        (DELIVERED, "latency"),
    ]


def test_a_value_that_returns_before_a_new_observation_is_the_newest_again(cluster: Cluster) -> None:
    cluster.outcome = lambda _intent: RetryAt("conflict", cluster.now + 30)
    for target in (4, 5, 4, 4):
        cluster.target = target
        cluster.cycle()
        cluster.lag += 1.0  # the observation remains that of the first cycle
    assert [(entry.state, entry.desired) for entry in cluster.entries()] == [(SUPERSEDED, 5), (PENDING, 4)]
    assert cluster.applied == [4, 5, 4]


def test_a_value_that_changes_during_an_attempt_waits_for_its_outcome(cluster: Cluster) -> None:
    async def run() -> None:
        release = asyncio.Event()
        direct = cluster.apply

        async def slow(intent: Intent, now: float) -> Outcome:
            await release.wait()
            return await direct(intent, now)

        cluster.apply = slow  # type: ignore[method-assign]
        await cluster.loop.cycle()
        cluster.target = 6
        cluster.now += 1
        await cluster.loop.cycle()
        assert [entry.desired for entry in cluster.entries()] == [4]
        release.set()
        await cluster.loop.drain()
        cluster.now += 1
        await run_cycle(cluster.loop)

    asyncio.run(run())
    assert cluster.applied == [4, 6]
    assert [entry.state for entry in cluster.entries()] == [DELIVERED, DELIVERED]


def test_after_a_restart_only_the_newest_value_is_applied(cluster: Cluster) -> None:
    cluster.outcome = lambda _intent: RetryAt("conflict")
    cluster.cycle()
    cluster.restart()
    cluster.target, cluster.outcome = 3, lambda intent: Done(intent.why)
    cluster.cycle(after=HOUR)
    assert cluster.applied == [4, 3]


def test_an_observed_effect_is_not_repeated_if_its_outcome_was_lost_in_a_crash(tmp_path: Path) -> None:
    def die(name: str) -> None:
        if name == "executor.applied":
            raise Crash

    cluster = Cluster(tmp_path, step=die)
    with pytest.raises(Crash):
        cluster.cycle()
    cluster.step = lambda _name: None
    cluster.restart()
    cluster.cycle()
    assert cluster.applied == [4]
    assert [(entry.state, entry.reason) for entry in cluster.entries()] == [(SUPERSEDED, "satisfied")]
    cluster.loop.outbox.close()


def test_an_intent_whose_premise_has_changed_is_dropped_and_the_next_observation_decides(cluster: Cluster) -> None:
    cluster.outcome = lambda _intent: Dropped("conflict", "another client set 3 replicas meanwhile")
    cluster.cycle()
    cluster.lag = 2.0  # the same observation as before
    cluster.cycle()
    assert [(entry.state, entry.reason) for entry in cluster.entries()] == [(SUPERSEDED, "conflict")]
    cluster.lag = 0.0
    cluster.replicas, cluster.outcome = 3, lambda intent: Done(intent.why)
    cluster.cycle()
    assert cluster.applied == [4, 4]
    assert [entry.observed for entry in cluster.entries()] == [2, 3]


def test_a_permanent_failure_is_shown_and_a_new_value_is_tried(cluster: Cluster) -> None:
    cluster.outcome = lambda _intent: Failed("forbidden")
    for _ in range(3):
        cluster.cycle(after=60.0)
    assert cluster.applied == [4]
    assert (cluster.shown[-1].dead, cluster.shown[-1].totals) == (1, ((KIND, "failed", "forbidden", 1),))
    cluster.target, cluster.outcome = 3, lambda intent: Done(intent.why)
    cluster.cycle()
    assert cluster.applied == [4, 3]


OPERATIONS = st.lists(
    st.sampled_from(
        (
            "cycle",
            "cycle",
            "cycle",
            "conflict",
            "works",
            "reverted",
            "restart",
            "lag",
            "no-lag",
            "crash:executor.apply",
            "crash:executor.applied",
            "crash:loop.decided",
            "crash:outbox.written",
        )
    )
    | st.integers(1, 8)
    | st.none(),
    max_size=40,
)


class History:
    """Applies drawn operations to a cluster, and checks that each attempt has the current target."""

    def __init__(self, folder: Path) -> None:
        self.crash_at = ""
        self.cluster = Cluster(folder, step=self.step)
        self.cluster.outcome = self.outcome
        self.works = True

    def step(self, name: str) -> None:
        if name == self.crash_at:
            self.crash_at = ""
            raise Crash

    def outcome(self, intent: Intent) -> Outcome:
        assert intent.desired == self.cluster.target, "an older value was applied"
        assert intent.desired != intent.observed
        return Done(intent.why) if self.works else RetryAt("conflict")

    def apply(self, operation: str | int | None) -> None:
        match operation:
            case "cycle":
                self.cycle()
            case "conflict" | "works":
                self.works = operation == "works"
            case "reverted":
                self.cluster.replicas = 1
            case "restart":
                self.cluster.restart()
            case "lag" | "no-lag":
                self.cluster.lag = 30.0 if operation == "lag" else 0.0
            case str():
                self.crash_at = operation.partition(":")[2]
            case target:
                self.cluster.target = target

    def cycle(self) -> None:
        self.cluster.now += 20.0
        before = self.cluster.entries()
        try:
            asyncio.run(run_cycle(self.cluster.loop))
        except Crash:
            self.cluster.restart()
            with suppress(Crash):
                asyncio.run(run_cycle(self.cluster.loop))
        pending = [entry for entry in self.cluster.entries() if entry.state == PENDING]
        assert len(pending) <= 1
        assert len(self.cluster.entries()) >= len(before)


@settings(max_examples=examples(60), deadline=None)
@given(OPERATIONS)
def test_after_any_history_the_level_equals_the_last_target(operations: list[str | int | None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder))
        for operation in operations:
            history.apply(operation)
        history.crash_at, history.works, history.cluster.lag = "", True, 0.0
        history.cluster.target = history.cluster.target or 5
        for _ in range(3):
            history.cluster.now += HOUR
            history.cycle()
        assert history.cluster.replicas == history.cluster.target
        assert not [entry for entry in history.cluster.entries() if entry.state == PENDING]
        history.cluster.loop.outbox.close()
