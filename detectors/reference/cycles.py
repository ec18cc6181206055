"""Whether a feature follows the clock, and its slots if it does.

The test compares the feature with itself, with each period (a day or a week) rotated by a random number of slots. If
the feature does not follow the clock, rotated periods are as likely as the observed ones, also when neighbouring slots
resemble each other. Features that follow the clock have larger sums over the same slot of all periods than their
rotations. Source: random shifts of circular data, e.g. Harrison, Amarasingham, Neural Computation 21, 2009.

Weeks are rotated by whole days, so a mere cycle of a day is no evidence for weekdays or hours of the week.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..batch import Floats, Ints
from ..binning.probabilities import Bins
from ..evalues.bank import LikelihoodRatioBank, build_bank
from ..profile.slots import SLOT_KINDS, SlotKind, Slots
from ..splitmix import splitmix64
from .layout import RowLayout
from .variance_inflation import variance_inflation

CYCLE_RISK = 0.01  # probability per feature that one without a cycle passes the test of any kind
ROTATIONS = 999
LARGEST_SLOT_RATIO = 0.5  # variance inflation with slots over that without, at which slots are considered


@dataclass(frozen=True)
class SlotCandidate:
    """Slots that suit a feature, and whether its variance still grows at the longest block with them."""

    slots: Slots
    season_not_covered: bool


def slot_candidates(
    bin_ids: Ints, bank: LikelihoodRatioBank, bins: Bins, inflation: Floats, rows: RowLayout, tolerance: float
) -> tuple[SlotCandidate, ...]:
    """Return the kinds of slots that a feature follows, and that at least halve its variance inflation.

    Args:
        bin_ids: [rows] bin numbers.
        bank: the alternatives of the whole reference.
        bins: the bins of the feature.
        inflation: v [alternatives] without slots.
        rows: the layout of these rows.
        tolerance: chi-square distance that counts as no drift.
    """
    common = np.isin(bank.groups, ["location", "category"])
    if not common.any() or np.median(inflation[common]) < 1 / LARGEST_SLOT_RATIO:
        return ()
    log_h = np.log(bank.h[int(np.argmax(np.where(common, inflation, 0.0)))])
    scores = (log_h - log_h[bin_ids].mean())[bin_ids]
    found = []
    for name, positions in rows.slot_positions.items():
        kind = SLOT_KINDS[name]
        if cycle_p_value(scores, positions, kind) <= CYCLE_RISK / len(SLOT_KINDS):
            one = _measured(bin_ids, bank, bins, kind, rows, tolerance)
            if np.median(one.slots.variance_inflation[common]) <= LARGEST_SLOT_RATIO * np.median(inflation[common]):
                found.append(one)
    return tuple(found)


def cycle_p_value(scores: Floats, positions: Ints, kind: SlotKind) -> float:
    """Return the p-value of "the feature does not follow the clock".

    Args:
        scores: [rows] values with the mean 0.
        positions: [rows] of `SlotKind.positions`.
        kind: the slots that may matter.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.profile.slots import SLOT_KINDS
        >>> from pilotfish.detectors.reference.cycles import cycle_p_value
        >>> hours, kind = np.arange(24 * 20), SLOT_KINDS["hour of the day"]
        >>> noise = np.random.default_rng(1).normal(size=24 * 20)
        >>> cycle_p_value(noise, hours, kind) > 0.05, cycle_p_value(noise + np.sin(hours * np.pi / 12), hours, kind)
        (True, 0.001)
    """
    cells = positions - positions[0] // kind.count * kind.count
    periods = int(cells.max()) // kind.count + 1
    counts = np.bincount(cells, minlength=periods * kind.count)
    sums = np.bincount(cells, scores, periods * kind.count) / np.sqrt(np.maximum(counts, 1))
    choices = kind.count // kind.rotation
    sums = sums.reshape(periods, choices, kind.rotation)
    used = (counts > 0).astype(np.float64).reshape(sums.shape)
    hashed = splitmix64(np.arange(ROTATIONS * periods, dtype=np.uint64)).reshape(ROTATIONS, periods)
    shifts = (hashed % np.uint64(choices)).astype(np.int64)
    rotated = [_between_slots(sums, used, shift) for shift in shifts]
    observed = _between_slots(sums, used, np.zeros(periods, np.int64))
    return (1 + sum(one >= observed for one in rotated)) / (1 + ROTATIONS)


def _between_slots(sums: Floats, used: Floats, shift: Ints) -> float:
    """Return the variation between slots after each period [periods] was rotated.

    `sums` and `used` are [periods, choices, slots]: the scores of a cell over the root of its rows, and whether it has
    any.
    """
    periods, choices, _ = sums.shape
    at = np.arange(periods)[:, None], (np.arange(choices) + shift[:, None]) % choices
    return float((sums[at].sum(axis=0) ** 2 / np.maximum(used[at].sum(axis=0), 1.0)).sum())


def _measured(
    bin_ids: Ints, bank: LikelihoodRatioBank, bins: Bins, kind: SlotKind, rows: RowLayout, tolerance: float
) -> SlotCandidate:
    """Return a feature slot by slot, with its variance inflation."""
    slots = rows.slot_positions[kind.name] % kind.count
    key = (slots * 2 + ~rows.training) * bins.size + bin_ids
    counts = np.bincount(key, minlength=kind.count * 2 * bins.size).reshape(kind.count, 2, bins.size)
    banks = [build_bank(bins, counts[:, 0].sum(axis=0), tolerance, slot) for slot in counts[:, 0]]
    found = variance_inflation(bin_ids, bank, rows.partitions, slots, banks, tolerance=tolerance)
    alone = variance_inflation(bin_ids, bank, rows.partitions, slots, banks, per_slot=True)
    made = Slots(kind, counts[:, 0], counts[:, 1], found.values, alone.values, found.growth, rows.timezone)
    return SlotCandidate(made, found.season_not_covered)
