"""Times as features: how long before the exchange they lie, and at which hour of the day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from ..batch import Column, Floats
from ..columns.inference import is_monotone_in_time
from ..columns.timestamps import UNITS, epoch_seconds, unit_of
from ..errors import ProfileError, shown
from .base import Block
from .rows import ReferenceRows
from .single import SingleColumnTransform, column_of

DAY = 86_400.0
DAYS = 2  # that times must span, for a reference to know all the hours of a day
FORMS = ("datetime", "number", "text")


@dataclass(frozen=True)
class TimestampTransform(SingleColumnTransform):
    """The lag, seconds from the value to the row's exchange, and the hour of the day, UTC.

    Attributes:
        form: how the reference wrote times: "text" (ISO 8601), "number" since 1970, or "datetime", which a request
            may carry as either. Another form is a mismatch; it is read all the same.
        unit: of numbers: s, ms, us, ns; "" tells it by each number's size.
        lag, hour: which of the two are made. Where the rows' times are not known at all, there is no lag.
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
        if document["form"] not in FORMS or document["unit"] not in {"", *UNITS}:
            raise ProfileError(
                f"{where} reads times as {shown(document['form'])} in {shown(document['unit'])}; build it again"
            )
        return super().from_document(document, where)


def fit_timestamps(reference: ReferenceRows) -> list[TimestampTransform]:
    """One for each column of times of which lag or hour can be told from the shaping part."""
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
    if column.values.dtype.kind == "M":
        return "datetime", ""
    if column.values.dtype.kind in "fiu":
        return "number", unit_of(column.values.astype(np.float64))
    return "text", ""


def _hours(times: Floats) -> Floats:
    hours: Floats = np.floor(times % DAY / 3600)
    return hours


def _covers_the_day(times: Floats) -> bool:
    """Whether times [rows] are of all the day: dates have one hour, and a short reference knows but some of them."""
    finite = times[np.isfinite(times)]
    return len(finite) > 0 and float(np.ptp(finite)) >= DAYS * DAY and len(np.unique(_hours(finite))) > 1


def _is_stationary(lags: Floats) -> bool:
    """Whether lags are no clock, as those from one and the same moment are: they would be new for ever."""
    return bool(np.isfinite(lags).any()) and not is_monotone_in_time(lags)
