"""Findings: data-quality problems of recent rows, as a pure function of their statistics.

`monitor` calls `find` after each tick. A new kind needs an entry in `FindingKind` and a rule in `find`; the metrics and
the report take the kinds from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from math import sqrt
from typing import Literal, TypeAlias, get_args

import numpy as np

from ..batch import Ints, Side
from ..binning.probabilities import smoothed_probabilities
from ..profile.feature import Feature
from ..profile.profile import Profile
from ..summaries.counts import Counts
from .statistics import TickStatistics

FindingKind: TypeAlias = Literal[
    "constant_column",
    "duplicate_rows",
    "missing_column",
    "new_column",
    "renamed_column",
    "type_change",
    "width_mismatch",
]
FINDING_KINDS: tuple[FindingKind, ...] = get_args(FindingKind)
Key: TypeAlias = tuple[FindingKind, Side, str]

FEWEST_ROWS = 100  # recent rows that a finding needs
LEAST_SHARE = 0.001  # share of rows that lack a column, or of values of another type
DUPLICATES_BEYOND = 0.05  # share of duplicate rows above the reference's own share
CHANCE_SDS = 4.0  # standard deviations of the number of odd rows that the reference explains
LOG_CHANCE = -20.0  # log probability that a varying feature stays in one bin by chance
NAME_SIMILARITY = 0.6  # similarity of two names from which a column counts as renamed


@dataclass(frozen=True)
class Finding:
    """A problem of the recent rows.

    Attributes:
        column: empty if the finding concerns whole rows.
        renamed_to: the new name of a renamed column, else empty.
        since_tick: the tick since which the finding has been open.
        rows, share: number and share of affected rows, among those that could be affected.
        detail: what the other fields cannot hold, as a sentence; else empty.
    """

    kind: FindingKind
    side: Side
    column: str
    renamed_to: str
    since_tick: int
    rows: int
    share: float
    detail: str = ""

    @property
    def key(self) -> Key:
        return self.kind, self.side, self.column


def find(profile: Profile, recent: TickStatistics, tick: int) -> Iterator[Finding]:
    """Yield all findings of the recent rows, as open since `tick`."""
    taken: set[tuple[Side, str]] = set()
    for position, feature in enumerate(profile.features):
        if feature.name in profile.derived:
            yield from _type_change_of_derived(profile, feature, recent.counts, tick)
            continue
        rows = recent.counts.rows(feature.side)
        lacking = int(recent.counts.absent[position])
        if rows >= FEWEST_ROWS and lacking >= max(LEAST_SHARE * rows, 1):
            new_name = _renamed(feature, recent.unknown_columns, lacking)
            taken |= {(feature.side, new_name)} if new_name else set()
            kind: FindingKind = "renamed_column" if new_name else "missing_column"
            yield Finding(kind, feature.side, feature.name, new_name, tick, lacking, lacking / rows)
        yield from _value_findings(profile, feature, recent.counts, tick)
    for (side, column), amount in sorted(recent.unknown_columns.items()):
        rows = recent.counts.rows(side)
        if rows >= FEWEST_ROWS and (side, column) not in taken:
            yield Finding("new_column", side, column, "", tick, amount, min(1.0, amount / rows))
    yield from _unnamed(profile, recent, tick)
    yield from _duplicated(profile, recent, tick)


def _unnamed(profile: Profile, recent: TickStatistics, tick: int) -> Iterator[Finding]:
    """Yield one finding for each side with rows that have no names, and too many or too few values for the columns."""
    for side in {side: None for side, _ in sorted(recent.widths)}:
        rows, widths = recent.counts.rows(side), {w: n for (of, w), n in recent.widths.items() if of == side}
        if rows >= FEWEST_ROWS:
            width = max(widths, key=lambda one: (widths[one], one))
            affected = sum(widths.values())
            detail = f"{width} value{_plural(width)} a row without names; {_columns_of(profile, side)}"
            yield Finding("width_mismatch", side, "", "", tick, affected, min(1.0, affected / rows), detail)


def _columns_of(profile: Profile, side: Side) -> str:
    """Return how many columns of a side the profile names by position."""
    widths = [len(order) for order in (profile.input_orders if side == "input" else [profile.columns(side)])]
    return f"the profile has {' or '.join(map(str, widths))} {side} column{_plural(widths[-1])}"


def _plural(amount: int) -> str:
    return "" if amount == 1 else "s"


def _duplicated(profile: Profile, recent: TickStatistics, tick: int) -> Iterator[Finding]:
    if recent.compared < FEWEST_ROWS:
        return
    share = recent.duplicates / recent.compared
    if share > profile.reference.duplicate_ratio + DUPLICATES_BEYOND:
        yield Finding("duplicate_rows", "input", "", "", tick, recent.duplicates, share)


def _value_findings(profile: Profile, feature: Feature, counts: Counts, tick: int) -> Iterator[Finding]:
    bin_counts = counts.of(profile, feature.name)
    rows = int(bin_counts.sum())
    if rows < FEWEST_ROWS:
        return
    mismatches = int(counts.mismatches[profile.index[feature.name]])
    if _is_type_change(feature, mismatches, rows):
        yield Finding("type_change", feature.side, feature.name, "", tick, mismatches, mismatches / rows)
    if is_constant(feature, bin_counts):
        yield Finding("constant_column", feature.side, feature.name, "", tick, rows, 1.0)


def _type_change_of_derived(profile: Profile, feature: Feature, counts: Counts, tick: int) -> Iterator[Finding]:
    """Yield a type change in a column that is monitored by derived features; the first of these reports it."""
    made = profile.column_transforms.get(feature.name)
    if made is None or feature.name != next(name for name in made.outputs if name in profile.index):
        return
    rows = int(counts.of(profile, feature.name).sum())
    mismatches = int(counts.mismatches[profile.index[feature.name]])
    if rows >= FEWEST_ROWS and _is_type_change(feature, mismatches, rows):
        yield Finding("type_change", feature.side, made.column, "", tick, mismatches, mismatches / rows)


def _is_type_change(feature: Feature, mismatches: int, rows: int) -> bool:
    """Return whether more values of another type arrived than the share of the reference explains."""
    usual = feature.mismatches * rows / max(1, int(feature.reference_counts.sum()))
    return mismatches >= LEAST_SHARE * rows + usual + CHANCE_SDS * sqrt(usual)


def is_constant(feature: Feature, bin_counts: Ints) -> bool:
    """Return whether all values lie in one bin of counts [bins], which would not be chance in the reference.

    Rows in time order resemble each other, so only one in v of them counts as an independent draw.
    """
    present = bin_counts[:-1]  # the last bin is `missing`
    if np.count_nonzero(present) != 1 or feature.kind == "constant":
        return False
    p = smoothed_probabilities(feature.reference_counts)[int(np.argmax(present))]
    return bool(np.log(p) * present.sum() / float(feature.variance_inflation.max(initial=1.0)) < LOG_CHANCE)


def _renamed(feature: Feature, unknown_columns: Mapping[tuple[Side, str], int], lacking: int) -> str:
    """Return the new column with a similar name and about as many rows as lack the feature, or an empty text."""
    candidates = [
        (SequenceMatcher(None, _plain(feature.name), _plain(name)).ratio(), name)
        for (side, name), rows in unknown_columns.items()
        if side == feature.side and 0.5 * lacking <= rows <= 2 * lacking
    ]
    likeness, name = max(candidates, default=(0.0, ""))
    return name if likeness >= NAME_SIMILARITY else ""


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())
