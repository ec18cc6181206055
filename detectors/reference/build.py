"""From reference rows to a profile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from typing import get_args

import numpy as np

from ..batch import Column, ColumnData, ColumnType, Family, Floats, Ints, Kind, Side, as_column, length
from ..binning.losses import LossBins, tested
from ..binning.numeric import NumericBins
from ..binning.probabilities import smoothed, within
from ..columns.inference import infer_kind, infer_type
from ..errors import ProfileError, shown
from ..evalues.bank import VERSION, build_bank
from ..evalues.bounds import log_confidence
from ..losses.task import BY_SCORE, LOSS
from ..performance.fit import clashing, fitted
from ..performance.roles import Roles, Wanted, settled
from ..profile.feature import Feature
from ..profile.performance import Performance
from ..profile.profile import Profile
from ..profile.provenance import Excluded, Order, Reference
from ..profile.slots import SLOTS, Slots, slots_of
from ..quality import duplicate_ratio
from ..settings import LOSS_TOLERANCE
from ..transforms import COARSE, Transform, fit, spoken
from ..transforms.loss import ByScore, LossTransform
from ..transforms.rows import ReferenceRows
from .blocks import blocks_of, rows_of_ticks, split_rows
from .features import Draft, Rows, draft, draft_loss
from .sensitivity import INVISIBLE, INVISIBLE_LOSS, Part, sensitivity

TICKS_WANTED = 500  # of a row-ordered reference whose live traffic is unknown
LARGEST_TICK = 1000
TOLERANCE = 0.0025
FALSE_ALARM_TICKS = 43_200.0  # one in 30 days at 60 s
UNCOVERED = "season not covered"
HOURLY = "compared by the hour of the day (UTC)"
NOTHING_SAID = {"timestamp": "dates or times, of which new ones keep coming"}  # where neither lag nor hour tells
SORTED = "grows or falls from row to row, though the rows are said to be in no order"

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
    labels: Wanted | None = None,
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
    arranged = _arrange(rows, times, tick_seconds, rows_per_tick, exchangeable)
    ordered = {name: _in_order(as_column(data), arranged.order) for name, data in columns.items()}
    side_of: dict[str, Side] = {name: sides.get(name, "input") for name in columns}
    drafter = _Drafter(arranged, tolerance, progress, len(columns))
    types: dict[str, ColumnType] = {}
    for name, column in ordered.items():
        is_label = side_of[name] == "label"
        type_ = kinds.get(name) or (infer_kind(column) if is_label else infer_type(column, arranged.shaping))
        if is_label or drafter.column(name, side_of[name], column, type_, watch_anyway=name in keep):
            types[name] = type_
    at = None if times is None else np.asarray(times, dtype=np.float64)[arranged.order]
    whole = ReferenceRows(ordered, side_of, types, arranged.shaping, at)
    transforms = drafter.transformed(whole)
    performance = drafter.losses(settled(labels or Wanted(), ordered, sides, types), whole)
    features = drafter.features(false_alarm_ticks)
    watched = {feature.name: ordered[feature.name] for feature in features if side_of.get(feature.name) == "input"}
    if progress is not None:
        progress(drafter.total, drafter.total, "")
    warnings = (*_warnings(arranged.reference, features), *_apart(features, transforms))
    return Profile(
        model=model,
        version=version,
        created=created,
        reference=replace(arranged.reference, duplicate_ratio=duplicate_ratio(watched)),
        features=features,
        excluded=tuple(drafter.excluded),
        warnings=warnings,
        input_columns=tuple(name for name in columns if side_of[name] == "input"),
        prediction_columns=tuple(name for name in columns if side_of[name] == "prediction"),
        transforms=(*transforms, *drafter.lossy),
        performance=performance,
        bank=VERSION,
    )


def _require_names(names: list[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ProfileError(f"a column is named {shown(twice[0])}, as what is made of another one; rename or exclude it")


def _in_order(column: Column, order: Ints | None) -> Column:
    return column if order is None else column.take(order)


class _Drafter:
    """Gathers the features, and what is left out, from columns as they come and as transforms make them."""

    def __init__(self, rows: Rows, tolerance: float, progress: Progress | None, total: int) -> None:
        self._rows = rows
        self.total = total
        self._tolerance = tolerance
        self._progress = progress
        self._drafts: list[tuple[Draft, Side, Family]] = []
        self._counted: list[Feature] = []
        self.excluded: list[Excluded] = []
        self.lossy: list[LossTransform] = []

    def column(self, name: str, side: Side, column: Column, type_: ColumnType, *, watch_anyway: bool) -> bool:
        """Draft a column as it comes; tell whether it is watched, or waits for a transform that takes its type."""
        if type_ == "array" or type_ == "text" or type_ == "timestamp":
            return True
        family: Family = "features" if side == "input" else "predictions"
        return self._add(name, side, family, column, type_, watch_anyway=watch_anyway)

    def transformed(self, whole: ReferenceRows) -> tuple[Transform, ...]:
        """Draft what transforms make of the reference; the transforms of which anything is watched."""
        kept = []
        found = fit.fitted(whole)
        self.total += sum(len(transform.outputs) for transform in found)
        for transform in found:
            made = fit.applied(transform, whole)
            watched = [self._made(transform, name, made[name]) for name in transform.outputs]
            if any(watched):
                kept.append(transform)
        taken = {name for transform in kept for name in transform.inputs}
        for name, type_ in whole.types.items():
            if type_ not in get_args(Kind) and name not in taken:
                self.excluded.append(Excluded(name, NOTHING_SAID.get(type_, f"nothing can be told of its {type_}s")))
        return tuple(kept)

    def losses(self, roles: Roles | None, whole: ReferenceRows) -> Performance | None:
        """Draft the losses of labelled rows, and count them by score; nothing without roles."""
        if roles is None:
            return None
        clashing(list(whole.columns))
        bins = next((draft.bins for draft, _, _ in self._drafts if draft.name == roles.score), None)
        score_bins = bins if isinstance(bins, NumericBins) else None
        names = tuple({roles.label, roles.prediction, roles.score or roles.prediction})
        found = fitted(roles, whole.block(names), whole.shaping, score_bins)
        rows = self._rows.only(found.usable)
        made = fit.applied(found.transform, whole)
        self._keep(draft_loss(made[LOSS].take(found.usable), found.bins, rows), "label", "performance")
        if found.transform.by_score is not None:
            self._counted.append(_by_score(made[BY_SCORE].take(found.usable), found.transform.by_score, rows))
        self.lossy.append(found.transform)
        longest = max(1, rows.reference.longest_block)
        at_once = None if rows.reference.rows_per_tick is None else rows_of_ticks(rows.ticks) * longest
        return replace(found.performance, rows_at_once=at_once)

    def features(self, false_alarm_ticks: float) -> tuple[Feature, ...]:
        """All the features, with the bounds that depend on how many there are."""
        if not self._drafts:
            left_out = shown([(item.name, item.reason) for item in self.excluded])
            raise ProfileError(f"no column can be watched: {left_out}; keep some")
        _require_names([draft.name for draft, *_ in self._drafts])
        functions = sum(len(draft.bank.groups) for draft, _, _ in self._drafts)
        threshold = false_alarm_ticks * len(self._drafts)
        watched = [
            _feature(draft, side, family, functions, self._tolerance, threshold) for draft, side, family in self._drafts
        ]
        return (*watched, *self._counted)

    def _made(self, transform: Transform, name: str, column: Column) -> bool:
        """Draft a column that a transform made, over the rows of which it says something."""
        rows, kept = self._rows, spoken(transform.family, column)
        if kept is not None:
            rows, column = rows.only(kept), column.take(kept)
        self._tell(name)
        coarse = transform.kind in COARSE
        kind = infer_kind(column)
        found = draft(name, column, kind, rows, self._tolerance, watch_anyway=True, coarse=coarse)
        return self._keep(found, transform.side, transform.family)

    def _add(self, name: str, side: Side, family: Family, column: Column, kind: Kind, *, watch_anyway: bool) -> bool:
        self._tell(name)
        found = draft(name, column, kind, self._rows, self._tolerance, watch_anyway=watch_anyway)
        return self._keep(found, side, family)

    def _tell(self, name: str) -> None:
        if self._progress is not None:
            self._progress(len(self._drafts) + len(self.excluded), self.total, name)

    def _keep(self, found: Draft | Excluded, side: Side, family: Family) -> bool:
        if isinstance(found, Excluded):
            self.excluded.append(found)
            return False
        self._drafts.append((found, side, family))
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


def _arrange(rows: int, times: Floats | None, tick_seconds: float, per_tick: float | None, exchangeable: bool) -> Rows:
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
    lengths = [] if exchangeable else blocks_of(ticks, None if by_time is None else tick_seconds)
    shaping, by_days = split_rows(by_time, rows)
    dense = rows_of_ticks(ticks)
    if kind == "rows" and per_tick is None and lengths:
        dense *= lengths[-1].length  # row order is all the time there is: a live tick is a block like another
    reference = Reference(
        rows=rows,
        ticks=len(np.unique(ticks)),
        order=kind,
        split="days" if by_days else "rows",
        tick_seconds=None if by_time is None else float(tick_seconds),
        rows_per_tick=None if exchangeable else dense,
        first_time=None if by_time is None else float(by_time[0]),
        last_time=None if by_time is None else float(by_time[-1]),
        longest_block=lengths[-1].length if lengths else 0,
    )
    slots = slots_of(ticks, tick_seconds) if kind == "time" else None
    return Rows(order, ticks, lengths, shaping, reference, slots)


def _feature(draft: Draft, side: Side, family: Family, functions: int, tolerance: float, threshold: float) -> Feature:
    """The feature, with slots if they find a shift of one standard deviation sooner."""
    looked_at, is_loss = tested(draft.bins), isinstance(draft.bins, LossBins)
    tolerance = LOSS_TOLERANCE if is_loss else tolerance
    whole = [
        Part(draft.bank.on(looked_at), smoothed(draft.shaping[looked_at]), draft.bounding[looked_at], draft.inflation)
    ]
    lg = log_confidence(functions)
    seen = sensitivity(draft.bins, whole, draft.inflation, lg=lg, tolerance=tolerance, threshold=threshold)
    slots = draft.slots
    if slots is not None:
        parts, lg = _parts(draft, slots, tolerance), log_confidence(functions, SLOTS)
        found = sensitivity(draft.bins, parts, slots.inflation, lg=lg, tolerance=tolerance, threshold=threshold)
        sooner = (found.delay_rows or np.inf) < (seen.delay_rows or np.inf)
        seen, slots = (found, slots) if sooner else (seen, None)
    warnings = []
    if seen.delay_rows is None:
        warnings.append(
            f"{INVISIBLE_LOSS if is_loss else INVISIBLE}: too few independent reference rows; give a longer reference"
        )
    if draft.season_not_covered:
        warnings.append(f"{UNCOVERED}: it still varies at the longest block; give a longer reference")
    if slots is not None:
        warnings.append(f"{HOURLY}: with the same hour of the reference, as it has a cycle of a day")
    if draft.sorted_in_no_order:
        warnings.append(f"{SORTED}: exclude it if it goes on so, as row numbers do")
    return Feature(
        name=draft.name,
        side=side,
        family=family,
        kind=draft.kind,
        bins=draft.bins,
        shaping=draft.shaping,
        bounding=draft.bounding,
        inflation=draft.inflation,
        n_eff=seen.n_eff,
        smallest_shift=seen.smallest_shift,
        delay_rows=seen.delay_rows,
        warnings=tuple(warnings),
        slots=slots,
    )


def _parts(draft: Draft, slots: Slots, tolerance: float) -> list[Part]:
    """Slot by slot, those that the reference has rows of."""
    whole = smoothed(draft.shaping)
    return [
        Part(
            build_bank(draft.bins, draft.shaping, tolerance, shaping),
            within(shaping, whole),
            bounding,
            slots.bound_inflation,
        )
        for shaping, bounding in zip(slots.shaping, slots.bounding, strict=True)
        if bounding.any()
    ]


def _by_score(numbers: Column, by_score: ByScore, rows: Rows) -> Feature:
    """The counts of losses by score, of which no alarm comes."""
    bins = by_score.counted
    cells, _ = bins.cells_of(numbers)
    shaping, bounding = (np.bincount(cells[part], minlength=bins.size) for part in (rows.shaping, ~rows.shaping))
    return Feature(
        name=BY_SCORE,
        side="label",
        family="performance",
        kind="integer",
        bins=bins,
        shaping=shaping,
        bounding=bounding,
        inflation=np.zeros(0),
        n_eff=float(len(cells)),
        smallest_shift=0.0,
        delay_rows=None,
        warnings=(),
    )


def _warnings(reference: Reference, features: tuple[Feature, ...]) -> tuple[str, ...]:
    out = []
    if reference.split == "rows":
        out.append("fewer than 10 days: the reference was split by rows, not by days; slow changes look like noise")
    for text in (INVISIBLE, INVISIBLE_LOSS, UNCOVERED, SORTED, HOURLY):
        found = [feature for feature in features if any(w.startswith(text) for w in feature.warnings)]
        names = [feature.name for feature in found if feature.family != "multivariate"]
        if len(names) < len(found):
            names.append(f"{len(found) - len(names)} measures of relations")
        if names:
            out.append(f"{text}: {', '.join(names)}")
    return tuple(out)


def _apart(features: tuple[Feature, ...], transforms: tuple[Transform, ...]) -> tuple[str, ...]:
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
