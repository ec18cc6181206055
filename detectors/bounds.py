"""Upper bounds on the mean of each function under every distribution that counts as no drift.

U_j bounds E_q h_j for the true reference distribution, known only by a finite sample, and for each q within the
tolerance of it (chi-square distance). Then h_j / U_j is an e-value: its expectation is at most 1 without drift.

Method: a bet against "E h >= mu" with stake lambda multiplies its capital by 1 + lambda (mu - h) a row, whose
expectation is at most 1 if E h >= mu. The smallest mu at which the capital reaches exp(Lg) is a bound with confidence
1 - exp(-Lg) (Waudby-Smith, Ramdas: Estimating means of bounded random variables by betting, JRSS B 2024). The stake
is fixed by the shaping part of the reference, so the bounding part is used once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pilotfish.detectors.bank import Bank, smoothed
from pilotfish.detectors.batch import Floats, Ints

RISK = 0.01  # that any bound of the profile is wrong
HALVINGS = 44
FRACTION_BITS = 24


@dataclass(frozen=True)
class Bounded:
    """Fixed point, 2^-24: log h rounded down [functions, cells] and log U rounded up [functions]."""

    log_h: Ints
    log_u: Ints


def log_confidence(functions: int) -> float:
    """Lg: the log of one over the risk of each of two bounds a function, over a whole profile."""
    return float(np.log(2 * max(functions, 1) / RISK))


def bounded(bank: Bank, shaping: Ints, bounding: Ints, inflation: Floats, lg: float, tolerance: float) -> Bounded:
    """log h and log U of one feature for `inflation` [functions] and the confidence of `log_confidence`."""
    upper = upper_means(bank.h, shaping, bounding, inflation, lg, tolerance)
    one = float(2**FRACTION_BITS)
    log_h = np.floor(np.log(bank.h) * one).astype(np.int64)
    log_u = np.ceil(np.log(upper) * one).astype(np.int64)
    return Bounded(log_h, log_u)


def upper_means(h: Floats, shaping: Ints, bounding: Ints, inflation: Floats, lg: float, tolerance: float) -> Floats:
    """U [functions] = U0 + sqrt(tolerance) s+, with U0 >= E h and s+ >= sd h under the reference."""
    p = smoothed(shaping)
    mean = h @ p
    squares = (h - mean[:, None]) ** 2
    means = betting_bound(h, p, bounding, inflation, lg)
    spreads = np.sqrt(betting_bound(squares, p, bounding, inflation, lg))
    upper: Floats = np.minimum(means + np.sqrt(tolerance) * spreads, h.max(axis=1))
    return upper


def betting_bound(h: Floats, p: Floats, counts: Ints, inflation: Floats, lg: float) -> Floats:
    """[functions] the smallest mu whose bet reaches exp(lg) on `counts` [cells]; the maximum of h if none does."""
    mean = h @ p
    spread = np.sqrt(np.maximum((h - mean[:, None]) ** 2 @ p, 1e-300))
    n_eff = np.maximum(counts.sum() / inflation, 1e-9)
    stake = np.sqrt(2 * lg / n_eff) / spread
    low: Floats = h.min(axis=1)
    high: Floats = h.max(axis=1)
    top = high.copy()
    used = counts > 0
    weights = counts[used] / inflation[:, None]
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        bet = np.minimum(stake, 0.95 / np.maximum(top - middle, 1e-300))
        capital = (weights * np.log1p(bet[:, None] * (middle[:, None] - h[:, used]))).sum(axis=1)
        won = capital >= lg
        high, low = np.where(won, middle, high), np.where(won, low, middle)
    return high
