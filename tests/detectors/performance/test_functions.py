"""The one-sided functions: linear, rising, and with a mean that is bounded for every distribution of the hypothesis."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.detectors.batch import Column, Floats, Ints
from pilotfish.detectors.binning import losses as cells_of_losses
from pilotfish.detectors.binning.losses import LossBins
from pilotfish.detectors.binning.probabilities import smoothed_probabilities
from pilotfish.detectors.evalues.bank import CLIP, LikelihoodRatioBank, build_bank
from pilotfish.detectors.evalues.bounds import upper_mean_bounds
from tests.support.examples import examples

TOLERANCE = 0.02


def bank_of(bins: LossBins, training: Ints) -> tuple[LikelihoodRatioBank, Floats]:
    counts = np.zeros(bins.size, np.int64)
    counts[cells_of_losses.tested_bins(bins)] = training
    return build_bank(bins, counts, 0.0).restricted_to(cells_of_losses.tested_bins(bins)), smoothed_probabilities(
        counts[cells_of_losses.tested_bins(bins)]
    )


def places(bins: LossBins, values: Floats) -> Ints:
    """The bins that stand for a loss."""
    places: Ints = bins.digitize(Column(values))[0] - cells_of_losses.tested_bins(bins).start
    return places


def losses(seed: int, rows: int = 3000) -> Floats:
    return np.random.default_rng(seed).beta(0.5, 3, rows)


@settings(max_examples=examples(60), deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 500), st.integers(1, 500))
def test_functions_are_lines_that_rise_with_the_loss(seed: int, wrong: int, right: int) -> None:
    continuous = LossBins.from_losses(losses(seed))
    rows = np.bincount(places(continuous, losses(seed)), minlength=len(continuous.atoms))
    for bins, training in ((LossBins.for_zero_one_loss(), np.array([right, wrong])), (continuous, rows)):
        bank, p = bank_of(bins, training)
        assert bank.slopes is not None
        mean = p @ bins.atoms
        np.testing.assert_allclose(bank.h, 1 + bank.slopes[:, None] * (bins.atoms - mean), rtol=1e-9)
        assert (bank.slopes > 0).all()
        assert (bank.h > 0).all()
        assert (bank.h <= CLIP).all()
        np.testing.assert_allclose(bank.h @ p, 1)


@settings(max_examples=examples(80), deadline=None)
@given(st.integers(0, 10**6), st.lists(st.floats(0, 1), min_size=1, max_size=40), st.floats(0, 1))
def test_the_bound_holds_for_every_shape_whose_mean_is_within_the_tolerance(
    seed: int, shape: list[float], toward: float
) -> None:
    """Any q over the bins, moved until its mean loss is the reference's plus the tolerance."""
    bins = LossBins.from_losses(losses(seed))
    counts = np.bincount(places(bins, losses(seed)), minlength=len(bins.atoms))
    bank, p = bank_of(bins, counts)
    upper = upper_mean_bounds(bank.h, p, counts, np.ones(len(bank.h)), 8.0, TOLERANCE, slopes=bank.slopes)
    q = np.resize(np.array(shape) + 1e-9, len(p))
    q = toward * q / q.sum() + (1 - toward) * np.eye(len(p))[seed % len(p)]
    reference = counts @ bins.atoms / counts.sum()
    excess = q @ bins.atoms - (reference + TOLERANCE)
    if excess > 0:
        q = q + (np.eye(len(p))[0] - q) * (excess / (q @ bins.atoms - bins.atoms[0]))
    assert np.all(bank.h @ q <= upper + 1e-9)


@pytest.mark.parametrize("rows", [300, 3000])
def test_the_bound_covers_the_true_mean_as_often_as_it_says(rows: int) -> None:
    rng = np.random.default_rng(rows)
    bins = LossBins.for_zero_one_loss()
    bank, p = bank_of(bins, np.array([rows * 9 // 10, rows // 10]))
    true = bank.h @ np.array([0.9, 0.1])
    misses = 0
    for _ in range(400):
        wrong = rng.binomial(rows, 0.1)
        seen = np.array([rows - wrong, wrong])
        upper = upper_mean_bounds(bank.h, p, seen, np.ones(len(true)), np.log(20), 0.0, slopes=bank.slopes)
        misses += bool(np.any(true > upper))
    assert misses <= 0.05 * 400 + 3 * np.sqrt(400 * 0.05 * 0.95)
