"""From reference rows to a profile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from typing import get_args

import numpy as np

from ..batch import Column, ColumnData, ColumnType, Family, Floats, Ints, Kind, Side, as_column, length
from ..binning.losses import LossBins, tested_bins
from ..binning.numeric import NumericBins
from ..binning.probabilities import shrunken_probabilities, smoothed_probabilities
from ..columns.inference import infer_kind, infer_type
from ..errors import ProfileError, shown
from ..evalues.bank import BANK_VERSION, build_bank
from ..evalues.bounds import log_inverse_risk_of
from ..losses.task import BY_SCORE, LOSS
from ..performance.fit import fit_loss, reject_reserved_names
from ..performance.roles import LabelOptions, LabelRoles, infer_roles
from ..profile.feature import Feature
from ..profile.performance import PerformanceSpec
from ..profile.profile import Profile
from ..profile.provenance import ExcludedColumn, Order, ReferenceSummary
from ..profile.slots import SLOTS, Slots, slots_of
from ..quality import duplicate_ratio
from ..settings import LOSS_TOLERANCE
from ..transforms import COARSE_KINDS, Transform, countable_rows, fit
from ..transforms.loss import LossByScore, LossTransform
from ..transforms.rows import ReferenceRows
from .blocks import block_partitions, size_biased_rows_per_tick, training_mask
from .features import FeatureCandidate, RowLayout, build_candidate, build_loss_candidate
from .sensitivity import TOO_FEW_LABELS, TOO_FEW_ROWS, ReferencePart, sensitivity

TICKS_WANTED = 500  # of a row-ordered reference whose live traffic is unknown
LARGEST_TICK = 1000
TOLERANCE = 0.0025
FALSE_ALARM_TICKS = 43_200.0  # one in 30 days at 60 s
SEASON_WARNING = "season not covered"
HOURLY_NOTE = "compared by the hour of the day (UTC)"
NO_FEATURE_REASON = {"timestamp": "dates or times, of which new ones keep coming"}  # where neither lag nor hour tells
SORTED_WARNING = "grows or falls from row to row, though the rows are said to be in no order"

Progress = Callable[[int, int, str], None]


def build_profile(
    columns: Mapping[str, ColumnData],
    *,
    model: str = "",
    version: str = "",
    created: str = "",
    times: Floats | None = None,
    sides: Mapping[str, Side] | None = None,
    kinds: Mapping[str, ColumnType] | None = None,
    tick_seconds: float = 60.0,
    rows_per_tick: float | None = None,
    exchangeable: bool = False,
    keep: Container[str] = (),
    labels: LabelOptions | None = None,
    tolerance: float = TOLERANCE,
    false_alarm_ticks: float = FALSE_ALARM_TICKS,
    progress: Progress | None = None,
) -> Profile:
    """The profile of reference rows.

    Args:
        columns: by name, [rows] each; without the time column.
        model, version, created: kept as given.
        times: epoch seconds [rows], in any order. Without them the order of the rows counts as time.
        sides: which columns are predictions or labels; the others are inputs.
        kinds: overrides what is inferred.
        tick_seconds: width of a tick, with `times`.
        rows_per_tick: without `times`, how many rows a live tick will carry. If not given, live ticks may have as many
            rows as the longest block, an eighth of the reference, before their evidence is scaled down.
        exchangeable: the rows are in no order, so that no serial correlation can be measured; only for data that
            were shuffled or sampled independently, as live evidence is then not tempered at all.
        keep: columns to watch even where they would be excluded.
        labels: what the label is compared with, and how, where that should not be inferred. Rows without a label are
            reference rows like others; losses are made of those that have one.
        tolerance, false_alarm_ticks: for the expected delays that the profile shows; nothing else.
        progress: called as (features done, features in all, name).

    Raises:
        ProfileError: no rows, columns of different lengths, unknown names, no column that can be watched, a label that
            cannot be compared with a prediction.
    """
    sides, kinds = sides or {}, kinds or {}
    rows = _checked(columns, times, [*sides, *kinds])
    arranged = _lay_out(rows, times, tick_seconds, rows_per_tick, exchangeable)
    ordered = {name: _in_order(as_column(data), arranged.order) for name, data in columns.items()}
    side_of: dict[str, Side] = {name: sides.get(name, "input") for name in columns}
    builder = _FeatureBuilder(arranged, tolerance, progress, len(columns))
    types: dict[str, ColumnType] = {}
    for name, column in ordered.items():
        is_label = side_of[name] == "label"
        type_ = kinds.get(name) or (infer_kind(column) if is_label else infer_type(column, arranged.training))
        if is_label or builder.column(name, side_of[name], column, type_, watch_anyway=name in keep):
            types[name] = type_
    at = None if times is None else np.asarray(times, dtype=np.float64)[arranged.order]
    whole = ReferenceRows(ordered, side_of, types, arranged.training, at)
    transforms = builder.transformed(whole)
    performance = builder.losses(infer_roles(labels or LabelOptions(), ordered, sides, types), whole)
    features = builder.features(false_alarm_ticks)
    watched = {feature.name: ordered[feature.name] for feature in features if side_of.get(feature.name) == "input"}
    if progress is not None:
        progress(builder.total, builder.total, "")
    warnings = (*_warnings(arranged.reference, features), *_unrelated_columns(features, transforms))
    return Profile(
        model=model,
        version=version,
        created=created,
        reference=replace(arranged.reference, duplicate_ratio=duplicate_ratio(watched)),
        features=features,
        excluded=tuple(builder.excluded),
        warnings=warnings,
        input_columns=tuple(name for name in columns if side_of[name] == "input"),
        prediction_columns=tuple(name for name in columns if side_of[name] == "prediction"),
        transforms=(*transforms, *builder.loss_transforms),
        performance=performance,
        bank=BANK_VERSION,
    )


def _require_names(names: list[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ProfileError(f"a column is named {shown(twice[0])}, as what is made of another one; rename or exclude it")


def _in_order(column: Column, order: Ints | None) -> Column:
    return column if order is None else column.take(order)


class _FeatureBuilder:
    """Gathers the features, and what is left out, from columns as they come and as transforms make them."""

    def __init__(self, rows: RowLayout, tolerance: float, progress: Progress | None, total: int) -> None:
        self._rows = rows
        self.total = total
        self._tolerance = tolerance
        self._progress = progress
        self._candidates: list[tuple[FeatureCandidate, Side, Family]] = []
        self._counted: list[Feature] = []
        self.excluded: list[ExcludedColumn] = []
        self.loss_transforms: list[LossTransform] = []

    def column(self, name: str, side: Side, column: Column, type_: ColumnType, *, watch_anyway: bool) -> bool:
        """Draft a column as it comes; tell whether it is watched, or waits for a transform that takes its type."""
        if type_ == "array" or type_ == "text" or type_ == "timestamp":
            return True
        family: Family = "features" if side == "input" else "predictions"
        return self._add(name, side, family, column, type_, watch_anyway=watch_anyway)

    def transformed(self, whole: ReferenceRows) -> tuple[Transform, ...]:
        """Draft what transforms make of the reference; the transforms of which anything is watched."""
        kept = []
        found = fit.fit_transforms(whole)
        self.total += sum(len(transform.outputs) for transform in found)
        for transform in found:
            made = fit.apply_in_chunks(transform, whole)
            watched = [self._made(transform, name, made[name]) for name in transform.outputs]
            if any(watched):
                kept.append(transform)
        taken = {name for transform in kept for name in transform.inputs}
        for name, type_ in whole.types.items():
            if type_ not in get_args(Kind) and name not in taken:
                self.excluded.append(
                    ExcludedColumn(name, NO_FEATURE_REASON.get(type_, f"nothing can be told of its {type_}s"))
                )
        return tuple(kept)

    def losses(self, roles: LabelRoles | None, whole: ReferenceRows) -> PerformanceSpec | None:
        """Draft the losses of labelled rows, and count them by score; nothing without roles."""
        if roles is None:
            return None
        reject_reserved_names(list(whole.columns))
        bins = next(
            (candidate.bins for candidate, _, _ in self._candidates if candidate.name == roles.score),
            None,
        )
        score_bins = bins if isinstance(bins, NumericBins) else None
        names = tuple({roles.label, roles.prediction, roles.score or roles.prediction})
        found = fit_loss(roles, whole.block(names), whole.training, score_bins)
        rows = self._rows.subset(found.usable)
        made = fit.apply_in_chunks(found.transform, whole)
        self._keep(build_loss_candidate(made[LOSS].take(found.usable), found.bins, rows), "label", "performance")
        if found.transform.by_score is not None:
            self._counted.append(_by_score(made[BY_SCORE].take(found.usable), found.transform.by_score, rows))
        self.loss_transforms.append(found.transform)
        longest = max(1, rows.reference.longest_block)
        at_once = None if rows.reference.rows_per_tick is None else size_biased_rows_per_tick(rows.ticks) * longest
        return replace(found.performance, rows_at_once=at_once)

    def features(self, false_alarm_ticks: float) -> tuple[Feature, ...]:
        """All the features, with the bounds that depend on how many there are."""
        if not self._candidates:
            left_out = shown([(item.name, item.reason) for item in self.excluded])
            raise ProfileError(f"no column can be watched: {left_out}; keep some")
        _require_names([candidate.name for candidate, *_ in self._candidates])
        alternatives = sum(len(candidate.bank.groups) for candidate, _, _ in self._candidates)
        threshold = false_alarm_ticks * len(self._candidates)
        watched = [
            _feature(candidate, side, family, alternatives, self._tolerance, threshold)
            for candidate, side, family in self._candidates
        ]
        return (*watched, *self._counted)

    def _made(self, transform: Transform, name: str, column: Column) -> bool:
        """Draft a column that a transform made, over the rows of which it says something."""
        rows, kept = self._rows, countable_rows(transform.family, column)
        if kept is not None:
            rows, column = rows.subset(kept), column.take(kept)
        self._report_progress(name)
        coarse = transform.kind in COARSE_KINDS
        kind = infer_kind(column)
        found = build_candidate(name, column, kind, rows, self._tolerance, watch_anyway=True, coarse=coarse)
        return self._keep(found, transform.side, transform.family)

    def _add(self, name: str, side: Side, family: Family, column: Column, kind: Kind, *, watch_anyway: bool) -> bool:
        self._report_progress(name)
        found = build_candidate(name, column, kind, self._rows, self._tolerance, watch_anyway=watch_anyway)
        return self._keep(found, side, family)

    def _report_progress(self, name: str) -> None:
        if self._progress is not None:
            self._progress(len(self._candidates) + len(self.excluded), self.total, name)

    def _keep(self, found: FeatureCandidate | ExcludedColumn, side: Side, family: Family) -> bool:
        if isinstance(found, ExcludedColumn):
            self.excluded.append(found)
            return False
        self._candidates.append((found, side, family))
        return True


def _checked(columns: Mapping[str, ColumnData], times: Floats | None, named: list[str]) -> int:
    """The number of rows, if every column has as many."""
    sizes = {name: length(column) for name, column in columns.items()}
    if times is not None:
        sizes["(times)"] = len(times)
        if not np.all(np.isfinite(times)):
            raise ProfileError(f"{int((~np.isfinite(times)).sum())} times are missing or infinite; drop those rows")
    if not columns or min(sizes.values()) == 0:
        raise ProfileError(f"a reference needs at least one column and one row, not {shown(sizes)}")
    if len(set(sizes.values())) > 1:
        raise ProfileError(f"reference columns differ in length: {shown(sizes)}; give each one entry a row")
    unknown = sorted(set(named) - set(columns))
    if unknown:
        raise ProfileError(f"no column is named {shown(unknown)}; the columns are {shown(sorted(columns))}")
    return next(iter(sizes.values()))


def _lay_out(
    rows: int, times: Floats | None, tick_seconds: float, per_tick: float | None, exchangeable: bool
) -> RowLayout:
    if not (np.isfinite(tick_seconds) and tick_seconds > 0):
        raise ProfileError(f"tick_seconds must be a positive number, not {shown(tick_seconds)}")
    if per_tick is not None and not (np.isfinite(per_tick) and per_tick >= 1):
        raise ProfileError(f"rows_per_tick must be at least 1, not {shown(per_tick)}")
    order = None if times is None else np.argsort(times, kind="stable")
    by_time = None if times is None else np.asarray(times, dtype=np.float64)[order]
    if by_time is not None:
        ticks = np.floor(by_time / tick_seconds).astype(np.int64)
    else:
        width = per_tick or float(np.clip(rows // TICKS_WANTED, 1, LARGEST_TICK))
        ticks = (np.arange(rows) / width).astype(np.int64)
    kind: Order = "exchangeable" if exchangeable else "rows" if times is None else "time"
    partitions = [] if exchangeable else block_partitions(ticks, None if by_time is None else tick_seconds)
    training, by_days = training_mask(by_time, rows)
    dense = size_biased_rows_per_tick(ticks)
    if kind == "rows" and per_tick is None and partitions:
        dense *= partitions[-1].length  # row order is all the time there is: a live tick is a block like another
    reference = ReferenceSummary(
        rows=rows,
        ticks=len(np.unique(ticks)),
        order=kind,
        split="days" if by_days else "rows",
        tick_seconds=None if by_time is None else float(tick_seconds),
        rows_per_tick=None if exchangeable else dense,
        first_time=None if by_time is None else float(by_time[0]),
        last_time=None if by_time is None else float(by_time[-1]),
        longest_block=partitions[-1].length if partitions else 0,
    )
    slots = slots_of(ticks, tick_seconds) if kind == "time" else None
    return RowLayout(order, ticks, partitions, training, reference, slots)


def _feature(
    candidate: FeatureCandidate, side: Side, family: Family, alternatives: int, tolerance: float, threshold: float
) -> Feature:
    """The feature, with slots if they find a shift of one standard deviation sooner."""
    looked_at, is_loss = tested_bins(candidate.bins), isinstance(candidate.bins, LossBins)
    tolerance = LOSS_TOLERANCE if is_loss else tolerance
    whole = [
        ReferencePart(
            candidate.bank.restricted_to(looked_at),
            smoothed_probabilities(candidate.training[looked_at]),
            candidate.calibration[looked_at],
            candidate.variance_inflation,
        )
    ]
    log_inverse_risk = log_inverse_risk_of(alternatives)
    seen = sensitivity(
        candidate.bins,
        whole,
        candidate.variance_inflation,
        log_inverse_risk=log_inverse_risk,
        tolerance=tolerance,
        threshold=threshold,
    )
    slots = candidate.slots
    if slots is not None:
        parts, log_inverse_risk = _parts(candidate, slots, tolerance), log_inverse_risk_of(alternatives, SLOTS)
        found = sensitivity(
            candidate.bins,
            parts,
            slots.variance_inflation,
            log_inverse_risk=log_inverse_risk,
            tolerance=tolerance,
            threshold=threshold,
        )
        sooner = (found.delay_rows or np.inf) < (seen.delay_rows or np.inf)
        seen, slots = (found, slots) if sooner else (seen, None)
    warnings = []
    if seen.delay_rows is None:
        text = TOO_FEW_LABELS if is_loss else TOO_FEW_ROWS
        warnings.append(f"{text}: too few independent reference rows; give a longer reference")
    if candidate.season_not_covered:
        warnings.append(f"{SEASON_WARNING}: it still varies at the longest block; give a longer reference")
    if slots is not None:
        warnings.append(f"{HOURLY_NOTE}: with the same hour of the reference, as it has a cycle of a day")
    if candidate.sorted_in_no_order:
        warnings.append(f"{SORTED_WARNING}: exclude it if it goes on so, as row numbers do")
    return Feature(
        name=candidate.name,
        side=side,
        family=family,
        kind=candidate.kind,
        bins=candidate.bins,
        training=candidate.training,
        calibration=candidate.calibration,
        variance_inflation=candidate.variance_inflation,
        n_eff=seen.n_eff,
        smallest_shift=seen.smallest_shift,
        delay_rows=seen.delay_rows,
        warnings=tuple(warnings),
        slots=slots,
    )


def _parts(candidate: FeatureCandidate, slots: Slots, tolerance: float) -> list[ReferencePart]:
    """Slot by slot, those that the reference has rows of."""
    whole = smoothed_probabilities(candidate.training)
    return [
        ReferencePart(
            build_bank(candidate.bins, candidate.training, tolerance, training),
            shrunken_probabilities(training, whole),
            calibration,
            slots.bound_variance_inflation,
        )
        for training, calibration in zip(slots.training, slots.calibration, strict=True)
        if calibration.any()
    ]


def _by_score(numbers: Column, by_score: LossByScore, rows: RowLayout) -> Feature:
    """The counts of losses by score, of which no alarm comes."""
    bins = by_score.counted
    bin_ids, _ = bins.digitize(numbers)
    training, calibration = (
        np.bincount(bin_ids[part], minlength=bins.size) for part in (rows.training, ~rows.training)
    )
    return Feature(
        name=BY_SCORE,
        side="label",
        family="performance",
        kind="integer",
        bins=bins,
        training=training,
        calibration=calibration,
        variance_inflation=np.zeros(0),
        n_eff=float(len(bin_ids)),
        smallest_shift=0.0,
        delay_rows=None,
        warnings=(),
    )


def _warnings(reference: ReferenceSummary, features: tuple[Feature, ...]) -> tuple[str, ...]:
    out = []
    if reference.split == "rows":
        out.append("fewer than 10 days: the reference was split by rows, not by days; slow changes look like noise")
    for text in (TOO_FEW_ROWS, TOO_FEW_LABELS, SEASON_WARNING, SORTED_WARNING, HOURLY_NOTE):
        found = [feature for feature in features if any(w.startswith(text) for w in feature.warnings)]
        names = [feature.name for feature in found if feature.family != "multivariate"]
        if len(names) < len(found):
            names.append(f"{len(found) - len(names)} measures of relations")
        if names:
            out.append(f"{text}: {', '.join(names)}")
    return tuple(out)


def _unrelated_columns(features: tuple[Feature, ...], transforms: tuple[Transform, ...]) -> tuple[str, ...]:
    """Which numeric inputs are left out of the relations, where any are watched."""
    joint = {name for transform in transforms if transform.family == "multivariate" for name in transform.inputs}
    made = {name for transform in transforms for name in transform.outputs}
    names = [
        feature.name
        for feature in features
        if feature.side == "input" and feature.kind in {"numeric", "integer"} and feature.name not in joint | made
    ]
    if not joint or not names:
        return ()
    return (f"relations are watched without {', '.join(names)}: mostly missing, hardly varying, or one too many",)
