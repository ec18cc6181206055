"""Labelled rows for the tests: classes with a confidence, values, and scores, with as many errors as wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

import numpy as np

from pilotfish.detectors.batch import Batch, ColumnData, Side
from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.detection.results import Alarm
from pilotfish.detectors.performance.roles import LabelOptions
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.summaries.counts import Counts, TickCounts

SIDES: Mapping[str, Side] = {"said": "prediction", "sure": "prediction", "truth": "label"}


def classified(rows: int, rng: np.random.Generator, error: float = 0.1) -> dict[str, np.ndarray]:
    """Two classes; a lower "sure" means a more likely mistake, for any share of mistakes."""
    truth = rng.integers(0, 2, rows)
    wrong = rng.random(rows) < error
    sure = np.where(wrong, rng.beta(4, 3, rows), rng.beta(8, 2, rows))
    return {"said": np.where(wrong, 1 - truth, truth), "sure": sure, "truth": truth}


def regressed(rows: int, rng: np.random.Generator, error: float = 1.0) -> dict[str, np.ndarray]:
    truth = rng.normal(50, 10, rows)
    return {"said": truth + rng.laplace(scale=error, size=rows), "truth": truth}


def ranked(rows: int, rng: np.random.Generator, apart: float = 1.5, positives: float = 0.2) -> dict[str, np.ndarray]:
    truth = rng.random(rows) < positives
    return {"said": 1 / (1 + np.exp(-(rng.normal(size=rows) + apart * truth))), "truth": truth}


MAKES: Mapping[str, Callable[[int, np.random.Generator], dict[str, np.ndarray]]] = {
    "classification": classified,
    "ranking": ranked,
    "regression": regressed,
}


@cache
def profile_of(task: str, rows: int = 6000, seed: int = 0) -> Profile:
    return build(MAKES[task](rows, np.random.default_rng(seed)))


def build(data: Mapping[str, ColumnData], **options: object) -> Profile:
    sides = {name: side for name, side in SIDES.items() if name in data}
    return build_profile(data, sides=sides, **{"exchangeable": True, "labels": LabelOptions(), **options})  # type: ignore[arg-type]


def labelled(profile: Profile, data: Mapping[str, ColumnData], rows: int) -> Counts:
    counts = TickCounts(profile)
    counts.add(Batch(data, rows, "label"))
    return counts.take()


def mistakes(profile: Profile, wrong: int, rows: int) -> Counts:
    """A tick of labelled rows with the given number of wrong predictions."""
    counts = Counts.empty(profile)
    first = int(profile.offsets[profile.index["loss"]]) + 3
    counts.bin_counts[first : first + 2] = rows - wrong, wrong
    return replace(counts, label_rows=rows)


def first_alarm(monitor: DriftMonitor, error: float, ticks: int, rows: int, rng: np.random.Generator) -> Alarm | None:
    """Feed ticks with an error rate until the first alarm."""
    start = (monitor.status().tick or 0) + 1
    for tick in range(start, start + ticks):
        found = monitor.close_tick(tick, mistakes(monitor.profile, int(rng.binomial(rows, error)), rows)).alarms
        if found:
            return found[0]
    return None
