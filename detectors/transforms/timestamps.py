"""Derive features from timestamps: the lag before the exchange, and the hour of the day.

The timestamp itself is not monitored, because new values keep arriving.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, TypeAlias

import numpy as np

from .. import schema
from ..batch import Column, Floats
from ..binning.numeric import to_floats
from ..columns.inference import is_monotone_in_time
from ..columns.timestamps import epoch_seconds, form_of, unit_of
from .base import Block
from .rows import ReferenceRows
from .single import COLUMN, SIDE, SingleColumnTransform, column_of

DAY = 86_400.0
DAYS = 2  # days that times must span to cover all hours of a day
TAIL = 0.005  # share of the times at either end that may be odd, such as 1970 or 9999
Form: TypeAlias = Literal["datetime", "number", "text"]
Unit: TypeAlias = Literal["", "s", "ms", "us", "ns"]


@dataclass(frozen=True)
class TimestampTransform(SingleColumnTransform):
    """The lag, in seconds from the value to the row's exchange, and the hour of the day (UTC).

    Attributes:
        form: form in the reference: "text" (ISO 8601), "number" since 1970, or "datetime", which requests carry as
            either. A value of another form is a mismatch and is parsed all the same.
        unit: unit of numbers: s, ms, us, ns, or "" to judge each number by its size.
        lag, hour: which of the two are derived. Without exchange times there is no lag.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.batch import as_column
        >>> from pilotfish.detectors.transforms.base import Block
        >>> from pilotfish.detectors.transforms.timestamps import TimestampTransform
        >>> transform = TimestampTransform("at", "input", form="text", unit="", lag=True, hour=True)
        >>> rows = Block({"at": as_column(["1970-01-01T05:00:00Z"])}, 1, np.array([18_060.0]))
        >>> {name: column.values.tolist() for name, column in transform.apply(rows).items()}
        {'at:lag': [60.0], 'at:hour': [5.0]}
    """

    kind: ClassVar[str] = "timestamp"
    form: str
    unit: str
    lag: bool
    hour: bool

    @property
    def outputs(self) -> tuple[str, ...]:
        return self._named(*["lag"] * self.lag, *["hour"] * self.hour)

    def apply(self, block: Block) -> Mapping[str, Column]:
        times, wrong = epoch_seconds(block.columns[self.column], self.form, self.unit)
        made = {}
        if self.lag and block.at is not None:
            made[f"{self.column}:lag"] = column_of(block.at - times, wrong)
        if self.hour:
            made[f"{self.column}:hour"] = column_of(_hours(times), wrong)
        return made

    @classmethod
    def from_document(cls, document: Mapping[str, Any], where: str) -> Self:
        return schema.record(
            cls,
            column=COLUMN,
            form=schema.one_of(Form),
            hour=schema.flag,
            lag=schema.flag,
            side=SIDE,
            unit=schema.one_of(Unit),
        )(document, where)


def fit_timestamps(reference: ReferenceRows) -> list[TimestampTransform]:
    """Return a transform for each timestamp column whose lag or hour is usable, judged by the training split."""
    made = []
    for name, type_ in reference.types.items():
        side = reference.sides[name]
        if type_ == "timestamp" and side != "label":
            form, unit = _form(reference.columns[name])
            times, _ = epoch_seconds(reference.columns[name], form, unit)
            hour = _covers_the_day(times)
            lag = reference.at is not None and _is_stationary(reference.at - times)
            if lag or hour:
                made.append(TimestampTransform(name, side, form, unit, lag, hour))
    return made


def _form(column: Column) -> tuple[str, str]:
    form = form_of(column)
    return form, unit_of(to_floats(column)[0]) if form == "number" else ""


def _hours(times: Floats) -> Floats:
    hours: Floats = np.floor(times % DAY / 3600)
    return hours


def _covers_the_day(times: Floats) -> bool:
    """Return whether times [rows] cover all hours of a day.

    Dates have a single hour, and a short reference has only some of them.
    """
    finite = times[np.isfinite(times)]
    if not len(finite):
        return False
    first, last = np.quantile(finite, (TAIL, 1 - TAIL))
    return float(last - first) >= (1 - 2 * TAIL) * DAYS * DAY and len(np.unique(_hours(finite))) > 1


def _is_stationary(lags: Floats) -> bool:
    """Return whether the lags do not rise or fall steadily with time.

    The lags of a fixed timestamp do; they would grow without end.
    """
    return bool(np.isfinite(lags).any()) and not is_monotone_in_time(lags)
