"""The benchmark of resizing: its traces are the frozen ones, and it chooses on the tuning half only."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.benchmarks.resizing.contenders import GRID, PILOTFISH, Choice, Own, Run, chosen
from tests.benchmarks.resizing.play import Played, play
from tests.benchmarks.resizing.traces import check_frozen, trace


@pytest.mark.real
def test_the_traces_are_the_frozen_ones() -> None:
    check_frozen()


def runs(name: str, throttled: int) -> list[Run]:
    """Return runs whose cost falls from choice to choice, and whose throttled minutes grow."""
    return [
        Run(name, PILOTFISH, choice, 1.0, Played(100.0 - index, 1.0, index * throttled, 0, 1, 1000))
        for index, choice in enumerate(GRID)
    ]


def test_the_cheapest_choice_wins_that_is_rarely_throttled() -> None:
    name = "machine-0"
    assert chosen(runs(name, throttled=5), PILOTFISH) == replace(GRID[2], memory=True)
    assert chosen(runs(name, throttled=0), PILOTFISH) == replace(GRID[-1], memory=True)
    assert chosen(runs(name, throttled=500), PILOTFISH) == replace(GRID[0], memory=True)


def test_held_out_runs_do_not_choose() -> None:
    with pytest.raises(AssertionError):
        chosen(runs("burst-5", throttled=5), PILOTFISH)


def test_a_pod_with_room_is_neither_throttled_nor_killed() -> None:
    played = play(trace("machine-0"), Own(Choice().settings(PILOTFISH)), ratio=1000.0)
    assert (played.throttled, played.killed) == (0, 0)
    assert played.core_hours > 0
