"""The interface of transforms: columns of some rows in, derived columns of the same rows out.

`summaries.counts` applies transforms to live rows, `fit` to the reference. A transform must treat each row alone: how
rows are divided into blocks must not change a result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from ..batch import Bools, Column, Family, Floats, Ints, Side, missing_mask
from ..splitmix import splitmix64


@dataclass(frozen=True)
class Block:
    """Aligned rows of one side.

    Attributes:
        columns: the columns that the transform reads, `rows` entries each; absent values are masked.
        at: [rows] epoch seconds of each row's exchange, NaN where unknown; None if all are unknown.
    """

    columns: Mapping[str, Column]
    rows: int
    at: Floats | None = None

    def of(self, names: tuple[str, ...]) -> Block:
        """Return the same rows of some columns."""
        return Block({name: self.columns[name] for name in names}, self.rows, self.at)

    def take(self, rows: Ints) -> Block:
        """Return some rows, by number."""
        taken = {name: column.take(rows) for name, column in self.columns.items()}
        return Block(taken, len(rows), None if self.at is None else self.at[rows])


def sampled_rows(first: int, rows: int, share: float) -> Ints:
    """Return which of `rows` rows belong to a share of all rows, chosen by row number alone.

    `first` is the number of rows that came before.

    Example:
        >>> from pilotfish.detectors.transforms.base import sampled_rows
        >>> len(sampled_rows(first=0, rows=10_000, share=0.125))
        1290
    """
    draws = splitmix64(np.arange(first, first + rows, dtype=np.uint64))
    return np.flatnonzero(draws < np.uint64(min(share, 1 - 2**-53) * 2**64))


def countable_rows(family: Family, column: Column) -> Bools | None:
    """Return which rows [rows] of a derived column count; None if all do.

    A missing value is an event of its own column. It is not an event of a relation between columns, so multivariate
    features count only the rows for which they are defined.
    """
    if family != "multivariate":
        return None
    silent = missing_mask(column)
    return ~silent if silent.any() else None


class Transform(Protocol):
    """A derivation of columns that a profile monitors like any other.

    Implementations are frozen dataclasses, fitted once and stored in the profile.

    Attributes:
        kind: its key in `TRANSFORMS`, and in the document.
        side: the side whose rows it reads.
        family: the family of its features.
        inputs: the columns that it reads.
        outputs: the columns that it derives: "column:what" from a single column, else "what" or "what:which".
        share: the share of live rows that it is applied to, in (0, 1], for costly transforms.
    """

    kind: ClassVar[str]

    @property
    def side(self) -> Side: ...

    @property
    def family(self) -> Family: ...

    @property
    def inputs(self) -> tuple[str, ...]: ...

    @property
    def outputs(self) -> tuple[str, ...]: ...

    @property
    def share(self) -> float: ...

    def apply(self, block: Block) -> Mapping[str, Column]:
        """Return the outputs, one entry per row of the block.

        The method never raises, whatever the values are, and changes no argument.
        """
        ...

    def document(self) -> dict[str, Any]:
        """Return plain JSON values; every number is finite."""
        ...

    @classmethod
    def from_document(cls, document: Mapping[str, Any], where: str) -> Self:
        """Return the transform in a document.

        Raises:
            ProfileError: a value is wrong; the message names its path.
        """
        ...
