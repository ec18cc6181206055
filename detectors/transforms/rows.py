"""The reference rows in the form that transforms are fitted on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..batch import Bools, Column, ColumnType, Floats, Side
from .base import Block


@dataclass(frozen=True)
class ReferenceRows:
    """Reference rows in time order.

    Attributes:
        columns: inputs, predictions and labels, [rows] each.
        sides: side of every column.
        types: type of every column that is monitored or transformed.
        training: [rows] true for the training split.
        at: [rows] epoch seconds; None without times.
    """

    columns: Mapping[str, Column]
    sides: Mapping[str, Side]
    types: Mapping[str, ColumnType]
    training: Bools
    at: Floats | None

    @property
    def rows(self) -> int:
        return len(self.training)

    def block(self, names: tuple[str, ...]) -> Block:
        """Return all rows of some columns."""
        return Block(self.columns, self.rows, self.at).of(names)

    def training_rows(self) -> ReferenceRows:
        """Return the rows of the training split, on which parameters may be fitted."""
        picked = {name: column.take(self.training) for name, column in self.columns.items()}
        at = None if self.at is None else self.at[self.training]
        return ReferenceRows(picked, self.sides, self.types, self.training[self.training], at)
