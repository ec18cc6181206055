"""False alarms where rare trouble recurs, and the delay of one standard deviation beside them.

Every run draws one recording of a process of processes.py. Its beginning is the reference, the rest is live. The same
ticks pass through one monitor for each budget, as a user has it, mostly without features of several columns. Then one
column is shifted by 1 sd from the end of the live time on, once x0, which has trouble, and once the last column.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from pilotfish.detectors.batch import Batch, Column
from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.detection.replay import TickSpan, tick_spans_by_time
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import TOLERANCE, build_profile
from pilotfish.detectors.settings import DriftSettings
from pilotfish.detectors.summaries.counts import Counts, TickCounts
from tests.benchmarks.detection.processes import DAY, HOUR, PROCESSES, Clock, Recording
from tests.benchmarks.detection.results import Judged, false_alarms, mean_at_most, with_lower_bound
from tests.benchmarks.detection.runner import Case
from tests.benchmarks.detection.traffic import columns_only

MONTH_DAYS, YEAR_DAYS = 30.0, 365.0
UNKNOWN_CLUMPS = "a column without a clump in its reference does not know clumps"
UNKNOWN_SIZES = "bursts larger than any in the reference are unknown to it"
BLOCK_TICKS = 5000  # counted at a time


@dataclass(frozen=True)
class Plan:
    """How long and how dense the recording of a process is, and how it is watched.

    Attributes:
        rows: in each `tick_seconds` of the process.
        budget_days: for each budget, the days of one false alarm.
        reference_tick, live_tick: seconds of a tick of the profile and of live traffic; `tick_seconds` by default.
        reference_share, live_share: of the rows that are seen; the others are lost at random.
        patience_days: how long a shift is waited for.
        related: also watch the features of several columns, and share the budget with them.
    """

    process: str
    columns: int = 5
    rows: int = 10
    tick_seconds: float = 1200.0
    reference_days: int = 60
    live_days: int = 90
    budget_days: tuple[float, ...] = (MONTH_DAYS,)
    tolerance: float = TOLERANCE
    reference_tick: float | None = None
    live_tick: float | None = None
    reference_share: float = 1.0
    live_share: float = 1.0
    patience_days: int = 5
    related: bool = False

    @property
    def days(self) -> int:
        return self.reference_days + self.live_days + self.patience_days

    def settings(self, budget_days: float) -> DriftSettings:
        return DriftSettings(self.live_tick or self.tick_seconds, 1.0, budget_days * DAY, self.tolerance)


def run(seeds: Sequence[int], *, plan: Plan) -> list[dict[str, Any]]:
    """For each seed, alarms without drift by budget, and rows until 1 sd is found in x0 and in the last column."""
    return [_run(np.random.default_rng([seed, 11]), plan) for seed in seeds]


def _run(rng: np.random.Generator, plan: Plan) -> dict[str, Any]:
    clock = Clock(round(plan.days * DAY / plan.tick_seconds), plan.tick_seconds, plan.rows, plan.columns)
    whole = PROCESSES[plan.process](clock, rng)
    begin, end = plan.reference_days, plan.reference_days + plan.live_days
    profile = profile_of(whole.between(0, begin).sampled(plan.reference_share, rng), plan)
    monitors = {budget: DriftMonitor(profile, plan.settings(budget)) for budget in plan.budget_days}
    alarms = dict.fromkeys(plan.budget_days, 0)
    live = whole.between(begin, end).sampled(plan.live_share, rng)
    for tick, counts in ticks(profile, live, plan.live_tick or plan.tick_seconds):
        for budget, monitor in monitors.items():
            alarms[budget] += len(monitor.close_tick(tick, counts).alarms)
    after = whole.between(end, plan.days).sampled(plan.live_share, rng)
    delays = {name: delay(profile, after.shifted(name, rng), plan) for name in ("x0", f"x{plan.columns - 1}")}
    return {"alarms": alarms, "delays": tuple(delays.values())}


def profile_of(reference: Recording, plan: Plan) -> Profile:
    """Return the profile of a recording, with features of several columns only if they are planned."""
    tick_seconds = plan.reference_tick or plan.tick_seconds
    built = build_profile(reference.columns, times=reference.times, tick_seconds=tick_seconds, tolerance=plan.tolerance)
    return built if plan.related else columns_only(built)


def ticks(profile: Profile, rows: Recording, tick_seconds: float) -> Iterator[tuple[int, Counts]]:
    """Yield the number and the counts of each tick with rows."""
    spans = tick_spans_by_time(rows.times, tick_seconds)
    if profile.transforms:
        counting = TickCounts(profile)
        for span in spans:
            counting.add(Batch(rows.taken(slice(span.start, span.stop)).columns, span.stop - span.start))
            yield span.tick, counting.take()
    else:
        for first in range(0, len(spans), BLOCK_TICKS):
            yield from _counted_together(profile, rows, spans[first : first + BLOCK_TICKS])


def _counted_together(profile: Profile, rows: Recording, spans: Sequence[TickSpan]) -> Iterator[tuple[int, Counts]]:
    """Yield the ticks of single columns, which are counted at once because that is much faster."""
    sizes = [span.stop - span.start for span in spans]
    position, block = np.repeat(np.arange(len(spans)), sizes), rows.taken(slice(spans[0].start, spans[-1].stop))
    binned = [
        _binned(profile, feature.name, block.columns[feature.name], position, len(spans))
        for feature in profile.features
    ]
    empty = Counts.empty(profile)
    for span, bin_counts, size in zip(spans, np.concatenate(binned, axis=1), sizes, strict=True):
        yield span.tick, replace(empty, bin_counts=bin_counts, input_rows=size)


def _binned(profile: Profile, name: str, values: Any, position: Any, count: int) -> Any:
    """Return the counts [ticks, bins] of a feature."""
    bins = profile.feature(name).bins
    key = position * bins.size + bins.digitize(Column(values))[0]
    return np.bincount(key, minlength=count * bins.size).reshape(count, bins.size)


def delay(profile: Profile, shifted: Recording, plan: Plan) -> int:
    """Return the rows up to the first alarm at the first budget; all rows where there is none."""
    monitor, rows = DriftMonitor(profile, plan.settings(plan.budget_days[0])), 0
    for tick, counts in ticks(profile, shifted, plan.live_tick or plan.tick_seconds):
        rows += counts.input_rows
        if monitor.close_tick(tick, counts).alarms:
            break
    return rows


def judge(outcomes: Sequence[dict[str, Any]], plan: Plan) -> Judged:
    """Met where the upper bound of every budget keeps it, missed where a lower bound exceeds it."""
    texts, figures = [], {}
    budgets = [
        with_lower_bound(false_alarms([outcome["alarms"][budget] for outcome in outcomes], plan.live_days / budget))
        for budget in plan.budget_days
    ]
    for budget, alarms in zip(plan.budget_days, budgets, strict=True):
        texts.append(f"1 in {budget:.0f} days: {alarms.measured}")
        figures[f"{budget:.0f}"] = alarms.figures
    for column, name in enumerate(("the troubled column", "the last column")):
        rows = mean_at_most([outcome["delays"][column] for outcome in outcomes], None, "rows")
        texts.append(f"1 sd in {name} after {rows.measured}")
        figures[name] = rows.figures
    verdicts = {alarms.met for alarms in budgets}
    met = next(verdict for verdict in (False, None, True) if verdict in verdicts)
    return Judged("; ".join(texts), "; ".join(alarms.bound for alarms in budgets), met, figures)


def case(name: str, plan: Plan, quick: bool, runs: int = 3, cause: str = "") -> Case:
    """Return a case of some runs, each with its own reference."""
    return Case(
        name=name,
        target="<= 1.0 at its bound, for each budget",
        measure=run,
        judge=partial(judge, plan=plan),
        runs=1 if quick else runs,
        options={"plan": plan},
        cause=cause,
    )


def outliers(quick: bool) -> list[Case]:
    both = (MONTH_DAYS, YEAR_DAYS)
    return [
        case("every 10 days, 60 days of reference", Plan("outliers", budget_days=both), quick),
        case("every 10 days, 180 days of reference", Plan("outliers", reference_days=180, budget_days=both), quick),
        case("at random times, 60 days of reference", Plan("outliers at random times", budget_days=both), quick),
        case(
            "every 10 days, ticks of a minute", Plan("outliers", rows=1, tick_seconds=60.0, live_days=60), quick, runs=1
        ),
    ]


def incidents(quick: bool) -> list[Case]:
    return [
        case("every 5 days", Plan("incidents"), quick),
        case("every 5 days, tolerance 0", Plan("incidents", tolerance=0.0), quick),
        case("at random times", Plan("incidents at random times"), quick),
        case("at random times in several columns at once", Plan("common incidents"), quick),
        case(
            "the same, related columns and their features",
            Plan("common incidents of related columns", related=True),
            quick,
            runs=2,
        ),
        case("deploys that change a column for a day", Plan("deploys"), quick),
    ]


def holidays(quick: bool) -> list[Case]:
    plan = Plan("holidays", rows=20, tick_seconds=HOUR, live_days=365, budget_days=(YEAR_DAYS,))
    return [
        case(f"{years} year{'s' * (years > 1)} of reference", replace(plan, reference_days=365 * years), quick)
        for years in (1, 2)
    ]


def clumps(quick: bool) -> list[Case]:
    new, rare = Plan("new categories", reference_days=14), Plan("rare categories", reference_days=14)
    return [
        case("new categories, 10 columns, 14 days of reference", replace(new, columns=10), quick, cause=UNKNOWN_CLUMPS),
        case("new categories, 5 columns, 60 days of reference", replace(new, reference_days=60), quick),
        case("a rare category, 5 columns, 14 days of reference", rare, quick),
        case("a rare category, 5 columns, 60 days of reference", replace(rare, reference_days=60), quick),
    ]


def bursts(quick: bool) -> list[Case]:
    return [
        case("bursts with Pareto's lengths and sizes", Plan("heavy bursts"), quick, cause=UNKNOWN_SIZES),
        case("a sensor that is stuck", Plan("stuck"), quick),
        case("a weekly job of 20 minutes", Plan("batch job"), quick, runs=2),
        case("sales with ten times the rows", Plan("sales"), quick, runs=2),
        case("a day at the end of each month", Plan("month ends"), quick, runs=2),
        case("a category that is absent for two hours", Plan("outages"), quick, runs=2),
        case("missing values", Plan("missing"), quick, runs=2),
        case("rows sent again, 20 times", Plan("retries"), quick, runs=2),
        case("one row in ten sent 64 times", Plan("copies", rows=2), quick, runs=2),
    ]


def steady(quick: bool) -> list[Case]:
    return [
        case("independent rows", Plan("quiet"), quick, runs=2),
        case("independent rows of skewed columns", Plan("skewed"), quick, runs=2),
        case("weekends", Plan("week"), quick),
        case("a cycle of a day, and weekends", Plan("day and week", columns=2), quick, runs=2),
        case("the same, 100 rows a tick", Plan("day and week", rows=100, columns=2), quick, runs=2),
        case("two regimes", Plan("regimes"), quick, runs=2),
    ]


def density(quick: bool) -> list[Case]:
    """Hour effects of .3 sd, 6 rows an hour in the reference; and independent rows, one an hour or sampled."""
    hourly = Plan("hour effects", rows=120, tick_seconds=HOUR, reference_share=0.05)
    sparse = Plan("quiet", rows=1, tick_seconds=HOUR, live_tick=60.0, patience_days=60)
    tenth = Plan("quiet", reference_share=0.1)
    return [
        case("profile of 60 s, live 1 h, 20 x denser", replace(hourly, reference_tick=60.0), quick, runs=2),
        case("profile of 1 h, live 1 h, 20 x denser", hourly, quick, runs=2),
        case("profile of 1 h, live 60 s, 20 x denser", replace(hourly, live_tick=60.0, live_days=30), quick, runs=1),
        *(
            case(
                f"one row an hour, profile of {seconds:.0f} s, live 60 s",
                replace(sparse, reference_tick=seconds),
                quick,
                runs=2,
            )
            for seconds in (60.0, HOUR, DAY)
        ),
        case("independent rows, a tenth of them in the reference", tenth, quick, runs=2),
        case(
            "independent rows, a tenth of them live", replace(tenth, reference_share=1.0, live_share=0.1), quick, runs=2
        ),
        case("hour effects, all in the reference, a tenth live", Plan("hour effects", live_share=0.1), quick, runs=2),
        case("hour effects, a tenth in the reference", Plan("hour effects", reference_share=0.1), quick, runs=2),
    ]
