"""Processes without drift in which trouble recurs: the same trouble in the reference as in live traffic.

A process draws one recording; the reference is its beginning, and live traffic follows without a gap. Columns x0, x1,
... hold independent standard normal rows, or categories, until a process changes some of them. The last column stays
without trouble wherever a process says "each troubled column".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Generator = np.random.Generator
DAY, HOUR = 86_400.0, 3600.0
CATEGORIES = np.array([f"c{i}" for i in range(8)])
SHARES = 0.5 ** np.arange(1, 9) + 0.5**8 / 8  # of the categories


@dataclass(frozen=True)
class Recording:
    """Rows in time order: `times` [rows] in seconds from a midnight, and columns [rows] by name."""

    times: Array
    columns: Mapping[str, Array]

    def between(self, first_day: float, last_day: float) -> Recording:
        """Return the rows from one day to another."""
        first, last = np.searchsorted(self.times, [first_day * DAY, last_day * DAY])
        return self.taken(slice(first, last))

    def repeated(self, copies: Array) -> Recording:
        """Return each row `copies` [rows] times, at its time."""
        return self.taken(np.repeat(np.arange(len(self.times)), copies))

    def sampled(self, share: float, rng: Generator) -> Recording:
        """Return each row with the probability `share`."""
        return self if share == 1 else self.taken(rng.random(len(self.times)) < share)

    def shifted(self, name: str, rng: Generator) -> Recording:
        """Return the rows with one column shifted by 1 sd; of categories, half the rows become the commonest one."""
        values = self.columns[name]
        if values.dtype.kind == "U":
            moved = np.where(rng.random(len(values)) < 0.5, CATEGORIES[0], values)
        else:
            moved = values + 1.0
        return Recording(self.times, {**self.columns, name: moved})

    def taken(self, rows: Array | slice) -> Recording:
        """Return some rows."""
        return Recording(self.times[rows], {name: values[rows] for name, values in self.columns.items()})


@dataclass(frozen=True)
class Clock:
    """`ticks` ticks of `tick_seconds`, `rows` rows in each at random times, in `columns` columns."""

    ticks: int
    tick_seconds: float
    rows: int
    columns: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.ticks, self.rows

    def normal(self, rng: Generator) -> list[Array]:
        """Return columns of standard normal rows, each [ticks, rows]."""
        return [rng.normal(size=self.shape) for _ in range(self.columns)]

    def moved(self, level: Callable[[], Array], rng: Generator) -> list[Array]:
        """Return columns of normal rows, each but the last around a level [ticks, 1 or rows] of its own."""
        *troubled, last = self.normal(rng)
        return [*(values + level() for values in troubled), last]

    def recording(self, columns: list[Array], rng: Generator) -> Recording:
        """Return columns [ticks, rows] as a recording."""
        within = np.sort(rng.random(self.shape), axis=1)
        times = (np.arange(self.ticks)[:, None] + within) * self.tick_seconds
        return Recording(times.ravel(), {f"x{i}": values.ravel() for i, values in enumerate(columns)})

    def starts(self, every_days: float, rng: Generator, *, periodic: bool = False) -> Array:
        """Return the ticks at which something begins: at random times (Poisson), or after equal intervals."""
        gap = every_days * DAY / self.tick_seconds
        if periodic:
            return np.arange(rng.random() * gap, self.ticks, gap).astype(np.int64)
        return np.sort(rng.integers(self.ticks, size=rng.poisson(self.ticks / gap)))

    def length(self, hours: float) -> int:
        """Return the ticks of some hours, at least one."""
        return max(1, round(hours * HOUR / self.tick_seconds))

    def spells(self, every_days: float, hours: float, rng: Generator, *, periodic: bool = False) -> Array:
        """Return a mask [ticks, 1] that is true in spells of some hours."""
        mask = np.zeros((self.ticks, 1), dtype=bool)
        for start in self.starts(every_days, rng, periodic=periodic).tolist():
            mask[start : start + self.length(hours)] = True
        return mask

    def days(self) -> Array:
        """Return the day [ticks, 1] of each tick, with its fraction."""
        return (np.arange(self.ticks) * (self.tick_seconds / DAY))[:, None]


Process = Callable[[Clock, Generator], Recording]


def quiet(clock: Clock, rng: Generator) -> Recording:
    """Independent rows."""
    return clock.recording(clock.normal(rng), rng)


def outliers(clock: Clock, rng: Generator, periodic: bool = True) -> Recording:
    """Each troubled column reads 50 in a third of the rows of an hour, every 10 days."""
    columns = clock.normal(rng)
    for values in columns[:-1]:
        hours = clock.spells(10, 1, rng, periodic=periodic)
        values[hours & (rng.random(clock.shape) < 1 / 3)] = 50.0
    return clock.recording(columns, rng)


def incidents(clock: Clock, rng: Generator, periodic: bool = True) -> Recording:
    """Each troubled column is larger by 1 sd for two hours, every 5 days."""
    columns = clock.moved(lambda: clock.spells(5, 2, rng, periodic=periodic), rng)
    return clock.recording(columns, rng)


def common_incidents(clock: Clock, rng: Generator, related: bool = False) -> Recording:
    """All columns but the last are larger by 1 sd for the same two hours, at random times, once in 5 days.

    Related columns have the correlation .5 with each other.
    """
    hours, common = clock.spells(5, 2, rng), rng.normal(size=clock.shape)
    *troubled, last = [(common + values) / 2**0.5 if related else values for values in clock.normal(rng)]
    columns = [*(values + hours for values in troubled), last]
    return clock.recording(columns, rng)


def deploys(clock: Clock, rng: Generator) -> Recording:
    """At random times, once in two weeks, a random troubled column moves by .5 sd up or down for a day."""
    columns = clock.normal(rng)
    for start in clock.starts(14, rng).tolist():
        column = int(rng.integers(len(columns) - 1))
        columns[column][start : start + clock.length(24)] += rng.choice([-0.5, 0.5])
    return clock.recording(columns, rng)


def holidays(clock: Clock, rng: Generator) -> Recording:
    """On eleven days of the year, the same in every year, all columns but the last move by 1 sd up or down."""
    days = rng.choice(365, size=11, replace=False)
    today = np.isin(clock.days().astype(np.int64) % 365, days)
    return clock.recording(clock.moved(lambda: today * rng.choice([-1.0, 1.0]), rng), rng)


def new_categories(clock: Clock, rng: Generator) -> Recording:
    """In each troubled column, at random times, once in 10 days, a tenth of an hour's rows holds a new category."""
    columns = []
    for number in range(clock.columns):
        values = rng.choice(CATEGORIES, p=SHARES, size=clock.shape).astype("U12")
        for clump, start in enumerate(clock.starts(10, rng).tolist() if number < clock.columns - 1 else ()):
            hour = values[start : start + clock.length(1)]
            hour[rng.random(hour.shape) < 0.1] = f"new{clump}"
        columns.append(values)
    return clock.recording(columns, rng)


