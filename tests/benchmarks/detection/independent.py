"""False alarms where rows are independent: every run has a reference of its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from tests.benchmarks.detection.columns import Normal
from tests.benchmarks.detection.results import false_alarms
from tests.benchmarks.detection.runner import Case
from tests.benchmarks.detection.traffic import Crossings, Draw, reference, settings

A = 200.0
FEATURES = 20
RATES = (5, 50, 500)


def crossings(seeds: Sequence[int], *, rows: int, n0: int, ticks: int) -> list[int]:
    """How often each run crosses its threshold without drift."""
    columns = [Normal()] * FEATURES
    found = []
    for seed in seeds:
        profile = reference(columns, n0, 0.0, [seed, rows, n0])
        draw = Draw(profile, columns, np.random.default_rng([seed, rows, n0, 1]))
        evidence = Crossings(profile, settings(A))
        found.append(sum(evidence.step(tick, draw.cells(rows)) for tick in range(ticks)))
    return found


def _cases(sizes: Sequence[int], quick: bool) -> list[Case]:
    runs, ticks = (16, 500) if quick else (200, 2000)
    return [
        Case(
            name=f"reference of {n0:,} rows, {rows} rows a tick",
            target="<= 1.0 at its bound",
            measure=crossings,
            judge=partial(false_alarms, allowed=ticks / A),
            runs=runs,
            chunk=4 if quick else 10,
            options={"rows": rows, "n0": n0, "ticks": ticks},
        )
        for n0 in sizes
        for rows in RATES
    ]


def large(quick: bool) -> list[Case]:
    return _cases([100_000], quick)


def small(quick: bool) -> list[Case]:
    return _cases([1_000, 10_000], quick)
