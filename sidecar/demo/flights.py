"""The vendored flights as numpy columns, and the one change that the demo makes to them.

The columns of a model's input are named by `FEATURES`; the target is the time in the air, in minutes.
"""

from __future__ import annotations

import csv
import lzma
from dataclasses import dataclass
from datetime import date
from importlib import resources
from io import StringIO

import numpy as np
from numpy.typing import NDArray

Columns = dict[str, NDArray[np.generic]]

CATEGORICAL = ("carrier", "origin")
NUMERIC = ("distance", "departure", "seats", "built")
FEATURES = CATEGORICAL + NUMERIC
TARGET = "air_time"
KILOMETRES_PER_MILE = 1.609344
FIRST_DATE = date(2013, 5, 1)


@dataclass(frozen=True, slots=True)
class Flights:
    """Rows of features with their true values.

    columns   by name of FEATURES: str[n] for the categorical ones, float64[n] (NaN = missing) for the others
    air_time  float64[n], minutes
    day       int64[n], days since 1 May 2013, ascending
    """

    columns: Columns
    air_time: NDArray[np.float64]
    day: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.air_time)

    def rows(self, chosen: slice | NDArray[np.bool_]) -> Flights:
        """Return the chosen rows."""
        columns = {name: values[chosen] for name, values in self.columns.items()}
        return Flights(columns, self.air_time[chosen], self.day[chosen])

    def days(self, first: int, end: int) -> Flights:
        """Return the rows of the days `first` to `end - 1`."""
        start, stop = np.searchsorted(self.day, [first, end])
        return self.rows(slice(int(start), int(stop)))


def load() -> Flights:
    """Return all flights of the package's data file, in order of time (about 140,000 rows)."""
    packed = resources.files(__package__).joinpath("data", "flights.csv.xz").read_bytes()
    lines = csv.reader(StringIO(lzma.decompress(packed).decode()))
    header = next(lines)
    raw = dict(zip(header, zip(*lines, strict=True), strict=True))
    columns: Columns = {name: np.array(raw[name]) for name in CATEGORICAL}
    columns |= {name: _numbers(raw[name]) for name in NUMERIC}
    columns["departure"] = np.round(columns["departure"].astype(np.float64) / 60, 2)
    offsets = {text: (date.fromisoformat(text) - FIRST_DATE).days for text in set(raw["date"])}
    return Flights(columns, _numbers(raw[TARGET]), np.array([offsets[text] for text in raw["date"]], np.int64))


def mixed_days(flights: Flights, random: np.random.Generator) -> Flights:
    """Return `flights` with each day's rows in random order.

    A day is the unit of time of the demo, so each part of it must have the distribution of the whole day.
    """
    order = np.lexsort((random.random(len(flights)), flights.day))
    columns = {name: values[order] for name, values in flights.columns.items()}
    return Flights(columns, flights.air_time[order], flights.day[order])


def in_kilometres(flights: Flights, origin: str) -> Flights:
    """Return `flights` with the distances of the airport `origin` in kilometres instead of miles."""
    distance = flights.columns["distance"].astype(np.float64)
    changed = np.where(flights.columns["origin"] == origin, np.round(distance * KILOMETRES_PER_MILE), distance)
    return Flights(flights.columns | {"distance": changed}, flights.air_time, flights.day)


def _numbers(texts: tuple[str, ...]) -> NDArray[np.float64]:
    return np.array([text or "nan" for text in texts]).astype(np.float64)
