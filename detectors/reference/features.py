"""Turn candidates into features, once the number of features is known.

The number of alternatives in the whole profile sets the confidence of each bound, and the number of features sets the
threshold of each. So sensitivity, the choice of slots, and warnings follow after all candidates exist.
"""

from __future__ import annotations

import numpy as np

from ..batch import Column, Family, Side
from ..binning.losses import LossBins, tested_bins
from ..binning.probabilities import shrunken_probabilities, smoothed_probabilities
from ..evalues.bank import build_bank
from ..evalues.bounds import log_inverse_risk_of
from ..losses.task import BY_SCORE
from ..profile.feature import Feature
from ..profile.slots import Slots
from ..settings import LOSS_TOLERANCE
from ..transforms.loss import LossByScore
from .candidates import FeatureCandidate
from .layout import RowLayout
from .profile_warnings import feature_warnings
from .sensitivity import ReferencePart, Sensitivity, sensitivity


def complete(
    candidate: FeatureCandidate, side: Side, family: Family, alternatives: int, tolerance: float, threshold: float
) -> Feature:
    """Return the feature of a candidate, with the slots that find a shift of one standard deviation soonest, or none.

    Args:
        candidate: the feature so far.
        side, family: where its rows come from, and the budget that it shares.
        alternatives: number of alternatives in the whole profile.
        tolerance: chi-square distance that counts as no drift; a loss has a tolerance of its own.
        threshold: evidence of one feature at which its family raises an alarm.
    """
    is_loss = isinstance(candidate.bins, LossBins)
    tolerance = LOSS_TOLERANCE if is_loss else tolerance
    found = _sensitivity(candidate, alternatives, tolerance, threshold)
    slots, season_not_covered = None, candidate.season_not_covered
    for one in candidate.slots:
        by_slot = _sensitivity_by_slot(candidate, one.slots, alternatives, tolerance, threshold)
        if (by_slot.delay_rows or np.inf) < (found.delay_rows or np.inf):
            found, slots, season_not_covered = by_slot, one.slots, one.season_not_covered
    return Feature(
        name=candidate.name,
        side=side,
        family=family,
        kind=candidate.kind,
        bins=candidate.bins,
        training=candidate.training,
        calibration=candidate.calibration,
        variance_inflation=candidate.variance_inflation,
        inflation_growth=candidate.inflation_growth,
        n_eff=found.n_eff,
        smallest_shift=found.smallest_shift,
        delay_rows=found.delay_rows,
        warnings=feature_warnings(
            visible=found.delay_rows is not None,
            is_loss=is_loss,
            season_not_covered=season_not_covered,
            slots=slots,
            sorted_in_no_order=candidate.sorted_in_no_order,
        ),
        slots=slots,
        mismatches=candidate.mismatches,
    )


def _sensitivity(candidate: FeatureCandidate, alternatives: int, tolerance: float, threshold: float) -> Sensitivity:
    tested = tested_bins(candidate.bins)
    whole = ReferencePart(
        candidate.bank.restricted_to(tested),
        smoothed_probabilities(candidate.training[tested]),
        candidate.calibration[tested],
        candidate.variance_inflation,
    )
    return sensitivity(
        candidate.bins,
        [whole],
        candidate.variance_inflation,
        log_inverse_risk=log_inverse_risk_of(alternatives),
        tolerance=tolerance,
        threshold=threshold,
    )


def _sensitivity_by_slot(
    candidate: FeatureCandidate, slots: Slots, alternatives: int, tolerance: float, threshold: float
) -> Sensitivity:
    """Return the sensitivity over the slots that have reference rows."""
    whole = smoothed_probabilities(candidate.training)
    parts = [
        ReferencePart(
            build_bank(candidate.bins, candidate.training, tolerance, training),
            shrunken_probabilities(training, whole),
            calibration,
            slots.bound_variance_inflation,
        )
        for training, calibration in zip(slots.training, slots.calibration, strict=True)
        if calibration.any()
    ]
    return sensitivity(
        candidate.bins,
        parts,
        slots.variance_inflation,
        log_inverse_risk=log_inverse_risk_of(alternatives, slots.kind.count),
        tolerance=tolerance,
        threshold=threshold,
    )


def by_score_feature(numbers: Column, by_score: LossByScore, rows: RowLayout) -> Feature:
    """Return the feature that counts losses by score, from the numbers [rows] of `LossByScore.of`.

    It has no alternatives, so it raises no alarm.
    """
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
        inflation_growth=np.zeros(0),
        n_eff=float(len(bin_ids)),
        smallest_shift=0.0,
        delay_rows=None,
        warnings=(),
    )
