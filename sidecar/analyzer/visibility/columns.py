"""Conditions about the columns of the profile in force: which of them have had no usable value in the recent rows.

A column counts as absent after `RECENT` exchanges and `RECENT` rows that the reference would have filled; the exchanges
are not needed while it has never come. A column that is often missing in the reference, in runs, needs more rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ....detectors.batch import Side
from ....detectors.profile.feature import Feature
from ....detectors.profile.profile import Profile
from ...errors import quote_value
from ..column_totals import ColumnTotals
from .blindness import Blindness, number, quoted
from .history import Totals
from .readings import View
from .shares import RECENT, unmeasured
from .traffic import measured

ALWAYS_PRESENT = 0.99  # share of present values from which consecutive missing ones are no chance


@dataclass(frozen=True)
class AbsentColumns:
    """The columns of one side without a usable value, of `known` monitored ones, in the last `rows` rows.

    `causes` counts rows by cause: lack the column, another type, null.
    """

    names: tuple[str, ...]
    known: int
    rows: int
    causes: Mapping[str, int]

    @property
    def every(self) -> bool:
        """Whether no monitored column of the side has a usable value."""
        return bool(self.known) and len(self.names) == self.known

    @property
    def why(self) -> str:
        """The causes as text."""
        most = max(self.causes, key=self.causes.__getitem__, default="")
        return {
            "absent": "the rows lack them",
            "mismatches": "their values are of another type than in the reference",
        }.get(most, "their values are null, or cannot be used")


def inputs_absent(view: View) -> Blindness | None:
    """None of the profile's input columns has a usable value."""
    found = absent_columns(view, "input")
    if found is None or not found.every:
        return None
    return Blindness(
        f"None of the {found.known} input columns of the profile has a value in the last "
        f"{number(found.rows, 'row')}, such as {quoted(found.names)}: {found.why}; "
        "compare the names of requests and profile (findings in /report lists what arrives)",
        total=True,
    )


def columns_absent(view: View) -> Blindness | None:
    """Some of the profile's columns have no usable value."""
    found = [absent for side in ("input", "prediction") if (absent := absent_columns(view, side)) is not None]
    partly = [absent for absent in found if absent.names and not absent.every]
    if not partly:
        return None
    names = [name for absent in partly for name in absent.names]
    rows = min(absent.rows for absent in partly)
    return Blindness(
        f"{len(names)} of the profile's columns have no value in the last {number(rows, 'row')}: {quoted(names)}; "
        f"{partly[0].why}; send them under the profile's names, or build a new profile",
        total=False,
    )


def predictions_absent(view: View) -> Blindness | None:
    """Responses are decoded, and none of the profile's prediction columns has a usable value."""
    found = absent_columns(view, "prediction")
    if found is None or not found.every:
        return None
    return Blindness(
        f"The last {number(found.rows, 'row')} of decoded responses have no value in the profile's prediction "
        f"{'column' if found.known == 1 else 'columns'} {quoted(found.names)}: {found.why}; name the prediction in the "
        "response as in the profile, or build the profile with the server's name",
        total=False,
    )


def profile_mismatch(view: View) -> Blindness | None:
    """Most or all of the recent rows are of another model than the profile's."""
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


def absent_columns(view: View, side: Side) -> AbsentColumns | None:
    """Return the columns of a side without a usable value in the recent rows; None without enough rows."""
    profile, now = view.reading.snapshot.profile, view.history.now.columns
    if profile is None or now is None or now.profile_hash != profile.hash:
        return None
    names: list[str] = []
    causes = {"absent": 0, "mismatches": 0, "null": 0}
    columns = dict(_columns(profile, side))
    newest: ColumnTotals | None = None
    for name, features in columns.items():
        positions = [profile.index[feature.name] for feature in features]
        events = _rows_of(side, exchanges=RECENT if now.present[positions].any() else 1)
        found = view.history.recent(events, _rows_needed(features))
        recent = found.columns if found is not None else None
        if recent is None or recent.present[positions].any():
            continue
        names.append(name)
        newest = newest if newest is not None and newest.rows[side] <= recent.rows[side] else recent
        absent, mismatches = int(recent.absent[positions].max()), int(recent.mismatches[positions].max())
        causes["absent"] += absent
        causes["mismatches"] += mismatches
        causes["null"] += max(0, recent.rows[side] - absent - mismatches)
    if newest is None:
        return None
    return AbsentColumns(tuple(names), len(columns), newest.rows[side], causes)


def _rows_of(side: Side, exchanges: int) -> Callable[[Totals], int]:
    """Return a measure of the rows of a side, which is 0 with fewer `exchanges`: rows of one request are alike."""

    def rows(totals: Totals) -> int:
        return totals.columns.rows[side] if totals.columns is not None and measured(totals) >= exchanges else 0

    return rows


def _columns(profile: Profile, side: Side) -> Iterator[tuple[str, list[Feature]]]:
    """Yield each column of a side with its features: itself, or what a transform derives from it alone."""
    found: dict[str, list[Feature]] = {}
    for feature in profile.features:
        made = profile.column_transforms.get(feature.name)
        if feature.side == side and (made is not None or feature.name not in profile.derived):
            found.setdefault(made.column if made is not None else feature.name, []).append(feature)
    yield from found.items()


def _rows_needed(features: list[Feature]) -> int:
    """Return the rows after which a column without a value is absent, and not just missing as in the reference."""
    feature = max(features, key=lambda item: int(item.reference_counts[:-1].sum()))
    counts = feature.reference_counts
    share = float(counts[:-1].sum() / max(1, counts.sum()))
    if share >= ALWAYS_PRESENT:
        return RECENT
    return int(np.ceil(RECENT * feature.design_effect / max(share, 1e-6)))