def rare_categories(clock: Clock, rng: Generator) -> Recording:
    """In each troubled column, at random times, once in 3 days, a fifth of an hour's rows holds one rare category."""
    columns = []
    for number in range(clock.columns):
        values = rng.choice(CATEGORIES, p=SHARES, size=clock.shape)
        if number < clock.columns - 1:
            values[clock.spells(3, 1, rng) & (rng.random(clock.shape) < 0.2)] = CATEGORIES[-1]
        columns.append(values)
    return clock.recording(columns, rng)


def outages(clock: Clock, rng: Generator) -> Recording:
    """In each troubled column, at random times, once in 5 days, one common category is absent for two hours."""
    columns = []
    for number in range(clock.columns):
        values = rng.choice(CATEGORIES, p=SHARES, size=clock.shape)
        if number < clock.columns - 1:
            values[clock.spells(5, 2, rng) & (values == CATEGORIES[1])] = CATEGORIES[0]
        columns.append(values)
    return clock.recording(columns, rng)


def heavy_bursts(clock: Clock, rng: Generator) -> Recording:
    """Each troubled column moves at random times, once in 2 days, up or down.

    A burst lasts half an hour and moves by .3 sd, each times a Pareto number with the tail index 1.5.
    """
    columns = clock.normal(rng)
    for values in columns[:-1]:
        for start in clock.starts(2, rng).tolist():
            hours, size = 0.5 * (1 + rng.pareto(1.5)), 0.3 * (1 + rng.pareto(1.5))
            values[start : start + clock.length(hours)] += size * rng.choice([-1.0, 1.0])
    return clock.recording(columns, rng)


def batch_job(clock: Clock, rng: Generator) -> Recording:
    """Every week, for 20 minutes, half of the rows are those of a job: 2 sd larger in all columns but the last."""
    weekly = clock.spells(7, 1 / 3, rng, periodic=True)
    of_job = weekly & (rng.random(clock.shape) < 0.5)
    columns = clock.moved(lambda: 2.0 * of_job, rng)
    return clock.recording(columns, rng).repeated(np.where(np.repeat(weekly, clock.rows), 2, 1))


def month_ends(clock: Clock, rng: Generator) -> Recording:
    """All columns but the last are larger by .5 sd for a day, every 30 days."""
    day = clock.spells(30, 24, rng, periodic=True)
    return clock.recording(clock.moved(lambda: 0.5 * day, rng), rng)


