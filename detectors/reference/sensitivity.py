"""What a reference of this size can show: its effective rows, the smallest visible shift, the expected delay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..batch import Floats, Ints
from ..binning.probabilities import Bins
from ..evalues.bank import LOSS_STEPS, Bank
from ..evalues.bounds import has_say, log_capitals, upper_means

INVISIBLE = "cannot see 1 sd"
INVISIBLE_LOSS = "cannot see 5 points more loss"
MORE_LOSS = 0.05  # of which a loss tells the delay


@dataclass(frozen=True)
class Sensitivity:
    """As in `profile.Feature`; of a loss the delay is for a mean that is .05 higher."""

    n_eff: float
    smallest_shift: float
    delay_rows: float | None


@dataclass(frozen=True)
class Part:
    """The whole reference, or one slot of it: its functions, and what they are bounded with.

    Attributes:
        p: [cells] the probabilities that the functions came from.
        bounding: counts [cells].
        inflation: [functions] of sums over the rows of the part.
    """

    bank: Bank
    p: Floats
    bounding: Ints
    inflation: Floats


def sensitivity(
    bins: Bins, parts: Sequence[Part], inflation: Floats, *, lg: float, tolerance: float, threshold: float
) -> Sensitivity:
    """For a threshold on one feature's evidence, the number of features already in it, tempered by `inflation`.

    The delay is that of the fastest single function, by Wald's approximation: log threshold over mean increment, both
    on the last rung, where the reference's own evidence counts; with slots the mean over their rows. The effective rows
    are then those of an average slot.
    """
    bank = parts[0].bank
    sizes = np.array([part.bounding.sum() for part in parts], dtype=np.float64)
    shares = sizes / max(sizes.sum(), 1.0)
    rates = (
        sum(share * _rates(bins, part, lg, tolerance) for share, part in zip(shares, parts, strict=True)) / inflation
    )
    n_eff = independent_rows(bank, parts[0].inflation, float(sizes.mean()))
    said = float(log_capitals(lg, len(parts))[-1])
    delays = np.maximum(np.log(threshold) - np.log(bank.weights) - said, 0.0) / np.where(rates > 0, rates, 1.0)
    allowed = np.sqrt(tolerance) if bank.slopes is None else tolerance * bank.slopes[0] / LOSS_STEPS[0]
    smallest = 0.025 + float(np.sqrt(2 * lg / max(n_eff, 1e-9))) + float(allowed)
    visible = (smallest <= 1 or bank.slopes is not None) and bool((rates > 0).any())
    delay = round(float(delays[rates > 0].min()), 1) if visible else None
    return Sensitivity(round(n_eff, 1), round(smallest, 4), delay)


def _rates(bins: Bins, part: Part, lg: float, tolerance: float) -> Floats:
    """[functions] untempered evidence a row after a shift of one standard deviation, against the last rung."""
    h = part.bank.h
    upper = upper_means(h, part.p, part.bounding, part.inflation, lg, tolerance, slopes=part.bank.slopes)
    rates = np.log(h) @ reference_shift(bins, part.bank, part.p) - np.log(upper)
    return np.where(has_say(h, upper), rates, 0.0)


def independent_rows(bank: Bank, values: Floats, rows: float) -> float:
    """n_eff: `rows` over the median inflation of the functions that look for ordinary shifts."""
    kinds = np.isin(bank.groups, ["location", "category"])
    return rows / float(np.median(values[kinds])) if kinds.any() else rows / float(values.max(initial=1.0))


def reference_shift(bins: Bins, bank: Bank, p: Floats) -> Floats:
    """[cells] what a reference of probabilities `p` would look like after a shift of one standard deviation.

    That is the tilt of a location function from .8 to 1; for categories the commonest one's; a constant has left; a
    loss is larger.
    """
    if bank.slopes is not None:
        return _more_loss(bank, p)
    for group, step in (("location", 0.8), ("category", 0.8)):
        if group in bank.groups:
            strongest = 8 if group == "location" else 4
            h = bank.h[bank.groups.index(group) + strongest]
            q: Floats = p * h ** (1 / step)
            return q / float(q.sum())
    left = next(cell for cell, role in enumerate(bins.roles) if role in {"above", "unseen"})
    out: Floats = np.eye(len(p))[left]
    return out


def _more_loss(bank: Bank, p: Floats) -> Floats:
    """[cells] `p` tilted along the loss until its mean is `MORE_LOSS` higher, or as far as a tilt goes."""
    line = bank.h[0] - bank.h[0] @ p
    gain = float(bank.h[0] @ (p * line)) / float(bank.slopes[0]) if bank.slopes is not None else 0.0
    tilt = np.maximum(1 + line * MORE_LOSS / max(gain, 1e-12), 0.0)
    q: Floats = p * tilt
    return q / float(q.sum())
