"""Several executors: one that hangs, fails or raises does not delay the others."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest

from pilotfish.sidecar.control.executor import Done, Failed, Outcome, RetryAt
from pilotfish.sidecar.control.intent import Intent
from pilotfish.sidecar.control.ledger import DEAD, DELIVERED, PENDING
from pilotfish.sidecar.control.pending import MAX_RETRY_AFTER, next_change
from pilotfish.sidecar.control.scale.policy import KIND
from tests.control.scaling import Cluster
from tests.control.situations import HOUR, NOON, entry, episode
from tests.support.waiting import eventually


class Hanging:
    """Never returns."""

    def __init__(self) -> None:
        self.applied: list[str] = []

    async def apply(self, intent: Intent, now: float) -> Outcome:
        self.applied.append(intent.key)
        await asyncio.get_running_loop().create_future()
        return Done(intent.why)


class Raising:
    """Raises an unexpected exception at the first attempt, then works."""

    def __init__(self) -> None:
        self.attempts = 0

    async def apply(self, intent: Intent, now: float) -> Outcome:
        self.attempts += 1
        if self.attempts == 1:
            raise ZeroDivisionError
        return Done(intent.why)


def states(cluster: Cluster) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"retrain": [], KIND: []}
    for one in cluster.loop.outbox.ledger.entries.values():
        found[one.kind].append(one.state)
    return found


def test_a_hanging_executor_delays_no_other_one_and_gets_no_second_attempt(tmp_path: Path) -> None:
    async def run() -> None:
        hanging = Hanging()
        cluster = Cluster(tmp_path, episodes=(episode(), episode("e2", at=NOON + 1)), others={"retrain": hanging})
        for target in (4, 5, 6):
            cluster.target = target
            cluster.now += 1
            await cluster.loop.cycle()
            await eventually(lambda: cluster.replicas == cluster.target and states(cluster)[KIND][-1] == DELIVERED)
        assert len(hanging.applied) == 1
        assert cluster.applied == [4, 5, 6]
        assert states(cluster) == {"retrain": [PENDING, PENDING], KIND: [DELIVERED] * 3}
        assert cluster.shown[-1].problem is None
        stop = asyncio.Event()
        stop.set()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(cluster.loop.run(stop), 0.01)
        assert states(cluster)["retrain"] == [PENDING, PENDING]

    asyncio.run(run())


def test_an_exception_in_an_executor_is_an_outcome(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cluster = Cluster(tmp_path, episodes=(episode(),), others={"retrain": Raising()})
    cluster.cycle()
    assert states(cluster) == {"retrain": [PENDING], KIND: [DELIVERED]}
    (shown,) = (intent for intent in cluster.shown[-1].intents if intent.kind == "retrain")
    assert (shown.error, shown.attempts, shown.reason) == ("executor_error", 1, "drift")
    assert cluster.shown[-1].problem is None
    assert [record.exc_info is not None for record in caplog.records] == [True]
    cluster.cycle(after=HOUR)
    assert states(cluster) == {"retrain": [DELIVERED], KIND: [DELIVERED]}
    cluster.loop.outbox.close()


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Done("latency"), (DELIVERED, "latency", "", 0.0, 0.0)),
        (Failed("forbidden"), (DEAD, "forbidden", "forbidden", 0.0, 0.0)),
        (RetryAt("conflict"), (PENDING, "drift", "conflict", NOON, NOON + 1)),
        (RetryAt("conflict", NOON + 60), (PENDING, "drift", "conflict", NOON + 60, NOON + 60)),
        (RetryAt("conflict", NOON + 10 * HOUR), (PENDING, "drift", "conflict", NOON + MAX_RETRY_AFTER, NOON + HOUR)),
        (RetryAt("conflict", NOON - 60), (PENDING, "drift", "conflict", NOON, NOON + 1)),
    ],
)
def test_an_outcome_changes_its_entry(outcome: Outcome, expected: tuple[str, str, str, float, float]) -> None:
    change = next_change(entry(), outcome, NOON, Random(1))
    state, reason, error, least, most = expected
    assert (change.state, change.reason, change.error, change.attempts) == (state, reason, error, 1)
    assert least <= change.next_at <= most
