"""Convert timestamps of any form to epoch seconds: ISO 8601 text, numbers since 1970, and numpy's datetime64.

`transforms.timestamps` uses the result for lag and hour of the day; `infer_type` recognises timestamp columns.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ..batch import Bools, Column, Floats, missing_mask

UNITS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}  # units per second
_SIZES = (1e11, 1e14, 1e17)  # smallest number of the next unit
EARLIEST, LATEST = -2.2e9, 1e10  # 1900 to 2286; a number outside is not a time
_NAMED_ZONE = re.compile(r"(?<=[0-9]) (?:UTC|GMT)$")
SAMPLED_VALUES = 1000  # values that decide on the form of a column
NUMBERS = (int, float, np.integer, np.floating)


def unit_of(values: Floats) -> str:
    """Return the unit of numbers since 1970, judged by their median size.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.columns.timestamps import unit_of
        >>> unit_of(np.array([1.7e9, 1.8e9])), unit_of(np.array([1.7e12]))
        ('s', 'ms')
    """
    finite = np.abs(values[np.isfinite(values)])
    typical = float(np.median(np.minimum(finite, LATEST * UNITS["ns"]))) if len(finite) else 0.0  # without overflow
    return list(UNITS)[int(np.searchsorted(_SIZES, typical, side="right"))]


def from_numbers(values: Floats, unit: str = "") -> Floats:
    """Return epoch seconds [rows] of numbers in `unit`, NaN for a number that is not a time.

    Without a unit, the size of each number decides.
    """
    scales = np.array(list(UNITS.values()))
    with np.errstate(invalid="ignore"):
        divisor = UNITS[unit] if unit else scales[np.searchsorted(_SIZES, np.abs(values), side="right")]
        times = values / divisor
        times[~((times > EARLIEST) & (times < LATEST))] = np.nan
    return times


def from_datetimes(column: Column) -> Floats:
    """Return epoch seconds [rows] of a datetime64 column, NaN where missing."""
    times: Floats = column.values.astype("datetime64[us]").astype(np.float64) / 1e6
    times[missing_mask(column)] = np.nan
    return times


def from_text(text: str) -> tuple[float, bool] | None:
    """Return the epoch seconds of an ISO 8601 text, and whether it has a zone; None for other text.

    A time without a zone counts as UTC. The zone may be the word UTC, as BigQuery exports it.
    """
    try:
        moment = datetime.fromisoformat(_NAMED_ZONE.sub("+00:00", text.strip()))
        zoned = moment.tzinfo is not None
        return (moment if zoned else moment.replace(tzinfo=UTC)).timestamp(), zoned
    except (ValueError, OverflowError):
        return None


def form_of(column: Column) -> str:
    """Return the form that most values have: "datetime", "number", or "text" (ISO 8601).

    A text that is a number counts as one: a CSV has no other numbers where a cell of the column is a text.
    """
    if column.values.dtype.kind == "M":
        return "datetime"
    if column.values.dtype.kind in "fiu":
        return "number"
    numbers = texts = 0
    present = column.values[~missing_mask(column)]
    for value in present[:: max(1, len(present) // SAMPLED_VALUES)].tolist():
        if isinstance(value, str):
            is_time = from_text(value) is not None
            texts += is_time
            numbers += not is_time and _number_in(value) is not None
        else:
            numbers += isinstance(value, NUMBERS)
    return "number" if numbers > texts else "text"


def epoch_seconds(column: Column, form: str, unit: str) -> tuple[Floats, Bools]:
    """Return epoch seconds [rows], NaN where there is no time, and which rows have no time or another form.

    Args:
        column: the timestamps.
        form: the form in the reference: "text", "number" or "datetime". Live "datetime" values arrive as text or
            numbers.
        unit: unit of numbers: s, ms, us, ns, or "" to judge each number by its size.

    Example:
        >>> from pilotfish.detectors.batch import as_column
        >>> from pilotfish.detectors.columns.timestamps import epoch_seconds
        >>> seconds, wrong = epoch_seconds(as_column(["1970-01-02", "soon", None]), "text", "")
        >>> seconds.tolist(), wrong.tolist()
        ([86400.0, nan, nan], [False, True, False])
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
            found, number = from_text(value), _number_in(value)
            if found is not None:
                times[row], wrong[row] = found[0], form == "number"
            elif number is not None and form == "number":
                times[row] = from_numbers(np.array([number]), unit)[0]
        elif isinstance(value, datetime):
            found = from_text(value.isoformat())
            times[row] = np.nan if found is None else found[0]
        elif isinstance(value, NUMBERS) and not isinstance(value, bool):
            times[row] = from_numbers(np.array([_float(value)]), unit)[0]
            wrong[row] = form == "text"
    return times, ~missing & (wrong | np.isnan(times))


def _number_in(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return np.inf
