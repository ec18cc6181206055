"""From a column of the reference to a candidate feature, or to the reason why it is excluded.

A candidate has bins, alternatives, counts and variance inflation. `features.complete` adds what depends on the other
features.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from ..batch import Column, Floats, Ints, Kind
from ..binning.categories import CategoryBins
from ..binning.losses import LossBins
from ..binning.numeric import COARSE_QUANTILES, QUANTILES, NumericBins, to_floats
from ..binning.probabilities import Bins
from ..columns.inference import (
    COUNTS_ROWS,
    are_timestamps,
    category_texts,
    is_identifier,
    is_monotone_in_time,
    is_period_label,
    is_row_number,
)
from ..evalues.bank import LikelihoodRatioBank, build_bank
from ..losses.task import LOSS
from ..profile.provenance import ExcludedColumn
from .cycles import SlotCandidate, slot_candidates
from .layout import RowLayout
from .variance_inflation import variance_inflation


@dataclass(frozen=True)
class FeatureCandidate:
    """A feature before the values that depend on the number of features are known.

    Attributes:
        training, calibration: counts [bins] of the two splits.
        variance_inflation, inflation_growth: [alternatives], as in `profile.feature.Feature`.
        season_not_covered: whether variance still grows at the longest block.
        sorted_in_no_order: whether an exchangeable reference is sorted by this column.
        slots: the kinds of slots that suit the feature.
        mismatches: rows of the reference with a value of another type or shape, for numeric and derived features.
    """

    name: str
    kind: Kind
    bins: Bins
    bank: LikelihoodRatioBank
    training: Ints
    calibration: Ints
    variance_inflation: Floats
    inflation_growth: Floats
    season_not_covered: bool
    sorted_in_no_order: bool
    slots: tuple[SlotCandidate, ...]
    mismatches: int = 0


def build_candidate(
    name: str,
    column: Column,
    kind: Kind,
    rows: RowLayout,
    tolerance: float,
    *,
    keep_column: bool,
    coarse: bool = False,
) -> FeatureCandidate | ExcludedColumn:
    """Return the candidate of a column, or the reason to exclude it.

    Args:
        name: of the feature.
        column: [rows] in time order.
        kind: how to bin it.
        rows: the layout of these rows.
        tolerance: chi-square distance that counts as no drift.
        keep_column: monitor the column even if there is a reason to exclude it.
        coarse: use few bins.
    """
    named = kind in {"boolean", "categorical"} or (kind == "constant" and not len(_finite(column)))
    bins = (
        _category_bins(column, rows)
        if named
        else _numeric_bins(column, rows, COARSE_QUANTILES if coarse else QUANTILES)
    )
    if bins is None:
        return ExcludedColumn(name, "holds no value")
    reason = _reason_to_exclude(column, named, rows)
    if reason and not keep_column:
        return ExcludedColumn(name, reason)
    bin_ids, _ = bins.digitize(column)
    if isinstance(bins, NumericBins):
        bins = bins.described(to_floats(column)[0], bin_ids)
    training = np.bincount(bin_ids[rows.training], minlength=bins.size)
    calibration = np.bincount(bin_ids[~rows.training], minlength=bins.size)
    bank = build_bank(bins, training, tolerance)
    measured = variance_inflation(bin_ids, bank, rows.partitions, tolerance=tolerance)
    slots = slot_candidates(bin_ids, bank, bins, measured.values, rows, tolerance)
    is_sorted = rows.reference.order == "exchangeable" and not named and is_monotone_in_time(to_floats(column)[0])
    season = measured.season_not_covered
    return FeatureCandidate(
        name, kind, bins, bank, training, calibration, measured.values, measured.growth, season, is_sorted, slots
    )


def build_loss_candidate(losses: Column, bins: LossBins, rows: RowLayout) -> FeatureCandidate:
    """Return the candidate of the losses [rows] of labelled rows; every row has a loss."""
    bin_ids, _ = bins.digitize(losses)
    training, calibration = (
        np.bincount(bin_ids[part], minlength=bins.size) for part in (rows.training, ~rows.training)
    )
    bank = build_bank(bins, training, 0.0)
    measured = variance_inflation(bin_ids, bank, rows.partitions)
    season = measured.season_not_covered
    return FeatureCandidate(
        LOSS, "numeric", bins, bank, training, calibration, measured.values, measured.growth, season, False, ()
    )


def _finite(column: Column) -> Floats:
    values, _ = to_floats(column)
    return values[np.isfinite(values)]


def _numeric_bins(column: Column, rows: RowLayout, quantiles: Floats) -> NumericBins | None:
    """Return bins from the training split, or from all rows if that split holds no number."""
    values = _finite(column.take(rows.training))
    values = values if len(values) else _finite(column)
    return NumericBins.from_values(values, quantiles) if len(values) else None


def _category_bins(column: Column, rows: RowLayout) -> CategoryBins | None:
    """Return bins from the training split, or from all rows if that split holds no value."""
    texts = Counter(category_texts(column.take(rows.training))) or Counter(category_texts(column))
    return CategoryBins.from_values(texts) if texts else None


def _reason_to_exclude(column: Column, named: bool, rows: RowLayout) -> str:
    """Return why a column would raise an alarm at once and forever, or an empty text.

    The reasons are stored in the profile.
    """
    ordered = rows.reference.order != "exchangeable"
    if named:
        is_new = is_identifier(category_texts(column.take(rows.training)), category_texts(column.take(~rows.training)))
        if is_new:
            return "new in every block, as identifiers are: it would alarm at once and for ever"
        texts = category_texts(column)
        if ordered and is_period_label(texts):
            return "new in every third of the reference, as dates and batches are: it would alarm at once and for ever"
        return "dates or times, of which new ones keep coming" if are_timestamps(texts) else ""
    values = to_floats(column)[0]
    if ordered and is_monotone_in_time(values):
        return "monotone in time: it would alarm at once and for ever"
    return COUNTS_ROWS if is_row_number(values) else ""
