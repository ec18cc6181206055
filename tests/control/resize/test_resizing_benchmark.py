"""The benchmark of resizing: its traces are the frozen ones, and what it says about the grid of settings."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.benchmarks.resizing import table
from tests.benchmarks.resizing.contenders import GRID, PILOTFISH, VPA, Choice, Own, Run
from tests.benchmarks.resizing.play import Played, play
from tests.benchmarks.resizing.traces import HELD_OUT, TUNING, check_frozen, names, sample, trace


@pytest.mark.real
def test_the_traces_are_the_frozen_ones() -> None:
    check_frozen()


def runs(contender: str, points: Sequence[tuple[float, int]]) -> list[Run]:
    """Return runs of the grid with these core-hours and throttled minutes of a thousand."""
    return [
        Run("machine-0", contender, choice, 1.0, Played(cost, 1.0, throttled, 0, 1, 1000))
        for choice, (cost, throttled) in zip(GRID, points, strict=True)
    ]


def test_the_front_has_the_settings_that_no_other_one_beats() -> None:
    points = [(float(place), 100 - place) for place in range(len(GRID))]
    points[3] = (2.5, 500)
    found = table.front(table.grid(runs(PILOTFISH, points), PILOTFISH))
    assert [GRID.index(choice) for choice in found] == [place for place in range(len(GRID)) if place != 3]


def test_the_comparison_of_the_grids_counts_the_settings_that_are_beaten() -> None:
    ours = runs(PILOTFISH, [(10.0 + place, 100) for place in range(len(GRID))])
    theirs = runs(VPA, [(12.0, 100)] * (len(GRID) - 1) + [(9.0, 50)])
    words = table.fronts([*ours, *theirs])[0]
    assert f"Of the {len(GRID)} settings of the VPA in the grid, {len(GRID) - 1} have" in words
    assert f"holds for {len(GRID)} of the {len(GRID)}" in words


@pytest.mark.long
def test_no_trace_is_both_for_tuning_and_held_out() -> None:
    assert not set(names(TUNING)) & set(names(HELD_OUT))
    assert {name.partition("-")[0] for name in sample(HELD_OUT)} == {name.partition("-")[0] for name in names(HELD_OUT)}


def test_a_pod_with_room_is_neither_throttled_nor_killed() -> None:
    played = play(trace("machine-0"), Own(Choice().settings(PILOTFISH)), ratio=1000.0)
    assert (played.throttled, played.killed) == (0, 0)
    assert played.core_hours > 0
