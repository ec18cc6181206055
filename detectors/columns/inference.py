"""Infer the type of a reference column, and detect columns that would raise an alarm at once and forever.

`reference.build` uses the type of each column, `reference.candidates` the reasons to exclude it. Inference
looks at the reference only; live values never change a type.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from ..batch import Array, Bools, Column, ColumnType, Floats, Kind, missing_mask
from ..binning.categories import MAX_KNOWN_TAIL, MAX_NAMED, category_text
from ..binning.numeric import to_floats
from ..cells import MISSING_WORDS, NUMBERS, TEXTS, TRUTHS, is_code, number_of, truth_of
from .timestamps import from_text

FIRST_VALUES = 1000  # values that are tested before all values are
MAX_ODD = 0.05  # share of present values that are no numbers, up to which a column is numeric; they count as missing
MAX_CODES = 0.001  # the same for codes such as 00501: a column of numbers has none but by mistake
MONOTONE = 0.98  # rank correlation with time from which a column is a clock
SAMPLED_ROWS = 20_000  # rows that suffice to measure the correlation
DATES = 20  # distinct dates from which a column of dates is more than a few fixed dates
UNSEEN_SHARE = 0.5  # share of values that the other split lacks, from which a column is an identifier
COUNTS_ROWS = "counts the rows: new numbers keep coming"  # why `is_row_number` excludes a column
FEWEST_ROWS = 20  # rows of a split that are needed for a decision
WORDS = 3  # words that make a text a sentence rather than a name or a code
CHARACTERS = 8  # the same for scripts without spaces
TIMES_SHARE = 0.95  # share of the texts that must be times for a column of timestamps
UNSPACED = 0x0E00  # Thai; most scripts without spaces have higher code points
LISTS = (list, tuple, np.ndarray)


def infer_type(column: Column, training: Bools) -> ColumnType:
    """Return the type of a column: array, timestamp, text, or a kind of value.

    Args:
        column: [rows] in time order.
        training: [rows] true for the training split.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.batch import as_column
        >>> from pilotfish.detectors.columns.inference import infer_type
        >>> training = np.arange(6) < 2
        >>> infer_type(as_column(["red", "red", "blue", "blue", "red", None]), training)
        'categorical'
        >>> infer_type(as_column([1, 2, 3, 4, 5, 6]), training)
        'integer'
    """
    if column.values.ndim > 1 or _are_lists(column):
        return "array"
    if column.values.dtype.kind == "M":
        return "timestamp"
    kind = infer_kind(column)
    if kind != "categorical":
        return kind
    texts = category_texts(column)
    if are_timestamps(texts):
        return "timestamp"
    different = set(texts)
    known = len(different) <= MAX_NAMED + MAX_KNOWN_TAIL and not is_identifier(
        category_texts(column.take(training)), category_texts(column.take(~training))
    )
    return "categorical" if known or not _are_sentences(sorted(different)) else "text"


def _are_lists(column: Column) -> bool:
    if column.values.dtype != object:
        return False
    present = column.values[~missing_mask(column)][:FIRST_VALUES]
    return len(present) > 0 and sum(isinstance(value, LISTS) for value in present) > UNSEEN_SHARE * len(present)


def _are_sentences(texts: list[str]) -> bool:
    """Return whether most texts are sentences, and not identifiers, codes, paths or hashes."""
    some = texts[:: max(1, len(texts) // FIRST_VALUES)]
    return sum(map(_is_sentence, some)) > UNSEEN_SHARE * len(some)


def _is_sentence(text: str) -> bool:
    if 2 * sum(map(str.isalpha, text)) < len(text):
        return False
    return len(text.split()) >= WORDS or sum(ord(character) >= UNSPACED for character in text) >= CHARACTERS


def infer_kind(column: Column) -> Kind:
    """Return the kind of the values that are present. Text that parses as a number is a number.

    Up to `MAX_ODD` of the values of a numeric column may be no numbers.
    """
    missing = missing_mask(column)
    values = column.values[~missing]
    if values.dtype.kind == "b":
        return _or_constant("boolean", values)
    if values.dtype.kind in "fiuM":
        return numeric_kind(to_floats(Column(values))[0])
    present = values.tolist()
    types = set(map(type, present))
    truths = _truths(present, types)
    if truths is not None:
        return _or_constant("boolean", truths)
    texts = Counter(value for value in present if isinstance(value, TEXTS))
    others = [value for value in present if not isinstance(value, TEXTS)]
    if are_mostly_numbers(texts, others):
        return numeric_kind(np.array([number_of(value) for value in (*texts, *others)]))
    return "constant" if len(texts) == 1 and not others else "categorical"


def _truths(present: list[Any], types: set[type]) -> Bools | None:
    """Return the values as booleans if all are spellings of one, and not only the numbers 0 and 1; else None."""
    if not types or not (types <= {bool, np.bool_} or _are_truths(present)):
        return None
    return np.array([truth_of(value) for value in present], dtype=bool)


def _are_truths(present: list[Any]) -> bool:
    if any(truth_of(value) is None for value in present[:FIRST_VALUES]):
        return False
    words = (isinstance(value, (bool, np.bool_)) or str(value).strip().lower() in TRUTHS for value in present)
    return all(truth_of(value) is not None for value in present) and any(words)


def are_mostly_numbers(texts: Mapping[Any, int], others: Sequence[Any] = ()) -> bool:
    """Return whether a column is numeric, given its texts with the rows of each, and its other values.

    Words that mean missing by default do not count, even where they are kept as categories.
    """
    codes = odd = words = 0
    for text, rows in texts.items():
        if np.isnan(number_of(text)):
            is_word = isinstance(text, str) and text.strip() in MISSING_WORDS
            words, odd = words + is_word * rows, odd + (not is_word) * rows
        elif is_code(str(text)):
            codes += rows
    odd += codes + sum(isinstance(value, (bool, np.bool_)) or not isinstance(value, NUMBERS) for value in others)
    total = sum(texts.values()) + len(others) - words
    return codes <= MAX_CODES * total and odd <= MAX_ODD * total and odd < total


def _or_constant(kind: str, values: Array) -> Kind:
    return cast("Kind", kind if len(np.unique(values)) > 1 else "constant")


def numeric_kind(values: Floats) -> Kind:
    """Return the kind of numbers [rows]; NaN and infinities have no influence."""
    finite = values[np.isfinite(values)]
    if len(finite) and np.all(finite == finite[0]):
        return "constant"
    return "integer" if np.all(finite == np.round(finite)) else "numeric"


def category_texts(column: Column) -> list[str]:
    """Return the categories of the rows that have one, spelled as in the profile."""
    present = column.values[~missing_mask(column)].tolist()
    if set(map(type, present)) == {str}:  # spell each different text once
        spelled = {text: category_text(text) for text in set(present)}
        return [spelled[text] or "" for text in present]
    return [text for text in map(category_text, present) if text is not None]


def is_monotone_in_time(values: Floats) -> bool:
    """Return whether values [rows], in time order, rise or fall steadily, as a clock or a row number does."""
    finite = np.flatnonzero(np.isfinite(values))
    step = max(1, len(finite) // SAMPLED_ROWS)
    picked = values[finite[::step]]
    if len(picked) < 20 or len(np.unique(picked[:1000])) == 1 == len(np.unique(picked)):
        return False
    ranks = _ranks(picked)
    time = np.arange(len(picked), dtype=np.float64)
    spread = np.std(ranks) * np.std(time)
    correlation = float(np.mean((ranks - ranks.mean()) * (time - time.mean())) / spread) if spread > 0 else 0.0
    return abs(correlation) >= MONOTONE


def _ranks(values: Floats) -> Floats:
    """Return ranks with ties averaged."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    upper = np.cumsum(counts)
    ranks: Floats = (upper - (counts - 1) / 2)[inverse]
    return ranks


