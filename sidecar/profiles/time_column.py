"""The time column: ISO 8601 with or without a zone, or a number since 1970 in s, ms, µs or ns."""

from __future__ import annotations

import numpy as np

from ...detectors.batch import Bools, Column, Floats, missing_mask
from ...detectors.columns.timestamps import from_datetimes, from_numbers, from_text, unit_of
from ..errors import quote_value
from .errors import ReferenceDataError

MAX_WITHOUT = 0.05  # share of rows without a time
YEAR_2000 = 946_684_800.0


def epoch_seconds(name: str, column: Column) -> tuple[Floats, str]:
    """Return (epoch seconds [rows] with NaN for no time, the format that was read); raise ReferenceDataError."""
    missing = missing_mask(column)
    kind = column.values.dtype.kind
    if kind == "M":
        times, how = from_datetimes(column), "timestamps"
    elif kind in "fiu":
        times, how = _from_numbers(column.values.astype(np.float64))
    else:
        times, how = _from_text(column, missing)
    _require_times(name, column, times, missing)
    return times, how


def are_times(column: Column) -> bool:
    """Return whether the numbers of a column may be times since 1970, after the year 2000."""
    if column.values.dtype.kind not in "fiu":
        return False
    times, _ = _from_numbers(column.values.astype(np.float64))
    return bool(np.nanmean(times > YEAR_2000) > 1 - MAX_WITHOUT) if len(times) else False


def _from_numbers(values: Floats) -> tuple[Floats, str]:
    unit = unit_of(values)
    return from_numbers(values, unit), f"{unit.replace('us', 'µs')} since 1970"


def _from_text(column: Column, missing: Bools) -> tuple[Floats, str]:
    read: dict[object, float] = {}
    zones: set[bool] = set()
    for text in set(column.values[~missing].tolist()):
        found = from_text(str(text))
        if found is None:
            read[text] = np.nan
            continue
        read[text], zoned = found
        zones.add(zoned)
    times = np.fromiter((read.get(value, np.nan) for value in column.values.tolist()), np.float64, len(column.values))
    zone = {frozenset({True}): "with a zone", frozenset({False}): "without a zone, read as UTC"}
    return times, f"ISO 8601, {zone.get(frozenset(zones), 'some without a zone, read as UTC')}"


def _require_times(name: str, column: Column, times: Floats, missing: Bools) -> None:
    wrong = np.isnan(times) & ~missing
    without = int(np.isnan(times).sum())
    if without > MAX_WITHOUT * len(times):
        first = int(np.argmax(wrong)) if wrong.any() else -1
        example = f", for example {quote_value(column.values[first])} in row {first + 1:,}" if first >= 0 else ""
        raise ReferenceDataError(
            f"column {name!r}: {without:,} of {len(times):,} rows have no time{example}; "
            "give ISO 8601 (2024-01-31T08:00:00Z) or a number since 1970"
        )
