"""Choose and fit the transforms of a reference, and apply them to it.

`reference.builder` calls both. Parameters are fitted on the training split only, because the calibration split bounds
the alternatives.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

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
MOST_VALUES = 2**24  # values of outputs that are held at once: 128 MiB

Fit = Callable[[ReferenceRows], Sequence[Transform]]

FITS: tuple[Fit, ...] = (fit_timestamps, fit_text, fit_arrays, fit_relations)


def fit_transforms(reference: ReferenceRows) -> list[Transform]:
    """Return every transform that the column types of the reference need, fitted on the training split."""
    part = reference.training_rows()
    return [transform for fit in FITS for transform in fit(part)]


def groups_of_outputs(transform: Transform, rows: int) -> Iterator[tuple[str, ...]]:
    """Yield the names of the outputs of a transform in groups of at most `MOST_VALUES` values, or of one output."""
    size = max(1, MOST_VALUES // max(1, rows))
    for start in range(0, len(transform.outputs), size):
        yield tuple(transform.outputs[start : start + size])


def apply_in_chunks(
    transform: Transform, whole: ReferenceRows, names: Collection[str] | None = None
) -> Mapping[str, Column]:
    """Return the outputs of a transform for all rows, or those in `names`, computed in chunks of bounded size."""
    block = whole.block(transform.inputs)
    if whole.rows <= CHUNK_ROWS:
        return transform.apply(block)
    wanted = [name for name in transform.outputs if names is None or name in names]
    parts: dict[str, list[Column]] = {name: [] for name in wanted}
    for start in range(0, whole.rows, CHUNK_ROWS):
        made = transform.apply(block.take(np.arange(start, min(start + CHUNK_ROWS, whole.rows))))
        for name in wanted:
            parts[name].append(made[name])
    return {name: concatenated(parts.pop(name)) for name in wanted}
