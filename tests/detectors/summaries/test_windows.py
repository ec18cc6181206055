"""Windows of the past: every closed tick is in exactly one; they are compact and survive a restart."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pilotfish.detectors.conformance import plain
from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.detection.results import ratio
from pilotfish.detectors.errors import StateError
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.settings import DriftSettings
from pilotfish.detectors.summaries.counts import Counts
from pilotfish.detectors.summaries.windows import WindowLevel, Windows, window_levels
from tests.detectors.material import QUICK, mixed_profile, normal_profile, tick
from tests.support.examples import examples

PROFILE = normal_profile()
SMALL = (WindowLevel(1, 3), WindowLevel(4, 2), WindowLevel(12, 2))


def counts(rows: int, largest: int | None = None) -> Counts:
    cells = np.zeros(PROFILE.n_bins, np.int64)
    cells[PROFILE.offsets[:-1]] = rows if largest is None else largest
    return replace(Counts.empty(PROFILE), bin_counts=cells, input_rows=rows)


def filled(levels: tuple[WindowLevel, ...], ticks: int) -> Windows:
    windows = Windows(PROFILE, levels)
    for number in range(ticks):
        windows.add(number, counts(number + 1))
    return windows


def test_recent_ticks_stand_apart_and_old_ones_together() -> None:
    windows = filled(window_levels(60.0), 500)
    recent = windows.latest(60)
    assert recent is not None
    assert (recent.ticks, recent.first, recent.last) == (60, 440, 499)
    since = windows.since(498)
    assert since is not None
    assert (since.first, since.last) == (498, 499)
    everything = windows.since(0)
    assert everything is not None
    assert everything.counts.input_rows == 500 * 501 // 2
    assert windows.since(500) is None
    assert [window.ticks for window in windows][:8] == [60] * 7 + [20]


def test_an_hour_that_began_mostly_before_the_change_is_left_out() -> None:
    windows = filled(window_levels(60.0), 200)
    late, early = windows.since(110), windows.since(70)
    assert late is not None
    assert early is not None
    assert (early.first, late.first) == (60, 120)


def test_what_is_too_old_is_forgotten() -> None:
    windows = filled(SMALL, 100)
    assert sum(1 for _ in windows) <= sum(level.kept for level in SMALL)
    oldest = next(iter(windows))
    assert oldest.first > 0
    assert oldest.first % 12 == 0


@pytest.mark.parametrize(
    ("seconds", "widths"),
    [(1.0, [1, 3600, 86400]), (60.0, [1, 60, 1440]), (3600.0, [1, 24, 168]), (86_400.0, [1, 7, 28]), (1e8, [1])],
)
def test_the_levels_follow_the_length_of_a_tick(seconds: float, widths: list[int]) -> None:
    assert [level.ticks for level in window_levels(seconds)] == widths


@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from([0, 1, 255, 256, 70_000, 2**33])), max_size=60))
@hypothesis_settings(max_examples=examples(40), deadline=None)
def test_windows_add_up_exactly_and_survive_a_restart_at_any_tick(steps: list[tuple[int, int]]) -> None:
    straight, resumed = Windows(PROFILE, SMALL), Windows(PROFILE, SMALL)
    number = 0
    for gap, size in steps:
        number += gap
        for windows in (straight, resumed):
            windows.add(number, counts(1, size))
            windows.record_peaks({"features": float(number)})
        again = Windows(PROFILE, SMALL)
        again.restore(plain(resumed.state()))
        resumed = again
    assert resumed.state() == straight.state()
    kept = list(straight)
    assert all(earlier.last < later.first for earlier, later in itertools.pairwise(kept))
    ticks = sum(window.ticks for window in kept)
    expected = [size for _, size in steps][len(steps) - ticks :]
    whole = straight.latest(10**6)
    assert (0 if whole is None else int(whole.counts.bin_counts.sum())) == len(PROFILE.features) * sum(expected)
    if kept:
        assert kept[-1].peaks == {"features": float(number)}


def test_fifty_bins_take_22_kilobytes_at_most() -> None:
    rng = np.random.default_rng(3)
    profile = build_profile({f"x{i}": rng.normal(size=20_000) for i in range(5)}, exchangeable=True)
    cells = profile.n_bins / len(profile.features)
    assert 40 <= cells <= 60
    busy = replace(
        Counts.empty(profile),
        bin_counts=np.full(profile.n_bins, 70_000),
        absent=np.full(5, 70_000),
        excess=np.full((5, 2), 2**40),
    )
    usual = replace(
        busy, bin_counts=np.full(profile.n_bins, 200), absent=np.zeros(5, np.int64), excess=np.zeros((5, 2), np.int64)
    )
    kilobytes = []
    for one in (busy, usual):
        windows = Windows(profile, (WindowLevel(1, 60), WindowLevel(60, 24), WindowLevel(1440, 14)))
        for number in range(60):
            windows.add(1440 * 14 + 60 * 24 + number, one)
        size = sum(window.nbytes for window in windows) / 60 * (60 + 24 + 14)  # all of the widest type
        kilobytes.append(size / len(profile.features) / cells * 50 / 1024)
    assert kilobytes[0] <= 22
    assert kilobytes[1] <= 5.5


def test_the_monitor_notes_the_evidence_at_its_height() -> None:
    profile, rng = mixed_profile(), np.random.default_rng(1)
    monitor = DriftMonitor(profile, QUICK)
    results = [monitor.close_tick(n, tick(profile, rng)) for n in range(20)]
    results += [monitor.close_tick(20 + n, tick(profile, rng, amount=rng.lognormal(2.0, size=50))) for n in range(20)]
    alarm = next(alarm for result in results for alarm in result.alarms)
    peaks = {window.first: window.peaks[alarm.family] for window in monitor.windows}
    assert peaks[alarm.tick] >= 0.0
    assert ratio(peaks[alarm.tick]) == pytest.approx(alarm.evidence_ratio)
    assert all(peak < 0 for number, peak in peaks.items() if number < alarm.tick)


@pytest.mark.parametrize(
    "damage",
    [
        {"version": 9},
        {"levels": []},
        {"levels": [[], [], [], []]},
        {"levels": "backwards"},
        {"levels": "short"},
        {"levels": "crowded"},
    ],
)
def test_damaged_states_are_refused(damage: dict[str, Any]) -> None:
    state = filled(SMALL, 20).state()
    match damage.get("levels"):
        case "backwards":
            damage = {"levels": [level[::-1] for level in state["levels"]]}
        case "short":
            damage = {"levels": [[{**state["levels"][0][0], "cells": b"123"}], [], []]}
        case "crowded":
            damage = {"levels": [state["levels"][0] * 2, [], []]}
    windows = Windows(PROFILE, SMALL)
    with pytest.raises(StateError, match="start"):
        windows.restore({**state, **damage})


def test_a_monitor_with_longer_ticks_refuses_windows_of_shorter_ones() -> None:
    monitor = DriftMonitor(PROFILE, DriftSettings(tick_seconds=60.0))
    rng = np.random.default_rng(2)
    for number in range(3):
        one = replace(counts(10), bin_counts=rng.integers(0, 3, PROFILE.n_bins))
        monitor.close_tick(number, one)
    other = Windows(PROFILE, (WindowLevel(1, 2),))
    with pytest.raises(StateError, match="fit at most"):
        other.restore(monitor.windows.state())
