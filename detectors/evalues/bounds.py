"""Upper bounds on the mean of each likelihood ratio under every distribution that counts as no drift.

U_j bounds E_q h_j for the true reference distribution, known from a finite sample only, and for each q within the
tolerance of it (chi-square distance). Then h_j / U_j is an e-value: its expectation is at most 1 without drift. The
false-alarm guarantee rests on this module.

Method. A bet against "E h >= mu" with stake lambda multiplies its capital by 1 + lambda (mu - h) for each row. The
expectation of this factor is at most 1 if E h >= mu. The smallest mu at which the capital reaches exp(l) is a bound
with confidence 1 - exp(-l) (Waudby-Smith, Ramdas: Estimating means of bounded random variables by betting, JRSS B
2024). The training split fixes the stake, so the calibration split is used once. Where rows have an order, the log of
the capital is divided by the variance inflation, which is measured on both splits; the bound then holds to second
order.

Tolerance. By Cauchy and Schwarz, the tolerance tau adds sqrt(tau) s, where s is the standard deviation of h. This
cannot be improved for a known p: as long as q = p (1 + sqrt(tau) (h - m) / s) is nowhere negative, q lies in the
chi-square ball and has exactly that mean.

Confidence grid. One bound that holds for all alternatives of a profile at once must be wide, and every live row pays
for the width. But the reference is evidence against a large mean, too. So each alternative has a few bounds
U_1 < ... < U_G. U_g is the point where the capital K_g of the bets reaches exp(l_g); l_G = L is large enough for all
alternatives together (`log_inverse_risk_of`).

Let mu be the true mean, and k = (1 + K_1(mu) + ... + K_(G-1)(mu)) / G. k does not depend on live rows, and its
expectation over references is at most 1. If mu lies in (U_(g-1), U_g], then R, the evidence with the bound mu, is at
least R_g, the evidence with U_g. As capital grows with mu, k is at least k_g = (1 + exp(l_1) + ... + exp(l_(g-1))) / G.
So the minimum over g of k_g R_g is at most k R, and k (R_t - t) is a supermartingale. The expected number of times
that the minimum reaches A in T ticks is at most T / A, except for the risk that mu is above the last bound.

With slots, mu is one mean per slot. The bets of each slot get an equal part of the capital, and g is that of the slot
with the highest position in its grid: exp(l_i) is divided by the number of slots.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..batch import Bools, Floats, Ints
from .bank import LikelihoodRatioBank

BOUND_RISK = 0.01  # probability that any bound of the profile is wrong
CONFIDENCE_GRID = (0.09, 0.3, 0.6, 1.0)  # l_g / L
BISECTION_STEPS = 32
FRACTION_BITS = 24


@dataclass(frozen=True)
class FixedPointBounds:
    """Likelihood ratios and bounds as integers in units of 2^-24.

    log h is rounded down [alternatives, bins], log U is rounded up [confidence levels, alternatives].
    """

    log_h: Ints
    log_u: Ints


def log_inverse_risk_of(alternatives: int, slots: int = 1) -> float:
    """Return L, the log of one over the risk of a single bound, for a whole profile.

    The risk `BOUND_RISK` is divided by the number of bounds: two for each alternative and slot.
    """
    return float(np.log(2 * max(alternatives, 1) * slots / BOUND_RISK))


def log_reference_evidence(log_inverse_risk: float, slots: int) -> Floats:
    """Return log k [confidence levels]: the least evidence of the reference against a mean above the previous bound."""
    evidence = np.exp(np.array(CONFIDENCE_GRID[:-1]) * log_inverse_risk) / slots
    out: Floats = np.log1p(np.concatenate([[0.0], np.cumsum(evidence)])) - np.log(len(CONFIDENCE_GRID))
    return out


def fixed_point_bounds(
    bank: LikelihoodRatioBank,
    p: Floats,
    calibration: Ints,
    variance_inflation: Floats,
    log_inverse_risk: float,
    tolerance: float,
) -> FixedPointBounds:
    """Return log h and log U of one feature.

    Args:
        bank: the alternatives.
        p: [bins] probabilities from the training split.
        calibration: counts [bins] of the calibration split.
        variance_inflation: [alternatives].
        log_inverse_risk: L of `log_inverse_risk_of`.
        tolerance: chi-square distance that counts as no drift.
    """
    means = betting_bounds(bank.h, p, calibration, variance_inflation, np.array(CONFIDENCE_GRID) * log_inverse_risk)
    added = _added_by_tolerance(bank.h, p, calibration, variance_inflation, log_inverse_risk, tolerance, bank.slopes)
    uppers = np.minimum(means + added, bank.h.max(axis=1))
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
    """Return U [alternatives] = U0 + sqrt(tolerance) s+, with U0 >= E h and s+ >= sd h under the reference.

    Args:
        h: [alternatives, bins].
        p: [bins] probabilities from the training split, which choose the stakes.
        calibration: counts [bins] of the calibration split.
        variance_inflation: [alternatives].
        log_inverse_risk: L of `log_inverse_risk_of`.
        tolerance: chi-square distance that counts as no drift.
        confidence_level: fraction of `log_inverse_risk` for U0.
        slopes: of alternatives that are linear in a loss; then U = U0 + slopes tolerance, with the tolerance in units
            of the loss.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.evalues.bounds import upper_mean_bounds
        >>> h, p = np.array([[0.5, 2.0]]), np.array([2 / 3, 1 / 3])
        >>> upper = upper_mean_bounds(h, p, np.array([6667, 3333]), np.ones(1), log_inverse_risk=5.0, tolerance=0.0)
        >>> bool(1 < upper[0] < 1.03)
        True
    """
    (means,) = betting_bounds(h, p, calibration, variance_inflation, np.array([confidence_level * log_inverse_risk]))
    added = _added_by_tolerance(h, p, calibration, variance_inflation, log_inverse_risk, tolerance, slopes)
    upper: Floats = np.minimum(means + added, h.max(axis=1))
    return upper


def _added_by_tolerance(
    h: Floats,
    p: Floats,
    calibration: Ints,
    variance_inflation: Floats,
    log_inverse_risk: float,
    tolerance: float,
    slopes: Floats | None,
) -> Floats:
    """Return what the tolerance adds to U0 [alternatives]: the same at each confidence level."""
    if slopes is not None:
        return slopes * tolerance
    if not tolerance > 0:
        return np.zeros(len(h))
    squares = (h - (h @ p)[:, None]) ** 2
    (variances,) = betting_bounds(squares, p, calibration, variance_inflation, np.array([log_inverse_risk]))
    added: Floats = np.sqrt(tolerance) * np.sqrt(variances)
    return added


def can_show_drift(h: Floats, upper: Floats) -> Bools:
    """Return which alternatives [alternatives] can gain evidence at all.

    The others have a bound at the maximum of h, because the reference has too few rows. Their evidence would only
    decrease, or wait, as R grows by one each tick.
    """
    out: Bools = h.max(axis=1) > upper
    return out


def betting_bounds(h: Floats, p: Floats, counts: Ints, variance_inflation: Floats, log_inverse_risks: Floats) -> Floats:
    """Return the smallest mu whose bet reaches a capital, or the maximum of h if none does: [capitals, alternatives].

    Args:
        h, p, variance_inflation: as for `upper_mean_bounds`.
        counts: [bins] of the rows that the bets are placed on.
        log_inverse_risks: [capitals], the logs of the capitals to reach.
    """
    mean = h @ p
    spread = np.sqrt(np.maximum((h - mean[:, None]) ** 2 @ p, 1e-300))
    n_eff = np.maximum(counts.sum() / variance_inflation, 1e-9)
    reached = log_inverse_risks[:, None]
    stake = np.sqrt(2 * reached / n_eff) / spread
    top = h.max(axis=1)
    low: Floats = np.broadcast_to(h.min(axis=1), stake.shape)
    high: Floats = np.broadcast_to(top, stake.shape)
    used = counts > 0
    seen, weights = h[:, used], counts[used] / variance_inflation[:, None]
    for _ in range(BISECTION_STEPS):
        middle = (low + high) / 2
        bet = np.minimum(stake, 0.95 / np.maximum(top - middle, 1e-300))
        capital = (weights * np.log1p(bet[..., None] * (middle[..., None] - seen))).sum(axis=-1)
        won = capital >= reached
        high, low = np.where(won, middle, high), np.where(won, low, middle)
    return high
