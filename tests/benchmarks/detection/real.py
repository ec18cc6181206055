"""Real data: in its order, where a change is known, and shuffled, where there is none unless one is put in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from pilotfish.detectors.batch import Column, Floats
from pilotfish.detectors.binning.numeric import NumericBins
from pilotfish.detectors.detection.replay import ClosedTick, Replay, TickSpan, tick_spans_by_rows, tick_spans_by_time
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.settings import DriftSettings
from tests.benchmarks.detection.datasets import SOURCES, Columns, columns, rows_of, table, taken
from tests.benchmarks.detection.results import Judged, share_at_least
from tests.benchmarks.detection.runner import Case
from tests.benchmarks.detection.traffic import MONTH, settings

TOLERANCE = 0.0025
ROWS_A_TICK = 20
MOST_ROWS = 30_000  # of a shuffle
REFERENCE_SHARE = 2 / 3
LENGTHS_A_FALSE_ALARM = 20  # A, in lengths of the run
SHIFT, FOUND_WITHIN, QUIET_ROWS = 0.3, 1000, 200
HOUR, DAY = 3600.0, 86_400.0
FLIGHT_NAMES = ("year", "month", "day", "hour", "minute", "flight", "tailnum")
POINTS, LOWEST = 600, -12.0  # of a picture


@dataclass(frozen=True)
class Known:
    """Real rows with a change that is known.

    Attributes:
        files: of the reference rows and of the live ones; or one file of both.
        left_out: columns that no model is given.
        reference: rows of the first file.
        stop: last row of the live ones; they begin after the reference, or with the second file.
        change: the live row at which it comes.
        within: rows after it in which an alarm is wanted that names `least` of `names`.
        before: pages that are forgiven before it.
        rows_a_tick: without times.
        time, tick_seconds: the column of times, and the width of a tick.
    """

    files: tuple[str, ...]
    left_out: tuple[str, ...]
    reference: tuple[int, int]
    stop: int
    change: int
    within: int
    names: tuple[str, ...]
    least: int
    before: int
    rows_a_tick: int = 1
    time: str | None = None
    tick_seconds: float = 60.0
    predictions: tuple[str, ...] = ()

    @property
    def first_live(self) -> int:
        return self.reference[1] if len(self.files) == 1 else 0


KNOWN = {
    "Elec2, a change at row 17,424": Known(
        ("elec.csv",), ("target",), (0, 8064), 17_924, 17_424, 48, ("feat_4", "feat_5", "feat_6"), 2, before=2
    ),
    "rainfall, a change at row 12,000": Known(
        ("rainfall.csv",), ("", "rain"), (8050, 11_000), 12_500, 12_000, 60, ("sea-level pressure", "dew point"), 1, 0
    ),
    "car loans by the hour, a change at row 25,000": Known(
        ("synthetic_car_loan_reference.csv", "synthetic_car_loan_analysis.csv"), ("id", "repaid"), (0, 50_000),
        26_000, 25_000, 300, ("car_value",), 1, 0, 1, "timestamp", 3600.0, ("y_pred", "y_pred_proba"),
    ),
}  # fmt: skip


def in_order(seeds: Sequence[int], *, known: Known) -> list[dict[str, Any]]:
    """Replay the rows after the reference to a while after the change."""
    data, times = table(known.files[0], known.left_out, known.time)
    profile = _profile(known, data, times, slice(*known.reference))
    if len(known.files) > 1:
        data, times = table(known.files[1], known.left_out, known.time)
    start = known.first_live
    replay = _Watched(profile, settings(MONTH, TOLERANCE, known.tick_seconds))
    pages = _pages(replay, known, data, times, slice(start, known.stop))
    return [{"pages": [(start + row, names) for row, names in pages], "evidence": replay.thinned(start)} for _ in seeds]


def held_out(seeds: Sequence[int], *, known: Known) -> list[int]:
    """Alarms when the last third of the reference is replayed against the first two."""
    data, times = table(known.files[0], known.left_out, known.time)
    first, last = known.reference
    border = first + (last - first) * 2 // 3
    profile = _profile(known, data, times, slice(first, border))
    replay = Replay(profile, settings(MONTH, TOLERANCE, known.tick_seconds))
    return [len(_pages(replay, known, data, times, slice(border, last))) for _ in seeds]


def calm(seeds: Sequence[int], *, first_day: int) -> list[list[str]]:
    """Alarms in 60 days of New York's flights, by the hour, after a reference of the 60 days before: day and names."""
    data, times = table("flights.csv", FLIGHT_NAMES, "time_hour")
    assert times is not None
    order = np.argsort(times, kind="stable")
    data, times = taken(data, order), times[order]
    begin = float(times[0] - times[0] % DAY)
    borders = np.searchsorted(times, begin + DAY * np.array([first_day, first_day + 60, first_day + 120]))
    before, after = slice(*borders[:2].tolist()), slice(*borders[1:].tolist())
    profile = build_profile(taken(data, before), times=times[before], tick_seconds=HOUR)
    live, at = taken(data, after), times[after]
    replay = Replay(profile, settings(MONTH, TOLERANCE, HOUR))
    pages = [
        f"day {(at[closed.row - 1] - begin) / DAY:.0f} naming {', '.join(feature.name for feature in alarm.features)}"
        for closed in replay.run(live, tick_spans_by_time(at, HOUR), at)
        for alarm in closed.alarms
    ]
    return [pages for _ in seeds]


