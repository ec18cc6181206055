"""Conditions about the columns of the profile in force: which of them have had no usable value in the recent rows.

A column counts as absent after `RECENT` exchanges and `rows_needed` rows without it; the exchanges are not needed while
it has never had a value. Absent columns are back when they have a tenth of the values of the reference, so that a rare
column does not open and close a blind spot again and again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from ....detectors.batch import Side
from ...errors import number, quote_value
from ..column_totals import FEWEST_ROWS, ColumnTotals, MonitoredColumn
from .blindness import Blindness, quoted
from .history import Totals
from .paths import why_absent
from .readings import View
from .shares import RECENT, unmeasured
from .traffic import measured

BACK = 0.1  # of the values of the reference
ABSENT = frozenset(["inputs_absent", "columns_absent", "predictions_absent"])


@dataclass(frozen=True)
class AbsentColumns:
    """The columns of one side without a usable value, of `known` monitored ones, in the last `rows` rows.

    `causes` counts rows by cause: lack the column, another type, null. `values` counts the few usable values of columns
    that are not back yet.
    """

    side: Side
    names: tuple[str, ...]
    known: int
    rows: int
    causes: Mapping[str, int]
    values: int

    @property
    def amount(self) -> str:
        """How many usable values there were, as text."""
        return "almost no" if self.values else "no"

    @property
    def every(self) -> bool:
        """Whether no monitored column of the side has a usable value."""
        return bool(self.known) and len(self.names) == self.known

    def why(self, view: View) -> str:
        """Return why the columns are absent: the paths of the document, if each column has one, or the rows."""
        most = max(self.causes, key=self.causes.__getitem__, default="")
        return why_absent(view, self.side, self.names) or {
            "absent": "the rows lack them",
            "mismatches": "their values are of another type than in the reference",
        }.get(most, "the rows lack them, or their values are null")


def inputs_absent(view: View) -> Blindness | None:
    """Report that none of the profile's input columns has a usable value."""
    found = absent_columns(view, "input")
    if found is None or not found.every:
        return None
    return Blindness(
        f"The {number(found.known, 'input column')} of the profile had {found.amount} usable value in the last "
        f"{number(found.rows, 'row')} ({quoted(found.names)}): {found.why(view)}; "
        "compare the names of requests and profile (findings in /report lists what arrives)",
        total=True,
    )


def columns_absent(view: View) -> Blindness | None:
    """Report that some of the profile's columns have no usable value."""
    found = [absent for side in ("input", "prediction") if (absent := absent_columns(view, side)) is not None]
    partly = [absent for absent in found if absent.names and not absent.every]
    if not partly:
        return None
    names = [name for absent in partly for name in absent.names]
    rows = min(absent.rows for absent in partly)
    return Blindness(
        f"{number(len(names), 'column')} of the profile had {partly[0].amount} usable value in the last "
        f"{number(rows, 'row')}: {quoted(names)}; {partly[0].why(view)}; "
        "send them under the profile's names, or build a new profile",
        total=False,
    )


def predictions_absent(view: View) -> Blindness | None:
    """Report that responses are decoded, and none of the profile's prediction columns has a usable value."""
    found = absent_columns(view, "prediction")
    if found is None or not found.every:
        return None
    return Blindness(
        f"The last {number(found.rows, 'row')} of decoded responses have {found.amount} usable value in the profile's "
        f"prediction {'column' if found.known == 1 else 'columns'} {quoted(found.names)}: {found.why(view)}; "
        "name the prediction in the response as in the profile, or build the profile with the server's name",
        total=False,
    )


def profile_mismatch(view: View) -> Blindness | None:
    """Report that most or all of the recent rows are of another model than the profile's."""
    profile = view.reading.snapshot.profile
    if profile is None or not profile.model:
        return None

    def others(totals: Totals) -> int:
        return sum(rows for (model,), rows in totals.kind("model").items() if model not in ("", profile.model))

    def own(totals: Totals) -> int:
        return totals.of("rows", "input") - others(totals)

    found = unmeasured(view, "profile_mismatch", own, others)
    if found is None:
        return None
    return Blindness(
        f"{others(found):,} of the last {number(found.of('rows', 'input'), 'row')} are of another model than the "
        f"profile's, {quote_value(profile.model)}, and are compared with it nevertheless; set spec.model.name to leave "
        "other models out, or use the profile of the model that runs",
        total=False,
    )


@lru_cache(maxsize=4)  # three conditions ask for both sides of one view
def absent_columns(view: View, side: Side) -> AbsentColumns | None:
    """Return the columns of a side without a usable value in the recent rows; None without enough rows."""
    snapshot, now = view.reading.snapshot, view.history.now.columns
    if snapshot.profile is None or now is None or now.profile_hash != snapshot.profile.hash:
        return None
    columns = [column for column in snapshot.monitored if column.side == side]
    ever = now.seen
    windows: dict[tuple[int, int], Totals | None] = {}
    absent: list[tuple[MonitoredColumn, ColumnTotals]] = []
    missed, few = not view.present.isdisjoint(ABSENT), 0
    for column in columns:
        window = RECENT if any(ever[position] for position in column.positions) else 1, column.rows_needed
        if window not in windows:
            windows[window] = view.history.recent(_rows_of(side, exchanges=window[0]), window[1])
        found = windows[window]
        recent = found.columns if found is not None else None
        if recent is None:
            continue
        least = recent.rows[side] * FEWEST_ROWS / column.rows_needed * BACK if missed else 1
        values = max(int(recent.present[position]) for position in column.positions)
        if values < max(1, least):
            absent.append((column, recent))
            few += values
    if not absent:
        return None
    causes: Counter[str] = Counter()
    for column, recent in absent:
        causes += recent.causes(column)
    rows = min(recent.rows[side] for _, recent in absent)
    return AbsentColumns(side, tuple(column.name for column, _ in absent), len(columns), rows, causes, few)


def _rows_of(side: Side, exchanges: int) -> Callable[[Totals], int]:
    """Return a measure of the rows of a side, which is 0 with fewer `exchanges`: rows of one request are alike."""

    def rows(totals: Totals) -> int:
        return totals.columns.rows[side] if totals.columns is not None and measured(totals) >= exchanges else 0

    return rows
