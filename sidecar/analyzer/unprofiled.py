"""Component that counts values and missing values per column while no profile is in force.

Column names come from requests, so their number must stay bounded.
"""

from __future__ import annotations

from typing import Any, ClassVar

from ...detectors.batch import as_column, missing_mask
from ...detectors.cells import MISSING_WORDS, with_missing_words
from ...detectors.profile.profile import Profile
from ..report.schema import UnprofiledColumn
from .component import Component
from .decode import DecodedExchange, Rows

MAX_COLUMNS = 200


class UnprofiledColumns(Component):
    """Counts values by side and column until a profile is in force. Columns beyond MAX_COLUMNS are ignored."""

    by_tick: ClassVar[bool] = True

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], list[int]] = {}
        self._unprofiled = True

    def on_profile(self, profile: Profile, *, restored: bool) -> None:
        """Stop counting and remove the counts."""
        self._counts = {}
        self._unprofiled = False

    def on_exchange(self, tick: int, exchange: DecodedExchange, at: float) -> None:
        """Count the values of one exchange."""
        if not self._unprofiled:
            return
        self._add("input", exchange.inputs)
        if exchange.outputs is not None:
            self._add("prediction", exchange.outputs)

    def listing(self) -> tuple[UnprofiledColumn, ...]:
        """Return the counts in the order in which the columns were first seen."""
        return tuple(UnprofiledColumn(name, side, *counts) for (side, name), counts in self._counts.items())

    def state(self) -> list[list[Any]]:
        """Return the counts as plain values."""
        return [[side, name, *counts] for (side, name), counts in self._counts.items()]

    def resume(self, saved: list[list[Any]]) -> None:
        """Restore what `state` returned."""
        self._counts = {(side, name): [int(values), int(missing)] for side, name, values, missing in saved}

    def _add(self, side: str, rows: Rows) -> None:
        for name, values in rows.columns.items():
            counts = self._counts.get((side, name))
            if counts is None:
                if len(self._counts) >= MAX_COLUMNS:
                    continue
                counts = self._counts[side, name] = [0, 0]
            counts[0] += len(values)
            counts[1] += int(missing_mask(with_missing_words(as_column(values), MISSING_WORDS)).sum())