def _judge_calm(outcomes: Sequence[list[str]]) -> Judged:
    (pages,) = outcomes
    text = f"{len(pages)} alarm{'s' * (len(pages) != 1)}" + (f": {'; '.join(pages)}" if pages else "")
    return Judged(text, "", None, {"pages": len(pages)})


def _profile(known: Known, data: Columns, times: Floats | None, rows: slice) -> Profile:
    return build_profile(
        taken(data, rows),
        times=None if times is None else times[rows],
        sides=dict.fromkeys(known.predictions, "prediction"),
        tick_seconds=known.tick_seconds,
        rows_per_tick=known.rows_a_tick if times is None else None,
    )


def _pages(
    replay: Replay, known: Known, data: Columns, times: Floats | None, rows: slice
) -> list[tuple[int, tuple[str, ...]]]:
    """(rows so far, names) of each alarm."""
    live, at = taken(data, rows), None if times is None else times[rows]
    spans = (
        tick_spans_by_rows(rows_of(live), known.rows_a_tick)
        if at is None
        else tick_spans_by_time(at, known.tick_seconds)
    )
    return [
        (closed.row, tuple(feature.name for feature in alarm.features))
        for closed in replay.run(live, spans, at)
        for alarm in closed.alarms
    ]


class _Watched(Replay):
    """A replay that stores the evidence: log10 of the largest over its threshold, after each tick."""

    def __init__(self, profile: Profile, chosen: DriftSettings) -> None:
        super().__init__(profile, chosen)
        self._heights: list[float] = []

    def run(self, columns: Columns, spans: list[TickSpan], times: Floats | None = None) -> Iterator[ClosedTick]:  # type: ignore[override]
        for closed in super().run(columns, spans, times):
            alarmed = [np.log(alarm.evidence_ratio) for alarm in closed.alarms]
            now = [family.log_ratio for family in self.monitor._families]
            self._heights.append(float(max([*alarmed, *now])) / np.log(10))
            yield closed

    def thinned(self, start: int) -> list[tuple[int, float]]:
        """(row, largest height since the last point)."""
        width = max(1, len(self._heights) // POINTS)
        pieces = [self._heights[i : i + width] for i in range(0, len(self._heights), width)]
        return [(start + i * width, round(max(*piece, LOWEST), 2)) for i, piece in enumerate(pieces)]


def judge_order(outcomes: Sequence[dict[str, Any]], known: Known) -> Judged:
    (found,) = outcomes
    before = [page for page in found["pages"] if page[0] <= known.change]
    after = [page for page in found["pages"] if known.change < page[0] <= known.change + known.within]
    named = {name for _, names in after for name in names} & set(known.names)
    early = {name for _, names in before for name in names} & set(known.names)
    good = len(before) <= known.before and len(named) >= known.least and not early
    where = "; ".join(f"row {row:,} naming {', '.join(names)}" for row, names in after) or "none in time"
    return Judged(f"{len(before)} alarms before; then {where}", "", good, found)


def shuffled(seeds: Sequence[int], *, source: str, shifted: bool) -> list[int]:
    """For each seed, alarms in shuffled rows; or, with one column shifted by .3 sd, the rows until its alarm."""
    found = []
    for seed in seeds:
        rng = np.random.default_rng([seed, 5])
        data = columns(source)
        picked = rng.permutation(rows_of(data))[:MOST_ROWS]
        border = int(len(picked) * REFERENCE_SHARE)
        profile = build_profile(taken(data, picked[:border]), exchangeable=True)
        live = taken(data, picked[border:])
        ticks = rows_of(live) // ROWS_A_TICK
        monitor = Replay(profile, settings(LENGTHS_A_FALSE_ALARM * ticks, TOLERANCE))
        if shifted:
            live = _shifted(live, profile, rng)
        pages = [
            closed.row
            for closed in monitor.run(live, tick_spans_by_rows(rows_of(live), ROWS_A_TICK))
            for _ in closed.alarms
        ]
        late = [row - QUIET_ROWS for row in pages if row > QUIET_ROWS]
        found.append((late or [rows_of(live)])[0] if shifted else len(pages))
    return found


def _shifted(live: Columns, profile: Profile, rng: np.random.Generator) -> Columns:
    """A short run, after whose first rows one continuous column is larger by .3 reference standard deviations."""
    short = taken(live, slice(0, QUIET_ROWS + 2 * FOUND_WITHIN))
    names = [
        f.name for f in profile.features if f.name in live and isinstance(f.bins, NumericBins) and not f.bins.discrete
    ]
    name = names[int(rng.integers(len(names)))]
    column, feature = short[name], profile.feature(name)
    values = column.values.astype(np.float64)
    values[QUIET_ROWS:] += SHIFT * feature.bins.spread  # type: ignore[union-attr]  # picked among the numeric ones
    return {**short, name: Column(values, column.missing)}


def _judge_quiet(outcomes: Sequence[int]) -> Judged:
    judged = share_at_least([alarms == 0 for alarms in outcomes], 0.95)
    return Judged(
        f"{judged.measured} without an alarm ({sum(outcomes)} alarms)", judged.bound, judged.met, judged.figures
    )


def _judge_found(outcomes: Sequence[int]) -> Judged:
    judged = share_at_least([rows <= FOUND_WITHIN for rows in outcomes], 0.9)
    middle = f"{judged.measured}; half of them within {np.median(outcomes):.0f}"
    return Judged(middle, judged.bound, judged.met, judged.figures)


def ordered_cases(_: bool) -> list[Case]:
    quiet = [
        Case(
            name=f"flights by the hour, days {day} - {day + 60}, then {day + 60} - {day + 120} live",
            target="-",
            measure=calm,
            judge=_judge_calm,
            options={"first_day": day},
        )
        for day in (60, 150)
    ]
    return quiet + [
        Case(
            name=name,
            target=f"an alarm <= {known.within} rows after it naming {known.least} of {', '.join(known.names)}; "
            f"<= {known.before} before",
            measure=in_order,
            judge=partial(judge_order, known=known),
            options={"known": known},
        )
        for name, known in KNOWN.items()
    ]


def shuffled_cases(quick: bool) -> list[Case]:
    runs = 2 if quick else 40
    cases = []
    for name in SOURCES:
        for shifted, target in ((False, "no alarm in >= 95 %"), (True, "found within 1,000 rows in >= 90 %")):
            cases.append(
                Case(
                    name=f"{name}, shuffled" + (", + .3 sd in one column" if shifted else ""),
                    target=target,
                    measure=shuffled,
                    judge=_judge_found if shifted else _judge_quiet,
                    runs=runs,
                    chunk=4 if quick else 10,
                    options={"source": name, "shifted": shifted},
                )
            )
    return cases