def sales(clock: Clock, rng: Generator) -> Recording:
    """At random times, once in 10 days, for 3 hours: ten times the rows, .5 sd larger in all columns but the last."""
    dense = replace(clock, rows=10 * clock.rows)
    hours = dense.spells(10, 3, rng)
    whole = dense.recording(dense.moved(lambda: 0.5 * hours, rng), rng)
    return whole.taken((hours | (rng.random(dense.shape) < 0.1)).ravel())


def stuck(clock: Clock, rng: Generator) -> Recording:
    """At random times, once in a week, each troubled column keeps one value for an exponential time of 3 hours."""
    columns = clock.normal(rng)
    for values in columns[:-1]:
        for start in clock.starts(7, rng).tolist():
            values[start : start + clock.length(rng.exponential(3))] = values[start, 0]
    return clock.recording(columns, rng)


def missing(clock: Clock, rng: Generator) -> Recording:
    """At random times, once in 5 days, half of an hour's values are missing in each troubled column."""
    columns = clock.normal(rng)
    for values in columns[:-1]:
        values[clock.spells(5, 1, rng) & (rng.random(clock.shape) < 0.5)] = np.nan
    return clock.recording(columns, rng)


def retries(clock: Clock, rng: Generator) -> Recording:
    """At random times, once in 3 days, for an hour, a tenth of the rows is sent 20 times."""
    failing = clock.spells(3, 1, rng) & (rng.random(clock.shape) < 0.1)
    return quiet(clock, rng).repeated(np.where(failing.ravel(), 20, 1))


def copies(clock: Clock, rng: Generator) -> Recording:
    """One row in ten is sent 64 times."""
    return quiet(clock, rng).repeated(np.where(rng.random(clock.ticks * clock.rows) < 0.1, 64, 1))


def skewed(clock: Clock, rng: Generator) -> Recording:
    """Independent rows of skewed columns: log-normal, counts, many categories, and 1 % missing values."""
    shares = 1 / np.arange(1, 101) ** 1.3
    kinds: tuple[Callable[[], Array], ...] = (
        lambda: rng.choice([f"c{i}" for i in range(100)], p=shares / shares.sum(), size=clock.shape),
        lambda: np.exp(1.5 * rng.normal(size=clock.shape)),
        lambda: rng.poisson(0.3, size=clock.shape).astype(np.float64),
        lambda: np.where(rng.random(clock.shape) < 0.01, np.nan, rng.normal(size=clock.shape)),
        lambda: rng.pareto(1.2, size=clock.shape),
    )
    return clock.recording([kinds[i % len(kinds)]() for i in range(clock.columns)], rng)


def week(clock: Clock, rng: Generator) -> Recording:
    """All columns but the last are smaller by .5 sd at the weekend."""
    weekend = clock.days() % 7 >= 5
    return clock.recording(clock.moved(lambda: -0.5 * weekend, rng), rng)


def day_and_week(clock: Clock, rng: Generator) -> Recording:
    """All columns but the last swing by .8 sd in a day, and are smaller by .5 sd at the weekend."""
    days = clock.days()
    level = 0.8 * np.sin(2 * np.pi * days) - 0.5 * (days % 7 >= 5)
    return clock.recording(clock.moved(lambda: level, rng), rng)


def regimes(clock: Clock, rng: Generator) -> Recording:
    """Each troubled column alternates between two levels, .5 sd apart, after exponential times of 2 days."""

    def level() -> Array:
        changes = np.bincount(clock.starts(2, rng), minlength=clock.ticks)
        return 0.5 * (np.cumsum(changes) % 2)[:, None]

    return clock.recording(clock.moved(level, rng), rng)


def hour_effects(clock: Clock, rng: Generator) -> Recording:
    """Each troubled column has a level of .3 sd that is drawn again every hour."""

    def level() -> Array:
        width = clock.length(1)
        return np.repeat(0.3 * rng.normal(size=clock.ticks // width + 1), width)[: clock.ticks, None]

    return clock.recording(clock.moved(level, rng), rng)


PROCESSES: Mapping[str, Process] = {
    "batch job": batch_job,
    "common incidents": common_incidents,
    "common incidents of related columns": partial(common_incidents, related=True),
    "copies": copies,
    "day and week": day_and_week,
    "deploys": deploys,
    "heavy bursts": heavy_bursts,
    "holidays": holidays,
    "hour effects": hour_effects,
    "incidents": incidents,
    "incidents at random times": partial(incidents, periodic=False),
    "missing": missing,
    "month ends": month_ends,
    "new categories": new_categories,
    "outages": outages,
    "outliers": outliers,
    "outliers at random times": partial(outliers, periodic=False),
    "quiet": quiet,
    "rare categories": rare_categories,
    "regimes": regimes,
    "retries": retries,
    "sales": sales,
    "skewed": skewed,
    "stuck": stuck,
    "week": week,
}
