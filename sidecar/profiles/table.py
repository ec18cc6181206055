"""Reference rows in memory, whatever file they came from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ...detectors.batch import Column

Progress = Callable[[str, float], None]  # (what, share done in [0, 1])


@dataclass(slots=True)
class ReferenceTable:
    """Columns by name in the file's order, [rows] each.

    Attributes:
        rows: how many rows were taken.
        left_out: columns that cannot be used, by name, with the reason.
        notes: what a person should know of how the file was read.
    """

    columns: dict[str, Column]
    rows: int
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
