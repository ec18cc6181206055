"""The reference rows as transforms are fitted on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..batch import Bools, Column, ColumnType, Floats, Side
from .base import Block


@dataclass(frozen=True)
class ReferenceRows:
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
    training: Bools
    at: Floats | None

    @property
    def rows(self) -> int:
        return len(self.training)

    def block(self, names: tuple[str, ...]) -> Block:
        """All the rows, of some columns."""
        return Block({name: self.columns[name] for name in names}, self.rows, self.at)

    def training_rows(self) -> ReferenceRows:
        """The rows of the shaping part alone: what parameters may be fitted on."""
        picked = {name: column.take(self.training) for name, column in self.columns.items()}
        at = None if self.at is None else self.at[self.training]
        return ReferenceRows(picked, self.sides, self.types, self.training[self.training], at)
