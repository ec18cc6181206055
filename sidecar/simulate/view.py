"""What a simulation shows: a table and charts, from which the terminal, the page and the picture are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table

from .trace import Floats

WIDTHS = (1, 3, 6, 12, 24, 60, 120, 180, 360, 720, 1440, 4320, 8640, 17_280)  # steps in one point of a chart


@dataclass(frozen=True)
class SimulationChart:
    """One chart: a value for each step, as one line for each policy or as a single line.

    `title` is that of the page, `axis` the shorter one of the picture, and `label` describes the chart to readers who
    do not see it. A point over several steps shows their largest value, or their mean. `level` is a dashed line.
    """

    title: str
    axis: str
    label: str
    series: Sequence[Floats]
    level: float | None = None
    stairs: bool = False
    mean: bool = False

    def points(self, width: int) -> list[Floats]:
        """Return the lines with one point for each `width` steps."""
        return [(mean if self.mean else largest)(values, width) for values in self.series]


@dataclass(frozen=True)
class ViewRow:
    """One row of the table; `policy` is the place of its policy, which has one colour in all charts."""

    policy: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class SimulationView:
    """Table and charts of a simulation from the Unix time `start` on, in steps of `step` seconds.

    `legends` are the names of the policies in the picture. `gaps` are pairs of Unix times without data. `comparison`,
    `assumptions` and `notes` are sentences for the reader.
    """

    title: str
    start: float
    step: float
    columns: tuple[str, ...]
    rows: Sequence[ViewRow]
    legends: Sequence[str]
    charts: Sequence[SimulationChart]
    comparison: Sequence[str]
    assumptions: Sequence[str]
    notes: Sequence[str]
    gaps: Sequence[tuple[float, float]] = ()

    def width(self, most: int) -> int:
        """Return the number of steps in one point, so that a chart has at most `most` points, or the largest width."""
        steps = len(self.charts[0].series[0])
        return next((width for width in WIDTHS if steps / width <= most), WIDTHS[-1])

    def times(self, width: int) -> Floats:
        """Return the Unix time at which each point of `width` steps starts."""
        starts: Floats = self.start + np.arange(0, len(self.charts[0].series[0]), width) * self.step
        return starts

    def table(self) -> Table:
        """Return the table for a terminal."""
        drawn = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for place, title in enumerate(self.columns):
            drawn.add_column(title, justify="right" if place else "left", no_wrap=True)
        for row in self.rows:
            drawn.add_row(*row.cells)
        return drawn


def largest(values: Floats, width: int) -> Floats:
    """Return the largest value of each `width` steps."""
    return np.maximum.reduceat(values, np.arange(0, len(values), width))


def mean(values: Floats, width: int) -> Floats:
    """Return the mean value of each `width` steps."""
    starts = np.arange(0, len(values), width)
    sums: Floats = np.add.reduceat(values, starts) / np.diff([*starts, len(values)])
    return sums
