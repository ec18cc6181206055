"""Check what the values of a profile must satisfy together: sums, lengths, names, and the parts that labels need.

`parsing` calls `require_consistent` after the check of each single value. A profile that `reference.build_profile` made
always passes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..batch import Family, Side
from ..binning.categories import CategoryBins
from ..binning.losses import LossBins, integer_bins
from ..errors import ProfileError, shown
from ..losses.functions import AbsoluteLoss
from ..losses.task import BY_SCORE, LOSS
from ..transforms import Transform
from ..transforms.loss import LossTransform
from .feature import Feature
from .performance import PerformanceSpec
from .provenance import ReferenceSummary
from .slots import MOST_COMPILED

MOST_CELLS = 2**27  # likelihood ratios of all features, alternatives by bins; a cell takes 4 bytes while it is in use
FAMILIES: Mapping[Side, frozenset[Family]] = {
    "input": frozenset({"features", "multivariate"}),
    "label": frozenset({"performance"}),
    "prediction": frozenset({"predictions"}),
}
CATEGORICAL = frozenset({"boolean", "categorical", "constant"})
NUMERIC = frozenset({"constant", "integer", "numeric"})


def require_consistent(known: Mapping[str, Any]) -> None:
    """Raise ProfileError unless the constructor arguments of a `Profile` fit each other."""
    reference, features, transforms = known["reference"], known["features"], known["transforms"]
    columns: Mapping[Side, Sequence[str]] = {
        "input": known["input_columns"], "label": (), "prediction": known["prediction_columns"],
    }  # fmt: skip
    _check_reference(reference)
    _check_names(features, columns, known["unsent_columns"])
    _check_size(features)
    for position, transform in enumerate(transforms):
        _check_inputs(transform, columns, f"transforms[{position}]")
    derived = {name: transform for transform in transforms for name in transform.outputs}
    for position, feature in enumerate(features):
        where = f"features[{position}] ({shown(feature.name)})"
        _check_feature(feature, where)
        _check_counts(feature, reference, where)
        _check_source(feature, derived, columns, where)
    _check_cells(known["missing_words"], known["text_numbers"], features)
    _check_labels(known["performance"], reference, {feature.name: feature for feature in features}, transforms)


def _unfit(where: str, problem: str) -> ProfileError:
    return ProfileError(f"{where} {problem}; build the profile again")


def _check_reference(reference: ReferenceSummary) -> None:
    timed = (reference.tick_seconds, reference.first_time, reference.last_time)
    if reference.ticks > reference.rows:
        raise _unfit("$.reference.ticks", f"is {reference.ticks}, more than {reference.rows} rows")
    if (reference.rows_per_tick is None) != (reference.order == "exchangeable"):
        raise _unfit(
            "$.reference.rows_per_tick",
            f"is {reference.rows_per_tick}, which does not fit the order {reference.order!r}",
        )
    known = sum(value is not None for value in timed)  # without an order, rows may have times or not
    if known not in {"exchangeable": (0, len(timed)), "rows": (0,), "time": (len(timed),)}[reference.order]:
        raise _unfit(
            "$.reference", f"has the order {reference.order!r} and tick_seconds, first_time, last_time {shown(timed)}"
        )
    widths = [size.seconds for size in reference.tick_sizes]
    if widths != sorted(set(widths)) or bool(widths) != (reference.order == "time"):
        raise _unfit(
            "$.reference.tick_sizes", f"must be ascending, and empty unless the order is time: {shown(widths)}"
        )
    if reference.order == "time" and reference.live_tick_seconds != reference.tick_seconds:
        raise _unfit(
            "$.reference.live_tick_seconds",
            f"is {reference.live_tick_seconds}, and the ticks of the rows have {reference.tick_seconds} s",
        )
    if reference.order == "time" and reference.live_rows_per_tick is not None:
        raise _unfit("$.reference.live_rows_per_tick", "is given, and the times determine the ticks")
    first, last = reference.first_time, reference.last_time
    if first is not None and last is not None and first > last:
        raise _unfit("$.reference.first_time", f"is {first}, after the last time {last}")


def _check_names(features: Sequence[Feature], columns: Mapping[Side, Sequence[str]], unsent: Sequence[str]) -> None:
    seen: set[str] = set()
    for position, feature in enumerate(features):
        if feature.name in seen:
            raise ProfileError(
                f"$.features[{position}].name: two features have the same name {shown(feature.name)}; rename a column"
            )
        seen.add(feature.name)
    unknown = sorted(set(unsent).difference(columns["input"]))
    if unknown:
        raise _unfit("$.unsent_columns", f"has names that are no input columns: {shown(unknown)}")
    both = sorted(set(columns["input"]).intersection(columns["prediction"]))
    if both:
        raise _unfit("$.prediction_columns", f"has names of input columns: {shown(both)}")


def _check_size(features: Sequence[Feature]) -> None:
    cells = sum(
        feature.bins.size
        * len(feature.variance_inflation)
        * (1 if feature.slots is None else min(MOST_COMPILED, feature.slots.kind.count))
        for feature in features
    )
    if cells > MOST_CELLS:
        raise ProfileError(
            f"$.features need {cells} likelihood ratios, more than {MOST_CELLS}; build the profile with fewer features"
        )


def _check_inputs(transform: Transform, columns: Mapping[Side, Sequence[str]], where: str) -> None:
    """Raise ProfileError unless a transform reads columns of its side; a loss reads the label, too."""
    read = transform.inputs
    if isinstance(transform, LossTransform):
        read = tuple(name for name in read if name != transform.label)
    side: Side = "prediction" if transform.side == "label" else transform.side
    unknown = sorted(set(read).difference(columns[side]))
    if unknown:
        raise _unfit(f"$.{where}", f"reads the columns {shown(unknown)}, which are not on the side {side!r}")


def _check_feature(feature: Feature, where: str) -> None:
    if feature.family not in FAMILIES[feature.side]:
        raise _unfit(f"$.{where}.family", f"is {feature.family!r}, which has no features of side {feature.side!r}")
    fitting = CATEGORICAL if isinstance(feature.bins, CategoryBins) else NUMERIC
    if feature.kind not in fitting:
        raise _unfit(f"$.{where}.kind", f"is {feature.kind!r}, which does not fit its bins")
    if isinstance(feature.bins, LossBins) != (feature.name == LOSS and feature.side == "label"):
        raise _unfit(f"$.{where}.bins", f"must be those of a loss for the feature {LOSS!r} and no other")


def _check_counts(feature: Feature, reference: ReferenceSummary, where: str) -> None:
    rows = int(feature.training.sum()) + int(feature.calibration.sum())
    if feature.mismatches > rows:
        raise _unfit(f"$.{where}.mismatches", f"is {feature.mismatches}, more than its {rows} rows")
    if rows > reference.rows:
        raise _unfit(f"$.{where}", f"has {rows} rows in shaping and bounding, of {reference.rows} in the reference")
    if feature.slots is None:
        return
    if reference.order != "time":
        raise _unfit(f"$.{where}.slots", f"must be null for a reference of the order {reference.order!r}")
    for part, whole, by_slot in (
        ("shaping", feature.training, feature.slots.training),
        ("bounding", feature.calibration, feature.slots.calibration),
    ):
        if not np.array_equal(by_slot.sum(axis=0), whole):
            raise _unfit(f"$.{where}.slots.{part}", f"does not add up to {part}")
        if not whole.any():
            raise _unfit(f"$.{where}.slots.{part}", "has no rows")


def _check_source(
    feature: Feature, derived: Mapping[str, Transform], columns: Mapping[Side, Sequence[str]], where: str
) -> None:
    """Raise ProfileError unless a feature is a column of its side, or a transform of its side derives it."""
    made = derived.get(feature.name)
    if made is None and feature.name not in columns[feature.side]:
        raise _unfit(f"$.{where}.name", f"is not a column of the side {feature.side!r}, and no transform derives it")
    if made is not None and (made.side, made.family) != (feature.side, feature.family):
        raise _unfit(
            f"$.{where}", f"has side and family {shown((feature.side, feature.family))}, not those of its transform"
        )


def _check_cells(words: Sequence[str], text_numbers: Sequence[str], features: Sequence[Feature]) -> None:
    """Raise ProfileError unless the words can be found in a cell, and text numbers are numeric features."""
    for key, names in (("missing_words", words), ("text_numbers", text_numbers)):
        if list(names) != sorted(names):
            raise _unfit(f"$.{key}", f"must ascend: {shown(list(names))}")
    padded = [word for word in words if word != word.strip()]
    if padded:
        raise _unfit("$.missing_words", f"has {shown(padded[0])}, but cells are compared without outer white space")
    numeric = {feature.name for feature in features if not isinstance(feature.bins, CategoryBins)}
    unknown = sorted(set(text_numbers) - numeric)
    if unknown:
        raise _unfit("$.text_numbers", f"has {shown(unknown)}, which are no numeric features")


def _check_labels(
    performance: PerformanceSpec | None,
    reference: ReferenceSummary,
    features: Mapping[str, Feature],
    transforms: Sequence[Transform],
) -> None:
    """Raise ProfileError unless performance, the loss transform and the features of losses fit each other."""
    losses = [transform for transform in transforms if isinstance(transform, LossTransform)]
    if performance is None:
        if losses or any(feature.side == "label" for feature in features.values()):
            raise _unfit("$.performance", "must not be null: a transform or a feature needs labels")
        return
    if len(losses) != 1 or LOSS not in features:
        raise _unfit("$.performance", f"needs one transform of kind 'loss' and the feature {LOSS!r}")
    _check_spec(performance, losses[0], reference)
    if performance.score is None:
        return
    by_score = losses[0].by_score
    score, counted = features.get(performance.score), features.get(BY_SCORE)
    if by_score is None or score is None or counted is None:
        raise _unfit("$.performance.score", f"needs its feature, {BY_SCORE!r} and by_score of the loss transform")
    if len(performance.levels) != by_score.levels:
        raise _unfit("$.performance.levels", f"has {len(performance.levels)} entries for {by_score.levels} loss levels")
    if by_score.bins.document() != score.bins.document():
        raise _unfit("$.performance.score", f"has other bins in the loss transform than in the feature {score.name!r}")
    n_bins = integer_bins(score.bins.size * by_score.levels).size
    if counted.bins.size != n_bins:
        raise _unfit(f"$.performance: the feature {BY_SCORE!r}", f"has {counted.bins.size} bins, not {n_bins}")


def _check_spec(performance: PerformanceSpec, made: LossTransform, reference: ReferenceSummary) -> None:
    """Raise ProfileError unless the specification describes the loss as its transform does."""
    by_score = made.by_score
    pairs = {
        "label": (performance.label, made.label),
        "prediction": (performance.prediction, made.prediction),
        "scale": (performance.scale, made.loss.scale if isinstance(made.loss, AbsoluteLoss) else None),
        "score": (performance.score, None if by_score is None else by_score.score),
        "task": (performance.task, made.loss.task),
    }
    for key, (ours, theirs) in pairs.items():
        if ours != theirs:
            raise _unfit(f"$.performance.{key}", f"is {shown(ours)}, but {shown(theirs)} in the loss transform")
    if performance.rows > reference.rows:
        raise _unfit("$.performance.rows", f"is {performance.rows}, of {reference.rows} rows in the reference")
    if (performance.rows_at_once is None) != (reference.order == "exchangeable"):
        raise _unfit(
            "$.performance.rows_at_once",
            f"is {performance.rows_at_once}, which does not fit the order {reference.order!r}",
        )
    if not by_score and performance.levels:
        raise _unfit("$.performance.levels", "must be empty without a score")
