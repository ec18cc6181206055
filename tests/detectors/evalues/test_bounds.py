"""The inequality behind the promise: without drift, the mean of no likelihood ratio exceeds its bound."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from pilotfish.detectors.batch import Column
from pilotfish.detectors.binning.numeric import NumericBins
from pilotfish.detectors.binning.probabilities import smoothed_probabilities
from pilotfish.detectors.evalues.bank import LikelihoodRatioBank, build_bank
from pilotfish.detectors.evalues.bounds import (
    CONFIDENCE_GRID,
    FRACTION_BITS,
    fixed_point_bounds,
    log_inverse_risk_of,
    log_reference_evidence,
    upper_mean_bounds,
)
from tests.detectors.material import mixed_profile


def normal_cells(bins: NumericBins) -> np.ndarray:
    below = [NormalDist().cdf(float(cut)) for cut in bins.cuts]
    return np.concatenate([[0.0], np.diff([0.0, *below, 1.0]), [0.0, 0.0]])


def one_reference(
    seed: int, rows: int, tolerance: float
) -> tuple[LikelihoodRatioBank, np.ndarray, np.ndarray, np.ndarray]:
    """The bank, true bin probabilities and counts of both splits, for a reference of normal rows."""
    rng = np.random.default_rng(seed)
    training, calibration = rng.normal(size=rows * 3 // 10), rng.normal(size=rows * 7 // 10)
    bins = NumericBins.from_values(training)
    counts = [np.bincount(bins.digitize(Column(part))[0], minlength=bins.size) for part in (training, calibration)]
    return build_bank(bins, counts[0], tolerance), normal_cells(bins), counts[0], counts[1]


@pytest.mark.parametrize("rows", [100, 1000, 10_000])
def test_means_stay_below_their_bounds_under_the_true_reference(rows: int) -> None:
    for seed in range(10):
        bank, truth, training, calibration = one_reference(seed, rows, 0.0)
        log_inverse_risk = log_inverse_risk_of(len(bank.groups))
        upper = upper_mean_bounds(
            bank.h, smoothed_probabilities(training), calibration, np.ones(len(bank.groups)), log_inverse_risk, 0.0
        )
        assert np.all(bank.h @ truth <= upper + 1e-12)


def test_without_the_reference_error_the_bound_would_not_hold() -> None:
    exceeded = 0
    for seed in range(10):
        bank, truth, training, _ = one_reference(seed, 1000, 0.0)
        exceeded += int(np.any(bank.h @ truth > bank.h @ smoothed_probabilities(training) + 1e-9))
    assert exceeded == 10


@pytest.mark.parametrize("tolerance", [0.0025, 0.01, 0.05])
def test_means_stay_below_their_bounds_for_every_tolerated_drift(tolerance: float) -> None:
    bank, truth, training, calibration = one_reference(1, 5000, tolerance)
    log_inverse_risk = log_inverse_risk_of(len(bank.groups))
    upper = upper_mean_bounds(
        bank.h, smoothed_probabilities(training), calibration, np.ones(len(bank.groups)), log_inverse_risk, tolerance
    )
    for h, bound in zip(bank.h, upper, strict=True):
        centred = h - h @ truth
        direction = truth * centred / np.sqrt(centred**2 @ truth + 1e-300)
        scale = np.sqrt(tolerance)
        worst = np.maximum(truth + scale * direction, 0)  # the tolerated q with the largest mean of h
        assert h @ (worst / worst.sum()) <= bound + 1e-9


def test_bounds_tighten_with_the_reference_and_never_exceed_the_largest_value() -> None:
    found = []
    for rows in (50, 1000, 100_000):
        bank, truth, training, calibration = one_reference(2, rows, 0.0)
        upper = upper_mean_bounds(
            bank.h, smoothed_probabilities(training), calibration, np.ones(len(bank.groups)), 12.0, 0.0
        )
        assert np.all(upper <= bank.h.max(axis=1))
        location = [group == "location" for group in bank.groups]
        found.append(float(np.mean(upper[location] - bank.h[location] @ truth)))
    assert found[0] > found[1] > found[2] > 0


def test_correlated_references_have_wider_bounds() -> None:
    bank, _, training, calibration = one_reference(3, 5000, 0.0)
    v = np.full(len(bank.groups), 20.0)
    narrow = upper_mean_bounds(
        bank.h, smoothed_probabilities(training), calibration, np.ones(len(bank.groups)), 12.0, 0.0
    )
    wide = upper_mean_bounds(bank.h, smoothed_probabilities(training), calibration, v, 12.0, 0.0)
    assert np.all(wide >= narrow)
    assert wide.mean() > narrow.mean()


def test_rounding_to_fixed_point_is_on_the_safe_side() -> None:
    bank, _, training, calibration = one_reference(4, 5000, 0.0025)
    v = np.ones(len(bank.groups))
    fixed = fixed_point_bounds(bank, smoothed_probabilities(training), calibration, v, 12.0, 0.0025)
    upper = upper_mean_bounds(bank.h, smoothed_probabilities(training), calibration, v, 12.0, 0.0025)
    assert fixed.log_h.dtype == fixed.log_u.dtype == np.int64
    assert np.all(np.exp(fixed.log_h / 2**FRACTION_BITS) <= bank.h * (1 + 1e-12))
    assert np.all(np.exp(fixed.log_u[-1] / 2**FRACTION_BITS) >= upper * (1 - 1e-12))


@pytest.mark.long
def test_what_the_reference_says_against_its_true_mean_is_at_most_one_on_average() -> None:
    """k_g of the confidence grid, for the level g whose bound the true mean is below: an e-value over references."""
    capitals = []
    for seed in range(100):
        bank, truth, training, calibration = one_reference(seed, 300, 0.0)
        ones, p = np.ones(len(bank.groups)), smoothed_probabilities(training)
        confidence_levels = np.array(
            [
                upper_mean_bounds(bank.h, p, calibration, ones, 12.0, 0.0, confidence_level)
                for confidence_level in CONFIDENCE_GRID
            ]
        )
        assert np.all(np.diff(confidence_levels, axis=0) >= -1e-9)
        below = (confidence_levels < bank.h @ truth).sum(axis=0)
        assert np.all(below < len(CONFIDENCE_GRID))
        capitals.append(float(np.exp(log_reference_evidence(12.0, 1)[below]).mean()))
    assert np.mean(capitals) <= 1
    assert max(capitals) > 2 * min(capitals)


@pytest.mark.parametrize("name", mixed_profile().index)
def test_every_function_is_positive_bounded_and_weighted(name: str) -> None:
    feature = mixed_profile().feature(name)
    bank = build_bank(feature.bins, feature.training, 0.0025)
    assert bank.h.min() > 0
    assert bank.h.max() <= 20
    assert bank.weights.sum() == pytest.approx(1)
    assert len(build_bank(feature.bins, feature.training, 0.0).groups) == len(bank.groups)
    assert np.all(bank.h @ smoothed_probabilities(feature.training) <= 1 + 2.0 * np.sqrt(0.0025))
