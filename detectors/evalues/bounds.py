"""Upper bounds on the mean of each function under every distribution that counts as no drift.

U_j bounds E_q h_j for the true reference distribution, known only by a finite sample, and for each q within the
tolerance of it (chi-square distance). Then h_j / U_j is an e-value: its expectation is at most 1 without drift.

Method: a bet against "E h >= mu" with stake lambda multiplies its capital by 1 + lambda (mu - h) a row, whose
expectation is at most 1 if E h >= mu. The smallest mu at which the capital reaches exp(l) is a bound with confidence
1 - exp(-l) (Waudby-Smith, Ramdas: Estimating means of bounded random variables by betting, JRSS B 2024). The stake
is fixed by the shaping part of the reference, so the bounding part is used once. Where rows have an order, the log of
the capital is divided by the variance_inflation, which is measured on both parts: the bound then holds to second order.

The tolerance adds sqrt(tau) s by Cauchy and Schwarz, s the standard deviation of h. No known p allows less: as long as
it is nowhere negative, q = p (1 + sqrt(tau) (h - m) / s) lies in the chi-square ball and has just that mean.

The ladder. One bound that holds for all functions of a profile at once must be wide, and every live row pays for its
width. But what the reference says against a large mean is evidence like any other. So each function has a few bounds,
the rungs U_1 < ... < U_G: U_g is where the capital K_g of the bets reaches exp(l_g), with l_G = Lg large enough for
all functions together. Let mu be the true mean, and k = (1 + K_1(mu) + ... + K_(G-1)(mu)) / G, which does not depend
on live rows and has an expectation of at most 1 over references. If mu lies in (U_(g-1), U_g], then R, the evidence
with the bound mu, is at least R_g, that with U_g; and k is at least k_g = (1 + exp(l_1) + ... + exp(l_(g-1))) / G, as
capital grows with mu. Hence the minimum over g of k_g R_g is at most k R, of which R_t - t is a supermartingale: the
expected number of crossings of A in T ticks is at most T / A, but for the risk that mu is above the last rung.

With slots, mu is one mean a slot; the bets of each slot get an equal part of the capital, and g is that of the slot
which lies highest on its ladder: exp(l_i) is divided by the number of slots.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..batch import Bools, Floats, Ints
from .bank import LikelihoodRatioBank

BOUND_RISK = 0.01  # that any bound of the profile is wrong
CONFIDENCE_GRID = (0.09, 0.3, 0.6, 1.0)  # l of each rung, over Lg
BISECTION_STEPS = 32
FRACTION_BITS = 24


@dataclass(frozen=True)
class FixedPointBounds:
    """Fixed point, 2^-24: log h rounded down [functions, cells] and log U rounded up [rungs, functions]."""

    log_h: Ints
    log_u: Ints


def log_inverse_risk_of(alternatives: int, slots: int = 1) -> float:
    """Lg: the log of one over the risk of each of two bounds a function and slot, over a whole profile."""
    return float(np.log(2 * max(alternatives, 1) * slots / BOUND_RISK))


def log_reference_evidence(log_inverse_risk: float, slots: int) -> Floats:
    """log k [rungs]: the least that the reference says against a mean above the rung before."""
    said = np.exp(np.array(CONFIDENCE_GRID[:-1]) * log_inverse_risk) / slots
    out: Floats = np.log1p(np.concatenate([[0.0], np.cumsum(said)])) - np.log(len(CONFIDENCE_GRID))
    return out


def fixed_point_bounds(
    bank: LikelihoodRatioBank,
    p: Floats,
    calibration: Ints,
    variance_inflation: Floats,
    log_inverse_risk: float,
    tolerance: float,
) -> FixedPointBounds:
    """Return log h and log U of one feature; `variance_inflation` is [alternatives]."""
    uppers = [
        upper_mean_bounds(
            bank.h, p, calibration, variance_inflation, log_inverse_risk, tolerance, confidence_level, bank.slopes
        )
        for confidence_level in CONFIDENCE_GRID
    ]
    one = float(2**FRACTION_BITS)
    log_h = np.floor(np.log(bank.h) * one).astype(np.int64)
    log_u = np.ceil(np.log(uppers) * one).astype(np.int64)
    return FixedPointBounds(log_h, log_u)


def upper_mean_bounds(
    h: Floats,
    p: Floats,
    calibration: Ints,
    variance_inflation: Floats,
    log_inverse_risk: float,
    tolerance: float,
    confidence_level: float = 1.0,
    slopes: Floats | None = None,
) -> Floats:
    """U [functions] = U0 + sqrt(tolerance) s+, with U0 >= E h and s+ >= sd h under the reference.

    Args:
        h: [functions, cells].
        p: [cells] probabilities from the shaping part, which choose the stakes.
        bounding: counts [cells] of the part that bounds.
        variance_inflation: [functions].
        lg: log of one over the risk.
        tolerance: chi-square distance that counts as no drift.
        rung: of `log_inverse_risk`, for U0.
        slopes: of functions that are linear in a loss: then U = U0 + slopes tolerance, in units of the loss.
    """
    means = betting_bound(h, p, calibration, variance_inflation, confidence_level * log_inverse_risk)
    if slopes is not None:
        linear: Floats = np.minimum(means + slopes * tolerance, h.max(axis=1))
        return linear
    mean = h @ p
    squares = (h - mean[:, None]) ** 2
    spreads = (
        np.sqrt(betting_bound(squares, p, calibration, variance_inflation, log_inverse_risk))
        if tolerance > 0
        else np.zeros(len(h))
    )
    upper: Floats = np.minimum(means + np.sqrt(tolerance) * spreads, h.max(axis=1))
    return upper


def can_show_drift(h: Floats, upper: Floats) -> Bools:
    """[functions] whether any rows at all could raise the evidence: not where the reference has too few to bound it.

    Those that cannot would only lose what was gathered in other slots, or wait, as R grows by one each tick.
    """
    out: Bools = h.max(axis=1) > upper
    return out


def betting_bound(h: Floats, p: Floats, counts: Ints, variance_inflation: Floats, log_inverse_risk: float) -> Floats:
    """[functions] the smallest mu whose bet reaches exp(lg) on `counts` [cells]; the maximum of h if none does."""
    mean = h @ p
    spread = np.sqrt(np.maximum((h - mean[:, None]) ** 2 @ p, 1e-300))
    n_eff = np.maximum(counts.sum() / variance_inflation, 1e-9)
    stake = np.sqrt(2 * log_inverse_risk / n_eff) / spread
    low: Floats = h.min(axis=1)
    high: Floats = h.max(axis=1)
    top = high.copy()
    used = counts > 0
    seen, weights = h[:, used], counts[used] / variance_inflation[:, None]
    for _ in range(BISECTION_STEPS):
        middle = (low + high) / 2
        bet = np.minimum(stake, 0.95 / np.maximum(top - middle, 1e-300))
        capital = (weights * np.log1p(bet[:, None] * (middle[:, None] - seen))).sum(axis=1)
        won = capital >= log_inverse_risk
        high, low = np.where(won, middle, high), np.where(won, low, middle)
    return high
