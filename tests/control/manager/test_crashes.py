"""A leader that dies anywhere: the next one raises the same alarm at the same tick, and asks for one retraining."""

from __future__ import annotations

import asyncio
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.control.executor import Done, RetryAt
from tests.control.cycles import Crash
from tests.control.manager.lives import PODS, Killer, Life, SmallPods
from tests.control.manager.worlds import NOON, TICK, SmallWorld
from tests.support.examples import examples

FIRST = int(NOON // TICK)
DRIFT = FIRST + 4
LAST = FIRST + 10


@cache
def undisturbed() -> dict[str, int]:
    """The alarms without a crash: opened tick by episode."""
    return asyncio.run(run_without_crash())


async def run_without_crash() -> dict[str, int]:
    small = SmallWorld()
    small.add_pods(*PODS)
    life, pods = Life(small), SmallPods()
    await life.begin()
    await run_ticks(life, pods, FIRST)
    return opened(life)


async def run_ticks(life: Life, pods: SmallPods, first: int) -> None:
    for tick in range(first, LAST):
        life.small.now = (tick + 1) * TICK + 5
        pods.close(tick)
        for _ in range(2):
            pods.sync(life, drifted_from=DRIFT)
            life.small.now += 1
            await life.turn()


def opened(life: Life) -> dict[str, int]:
    report = life.runtime.published
    return {episode.id: episode.opened_tick for episode in report.episodes} if report is not None else {}


async def killed(deaths: list[int], outcomes: list[bool]) -> tuple[SmallWorld, Life]:
    """Run until LAST; the leader dies at each step that `deaths` counts to, and another one goes on."""
    small = SmallWorld()
    small.add_pods(*PODS)
    small.receiver.outcomes = [Done("http_200") if good else RetryAt("http_500") for good in outcomes]
    pods, tick = SmallPods(), FIRST
    lives = [Killer(nth) for nth in deaths]
    while True:
        life = Life(small, step=lives[0] if lives else lambda _: None)
        try:
            await life.begin()
            while tick < LAST:
                small.now = max(small.now, (tick + 1) * TICK + 5)
                pods.close(tick)
                for _ in range(3):
                    pods.sync(life, drifted_from=DRIFT)
                    small.now += 1
                    await life.turn()
                tick += 1
            for _ in range(12):  # beyond every backoff
                small.now += TICK
                tick += 1
                pods.close(tick - 1)
                pods.sync(life, drifted_from=DRIFT)
                await life.turn()
        except Crash:
            lives = lives[1:]
            continue
        return small, life


@pytest.mark.long
@settings(max_examples=examples(60))
@given(st.lists(st.integers(1, 25), max_size=5), st.lists(st.booleans(), max_size=3))
def test_wherever_leaders_die_there_is_one_alarm_and_one_id(deaths: list[int], outcomes: list[bool]) -> None:
    small, life = asyncio.run(killed(deaths, outcomes))
    assert opened(life) == undisturbed()
    assert len(set(small.receiver.seen)) == 1
    assert len(small.receiver.bodies) == 1  # the same bytes in each attempt
