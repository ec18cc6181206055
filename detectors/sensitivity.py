"""What a reference of this size can show: its effective rows, the smallest visible shift, the expected delay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pilotfish.detectors.bank import Bank, smoothed
from pilotfish.detectors.batch import Floats, Ints
from pilotfish.detectors.bounds import upper_means
from pilotfish.detectors.profile import Bins

INVISIBLE = "cannot see 1 sd"


@dataclass(frozen=True)
class Sensitivity:
    """As in `profile.Feature`."""

    n_eff: float
    smallest_shift: float
    delay_rows: float | None


def sensitivity(
    bins: Bins,
    bank: Bank,
    shaping: Ints,
    bounding: Ints,
    inflation: Floats,
    *,
    lg: float,
    tolerance: float,
    threshold: float,
) -> Sensitivity:
    """For a threshold on one feature's evidence, the number of features already in it.

    The delay is that of the fastest single function, by Wald's approximation: log threshold over mean increment.
    """
    upper = upper_means(bank.h, smoothed(shaping), bounding, inflation, lg, tolerance)
    n_eff = independent_rows(bank, inflation, int(bounding.sum()))
    rates = (np.log(bank.h) @ reference_shift(bins, bank, shaping) - np.log(upper)) / inflation
    delays = (np.log(threshold) - np.log(bank.weights)) / np.where(rates > 0, rates, 1.0)
    smallest = 0.025 + float(np.sqrt(2 * lg / max(n_eff, 1e-9))) + float(np.sqrt(tolerance))
    visible = smallest <= 1 and bool((rates > 0).any())
    delay = round(float(delays[rates > 0].min()), 1) if visible else None
    return Sensitivity(round(n_eff, 1), round(smallest, 4), delay)


def independent_rows(bank: Bank, values: Floats, rows: int) -> float:
    """n_eff: `rows` over the median inflation of the functions that look for ordinary shifts."""
    kinds = np.isin(bank.groups, ["location", "category"])
    return rows / float(np.median(values[kinds])) if kinds.any() else rows / float(values.max(initial=1.0))


def reference_shift(bins: Bins, bank: Bank, shaping: Ints) -> Floats:
    """[cells] what the reference would look like after a shift of one standard deviation.

    That is the tilt of a location function from .8 to 1; for categories the commonest one's; a constant has left.
    """
    p = smoothed(shaping)
    for group, step in (("location", 0.8), ("category", 0.8)):
        if group in bank.groups:
            strongest = 8 if group == "location" else 4
            h = bank.h[bank.groups.index(group) + strongest]
            q: Floats = p * h ** (1 / step)
            return q / float(q.sum())
    left = next(cell for cell, role in enumerate(bins.roles) if role in {"above", "unseen"})
    out: Floats = np.eye(len(p))[left]
    return out
