"""Reference rows in memory, in the same form for every file format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ...detectors.batch import Column

Progress = Callable[[str, float], None]  # (activity, completed share in [0, 1])


@dataclass(slots=True)
class ReferenceTable:
    """The columns of a file.

    Attributes:
        columns: columns by name in the order of the file, [rows] each.
        rows: the number of rows.
        left_out: unusable columns by name, with the reason.
        notes: messages for the user about how the file was read.
    """

    columns: dict[str, Column]
    rows: int
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
