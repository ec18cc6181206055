"""Says which rows of a reference hold a value of another type or shape than their column.

Such a row is missing and counts as a mismatch; `detectors.transforms` finds it. The build names it, because a reference
with many odd rows hides the same fault in live traffic.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...detectors.batch import Array, Column
from ...detectors.cells import NUMBERS
from ...detectors.profile.profile import Profile
from ...detectors.transforms import Block, Transform
from ...detectors.transforms.arrays import ArrayTransform
from ..errors import number, quote_value

CHUNK_ROWS = 4096
EXAMPLE = 60  # characters of the value that a note quotes
_WANTED = {"list": "a list", "text": "a text", "timestamp": "a time of the column's form"}
KINDS = frozenset((ArrayTransform.kind, *_WANTED))


def odd_row_notes(profile: Profile, columns: Mapping[str, Column]) -> list[str]:
    """Return one note for each column of lists, texts or times in which some rows hold something else."""
    found = []
    for transform in profile.transforms:
        column = transform.inputs[0]
        if transform.kind not in KINDS or column not in columns:
            continue
        feature = next(profile.feature(name) for name in transform.outputs if name in profile.index)
        if feature.mismatches:
            rows = int(feature.reference_counts.sum())
            found.append(
                f"column {column}: {feature.mismatches:,} of {number(rows, 'row')} "
                f"{'does' if feature.mismatches == 1 else 'do'} not hold {_wanted(transform)}"
                f"{_example(transform, columns[column])}; such values count as mismatches"
            )
    return found


def _wanted(transform: Transform) -> str:
    if isinstance(transform, ArrayTransform):
        return f"a list of {number(transform.length, 'finite number')}"
    return _WANTED[transform.kind]


def _example(transform: Transform, column: Column) -> str:
    """Return the first odd value and its row; empty if only the time of the exchange would show it."""
    for first in range(0, len(column.values), CHUNK_ROWS):
        part = column.take(slice(first, first + CHUNK_ROWS))
        for derived in transform.apply(Block({transform.inputs[0]: part}, len(part.values))).values():
            odd = [row for row, value in enumerate(_objects(derived.values)) if not isinstance(value, NUMBERS)]
            if odd:
                value = part.values[odd[0]]
                shown = value.tolist() if isinstance(value, np.ndarray) else value
                return f", e.g. {quote_value(shown, EXAMPLE)} in row {first + odd[0] + 1:,}"
            break
    return ""


def _objects(values: Array) -> list[object]:
    return values.tolist() if values.dtype == object else []
