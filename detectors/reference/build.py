"""Build a profile from reference rows.

The entry point of `pilotfish profile build` and of learning from live rows. A profile is a deterministic function of
its arguments: the same rows give the same bytes in every process.

Example:
    >>> import numpy as np
    >>> from pilotfish.detectors.reference.build import build_profile
    >>> random = np.random.default_rng(1)
    >>> rows = {"age": random.integers(18, 80, 4000), "city": random.choice(["Rome", "Bern"], 4000)}
    >>> profile = build_profile(rows, model="credit", exchangeable=True)
    >>> [(feature.name, feature.kind, feature.bins.size) for feature in profile.features]
    [('age', 'integer', 53), ('city', 'categorical', 4)]
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import replace

import numpy as np

from ..batch import Column, ColumnData, ColumnType, Floats, Side, as_column
from ..columns.inference import infer_kind, infer_type
from ..evalues.bank import BANK_VERSION
from ..performance.roles import LabelOptions, infer_roles
from ..profile.profile import Profile
from ..quality.duplicates import duplicate_ratio
from ..timezones import UTC
from ..transforms.rows import ReferenceRows
from .builder import FeatureBuilder, Progress
from .layout import RowLayout, lay_out, row_count
from .profile_warnings import profile_warnings

TOLERANCE = 0.0025
FALSE_ALARM_TICKS = 43_200.0  # one alarm in 30 days at 60 s


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
    timezone: str = UTC,
    progress: Progress | None = None,
) -> Profile:
    """Return the profile of reference rows.

    Args:
        columns: values by name, [rows] each, without the time column.
        model, version, created: stored as given.
        times: epoch seconds [rows], in any order. Without them, row order counts as time.
        sides: the columns that are predictions or labels; the others are inputs.
        kinds: column types that override the inferred ones.
        tick_seconds: width of a tick, with `times`.
        rows_per_tick: rows in a live tick, without `times`. By default a live tick may have as many rows as the longest
            block, an eighth of the reference, before its evidence is scaled down.
        exchangeable: the rows have no order, so serial correlation cannot be measured and live evidence is not divided
            by any variance inflation. Only for data that were shuffled or sampled independently.
        keep: columns to monitor even if they would be excluded.
        labels: how to compare labels with predictions, if it should not be inferred. Losses are computed for the rows
            that have a label; all rows are reference rows.
        tolerance: used for the expected delays that the profile shows, and for the effects that denser live traffic
            cannot turn into evidence (`variance_inflation`).
        false_alarm_ticks: used for the expected delays that the profile shows, and for nothing else.
        timezone: IANA name of the zone whose hours of the day are compared with each other.
        progress: called with (features done, features in all, name).

    Raises:
        ProfileError: no rows, columns of different lengths, unknown names, no column that can be monitored, or a label
            that cannot be compared with a prediction.
    """
    sides, kinds = sides or {}, kinds or {}
    rows = row_count(columns, times, [*sides, *kinds])
    layout = lay_out(rows, times, tick_seconds, rows_per_tick, exchangeable, tolerance=tolerance, timezone=timezone)
    whole = _ordered_rows(columns, times, sides, layout)
    builder = FeatureBuilder(layout, tolerance, progress, len(columns))
    whole = replace(whole, types=_add_columns(builder, whole, kinds, keep))
    transforms = builder.add_transforms(whole)
    roles = infer_roles(labels or LabelOptions(), whole.columns, sides, whole.types)
    performance = builder.add_losses(roles, whole)
    features = builder.features(false_alarm_ticks)
    inputs = {f.name: whole.columns[f.name] for f in features if whole.sides.get(f.name) == "input"}
    if progress is not None:
        progress(builder.total, builder.total, "")
    return Profile(
        model=model,
        version=version,
        created=created,
        reference=replace(layout.reference, duplicate_ratio=duplicate_ratio(inputs)),
        features=features,
        excluded=tuple(builder.excluded),
        warnings=profile_warnings(layout.reference, features, transforms),
        input_columns=tuple(name for name in columns if whole.sides[name] == "input"),
        prediction_columns=tuple(name for name in columns if whole.sides[name] == "prediction"),
        transforms=(*transforms, *builder.loss_transforms),
        performance=performance,
        bank=BANK_VERSION,
    )


def _ordered_rows(
    columns: Mapping[str, ColumnData], times: Floats | None, sides: Mapping[str, Side], layout: RowLayout
) -> ReferenceRows:
    """Return all rows in time order, with the side of every column and no types yet."""
    ordered = {name: _in_order(as_column(data), layout) for name, data in columns.items()}
    at = None if times is None else np.asarray(times, dtype=np.float64)[layout.order]
    return ReferenceRows(ordered, {name: sides.get(name, "input") for name in columns}, {}, layout.training, at)


def _in_order(column: Column, layout: RowLayout) -> Column:
    return column if layout.order is None else column.take(layout.order)


def _add_columns(
    builder: FeatureBuilder, whole: ReferenceRows, kinds: Mapping[str, ColumnType], keep: Container[str]
) -> dict[str, ColumnType]:
    """Add the columns of inputs and predictions; return the types of labels and of the columns that were accepted."""
    types: dict[str, ColumnType] = {}
    for name, column in whole.columns.items():
        side = whole.sides[name]
        is_label = side == "label"
        type_ = kinds.get(name) or (infer_kind(column) if is_label else infer_type(column, whole.training))
        if is_label or builder.add_column(name, side, column, type_, keep_column=name in keep):
            types[name] = type_
    return types
