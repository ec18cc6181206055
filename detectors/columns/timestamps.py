"""Moments in time as data writes them: ISO 8601, a number since 1970, or numpy's own type; epoch seconds here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from ..batch import Bools, Column, Floats, missing_mask

UNITS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}  # how many make a second
_SIZES = (1e11, 1e14, 1e17)  # from which size on a number is of the next unit
EARLIEST, LATEST = -2.2e9, 1e10  # 1900 to 2286; a number beyond is no time
NUMBERS = (int, float, np.integer, np.floating)


def unit_of(values: Floats) -> str:
    """The unit in which numbers since 1970 are given, told by their typical size."""
    finite = np.abs(values[np.isfinite(values)])
    typical = float(np.median(finite)) if len(finite) else 0.0
    return list(UNITS)[int(np.searchsorted(_SIZES, typical, side="right"))]


def from_numbers(values: Floats, unit: str = "") -> Floats:
    """Epoch seconds [rows] of numbers in `unit`, without one each by its own size; NaN for what is no time."""
    scales = np.array(list(UNITS.values()))
    with np.errstate(invalid="ignore"):
        divisor = UNITS[unit] if unit else scales[np.searchsorted(_SIZES, np.abs(values), side="right")]
        times = values / divisor
        times[~((times > EARLIEST) & (times < LATEST))] = np.nan
    return times


def from_datetimes(column: Column) -> Floats:
    """Epoch seconds [rows] of a column of numpy's datetimes, NaN where missing."""
    times: Floats = column.values.astype("datetime64[us]").astype(np.float64) / 1e6
    times[missing_mask(column)] = np.nan
    return times


def from_text(text: str) -> tuple[float, bool] | None:
    """Epoch seconds of an ISO 8601 text, and whether it had a zone (without one it is UTC); None for another text."""
    try:
        moment = datetime.fromisoformat(text.strip())
        zoned = moment.tzinfo is not None
        return (moment if zoned else moment.replace(tzinfo=UTC)).timestamp(), zoned
    except (ValueError, OverflowError):
        return None


def epoch_seconds(column: Column, form: str, unit: str) -> tuple[Floats, Bools]:
    """Epoch seconds [rows], NaN where there is none, and which rows hold no time or one in another form.

    `form` is what the reference held: "text", "number" (in `unit`) or "datetime", which travels as either.
    """
    kind, missing = column.values.dtype.kind, missing_mask(column)
    if column.values.ndim > 1:
        return np.full(len(missing), np.nan), ~missing
    if kind == "M":
        return from_datetimes(column), np.zeros(len(missing), dtype=bool)
    if kind in "fiu":
        times = from_numbers(column.values.astype(np.float64), unit)
        times[missing] = np.nan
        return times, ~missing & (np.isnan(times) | (form == "text"))
    return _mixed(column, missing, form, unit)


def _mixed(column: Column, missing: Bools, form: str, unit: str) -> tuple[Floats, Bools]:
    times, wrong = np.full(len(missing), np.nan), np.zeros(len(missing), dtype=bool)
    for row, value in enumerate(column.values.tolist()):
        if missing[row]:
            continue
        if isinstance(value, str):
            found = from_text(value)
            times[row] = np.nan if found is None else found[0]
            wrong[row] = form == "number"
        elif isinstance(value, datetime):
            found = from_text(value.isoformat())
            times[row] = np.nan if found is None else found[0]
        elif isinstance(value, NUMBERS) and not isinstance(value, bool):
            times[row] = from_numbers(np.array([_float(value)]), unit)[0]
            wrong[row] = form == "text"
    return times, ~missing & (wrong | np.isnan(times))


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return np.inf
