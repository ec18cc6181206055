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

from collections.abc import Collection, Container, Mapping
from dataclasses import replace

import numpy as np

from ..batch import Column, ColumnData, ColumnType, Floats, Side, as_column, missing_mask
from ..binning.numeric import to_floats
from ..cells import MISSING_WORDS, TEXTS, names_truths, number_of, with_missing_words, with_truths
from ..columns.inference import infer_kind, infer_type
from ..evalues.bank import BANK_VERSION
from ..performance.roles import LabelOptions, infer_roles
from ..profile.profile import Profile
from ..quality.duplicates import duplicate_ratio
from ..timezones import UTC
from ..transforms.rows import ReferenceRows
from .builder import FeatureBuilder, Progress
from .layout import RowLayout, in_order, lay_out, row_count
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
    missing_words: Collection[str] = MISSING_WORDS,
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
        missing_words: the texts that mean missing, here and in live rows; see `cells.missing_words`.
        progress: called with (features done, features in all, name).

    Raises:
        ProfileError: no rows, columns of different lengths, unknown names, no column that can be monitored, or a label
            that cannot be compared with a prediction.
    """
    sides, kinds = sides or {}, kinds or {}
    rows = row_count(columns, times, [*sides, *kinds])
    layout = lay_out(rows, times, tick_seconds, rows_per_tick, exchangeable, tolerance=tolerance, timezone=timezone)
    words = frozenset(missing_words)
    whole = _typed(_ordered_rows(columns, times, sides, layout, words), kinds)
    builder = FeatureBuilder(layout, tolerance, progress, len(columns))
    text_numbers = [name for name, column in whole.columns.items() if _are_text_numbers(column, whole.types[name])]
    whole = _with_columns(builder, whole, keep)
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
        missing_words=tuple(sorted(words)),
        text_numbers=tuple(sorted(set(text_numbers).intersection(feature.name for feature in features))),
    )


def _ordered_rows(
    columns: Mapping[str, ColumnData],
    times: Floats | None,
    sides: Mapping[str, Side],
    layout: RowLayout,
    words: frozenset[str],
) -> ReferenceRows:
    """Return all rows in time order, with the side of every column and no types yet."""
    ordered = {name: with_missing_words(_in_order(as_column(data), layout), words) for name, data in columns.items()}
    at = None if times is None else in_order(np.asarray(times, dtype=np.float64), layout.order)
    return ReferenceRows(ordered, {name: sides.get(name, "input") for name in columns}, {}, layout.training, at)


def _in_order(column: Column, layout: RowLayout) -> Column:
    return column if layout.order is None else column.take(layout.order)


def _typed(whole: ReferenceRows, kinds: Mapping[str, ColumnType]) -> ReferenceRows:
    """Return the rows with the type of each column, and with booleans in one spelling."""
    types: dict[str, ColumnType] = {}
    columns = dict(whole.columns)
    for name, column in columns.items():
        is_label = whole.sides[name] == "label"
        types[name] = kinds.get(name) or (infer_kind(column) if is_label else infer_type(column, whole.training))
        named = types[name] in {"categorical", "constant"} and names_truths(column)
        if not is_label and (named or types[name] == "boolean"):
            columns[name] = with_truths(column)
    return replace(whole, columns=columns, types=types)


def _are_text_numbers(column: Column, type_: ColumnType) -> bool:
    """Return whether a numeric column holds numbers that are written as text."""
    if type_ not in {"constant", "integer", "numeric"} or column.values.dtype.kind not in "OUS":
        return False
    present = column.values[~missing_mask(column)].tolist()
    return any(isinstance(value, TEXTS) and not np.isnan(number_of(value)) for value in present)


def _with_columns(builder: FeatureBuilder, whole: ReferenceRows, keep: Container[str]) -> ReferenceRows:
    """Add the columns of inputs and predictions; return the rows with numeric columns as numbers.

    Only the columns that were accepted, and labels, keep a type.
    """
    types: dict[str, ColumnType] = {}
    columns = dict(whole.columns)
    for name, column in whole.columns.items():
        side, type_ = whole.sides[name], whole.types[name]
        odd = 0
        if side != "label" and type_ in {"integer", "numeric"}:
            values, odd = to_floats(column, text_numbers=True)
            columns[name] = Column(values)
        if side == "label" or builder.add_column(
            name, side, columns[name], type_, keep_column=name in keep, mismatches=odd
        ):
            types[name] = type_
    return replace(whole, columns=columns, types=types)
