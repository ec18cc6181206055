"""The time column: ISO 8601 with or without a zone, a number since 1970 in s, ms, µs or ns, or a calendar number.

A number that may be something else than seconds since 1970 is refused with what to give, because a wrong guess would
put all rows into one minute of 1970.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from ...detectors.batch import Bools, Column, Floats, missing_mask
from ...detectors.columns.timestamps import UNITS, from_datetimes, from_numbers, from_text, unit_of
from ..errors import quote_value
from .calendar_numbers import calendar_form, calendar_seconds, excel_seconds
from .errors import ReferenceDataError

MAX_WITHOUT = 0.05  # share of rows without a time
YEAR_1980, YEAR_2000 = 315_532_800.0, 946_684_800.0
REMEDY = "give ISO 8601 (2024-01-31T08:00:00Z) or a number since 1970"


def epoch_seconds(name: str, column: Column) -> tuple[Floats, str]:
    """Return (epoch seconds [rows] with NaN for no time, the format that was read); raise ReferenceDataError."""
    missing = missing_mask(column)
    kind = column.values.dtype.kind
    if kind == "M":
        times, how = from_datetimes(column), "timestamps"
    elif kind in "fiu":
        times, how = _from_numbers(name, np.where(missing, np.nan, column.values.astype(np.float64)))
    else:
        times, how = _from_text(name, column, missing)
    _require_times(name, column, times, missing)
    return times, how


def are_times(column: Column) -> bool:
    """Return whether the numbers of a column may be times since 1970, after the year 2000."""
    if column.values.dtype.kind not in "fiu":
        return False
    values = column.values.astype(np.float64)
    times = from_numbers(values, unit_of(values))
    return bool(np.nanmean(times > YEAR_2000) > 1 - MAX_WITHOUT) if len(times) else False


def require_since_1970(name: str, column: Column) -> None:
    """Raise ReferenceDataError if the numbers of a column count no time since 1970."""
    if column.values.dtype.kind in "fiu":
        _, how = _from_numbers(name, np.where(missing_mask(column), np.nan, column.values.astype(np.float64)))
        if "since 1970" not in how:
            raise ReferenceDataError(
                f"column {name!r} holds {how}, which live requests cannot be compared with; {REMEDY}"
            )


def _from_numbers(name: str, values: Floats) -> tuple[Floats, str]:
    """Return the times of numbers [rows] and their form; NaN for a number that is no time."""
    finite = values[np.isfinite(values)]
    form = calendar_form(finite)
    if form is not None and not form.is_time:
        _refuse(name, finite, f"numbers of the form {form.name}, which give no exact day")
    if form is not None:
        return calendar_seconds(values, form), f"{form.name}, read as UTC"
    days = excel_seconds(values)
    if days is not None:
        return days, "Excel's days since 1899-12-30, read as UTC"
    unit = unit_of(finite)
    times = from_numbers(values, unit)
    known = times[np.isfinite(times)]
    if len(known) and np.median(known) < YEAR_1980:
        _refuse(name, finite, f"numbers that would be times before 1980 as {unit} since 1970")
    times[times < YEAR_1980] = np.nan
    _refuse_mixed_units(name, values, times, unit)
    return times, f"{unit.replace('us', 'µs')} since 1970"


def _refuse(name: str, finite: Floats, what: str) -> None:
    low, high = _as_written(finite.min()), _as_written(finite.max())
    other = "or give no time column, so that the order of the rows counts as time"
    raise ReferenceDataError(f"column {name!r}: {low} to {high} are {what}; {REMEDY}, {other}")


def _refuse_mixed_units(name: str, values: Floats, times: Floats, unit: str) -> None:
    """Raise ReferenceDataError if many numbers are times in another unit than the others."""
    without = np.isfinite(values) & np.isnan(times)
    if without.sum() <= MAX_WITHOUT * len(values):
        return
    for other in UNITS:
        found = without & (from_numbers(values, other) >= YEAR_1980)
        if other != unit and found.sum() > MAX_WITHOUT * len(values):
            first, second = int(np.argmax(np.isfinite(times))), int(np.argmax(found))
            raise ReferenceDataError(
                f"column {name!r} mixes units: {_as_written(values[first])} in row {first + 1:,} is {unit} since 1970, "
                f"{_as_written(values[second])} in row {second + 1:,} is {other}; give one unit"
            )


def _from_text(name: str, column: Column, missing: Bools) -> tuple[Floats, str]:
    texts = Counter(map(str, column.values[~missing].tolist()))
    read = {text: found for text in texts if (found := from_text(text)) is not None and not text.strip().isdecimal()}
    if (
        sum(texts[text] for text in read) < texts.total() / 2
    ):  # numbers, beside a text that made the column one of texts
        numbers = {text: number for text in texts if np.isfinite(number := _number(text))}
        if sum(texts[text] for text in numbers) > texts.total() / 2:
            values = np.fromiter((numbers.get(str(text), np.nan) for text in column.values.tolist()), np.float64)
            return _from_numbers(name, values)
    seconds = {text: found[0] for text, found in read.items()}
    times = np.fromiter((seconds.get(str(value), np.nan) for value in column.values.tolist()), np.float64)
    zones = frozenset(zoned for _, zoned in read.values())
    zone = {frozenset({True}): "with a zone", frozenset({False}): "without a zone, read as UTC"}
    return times, f"ISO 8601, {zone.get(zones, 'some without a zone, read as UTC')}"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _as_written(value: object) -> str:
    """Return a number without the decimals of a whole one; another value quoted."""
    plain = value.item() if isinstance(value, np.generic) else value
    if not isinstance(plain, float):
        return quote_value(plain)
    return f"{int(plain)}" if plain.is_integer() and abs(plain) < 2**63 else f"{plain:.10g}"


def _require_times(name: str, column: Column, times: Floats, missing: Bools) -> None:
    wrong = np.isnan(times) & ~missing
    without = int(np.isnan(times).sum())
    if without > MAX_WITHOUT * len(times):
        first = int(np.argmax(wrong)) if wrong.any() else -1
        example = f", for example {_as_written(column.values[first])} in row {first + 1:,}" if first >= 0 else ""
        raise ReferenceDataError(f"column {name!r}: {without:,} of {len(times):,} rows have no time{example}; {REMEDY}")
