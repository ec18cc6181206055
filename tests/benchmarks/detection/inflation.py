"""Variance inflation where rows are independent: a feature whose v is raised is found later than necessary.

Rows of the process "skewed", five kinds of columns, 14 days in ticks of a minute, a fresh reference in each run. A
feature counts as raised if the v of any of its alternatives exceeds 1.5.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.benchmarks.detection.processes import DAY, PROCESSES, Clock
from tests.benchmarks.detection.recurring import Plan, profile_of
from tests.benchmarks.detection.results import Judged
from tests.benchmarks.detection.runner import Case

RAISED, MOST_RAISED = 1.5, 0.05
DAYS, TICK, COLUMNS = 14, 60.0, 10


def run(seeds: Sequence[int], *, rows: int) -> list[list[float]]:
    """For each seed, the largest v of each feature, with slots where it has them."""
    found = []
    for seed in seeds:
        rng = np.random.default_rng([seed, 13])
        recording = PROCESSES["skewed"](Clock(round(DAYS * DAY / TICK), TICK, rows, COLUMNS), rng)
        features = profile_of(recording, Plan("skewed", tick_seconds=TICK)).features
        chosen = [f.variance_inflation if f.slots is None else f.slots.variance_inflation for f in features]
        found.append([float(values.max()) for values in chosen])
    return found


def _judge(outcomes: Sequence[Sequence[float]]) -> Judged:
    largest = np.concatenate(outcomes)
    share = float(np.mean(largest > RAISED))
    text = f"{share:.0%} of {len(largest)} features, the largest v {largest.max():.1f}"
    return Judged(text, "", share <= MOST_RAISED, {"share": share, "largest": float(largest.max())})


def cases(quick: bool) -> list[Case]:
    return [
        Case(
            name=f"{rows} row{'s' * (rows > 1)} a minute",
            target=f"<= {MOST_RAISED:.0%} of the features with v > {RAISED}",
            measure=run,
            judge=_judge,
            cause="the test for dependence has a risk of 5 % for a feature, and stretches add to it",
            runs=1 if quick else 4,
            options={"rows": rows},
        )
        for rows in (1, 10)
    ]
