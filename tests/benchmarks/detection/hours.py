"""The benefit of slots: a daily cycle, with slots and without.

Ten reference days of one-minute ticks, ten rows each, of one column whose mean swings by 1.5 sd; then a shift of 1 sd
at any time of the day.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from pilotfish.detectors.batch import Batch
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.summaries.counts import TickCounts
from tests.benchmarks.detection.results import Judged, mean_at_most
from tests.benchmarks.detection.runner import Case
from tests.benchmarks.detection.traffic import MONTH, Crossings

DAY_TICKS, DAYS, ROWS, SWING = 1440, 10, 10, 1.5
PATIENCE = 3000  # ticks that a shift is waited for


def run(seeds: Sequence[int], *, slots: bool) -> list[dict[str, Any]]:
    """For each seed the feature's largest variance inflation, and ticks from the shift to the alarm."""
    found = []
    for seed in seeds:
        rng = np.random.default_rng([seed, 7])
        ticks = np.repeat(np.arange(DAYS * DAY_TICKS), ROWS)
        profile = build_profile({"x": _rows(ticks, rng)}, times=(ticks * 60.0).astype(np.float64), tolerance=0.0)
        profile = profile if slots else profile.without_slots()
        (feature,) = profile.features
        inflation = feature.variance_inflation if feature.slots is None else feature.slots.variance_inflation
        evidence, counts = Crossings(profile, MONTH), TickCounts(profile)
        start, delay = DAYS * DAY_TICKS + int(rng.integers(DAY_TICKS)), PATIENCE
        for tick in range(start, start + PATIENCE):
            counts.add(Batch({"x": _rows(np.full(ROWS, tick), rng) + 1.0}, ROWS))
            if evidence.step(tick, counts.take().bin_counts):
                delay = tick - start + 1
                break
        found.append({"inflation": float(inflation.max()), "delay": delay})
    return found


def _rows(ticks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    values: np.ndarray = SWING * np.sin(2 * np.pi * ticks / DAY_TICKS) + rng.normal(size=len(ticks))
    return values


def _judge(outcomes: Sequence[dict[str, Any]], most: float | None) -> Judged:
    delay = mean_at_most([one["delay"] for one in outcomes], most, "ticks")
    largest = max(one["inflation"] for one in outcomes)
    return Judged(f"{delay.measured}; variance inflation {largest:.0f}", delay.bound, delay.met, delay.figures)


def cases(quick: bool) -> list[Case]:
    lines = (("compared hour by hour", True, 42.0), ("against the whole reference", False, None))
    return [
        Case(
            name=name,
            target="-" if most is None else f"<= {most:.0f} ticks",
            measure=run,
            judge=partial(_judge, most=most),
            runs=2 if quick else 10,
            options={"slots": slots},
        )
        for name, slots, most in lines
    ]
