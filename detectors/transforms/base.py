"""What a transform is: columns of some rows in, further columns of the same rows out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from ..batch import Bools, Column, Family, Floats, Ints, Side, missing_mask
from ..splitmix import splitmix64


@dataclass(frozen=True)
class Block:
    """Rows of one side, aligned.

    Attributes:
        columns: those that the transform reads, `rows` entries each; a value that a row lacks is masked.
        at: [rows] epoch seconds of each row's exchange, NaN where unknown; None where all are.
    """

    columns: Mapping[str, Column]
    rows: int
    at: Floats | None = None

    def of(self, names: tuple[str, ...]) -> Block:
        """The same rows of some columns."""
        return Block({name: self.columns[name] for name in names}, self.rows, self.at)

    def take(self, rows: Ints) -> Block:
        """Some rows, by number."""
        taken = {name: column.take(rows) for name, column in self.columns.items()}
        return Block(taken, len(rows), None if self.at is None else self.at[rows])


def sampled_rows(first: int, rows: int, share: float) -> Ints:
    """Which of `rows` rows, of which so many came before, belong to a share of all: chosen by their number alone."""
    draws = splitmix64(np.arange(first, first + rows, dtype=np.uint64))
    return np.flatnonzero(draws < np.uint64(min(share, 1 - 2**-53) * 2**64))


def countable_rows(family: Family, column: Column) -> Bools | None:
    """[rows] of which a made column says something, None if of all: only those count, where it speaks of relations.

    What is missing is an event of its own column; that nothing can be said of its relations is none.
    """
    if family != "multivariate":
        return None
    silent = missing_mask(column)
    return ~silent if silent.any() else None


class Transform(Protocol):
    """Makes columns that a profile watches like any other. A frozen dataclass, fitted once, part of the profile.

    Attributes:
        kind: its key in `TRANSFORMS`, and in the document.
        side: of which rows it makes them.
        family: of the features that are made of its columns.
        inputs: the columns that it reads.
        outputs: the columns that it makes: "column:what" from a single one, else "what" or "what:which".
        share: of live rows that it is applied to, in (0, 1], where all of them would cost too much.
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
        """The outputs, one entry for each row of the block. It never raises, whatever the values, and changes none."""
        ...

    def document(self) -> dict[str, Any]:
        """Plain JSON values, every number finite."""
        ...

    @classmethod
    def from_document(cls, document: Mapping[str, Any], where: str) -> Self:
        """The transform in a document; ProfileError naming the path of what is wrong."""
        ...
