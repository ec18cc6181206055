"""Which transforms a reference calls for, and the columns that they make of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..batch import Bools, Column, Floats, Side
from ..columns.joining import concatenated
from ..profile.profile import ColumnType
from .arrays import fit_arrays
from .base import Block, Transform
from .fit_relations import fit_relations
from .text import fit_text
from .timestamps import fit_timestamps


@dataclass(frozen=True)
class Reference:
    """Reference rows in time order.

    Attributes:
        columns: of inputs, predictions and labels, [rows] each.
        sides: of every column.
        types: of every column that is watched or transformed, as inferred or as a person said.
        shaping: [rows] true for the part that may shape what is watched for; the other part is for bounds alone.
        at: [rows] epoch seconds, None without times.
    """

    columns: Mapping[str, Column]
    sides: Mapping[str, Side]
    types: Mapping[str, ColumnType]
    shaping: Bools
    at: Floats | None

    @property
    def rows(self) -> int:
        return len(self.shaping)

    def block(self, names: tuple[str, ...]) -> Block:
        """All the rows, of some columns."""
        return Block({name: self.columns[name] for name in names}, self.rows, self.at)

    def shaping_part(self) -> Reference:
        """The rows of the shaping part alone: what parameters may be fitted on."""
        picked = {name: column.take(self.shaping) for name, column in self.columns.items()}
        at = None if self.at is None else self.at[self.shaping]
        return Reference(picked, self.sides, self.types, self.shaping[self.shaping], at)


STRETCH = 65_536  # rows that are transformed at once

Fit = Callable[[Reference], Sequence[Transform]]

FITS: tuple[Fit, ...] = (fit_timestamps, fit_text, fit_arrays, fit_relations)


def fitted(reference: Reference) -> list[Transform]:
    """Every transform that the reference calls for, fitted on its shaping part."""
    part = reference.shaping_part()
    return [transform for fit in FITS for transform in fit(part)]


def applied(transform: Transform, whole: Reference) -> Mapping[str, Column]:
    """What a transform makes of all the rows, a stretch of them at a time."""
    block = whole.block(transform.inputs)
    if whole.rows <= STRETCH:
        return transform.apply(block)
    starts = range(0, whole.rows, STRETCH)
    parts = [transform.apply(block.take(np.arange(start, min(start + STRETCH, whole.rows)))) for start in starts]
    return {name: concatenated([part[name] for part in parts]) for name in transform.outputs}
