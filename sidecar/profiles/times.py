"""The time column: ISO 8601 with or without a zone, or a number since 1970 in s, ms, µs or ns."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from pilotfish.detectors.batch import Bools, Column, Floats, missing_mask
from pilotfish.sidecar.errors import shown
from pilotfish.sidecar.profiles.errors import ReferenceDataError

MOST_WITHOUT = 0.05
_UNITS = ((1e11, 1.0, "s"), (1e14, 1e3, "ms"), (1e17, 1e6, "µs"), (np.inf, 1e9, "ns"))  # up to which size, divisor
_EARLIEST, _LATEST = -2.2e9, 1e10  # 1900 to 2286


def epoch_seconds(name: str, column: Column) -> tuple[Floats, str]:
    """Return (epoch seconds [rows], NaN where there is no time; how they were read); raise ReferenceDataError."""
    missing = missing_mask(column)
    kind = column.values.dtype.kind
    if kind == "M":
        times, how = column.values.astype("datetime64[us]").astype(np.float64) / 1e6, "timestamps"
        times[missing] = np.nan
    elif kind in "fiu":
        times, how = _from_numbers(column.values.astype(np.float64))
    else:
        times, how = _from_text(column, missing)
    _require_times(name, column, times, missing)
    return times, how


def _from_numbers(values: Floats) -> tuple[Floats, str]:
    finite = np.abs(values[np.isfinite(values)])
    typical = float(np.median(finite)) if len(finite) else 0.0
    _, divisor, unit = next(entry for entry in _UNITS if typical < entry[0])
    times = values / divisor
    times[~((times > _EARLIEST) & (times < _LATEST))] = np.nan
    return times, f"{unit} since 1970"


def _from_text(column: Column, missing: Bools) -> tuple[Floats, str]:
    read: dict[object, float] = {}
    zones: set[bool] = set()
    for text in set(column.values[~missing].tolist()):
        moment = _moment(text)
        if moment is None:
            read[text] = np.nan
            continue
        zones.add(moment.tzinfo is not None)
        read[text] = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    times = np.fromiter((read.get(value, np.nan) for value in column.values.tolist()), np.float64, len(column.values))
    zone = {frozenset({True}): "with their zone", frozenset({False}): "without a zone, taken as UTC"}
    return times, f"ISO 8601, {zone.get(frozenset(zones), 'some without a zone, taken as UTC')}"


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text).strip())
    except ValueError:
        return None


def _require_times(name: str, column: Column, times: Floats, missing: Bools) -> None:
    wrong = np.isnan(times) & ~missing
    without = int(np.isnan(times).sum())
    if without > MOST_WITHOUT * len(times):
        first = int(np.argmax(wrong)) if wrong.any() else -1
        example = f", for example {shown(column.values[first])} in row {first + 1:,}" if first >= 0 else ""
        raise ReferenceDataError(
            f"column {name!r}: {without:,} of {len(times):,} rows have no time{example}; "
            "give ISO 8601 (2024-01-31T08:00:00Z) or a number since 1970"
        )
