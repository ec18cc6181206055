"""Results as data frames: a pandas DataFrame where pandas is installed, else a small table of the same columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import html

SHOWN = 60  # rows that the notebook shows


@dataclass(frozen=True)
class ResultTable:
    """Columns of equal length by name, for an environment without pandas."""

    values: Mapping[str, Sequence[object]]

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self.values)

    def __len__(self) -> int:
        return len(next(iter(self.values.values()), ()))

    def __getitem__(self, name: str) -> list[object]:
        return list(self.values[name])

    def to_dict(self) -> dict[str, list[object]]:
        """Return lists by column, which `polars.DataFrame` and `pandas.DataFrame` accept."""
        return {name: list(values) for name, values in self.values.items()}

    def __repr__(self) -> str:
        return f"<{len(self)} rows of {', '.join(self.columns)}; to_dict() returns them>"

    def _repr_html_(self) -> str:
        rows = list(zip(*self.values.values(), strict=True))
        return html.table(self.columns, [[html.cell(value) for value in row] for row in rows[:SHOWN]], len(rows))


def result_table(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> Any:
    """Return rows as a pandas DataFrame, or as a ResultTable if pandas is not installed."""
    values = {name: [row[name] for row in rows] for name in columns}
    try:
        import pandas as pd
    except ImportError:
        return ResultTable(values)
    return pd.DataFrame(values)
