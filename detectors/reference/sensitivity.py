"""What a reference of this size can detect: effective sample size, smallest shift, expected delay.

`features.complete` stores the figures in the profile. They inform people; detection does not use them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..batch import Floats, Ints
from ..binning.probabilities import Bins
from ..evalues.bank import LOSS_STEPS, LikelihoodRatioBank
from ..evalues.bounds import can_show_drift, log_reference_evidence, upper_mean_bounds

TOO_FEW_ROWS = "cannot see 1 sd"
TOO_FEW_LABELS = "cannot see 5 points more loss"
MORE_LOSS = 0.05  # increase of the mean loss that the delay refers to


@dataclass(frozen=True)
class Sensitivity:
    """As in `profile.feature.Feature`. For a loss, the delay refers to a mean loss that is .05 higher."""

    n_eff: float
    smallest_shift: float
    delay_rows: float | None


@dataclass(frozen=True)
class ReferencePart:
    """The whole reference, or one slot: its alternatives and the counts that bound them.

    Attributes:
        p: [bins] the probabilities that the alternatives were made from.
        calibration: counts [bins].
        variance_inflation: [alternatives] of sums over the rows of the part.
    """

    bank: LikelihoodRatioBank
    p: Floats
    calibration: Ints
    variance_inflation: Floats


def sensitivity(
    bins: Bins,
    parts: Sequence[ReferencePart],
    variance_inflation: Floats,
    *,
    log_inverse_risk: float,
    tolerance: float,
    threshold: float,
) -> Sensitivity:
    """Return the sensitivity of one feature.

    The delay is that of the fastest single alternative, by Wald's approximation: log threshold over mean increment,
    both at the last confidence level, where the reference evidence counts. With slots it is the mean over their rows,
    and the effective sample size is that of an average slot.

    Args:
        bins: the bins of the feature.
        parts: the whole reference, or each slot that has rows.
        variance_inflation: [alternatives] that live evidence is divided by.
        log_inverse_risk: L of `evalues.bounds.log_inverse_risk_of`.
        tolerance: chi-square distance that counts as no drift.
        threshold: evidence of this feature at which its family raises an alarm.
    """
    bank = parts[0].bank
    sizes = np.array([part.calibration.sum() for part in parts], dtype=np.float64)
    shares = sizes / max(sizes.sum(), 1.0)
    rates = (
        sum(
            share * _growth_rates(bins, part, log_inverse_risk, tolerance)
            for share, part in zip(shares, parts, strict=True)
        )
        / variance_inflation
    )
    n_eff = effective_sample_size(bank, parts[0].variance_inflation, float(sizes.mean()))
    log_k = float(log_reference_evidence(log_inverse_risk, len(parts))[-1])
    delays = np.maximum(np.log(threshold) - np.log(bank.weights) - log_k, 0.0) / np.where(rates > 0, rates, 1.0)
    allowed = np.sqrt(tolerance) if bank.slopes is None else tolerance * bank.slopes[0] / LOSS_STEPS[0]
    smallest = 0.025 + float(np.sqrt(2 * log_inverse_risk / max(n_eff, 1e-9))) + float(allowed)
    visible = (smallest <= 1 or bank.slopes is not None) and bool((rates > 0).any())
    delay = round(float(delays[rates > 0].min()), 1) if visible else None
    return Sensitivity(round(n_eff, 1), round(smallest, 4), delay)


def _growth_rates(bins: Bins, part: ReferencePart, log_inverse_risk: float, tolerance: float) -> Floats:
    """Return the log evidence per row [alternatives] after a shift of one standard deviation.

    It is that of the last confidence level.
    """
    h = part.bank.h
    upper = upper_mean_bounds(
        h, part.p, part.calibration, part.variance_inflation, log_inverse_risk, tolerance, slopes=part.bank.slopes
    )
    rates = np.log(h) @ shifted_reference(bins, part.bank, part.p) - np.log(upper)
    return np.where(can_show_drift(h, upper), rates, 0.0)


def effective_sample_size(bank: LikelihoodRatioBank, values: Floats, rows: float) -> float:
    """Return n_eff: `rows` over the median variance inflation of the alternatives for ordinary shifts."""
    kinds = np.isin(bank.groups, ["location", "category"])
    return rows / float(np.median(values[kinds])) if kinds.any() else rows / float(values.max(initial=1.0))


def shifted_reference(bins: Bins, bank: LikelihoodRatioBank, p: Floats) -> Floats:
    """Return the reference probabilities `p` [bins] after a shift of one standard deviation.

    The shift extends the tilt of a location alternative from .8 to 1. Categories use the tilt of the most frequent one,
    a constant moves away, and a loss grows.
    """
    if bank.slopes is not None:
        return _tilted_to_larger_loss(bank, p)
    for group, step in (("location", 0.8), ("category", 0.8)):
        if group in bank.groups:
            strongest = 8 if group == "location" else 4
            h = bank.h[bank.groups.index(group) + strongest]
            q: Floats = p * h ** (1 / step)
            return q / float(q.sum())
    left = next(bin_id for bin_id, role in enumerate(bins.roles) if role in {"above", "unseen"})
    out: Floats = np.eye(len(p))[left]
    return out


def _tilted_to_larger_loss(bank: LikelihoodRatioBank, p: Floats) -> Floats:
    """Return `p` [bins] tilted along the loss until its mean is `MORE_LOSS` higher, or as far as possible."""
    line = bank.h[0] - bank.h[0] @ p
    gain = float(bank.h[0] @ (p * line)) / float(bank.slopes[0]) if bank.slopes is not None else 0.0
    tilt = np.maximum(1 + line * MORE_LOSS / max(gain, 1e-12), 0.0)
    q: Floats = p * tilt
    return q / float(q.sum())
