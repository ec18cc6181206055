"""Choose and fit the transforms of a reference, and apply them to it.

`reference.builder` calls both. Parameters are fitted on the training split only, because the calibration split bounds
the alternatives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..batch import Column
from ..columns.joining import concatenated
from .arrays import fit_arrays
from .base import Transform
from .fit_relations import fit_relations
from .rows import ReferenceRows
from .text import fit_text
from .timestamps import fit_timestamps

CHUNK_ROWS = 65_536  # rows that are transformed together

Fit = Callable[[ReferenceRows], Sequence[Transform]]

FITS: tuple[Fit, ...] = (fit_timestamps, fit_text, fit_arrays, fit_relations)


def fit_transforms(reference: ReferenceRows) -> list[Transform]:
    """Return every transform that the column types of the reference need, fitted on the training split."""
    part = reference.training_rows()
    return [transform for fit in FITS for transform in fit(part)]


def apply_in_chunks(transform: Transform, whole: ReferenceRows) -> Mapping[str, Column]:
    """Return the outputs of a transform for all rows, computed in chunks of bounded size."""
    block = whole.block(transform.inputs)
    if whole.rows <= CHUNK_ROWS:
        return transform.apply(block)
    starts = range(0, whole.rows, CHUNK_ROWS)
    parts = [transform.apply(block.take(np.arange(start, min(start + CHUNK_ROWS, whole.rows)))) for start in starts]
    return {name: concatenated([part[name] for part in parts]) for name in transform.outputs}
