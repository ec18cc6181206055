"""What kind of column this is, and which ones would alarm for ever and are therefore not watched."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import cast

import numpy as np

from pilotfish.detectors.batch import Array, Column, Floats, missing_mask
from pilotfish.detectors.binning.categories import text_of
from pilotfish.detectors.binning.numeric import numbers
from pilotfish.detectors.profile import Kind

FIRST = 1000  # values that are tried before all are
MONOTONE = 0.98  # rank correlation with time from which a column is a clock
LOOKED_AT = 20_000  # rows that are enough to see it
DATES = 20  # different dates from which on a column of dates does not consist of a few fixed ones
NEW = 0.5  # share of values never seen in the other part, from which a column names rows


def infer_kind(column: Column) -> Kind:
    """The kind of the values that are there; text that reads as numbers throughout is numeric."""
    missing = missing_mask(column)
    values = column.values[~missing]
    if values.dtype.kind == "b":
        return _or_constant("boolean", values)
    if values.dtype.kind in "fiuM":
        return _numeric_kind(numbers(Column(values))[0])
    present = values.tolist()
    types = set(map(type, present))
    if types <= {bool, np.bool_}:
        return _or_constant("boolean", np.array(present, dtype=bool))
    texts = {str(value) for value in present if isinstance(value, str)}
    if {text.lower() for text in texts} <= {"true", "false"} and types == {str}:
        return "boolean" if len(texts) > 1 else "constant"
    if any(_keeps_its_zeros(text) for text in texts):
        return "categorical"
    if np.isnan(numbers(Column(values[:FIRST]))[0]).any():
        return "constant" if len(texts) == 1 and types == {str} else "categorical"
    parsed = numbers(Column(values))[0]
    if len(parsed) and not np.isnan(parsed).any():
        return _numeric_kind(parsed)
    return "categorical"


def _keeps_its_zeros(text: str) -> bool:
    """A code such as 00501 is no number."""
    return len(text) > 1 and text[0] == "0" and text.isdigit()


def _or_constant(kind: str, values: Array) -> Kind:
    return cast("Kind", kind if len(np.unique(values)) > 1 else "constant")


def _numeric_kind(values: Floats) -> Kind:
    finite = values[np.isfinite(values)]
    if len(finite) and np.all(finite == finite[0]):
        return "constant"
    return "integer" if np.all(finite == np.round(finite)) else "numeric"


def texts_of(column: Column) -> list[str]:
    """The categories of the rows that have one, as the profile writes them."""
    present = column.values[~missing_mask(column)].tolist()
    return [text for text in map(text_of, present) if text is not None]


def is_clock(values: Floats) -> bool:
    """Whether values [rows], in time order, only ever grow (or fall) with time."""
    finite = np.flatnonzero(np.isfinite(values))
    step = max(1, len(finite) // LOOKED_AT)
    picked = values[finite[::step]]
    if len(picked) < 20 or len(np.unique(picked[:1000])) == 1 == len(np.unique(picked)):
        return False
    ranks = _ranks(picked)
    time = np.arange(len(picked), dtype=np.float64)
    spread = np.std(ranks) * np.std(time)
    correlation = float(np.mean((ranks - ranks.mean()) * (time - time.mean())) / spread) if spread > 0 else 0.0
    return abs(correlation) >= MONOTONE


def _ranks(values: Floats) -> Floats:
    """Ranks with ties averaged."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    upper = np.cumsum(counts)
    ranks: Floats = (upper - (counts - 1) / 2)[inverse]
    return ranks


def names_rows(shaping: list[str], bounding: list[str]) -> bool:
    """Whether most values of one part of the reference never occur in the other: an identifier."""
    known = Counter(shaping)
    new = sum(text not in known for text in bounding)
    return len(bounding) >= 20 and new > NEW * len(bounding)


def names_times(texts: list[str]) -> bool:
    """Whether texts, in time order, are dates or times (ISO 8601) that go on: new ones will never have been seen."""
    times: dict[str, float] = {}
    for text in set(texts):
        seconds = _epoch_seconds(text)
        if seconds is None:
            return False
        times[text] = seconds
    if len(times) < 2:
        return False
    return len(times) >= DATES or is_clock(np.array([times[text] for text in texts]))


def _epoch_seconds(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def rows_of(column: Column, rows: Array) -> Column:
    """The column at some rows, by mask or by number."""
    return Column(column.values[rows], None if column.missing is None else column.missing[rows])
