"""Real data sets as columns, and the stretches of them in which something is known to happen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pilotfish.detectors.batch import Column
from pilotfish.sidecar.profiles.build import Roles, read_table
from pilotfish.sidecar.profiles.cells import NA
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
    """All rows of a data set; NotMeasuredError where its package cannot be had."""
    source = SOURCES[name]
    try:
        path = dataset(source.file)
    except DatasetError as error:
        raise NotMeasuredError(str(error)) from error
    return table(path, source.left_out)


def table(path: Path, left_out: tuple[str, ...] = ()) -> Columns:
    """The columns of a CSV file, as `pilotfish profile build` reads them."""
    read = read_table(path, Roles(), CsvOptions(NA), _silent)
    return {name: column for name, column in read.columns.items() if name not in left_out}


def rows_of(data: Columns) -> int:
    return len(next(iter(data.values())).values)


def taken(data: Columns, rows: object) -> Columns:
    return {name: column.take(rows) for name, column in data.items()}  # type: ignore[arg-type]


def _silent(_: str, __: float) -> None:
    """No progress is shown."""
