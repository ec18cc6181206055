"""Data quality: problems of the recent rows, whatever their distribution.

A finding asks for investigation and is not an alarm. It opens when the share of affected rows exceeds what the
reference explains, closes when the share falls, and spends nothing of the false-alarm budget. `QualityMonitor` runs in
each pod beside counting.

kind              meaning
----------------  -----------------------------------------------------------------------------------------------
constant_column   a feature that varied in the reference has one value, or one bin of values, in all recent rows
duplicate_rows    rows repeat each other far more often than in the reference
missing_column    rows lack a column of the profile
new_column        rows carry a column that the reference does not have
renamed_column    a column is missing, and a column with a similar name is new
type_change       values of another type than the feature's: numbers as text, objects instead of names
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any, Literal, get_args

import numpy as np

from .batch import Batch, Column, ColumnData, Ints, Side, as_column
from .binning.probabilities import smoothed_probabilities
from .errors import StateError, shown
from .profile.feature import Feature
from .profile.profile import Profile
from .summaries.counts import Counts
from .summaries.heavy import HeavyHitters

FindingKind = Literal[
    "constant_column", "duplicate_rows", "missing_column", "new_column", "renamed_column", "type_change"
]
FINDING_KINDS: tuple[FindingKind, ...] = get_args(FindingKind)
Key = tuple[FindingKind, Side, str]
MONITORED_SIDES: tuple[Side, ...] = ("input", "prediction")

FEWEST_ROWS = 100  # recent rows that a finding needs
WINDOW_TICKS = 30  # recent means the last 30 to 60 closed ticks
LEAST_SHARE = 0.001  # share of rows that lack a column, or of values of another type
DUPLICATES_BEYOND = 0.05  # share of duplicate rows above the reference's own share
LOG_CHANCE = -20.0  # log probability that a varying feature stays in one bin by chance
DUPLICATE_WINDOW_ROWS = 256  # consecutive rows that are compared with each other
SAMPLES = 40  # samples of the reference in which rows are compared
LEAST_ROWS_REPORTED = 5  # rows from which a new value is reported; a rarer one may identify a person
MAX_UNKNOWN_COLUMNS = 50  # new columns that are remembered by name
NAME_SIMILARITY = 0.6  # similarity of two names from which a column counts as renamed
STATE_VERSION = 1


@dataclass(frozen=True)
class Finding:
    """A problem of the recent rows.

    Attributes:
        column: empty if the finding concerns whole rows.
        renamed_to: the new name of a renamed column, else empty.
        since_tick: the tick since which the finding has been open.
        rows, share: number and share of affected rows, among those that could be affected.
    """

    kind: FindingKind
    side: Side
    column: str
    renamed_to: str
    since_tick: int
    rows: int
    share: float

    @property
    def key(self) -> Key:
        return self.kind, self.side, self.column


@dataclass
class _TickStatistics:
    """What was observed during some closed ticks.

    Attributes:
        unknown_columns: rows by side and name of a column that the profile does not have.
        unseen_values: by feature, the most frequent values that the reference does not have.
        duplicates, compared: rows that repeat another row, of those that were compared.
    """

    counts: Counts
    unknown_columns: dict[tuple[Side, str], int]
    unseen_values: dict[str, HeavyHitters]
    duplicates: int = 0
    compared: int = 0
    ticks: int = 0

    def state(self) -> dict[str, Any]:
        return {
            "compared": self.compared,
            "counts": self.counts.state(),
            "duplicates": self.duplicates,
            "novel": {name: heavy.state() for name, heavy in self.unseen_values.items()},
            "strangers": [[*key, rows] for key, rows in self.unknown_columns.items()],
            "ticks": self.ticks,
        }

    @classmethod
    def restored(cls, profile: Profile, state: Mapping[str, Any]) -> _TickStatistics:
        return cls(
            Counts.from_state(profile, state["counts"]),
            {(side, name): int(rows) for side, name, rows in state["strangers"]},
            {str(name): HeavyHitters.from_state(heavy) for name, heavy in state["novel"].items()},
            int(state["duplicates"]),
            int(state["compared"]),
            int(state["ticks"]),
        )

    def added(self, other: _TickStatistics) -> _TickStatistics:
        unknown_columns = {
            key: self.unknown_columns.get(key, 0) + other.unknown_columns.get(key, 0)
            for key in {**self.unknown_columns, **other.unknown_columns}
        }
        unseen_values = {
            name: self.unseen_values.get(name, HeavyHitters()) + other.unseen_values.get(name, HeavyHitters())
            for name in {**self.unseen_values, **other.unseen_values}
        }
        return _TickStatistics(
            self.counts + other.counts,
            unknown_columns,
            unseen_values,
            self.duplicates + other.duplicates,
            self.compared + other.compared,
            self.ticks + other.ticks,
        )


class DuplicateCount:
    """A count of the rows that repeat another one among the same `DUPLICATE_WINDOW_ROWS` rows.

    Example:
        >>> from pilotfish.detectors.quality import DuplicateCount
        >>> DuplicateCount().add([[1, 2, 1], ["a", "b", "a"]])
        (1, 3)
    """

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._rows = 0

    def add(self, columns: list[list[Any]]) -> tuple[int, int]:
        """Compare rows, given as columns of equal length; return how many repeat another and how many were compared."""
        try:
            hashes = list(map(hash, zip(*columns, strict=True)))
        except TypeError:  # lists or dictionaries are not hashable
            return 0, 0
        repeated = 0
        for value in hashes:
            if self._rows == DUPLICATE_WINDOW_ROWS:
                self._seen.clear()
                self._rows = 0
            self._rows += 1
            repeated += value in self._seen
            self._seen.add(value)
        return repeated, len(hashes)


def duplicate_ratio(columns: Mapping[str, Column]) -> float:
    """Return the share of reference rows that repeat a row shortly before them, from samples over the whole time."""
    rows = min((len(column.values) for column in columns.values()), default=0)
    count = DuplicateCount()
    repeated = compared = 0
    for first in range(0, rows, max(DUPLICATE_WINDOW_ROWS, rows // SAMPLES)):
        piece = [_listed(column.take(slice(first, first + DUPLICATE_WINDOW_ROWS))) for column in columns.values()]
        found, able = count.add(piece)
        repeated, compared = repeated + found, compared + able
    return round(repeated / compared, 4) if compared else 0.0


class QualityMonitor:
    """The data-quality monitor of one pod: it observes rows and reports findings after each tick.

    Example:
        >>> from pilotfish.detectors.batch import Batch
        >>> from pilotfish.detectors.quality import QualityMonitor
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
        """Look at rows before they are counted; rows with labels are ignored."""
        known = self._known.get(batch.side)
        if not known:
            return
        if not batch.columns.keys() <= known:
            for name in sorted(batch.columns.keys() - known):
                key = (batch.side, name)
                if key in self._open.unknown_columns or len(self._open.unknown_columns) < MAX_UNKNOWN_COLUMNS:
                    self._open.unknown_columns[key] = self._open.unknown_columns.get(key, 0) + batch.rows
        if batch.side == "input" and not self._profile.array_columns:  # comparing arrays costs more than counting
            repeated, compared = self._duplicates.add([_listed(data) for data in batch.columns.values()])
            self._open.duplicates += repeated
            self._open.compared += compared

    def add_unseen_values(self, feature: str, values: list[str]) -> None:
        """Remember the most frequent categories that the reference does not have."""
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
            _TickStatistics.restored(self._profile, state[key]) for key in ("before", "open", "recent")
        )
        self._before, self._open, self._recent = before, opened, recent
        self._since = {(kind, side, column): int(tick) for kind, side, column, tick in state["since"]}
        self.findings = self._found(max(self._since.values(), default=0))

    def _found(self, tick: int) -> tuple[Finding, ...]:
        """Return the findings of the recent rows, largest share first; new ones are open since `tick`."""
        found = sorted(self._all(tick), key=lambda item: (-item.share, item.key))
        return tuple(replace(item, since_tick=self._since.get(item.key, tick)) for item in found)

    def _fresh(self) -> _TickStatistics:
        return _TickStatistics(Counts.empty(self._profile), {}, {})

    def _all(self, tick: int) -> Iterator[Finding]:
        whole = self._before.added(self._recent)
        columns = {column for _, column in whole.unknown_columns}
        taken: set[tuple[Side, str]] = set()
        for position, feature in enumerate(self._profile.features):
            if feature.name in self._profile.derived:
                yield from _type_change_of_derived(self._profile, feature, whole.counts, tick)
                continue
            rows = whole.counts.rows(feature.side)
            lacking = int(whole.counts.absent[position])
            if rows >= FEWEST_ROWS and lacking >= max(LEAST_SHARE * rows, 1):
                new_name = _renamed(feature, whole.unknown_columns, lacking) if columns else ""
                taken |= {(feature.side, new_name)} if new_name else set()
                kind: FindingKind = "renamed_column" if new_name else "missing_column"
                yield Finding(kind, feature.side, feature.name, new_name, tick, lacking, lacking / rows)
            yield from _value_findings(self._profile, feature, whole.counts, tick)
        for (side, column), amount in sorted(whole.unknown_columns.items()):
            rows = whole.counts.rows(side)
            if rows >= FEWEST_ROWS and (side, column) not in taken:
                yield Finding("new_column", side, column, "", tick, amount, min(1.0, amount / rows))
        yield from self._duplicated(whole, tick)

    def _duplicated(self, whole: _TickStatistics, tick: int) -> Iterator[Finding]:
        if whole.compared < FEWEST_ROWS:
            return
        share = whole.duplicates / whole.compared
        if share > self._profile.reference.duplicate_ratio + DUPLICATES_BEYOND:
            yield Finding("duplicate_rows", "input", "", "", tick, whole.duplicates, share)


def _value_findings(profile: Profile, feature: Feature, counts: Counts, tick: int) -> Iterator[Finding]:
    bin_counts = counts.of(profile, feature.name)
    rows = int(bin_counts.sum())
    if rows < FEWEST_ROWS:
        return
    mismatches = int(counts.mismatches[profile.index[feature.name]])
    if mismatches >= LEAST_SHARE * rows:
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
    if rows >= FEWEST_ROWS and mismatches >= LEAST_SHARE * rows:
        yield Finding("type_change", feature.side, made.column, "", tick, mismatches, mismatches / rows)


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
    """Return the new column with a similar name that about as many rows have as lack the feature, or an empty text."""
    candidates = [
        (SequenceMatcher(None, _plain(feature.name), _plain(name)).ratio(), name)
        for (side, name), rows in unknown_columns.items()
        if side == feature.side and 0.5 * lacking <= rows <= 2 * lacking
    ]
    likeness, name = max(candidates, default=(0.0, ""))
    return name if likeness >= NAME_SIMILARITY else ""


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _listed(data: ColumnData) -> list[Any]:
    if isinstance(data, list):
        return data
    values: list[Any] = as_column(data).values.tolist()
    return values