def is_identifier(training: list[str], calibration: list[str]) -> bool:
    """Return whether most values of the calibration split do not occur in the training split."""
    known = set(training)
    new = sum(text not in known for text in calibration)
    return len(calibration) >= FEWEST_ROWS and new > UNSEEN_SHARE * len(calibration)


def is_period_label(texts: list[str]) -> bool:
    """Return whether new values keep arriving, as for batches, dates in any spelling, or releases.

    Most values of the middle third of `texts`, in time order, must be new, and most of the last third again. One change
    of the values is not enough.
    """
    third = len(texts) // 3
    first, middle, last = texts[:third], texts[third : 2 * third], texts[2 * third :]
    return is_identifier(first, middle) and is_identifier(texts[: 2 * third], last)


def are_timestamps(texts: list[str]) -> bool:
    """Return whether texts, in any order, are many different dates or times (ISO 8601), but for a few."""
    some = texts[:: max(1, len(texts) // FIRST_VALUES)]
    if sum(from_text(text) is not None for text in some) <= UNSEEN_SHARE * len(some):
        return False
    times = {text for text in set(texts) if from_text(text) is not None}
    return len(times) >= DATES and sum(text in times for text in texts) >= TIMES_SHARE * len(texts)


def is_row_number(values: Floats, most_gaps: float = 1.0) -> bool:
    """Return whether values [rows], in any order, are distinct integers that span at most `most_gaps` times the rows.

    By default, they are consecutive.
    """
    finite = values[np.isfinite(values)]
    if len(finite) < FEWEST_ROWS or finite.max() > finite.min() + (most_gaps * len(finite) - 1):
        return False
    return bool(np.all(finite == np.round(finite))) and len(np.unique(finite)) == len(finite)
