"""What the transforms of a single column share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from .. import schema
from ..batch import Bools, Column, Family, Floats, Side


@dataclass(frozen=True)
class SingleColumnTransform(ABC):
    """A transform of one column; its outputs "column:what" belong to the family of the column's side."""

    kind: ClassVar[str]
    column: str
    side: Side

    @property
    def family(self) -> Family:
        return "predictions" if self.side == "prediction" else "features"

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def share(self) -> float:
        return 1.0

    @property
    @abstractmethod
    def outputs(self) -> tuple[str, ...]: ...

    def definition(self, output: str) -> Mapping[str, object]:
        """Return what determines the values of an output, beside the value of its column: its name by default."""
        return {"output": output}

    def _named(self, *whats: str) -> tuple[str, ...]:
        return tuple(f"{self.column}:{what}" for what in whats)

    def document(self) -> dict[str, Any]:
        return asdict(self)


COLUMN = schema.text(0, schema.LONGEST_NAME)
SIDE = schema.one_of(Literal["input", "prediction"])  # labels are compared, not described


def column_of(values: Floats, wrong: Bools) -> Column:
    """Return values [rows] as a column, missing where NaN.

    Rows in `wrong` had a value of the wrong type or shape; they count as mismatches, too.
    """
    if not wrong.any():
        return Column(values)
    mixed_values = values.astype(object)
    for row in np.flatnonzero(wrong).tolist():  # a number as text is a mismatch and falls into its own bin
        mixed_values[row] = _NO_NUMBER if np.isnan(values[row]) else repr(float(values[row]))
    return Column(mixed_values)


class _Mismatch:
    """A placeholder for a value of the wrong type: binning counts it as a mismatch."""


_NO_NUMBER = _Mismatch()
