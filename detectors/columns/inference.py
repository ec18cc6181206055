"""What kind of column this is, and which ones would alarm for ever and are therefore not watched."""

from __future__ import annotations

from typing import cast

import numpy as np

from ..batch import Array, Bools, Column, ColumnType, Floats, Kind, missing_mask
from ..binning.categories import MAX_KNOWN_TAIL, MAX_NAMED, category_text
from ..binning.numeric import to_floats
from .timestamps import from_text

FIRST_VALUES = 1000  # values that are tried before all are
MONOTONE = 0.98  # rank correlation with time from which a column is a clock
SAMPLED_ROWS = 20_000  # rows that are enough to see it
DATES = 20  # different dates from which on a column of dates does not consist of a few fixed ones
UNSEEN_SHARE = 0.5  # share of values never seen in the other part, from which a column names rows or periods
FEWEST_ROWS = 20  # rows in a part, below which nothing is said of it
WORDS = 3  # that a text needs to be one, rather than a name or a code
CHARACTERS = 8  # the same for scripts that write no spaces
UNSPACED = 0x0E00  # Thai, and all of Asia behind it
LISTS = (list, tuple, np.ndarray)


def infer_type(column: Column, training: Bools) -> ColumnType:
    """What a column holds: arrays, times, free text, or values of a kind. `training` are the rows of that part."""
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
    """Whether most texts are words in a row: mostly letters, and not identifiers, codes, paths or hashes."""
    some = texts[:: max(1, len(texts) // FIRST_VALUES)]
    return sum(map(_is_sentence, some)) > UNSEEN_SHARE * len(some)


def _is_sentence(text: str) -> bool:
    if 2 * sum(map(str.isalpha, text)) < len(text):
        return False
    return len(text.split()) >= WORDS or sum(ord(character) >= UNSPACED for character in text) >= CHARACTERS


def infer_kind(column: Column) -> Kind:
    """The kind of the values that are there; text that reads as numbers throughout is numeric."""
    missing = missing_mask(column)
    values = column.values[~missing]
    if values.dtype.kind == "b":
        return _or_constant("boolean", values)
    if values.dtype.kind in "fiuM":
        return _numeric_kind(to_floats(Column(values))[0])
    present = values.tolist()
    types = set(map(type, present))
    if types <= {bool, np.bool_}:
        return _or_constant("boolean", np.array(present, dtype=bool))
    texts = {str(value) for value in present if isinstance(value, str)}
    if {text.lower() for text in texts} <= {"true", "false"} and types == {str}:
        return "boolean" if len(texts) > 1 else "constant"
    if any(_is_code(text) for text in texts):
        return "categorical"
    if np.isnan(to_floats(Column(values[:FIRST_VALUES]))[0]).any():
        return "constant" if len(texts) == 1 and types == {str} else "categorical"
    parsed = to_floats(Column(values))[0]
    if len(parsed) and not np.isnan(parsed).any():
        return _numeric_kind(parsed)
    return "categorical"


def _is_code(text: str) -> bool:
    """Codes such as 00501 and 1_000 are no numbers, though Python reads them as such."""
    return "_" in text or (len(text) > 1 and text[0] == "0" and text.isdigit())


def _or_constant(kind: str, values: Array) -> Kind:
    return cast("Kind", kind if len(np.unique(values)) > 1 else "constant")


def _numeric_kind(values: Floats) -> Kind:
    finite = values[np.isfinite(values)]
    if len(finite) and np.all(finite == finite[0]):
        return "constant"
    return "integer" if np.all(finite == np.round(finite)) else "numeric"


def category_texts(column: Column) -> list[str]:
    """The categories of the rows that have one, as the profile writes them."""
    present = column.values[~missing_mask(column)].tolist()
    return [text for text in map(category_text, present) if text is not None]


def is_monotone_in_time(values: Floats) -> bool:
    """Whether values [rows], in time order, only ever grow (or fall) with time."""
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
    """Ranks with ties averaged."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    upper = np.cumsum(counts)
    ranks: Floats = (upper - (counts - 1) / 2)[inverse]
    return ranks


def is_identifier(training: list[str], calibration: list[str]) -> bool:
    """Whether most values of one part of the reference never occur in the other: an identifier."""
    known = set(training)
    new = sum(text not in known for text in calibration)
    return len(calibration) >= FEWEST_ROWS and new > UNSEEN_SHARE * len(calibration)


def is_period_label(texts: list[str]) -> bool:
    """Whether most values of the middle third of texts, in time order, are new, and most of the last third again.

    Batches, days in any spelling, releases: new ones keep coming. One change of the values is not enough.
    """
    third = len(texts) // 3
    first, middle, last = texts[:third], texts[third : 2 * third], texts[2 * third :]
    return is_identifier(first, middle) and is_identifier(texts[: 2 * third], last)


def are_timestamps(texts: list[str]) -> bool:
    """Whether texts, in any order, are many dates or times (ISO 8601): new ones will never have been seen."""
    different = set(texts)
    return len(different) >= DATES and all(from_text(text) is not None for text in different)


def is_row_number(values: Floats) -> bool:
    """Whether values [rows], in any order, are successive whole numbers, each once: the rows of a table, counted."""
    finite = values[np.isfinite(values)]
    if (
        len(finite) < FEWEST_ROWS
        or finite.max() != finite.min() + (len(finite) - 1)
        or finite[0] != np.round(finite[0])
    ):
        return False
    return bool(np.all(np.diff(np.sort(finite)) == 1))
