"""The data-quality monitor: observes rows as they arrive, and reports findings after each tick.

One instance runs in each pod, beside counting. Observing must never raise and must cost less than counting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from ..batch import Batch, Column, ColumnData, Side
from ..errors import StateError, shown
from ..profile.profile import Profile
from ..summaries.counts import Counts
from ..summaries.heavy import HeavyHitters
from .duplicates import DuplicateCount, listed
from .findings import Finding, Key, find
from .statistics import TickStatistics

MONITORED_SIDES: tuple[Side, ...] = ("input", "prediction")
WINDOW_TICKS = 30  # recent means the last 30 to 60 closed ticks
LEAST_ROWS_REPORTED = 5  # rows from which a new value is reported; a rarer one may identify a person
MAX_UNKNOWN_COLUMNS = 50  # new columns that are stored by name
MAX_WIDTHS = 20  # widths of rows without names that are counted apart
UNNAMED = frozenset(("inputs", "predictions"))  # the names of single values that a request does not name
STATE_VERSION = 1


class QualityMonitor:
    """The data-quality monitor of one pod: it observes rows and reports findings after each tick.

    Example:
        >>> from pilotfish.detectors.batch import Batch
        >>> from pilotfish.detectors.quality.monitor import QualityMonitor
        >>> from pilotfish.detectors.reference.build import build_profile
        >>> from pilotfish.detectors.summaries.counts import TickCounts
        >>> profile = build_profile({"age": list(range(20, 80)) * 5, "n": [1, 2] * 150}, exchangeable=True)
        >>> quality, counting = QualityMonitor(profile), TickCounts(profile)
        >>> batch = Batch({"age": [str(20 + i % 60) for i in range(200)], "Extra": [0] * 200, "n": [1, 2] * 100}, 200)
        >>> quality.observe(batch)
        >>> counting.add(batch)
        >>> [(finding.kind, finding.column) for finding in quality.close_tick(0, counting.take())]
        [('new_column', 'Extra'), ('type_change', 'age')]
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._known = {side: frozenset(profile.columns(side)) for side in MONITORED_SIDES}
        self._duplicates = DuplicateCount()
        self._open = self._fresh()
        self._recent = self._fresh()
        self._before = self._fresh()
        self._since: dict[Key, int] = {}
        self.findings: tuple[Finding, ...] = ()

    def observe(self, batch: Batch) -> None:
        """Collect statistics of rows before they are counted; rows with labels are ignored."""
        known = self._known.get(batch.side)
        if not known:
            return
        if not batch.columns.keys() <= known:
            unnamed = known.isdisjoint(batch.columns) and not self._profile.array_columns
            width = width_without_names(batch.columns) if unnamed else 0
            if width:
                _count(self._open.widths, (batch.side, width), batch.rows, MAX_WIDTHS)
            else:
                for name in sorted(batch.columns.keys() - known):
                    _count(self._open.unknown_columns, (batch.side, name), batch.rows, MAX_UNKNOWN_COLUMNS)
        if batch.side == "input" and not self._profile.array_columns:  # comparing arrays costs more than counting
            repeated, compared = self._duplicates.add([listed(data) for data in batch.columns.values()])
            self._open.duplicates += repeated
            self._open.compared += compared

    def add_unseen_values(self, feature: str, values: list[str]) -> None:
        """Store the most frequent categories that the reference does not have."""
        known = self._open.unseen_values.get(feature, HeavyHitters())
        self._open.unseen_values[feature] = known + HeavyHitters.of(values)

    def new_values(self) -> dict[str, list[tuple[str, int]]]:
        """Return the new categories of the recent rows by feature, each with a lower bound of its rows.

        Rare ones are left out.
        """
        unseen_values = self._before.added(self._recent).unseen_values
        found = {
            name: [(value, n) for value, n in heavy.largest() if n >= LEAST_ROWS_REPORTED]
            for name, heavy in unseen_values.items()
        }
        return {name: values for name, values in found.items() if values}

    @property
    def unknown_columns(self) -> frozenset[str]:
        """The columns of recent and present rows that the profile does not have, `MAX_UNKNOWN_COLUMNS` per tick."""
        parts = (self._before, self._recent, self._open)
        return frozenset(name for part in parts for _, name in part.unknown_columns)

    def close_tick(self, tick: int, counts: Counts) -> tuple[Finding, ...]:
        """Add the counts of a closed tick; return the findings that are new, of all kinds."""
        closed, self._open = self._open, self._fresh()
        self._recent = self._recent.added(replace(closed, counts=counts, ticks=1))
        known = self._since
        self.findings = self._found(tick)
        self._since = {item.key: item.since_tick for item in self.findings}
        if self._recent.ticks >= WINDOW_TICKS:
            self._before, self._recent = self._recent, self._fresh()
        return tuple(item for item in self.findings if item.key not in known)

    def state(self) -> dict[str, Any]:
        """Return everything that later findings depend on, as plain values."""
        return {
            "before": self._before.state(),
            "open": self._open.state(),
            "recent": self._recent.state(),
            "since": [[*key, tick] for key, tick in self._since.items()],
            "version": STATE_VERSION,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore a state.

        Raises:
            StateError, KeyError: the state has another version or belongs to another profile.
        """
        if state.get("version") != STATE_VERSION:
            found = shown(state.get("version"))
            raise StateError(f"the stored findings have version {found}, not {STATE_VERSION}; start without them")
        before, opened, recent = (
            TickStatistics.restored(self._profile, state[key]) for key in ("before", "open", "recent")
        )
        self._before, self._open, self._recent = before, opened, recent
        self._since = {(kind, side, column): int(tick) for kind, side, column, tick in state["since"]}
        self.findings = self._found(max(self._since.values(), default=0))

    def _found(self, tick: int) -> tuple[Finding, ...]:
        """Return the findings of the recent rows, largest share first; new ones are open since `tick`."""
        found = sorted(
            find(self._profile, self._before.added(self._recent), tick), key=lambda item: (-item.share, item.key)
        )
        return tuple(replace(item, since_tick=self._since.get(item.key, tick)) for item in found)

    def _fresh(self) -> TickStatistics:
        return TickStatistics(Counts.empty(self._profile), {}, {})


def width_without_names(columns: Mapping[str, ColumnData]) -> int:
    """Return the number of values a row, if the columns are numbered because the rows had no names; else 0.

    Example:
        >>> from pilotfish.detectors.quality.monitor import width_without_names
        >>> width_without_names({"inputs[0]": [1.5], "inputs[1]": [2.5]}), width_without_names({"age": [41]})
        (2, 0)
    """
    names = list(columns)
    if len(names) == 1:
        return _width_of_array(columns[names[0]]) or int(names[0] in UNNAMED)
    base = names[0].removesuffix("[0]") if names else ""
    if len(names) < 2 or names[0] == base or names[1] != f"{base}[1]":
        return 0
    return len(names) if all(name == f"{base}[{place}]" for place, name in enumerate(names)) else 0


def _width_of_array(data: ColumnData) -> int:
    """Return the number of values in the first array or list of a column; 0 for other values."""
    values = data.values if isinstance(data, Column) else data
    return len(values[0]) if len(values) and isinstance(values[0], (list, np.ndarray)) else 0


K = TypeVar("K")


def _count(found: dict[K, int], key: K, rows: int, most: int) -> None:
    """Add rows to a key, unless it is new and `most` keys exist."""
    if key in found or len(found) < most:
        found[key] = found.get(key, 0) + rows
