"""Rows from a drift to its alarm, over log(A) / KL: what any method with this budget needs at least, to first order.

With a tolerance, the shift that it allows is subtracted (.05 sd at .0025). The oracle is a CUSUM that is given the
distribution before and after; it stops at log(A), as Lorden's bound asks, and tests this one column.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from tests.benchmarks.detection.columns import Column, Normal, TwoClasses
from tests.benchmarks.detection.results import Judged, mean_ratio
from tests.benchmarks.detection.runner import Case
from tests.benchmarks.detection.traffic import MONTH, Traffic, reference, settings

LOG_A = float(np.log(MONTH))
QUIET_TICKS = 10
PATIENCE = 40.0  # times the least delay
FORGIVEN = 0.05  # sd, by a tolerance of .0025
TOLERANCE = 0.0025
SHIFTS = (0.1, 0.2, 0.5, 1.0)
BUMP = "a bump of 10 % x 3"
CHOSEN_SHIFTS, CHOSEN_PATIENCE = (0.2, 0.5, 1.0), 10_000
DRIFTS: dict[str, Column] = {
    "+ .3 sd": Normal(0.3),
    "+ .5 sd": Normal(0.5),
    "+ 1 sd": Normal(1.0),
    "sd x 1.3": Normal(sd=1.3),
    "sd x .75": Normal(sd=0.75),
    BUMP: Normal(bump=3.0),
    "classes .50 -> .60": TwoClasses(0.6),
}


def least(drift: Column, tolerance: float) -> float:
    """Rows that any method needs on average."""
    shifted = isinstance(drift, Normal) and drift.shift > 0
    allowed = np.sqrt(2 * drift.information) - (FORGIVEN if tolerance and shifted else 0)
    return LOG_A / float(allowed**2 / 2)


def rows_of_tick(drift: Column) -> int:
    """So many that the width of a tick is small beside the delay."""
    return int(np.clip(LOG_A / drift.information / 25, 1, 20))


def run(seeds: Sequence[int], *, drift: Column, features: int, n0: int, tolerance: float) -> list[int]:
    """For each seed the rows to the alarm; all seeds of a call share a reference."""
    quiet: list[Column] = [type(drift)(), *[Normal()] * (features - 1)]
    profile = reference(quiet, n0, tolerance, [seeds[0], features, n0])
    rows, limit = rows_of_tick(drift), PATIENCE * least(drift, tolerance)
    found: list[int] = []
    traffic = None
    for seed in seeds:
        traffic = Traffic(profile, quiet, settings(MONTH, tolerance), [seed, features, n0, 1], like=traffic)
        for _ in range(QUIET_TICKS):
            traffic.step(rows)
        traffic.draw.change(drift)
        found.append(_rows_to_alarm(traffic, rows, limit))
    return found


def _rows_to_alarm(traffic: Traffic, rows: int, limit: float) -> int:
    seen = 0
    while seen < limit:
        seen += rows
        if traffic.step(rows).alarms:
            break
    return seen


def oracle(seeds: Sequence[int], *, shift: float) -> list[int]:
    """Rows until a CUSUM of the true log likelihood ratio reaches log(A), from the drift on."""
    found = []
    for seed in seeds:
        rng = np.random.default_rng([seed, 2])
        total, rows = 0.0, 0
        while total < LOG_A:
            total = max(total, 0.0) + shift * float(rng.normal(shift)) - shift**2 / 2
            rows += 1
        found.append(rows)
    return found


def _case(name: str, target: float, runs: int, options: dict[str, Any]) -> Case:
    return Case(
        name=name,
        target=f"<= {target:g} x",
        measure=run,
        judge=partial(mean_ratio, least=least(options["drift"], options["tolerance"]), most=target),
        runs=runs,
        chunk=10,
        options=options,
    )


def alone(quick: bool) -> list[Case]:
    """One feature, and a reference so large that its error hardly counts."""
    runs = 10 if quick else 100
    cases = []
    for shift in SHIFTS:
        options = {"drift": Normal(shift), "features": 1, "n0": 1_000_000, "tolerance": 0.0}
        cases.append(_case(f"+ {shift:g} sd", 1.5, runs, options))
        judge: Any = partial(_oracle, bound=least(Normal(shift), 0.0))
        cases.append(Case(f"+ {shift:g} sd: a CUSUM that knows it", "-", oracle, judge, runs, runs, {"shift": shift}))
    return cases


def _oracle(outcomes: Sequence[int], bound: float) -> Judged:
    return mean_ratio(outcomes, bound, None)


def among(quick: bool) -> list[Case]:
    """One of a hundred features."""
    cases = []
    for n0, usual, bump in ((100_000, 2.4, 2.8), (10_000, 3.6, 3.6)):
        for name, drift in DRIFTS.items():
            options = {"drift": drift, "features": 100, "n0": n0, "tolerance": 0.0}
            target = bump if name == BUMP else usual
            cases.append(_case(f"{name}, reference of {n0:,}", target, 3 if quick else 40, options))
    return cases


def tolerant(quick: bool) -> list[Case]:
    """One of a hundred features, with the tolerance that is the default."""
    cases = []
    for n0, target, named in ((100_000, 2.5, ("+ .3 sd", "+ .5 sd", "+ 1 sd")), (10_000, 3.6, ("+ .3 sd",))):
        for name, drift in DRIFTS.items():
            options = {"drift": drift, "features": 100, "n0": n0, "tolerance": TOLERANCE}
            case = _case(f"{name}, reference of {n0:,}", target, 3 if quick else 40, options)
            cases.append(case if name in named else _untargeted(case, drift))
    return cases


def _untargeted(case: Case, drift: Column) -> Case:
    judge: Any = partial(_oracle, bound=least(drift, TOLERANCE))
    return Case(case.name, "-", case.measure, judge, case.runs, case.chunk, case.options)


def small_reference(quick: bool) -> list[Case]:
    """A shift of 1 sd in one of a hundred features, with a reference of 500 rows."""
    options = {"drift": Normal(1.0), "features": 100, "n0": 500, "tolerance": 0.0}
    return [
        Case(
            name="+ 1 sd in 1 of 100 features, reference of 500 rows",
            target="<= 100 rows",
            measure=run,
            judge=_within_100,
            runs=4 if quick else 60,
            chunk=1,
            options=options,
        )
    ]


def _within_100(outcomes: Sequence[int]) -> Judged:
    judged = mean_ratio(outcomes, least(Normal(1.0), 0.0), None)
    mean = judged.figures["mean"]
    late = sum(rows > 100 for rows in outcomes)
    text = f"{mean:.0f} rows on average; later than 100 in {late} of {len(outcomes)}"
    return Judged(text, f"<= {judged.figures['upper'] * judged.figures['least']:.0f}", mean <= 100, judged.figures)


def chosen(seeds: Sequence[int], *, budget: float, tolerance: float) -> list[list[int]]:
    """For each seed the rows until shifts of `CHOSEN_SHIFTS` in one of twenty features; `CHOSEN_PATIENCE` if never."""
    columns = [Normal()] * 20
    profile = reference(columns, 20_000, tolerance, [seeds[0], 20])
    found: list[list[int]] = []
    traffic = None
    for seed in seeds:
        waited = []
        for shift in CHOSEN_SHIFTS:
            traffic = Traffic(profile, columns, settings(budget, tolerance), [seed, 21], like=traffic)
            traffic.draw.change(Normal(shift))
            waited.append(_rows_to_alarm(traffic, 10, CHOSEN_PATIENCE))
        found.append(waited)
    return found


def _judge_chosen(outcomes: Sequence[list[int]]) -> Judged:
    texts, figures = [], {}
    for shift, waited in zip(CHOSEN_SHIFTS, zip(*outcomes, strict=True), strict=True):
        middle = float(np.median(waited))
        when = f"{middle:,.0f} rows" if middle < CHOSEN_PATIENCE else f"not within {CHOSEN_PATIENCE:,} rows"
        texts.append(f"+ {shift:g} sd: {when}")
        figures[f"{shift:g}"] = middle
    return Judged("; ".join(texts), "", None, figures)


def choosing(quick: bool) -> list[Case]:
    """What a budget and a tolerance cost in rows."""
    return [
        Case(
            name=f"one false alarm in {period}, tolerance {tolerance:g}",
            target="-",
            measure=chosen,
            judge=_judge_chosen,
            runs=2 if quick else 10,
            chunk=10,
            options={"budget": budget, "tolerance": tolerance},
        )
        for period, budget in (("a day", 1440.0), ("30 days", MONTH), ("90 days", 3 * MONTH))
        for tolerance in (0.0, 0.0025, 0.01, 0.05)
    ]
