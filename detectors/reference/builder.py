"""Collect the candidates of a reference: its columns, the outputs of transforms, and the losses of labelled rows.

`build.build_profile` adds columns first, then transforms, then losses, and calls `features` last. The order of the
calls is the order of the features in the profile, and so of every counts array.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias, get_args

from ..batch import Column, ColumnType, Family, Kind, Side
from ..binning.numeric import NumericBins, to_floats
from ..columns.inference import numeric_kind
from ..errors import ProfileError, shown
from ..losses.task import BY_SCORE, LOSS
from ..performance.fit import fit_loss, reject_reserved_names
from ..performance.roles import LabelRoles
from ..profile.feature import Feature
from ..profile.performance import PerformanceSpec
from ..profile.provenance import ExcludedColumn
from ..transforms import COARSE_KINDS, Transform, countable_rows, fit
from ..transforms.loss import LossTransform
from ..transforms.rows import ReferenceRows
from .blocks import size_biased_rows_per_tick
from .candidates import FeatureCandidate, build_candidate, build_loss_candidate
from .features import by_score_feature, complete
from .layout import RowLayout

MAX_LISTED = 3  # excluded columns that an error lists
NO_FEATURE_REASON = {"timestamp": "dates or times, of which new ones keep coming"}  # neither lag nor hour is usable

Progress: TypeAlias = Callable[[int, int, str], None]


class FeatureBuilder:
    """The features and excluded columns that are collected so far.

    Attributes:
        total: number of columns and outputs in all, for progress.
        excluded: columns that are not monitored, with the reason.
        loss_transforms: the transform that computes losses, if there are labels.
    """

    def __init__(self, rows: RowLayout, tolerance: float, progress: Progress | None, total: int) -> None:
        self._rows = rows
        self.total = total
        self._tolerance = tolerance
        self._progress = progress
        self._candidates: list[tuple[FeatureCandidate, Side, Family]] = []
        self._counted: list[Feature] = []
        self.excluded: list[ExcludedColumn] = []
        self.loss_transforms: list[LossTransform] = []

    def add_column(
        self, name: str, side: Side, column: Column, type_: ColumnType, *, keep_column: bool, mismatches: int
    ) -> bool:
        """Add a column [rows]; return whether it is monitored, or waits for a transform of its type.

        `mismatches` is the number of values that are no numbers, for numeric columns.
        """
        if type_ == "array" or type_ == "text" or type_ == "timestamp":
            return True
        family: Family = "features" if side == "input" else "predictions"
        self._report_progress(name)
        found = build_candidate(name, column, type_, self._rows, self._tolerance, keep_column=keep_column)
        if isinstance(found, FeatureCandidate):
            found = replace(found, mismatches=mismatches)
        return self._keep(found, side, family)

    def add_transforms(self, whole: ReferenceRows) -> tuple[Transform, ...]:
        """Fit transforms, add their outputs, and return the transforms that have a monitored output."""
        kept = []
        found = fit.fit_transforms(whole)
        self.total += sum(len(transform.outputs) for transform in found)
        for transform in found:
            monitored = False
            for names in fit.groups_of_outputs(transform, whole.rows):
                outputs = fit.apply_in_chunks(transform, whole, names)
                for name in names:
                    monitored |= self._add_output(transform, name, outputs[name])
            if monitored:
                kept.append(transform)
        taken = {name for transform in kept for name in transform.inputs}
        for name, type_ in whole.types.items():
            if type_ not in get_args(Kind) and name not in taken:
                reason = NO_FEATURE_REASON.get(type_, f"nothing can be told of its {type_}s")
                self.excluded.append(ExcludedColumn(name, reason))
        return tuple(kept)

    def add_losses(self, roles: LabelRoles | None, whole: ReferenceRows) -> PerformanceSpec | None:
        """Add the losses of labelled rows, and their counts by score; do nothing without roles.

        Raises:
            ProfileError: too few labelled rows, a reserved column name, or columns that do not fit the task.
        """
        if roles is None:
            return None
        reject_reserved_names(list(whole.columns))
        bins = next((candidate.bins for candidate, _, _ in self._candidates if candidate.name == roles.score), None)
        score_bins = bins if isinstance(bins, NumericBins) else None
        names = tuple({roles.label, roles.prediction, roles.score or roles.prediction})
        found = fit_loss(roles, whole.block(names), whole.training, score_bins)
        rows = self._rows.subset(found.usable)
        outputs = fit.apply_in_chunks(found.transform, whole)
        self._keep(build_loss_candidate(outputs[LOSS].take(found.usable), found.bins, rows), "label", "performance")
        if found.transform.by_score is not None:
            by_score = outputs[BY_SCORE].take(found.usable)
            self._counted.append(by_score_feature(by_score, found.transform.by_score, rows))
        self.loss_transforms.append(found.transform)
        longest = max(1, rows.reference.longest_block)
        at_once = None if rows.reference.rows_per_tick is None else size_biased_rows_per_tick(rows.ticks) * longest
        return replace(found.performance, rows_at_once=at_once)

    def features(self, false_alarm_ticks: float) -> tuple[Feature, ...]:
        """Return all features, completed with the values that depend on how many there are.

        Raises:
            ProfileError: no feature is left, or two features have the same name.
        """
        if not self._candidates:
            left_out = "; ".join(f"{shown(item.name)} {item.reason}" for item in self.excluded[:MAX_LISTED])
            more = f"; and {len(self.excluded) - MAX_LISTED:,} more" if len(self.excluded) > MAX_LISTED else ""
            raise ProfileError(
                f"no column can be monitored: {left_out}{more}; keep some of them, or give other columns"
            )
        _require_distinct_names([candidate.name for candidate, *_ in self._candidates])
        alternatives = sum(len(candidate.bank.groups) for candidate, _, _ in self._candidates)
        threshold = false_alarm_ticks * len(self._candidates)
        monitored = [
            complete(candidate, side, family, alternatives, self._tolerance, threshold)
            for candidate, side, family in self._candidates
        ]
        return (*monitored, *self._counted)

    def _add_output(self, transform: Transform, name: str, column: Column) -> bool:
        """Add an output of a transform, over the rows for which it is defined.

        All outputs are numbers, so the kind follows from the numbers alone. A row with an odd value, such as an array
        of another length, is missing and changes nothing else.
        """
        rows, kept = self._rows, countable_rows(transform.family, column)
        if kept is not None:
            rows, column = rows.subset(kept), column.take(kept)
        self._report_progress(name)
        coarse = transform.kind in COARSE_KINDS
        values, mismatches = to_floats(column)
        kind = numeric_kind(values)
        found = build_candidate(name, Column(values), kind, rows, self._tolerance, keep_column=True, coarse=coarse)
        if isinstance(found, FeatureCandidate):
            found = replace(found, mismatches=mismatches)
        return self._keep(found, transform.side, transform.family)

    def _report_progress(self, name: str) -> None:
        if self._progress is not None:
            self._progress(len(self._candidates) + len(self.excluded), self.total, name)

    def _keep(self, found: FeatureCandidate | ExcludedColumn, side: Side, family: Family) -> bool:
        if isinstance(found, ExcludedColumn):
            self.excluded.append(found)
            return False
        self._candidates.append((found, side, family))
        return True


def _require_distinct_names(names: list[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ProfileError(
            f"a column is named {shown(twice[0])}, like a feature derived from another column; rename or exclude it"
        )
