"""Real data sets as columns, and the periods in which a change is known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from pilotfish.detectors.batch import Column, Floats
from pilotfish.detectors.cells import MISSING_WORDS as NA
from pilotfish.sidecar.profiles.build import ColumnRoles, read_table, row_times
from pilotfish.sidecar.profiles.csvtable import CsvOptions
from tests.benchmarks.detection.runner import NotMeasuredError
from tests.support.datasets import DatasetError, dataset

Columns = dict[str, Column]


@dataclass(frozen=True)
class Source:
    """A file, and the columns of it that a model would not be given."""

    file: str
    left_out: tuple[str, ...]


SOURCES = {
    "Elec2": Source("elec.csv", ("target",)),
    "weather": Source("weather.csv", ("target",)),
    "rainfall": Source("rainfall.csv", ("", "rain")),
    "flights": Source("flights.csv", ("year", "time_hour", "tailnum")),
}


@cache
def columns(name: str) -> Columns:
    """All rows of a source."""
    return table(SOURCES[name].file, SOURCES[name].left_out)[0]


def table(file: str, left_out: tuple[str, ...] = (), time: str | None = None) -> tuple[Columns, Floats | None]:
    """Columns and times of a data set, read as `pilotfish profile build` does; NotMeasuredError without its package."""
    try:
        path = dataset(file)
    except DatasetError as error:
        raise NotMeasuredError(str(error)) from error
    read = read_table(path, ColumnRoles(time=time), CsvOptions(NA), _silent)
    times, _ = row_times(read, time)
    return {name: column for name, column in read.columns.items() if name not in (*left_out, time)}, times


def rows_of(data: Columns) -> int:
    return len(next(iter(data.values())).values)


def taken(data: Columns, rows: Any) -> Columns:
    return {name: column.take(rows) for name, column in data.items()}


def _silent(_: str, __: float) -> None:
    """No progress is shown."""
