"""Variance inflation: how much more sums over blocks of time vary than sums over independent rows would.

Detection divides evidence by this number v. Dividing keeps the expectation of exp(L / v) at most one to second order
for every block length that was measured, so lengths reach from one tick to an eighth of the reference. Values that are
too small break the false-alarm guarantee on correlated rows.

Second order is not enough for alternatives that respond to the square of a wandering level: more spread, or less mass
in the middle. In n rows at a level of d standard deviations they gather n c d^2 / 2, with the curvature c = E[(log
h)(g^2 - 1)]. Divided by v, the exponential of this sum has a finite expectation for a normal level only if v > c v',
where v' is the variance inflation of location alternatives. So such alternatives get at least `CURVATURE_MARGIN` c v'.

Simulations with a level that wanders for 100 ticks, and with day effects, at one false alarm in 43,200 ticks, gave 22
and 27 alarms without this margin, where 6 were allowed, and none with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ..batch import Bools, Floats, Ints
from ..evalues.bank import AlternativeGroup, LikelihoodRatioBank
from .blocks import BlockPartition
from .stretches import stretch_divisor

DEPENDENCE_RISK = 0.05  # probability per feature that independent rows look dependent
# share of the alternatives of a group whose block sums differ from the others': windows overlap with two others
INDEPENDENT_SHARE: dict[AlternativeGroup, float] = {
    "bump": 0.7, "category": 0.3, "location": 0.1, "loss": 0.1, "outside": 0.3, "scale": 0.1, "special": 0.3,
}  # fmt: skip
CURVATURE_MARGIN = 2.0
TROUBLE = 3.0  # divisor of a stretch above which it is no chance
ABSORBED_SD = 3.0  # standard deviations of a slow effect that the tolerance must cover
SEASON_GROWTH = 1.4
SEASON_RISK = 0.001  # probability per feature that independent rows look like a season
CHUNK_BINS = 2_000_000
CHUNK_SUMS = 10_000_000


@dataclass(frozen=True)
class VarianceInflation:
    """The variance inflation of a feature.

    Attributes:
        values: v [alternatives].
        growth: [alternatives] upper bound of what v gains for each time that a live tick holds the rows of a reference
            tick once more.
        season_not_covered: whether v still grows at the longest block length.
    """

    values: Floats
    growth: Floats
    season_not_covered: bool


def variance_inflation(
    bin_ids: Ints,
    bank: LikelihoodRatioBank,
    partitions: Sequence[BlockPartition],
    slots: Ints | None = None,
    slot_banks: Sequence[LikelihoodRatioBank] = (),
    *,
    per_slot: bool = False,
    tolerance: float = 0.0,
) -> VarianceInflation:
    """Return the variance of the block sums of each log h over that of independent rows, at least 1.

    Args:
        bin_ids: [rows] bin numbers of one feature, in time order.
        bank: the alternatives of the feature.
        partitions: of `blocks.block_partitions`; empty if rows have no order.
        slots: [rows] the slot of each row, to measure the variation of the sums around the means of their slots.
        slot_banks: with `slots`, the alternatives of each slot.
        per_slot: sum the rows of each slot separately, because a slot's bounds rest on its rows alone.
        tolerance: chi-square distance that counts as no drift; slow effects within it do not grow with traffic.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.binning.numeric import NumericBins
        >>> from pilotfish.detectors.evalues.bank import build_bank
        >>> from pilotfish.detectors.reference.blocks import block_partitions
        >>> from pilotfish.detectors.reference.variance_inflation import variance_inflation
        >>> bin_ids = np.repeat(np.random.default_rng(1).integers(3, 6, 500), 20)  # 20 equal rows in a row
        >>> bins = NumericBins.from_values(np.array([0.0, 1.0, 0.0, 1.0]))
        >>> bank = build_bank(bins, np.bincount(bin_ids, minlength=bins.size), tolerance=0.0025)
        >>> float(np.median(variance_inflation(bin_ids, bank, block_partitions(np.arange(10_000), None)).values)) > 15
        True
    """
    alternatives, size = bank.h.shape
    if not partitions or len(bin_ids) == 0:
        return VarianceInflation(np.ones(alternatives), np.zeros(alternatives), season_not_covered=False)
    slots = np.zeros(len(bin_ids), np.int64) if slots is None else slots
    banks = slot_banks or [bank]
    counts = np.bincount(slots * size + bin_ids, minlength=len(banks) * size).reshape(len(banks), size)
    centred = np.array([_centred(one, of) for one, of in zip(banks, counts, strict=True)])
    costs = np.array([_cost_of_a_row(one, of) for one, of in zip(banks, counts, strict=True)])
    ratios, divisors = _block_sums(bin_ids, slots, centred, costs, counts, partitions, per_slot=per_slot)
    whole = counts.sum(axis=0)
    blocks_seen = np.array([np.count_nonzero(np.diff(blocks.starts)) for blocks in partitions], dtype=np.float64)
    means = _estimated_means(slots, blocks_seen)  # each costs one degree of freedom
    ratios *= (blocks_seen / np.maximum(blocks_seen - means, 1))[:, None]
    contributing = _contributing_rows(centred, counts)
    scores = _normal_scores(ratios, partitions, contributing)
    common = ~np.isin(bank.groups, ["special", "outside"])
    values = _significant(ratios, scores > _significant_scores(bank, len(partitions)), blocks_seen, common)
    values = np.maximum(values, _floor_for_wandering_level(_centred(bank, whole), whole, bank, values))
    divisors = _shared_in_groups(divisors, np.array(bank.groups))
    values = np.maximum(values, divisors)
    values[np.array(bank.groups) == "outside"] = values.max()
    never = (bank.h != bank.h[:, [_commonest(whole)]]) @ whole == 0
    values[never & (np.array(bank.groups) == "special")] = 1.0
    values = np.ceil(values * 1000) / 1000
    growth = np.where(divisors > 1, values, np.minimum(_growth(ratios, partitions, contributing, tolerance), values))
    season = _season(ratios[:, common], scores[:, common], partitions)
    return VarianceInflation(values, np.ceil(growth * 1000) / 1000, season)


def _estimated_means(slots: Ints, blocks: Floats) -> Floats:
    """Return how many means the block sums of each length [block lengths] are centred on.

    It is the number of blocks in a period of the slots, from one to the number of slots.
    """
    used = len(np.unique(slots))
    periods = (1 + np.count_nonzero(np.diff(slots))) / used
    return np.clip(blocks / periods, 1, used)


def _commonest(counts: Ints) -> int:
    return int(np.argmax(counts))


def _centred(bank: LikelihoodRatioBank, counts: Ints) -> Floats:
    """Return log h less its mean over the rows of `counts` [bins]: [alternatives, bins]."""
    log_h = np.log(bank.h)
    return log_h - (log_h @ counts / max(int(counts.sum()), 1))[:, None]


def _cost_of_a_row(bank: LikelihoodRatioBank, counts: Ints) -> Floats:
    """Return the log of the mean of h less the mean of log h, over the rows of `counts` [bins]: [alternatives]."""
    share = counts / max(int(counts.sum()), 1)
    cost: Floats = np.maximum(np.log(np.maximum(bank.h @ share, 1e-300)) - np.log(bank.h) @ share, 0.0)
    return cost


def _contributing_rows(centred: Floats, counts: Ints) -> Floats:
    """Return how many rows contribute to the variance of each alternative: few if it responds to a rare bin."""
    squares = np.einsum("sfc,sc->f", centred**2, counts)
    fourth = np.einsum("sfc,sc->f", centred**4, counts)
    rows: Floats = np.where(fourth > 1e-9, squares**2 / np.maximum(fourth, 1e-9), 0.0)
    return rows


def _block_sums(
    bin_ids: Ints,
    slots: Ints,
    centred: Floats,
    costs: Floats,
    counts: Ints,
    partitions: Sequence[BlockPartition],
    *,
    per_slot: bool,
) -> tuple[Floats, Floats]:
    """Return the ratios [block lengths, alternatives] of the block sums, and the divisors [alternatives] of stretches.

    A ratio is the sum of the squared block sums over that of independent rows.

    Args:
        centred: [slots, alternatives, bins] what each row adds to the sums.
        costs: [slots, alternatives] what each row costs in evidence against the mean of h, beside `centred`.
        counts: [slots, bins] of all rows.
    """
    pieces = _common_refinement(slots, partitions)
    slot = slots[pieces[:-1]]
    rows = np.diff(pieces).astype(np.float64)
    order, starts_by_length = _groups(pieces, slots if per_slot else np.zeros_like(slots), partitions)
    variance = np.einsum("sfc,sc->f", centred**2, counts)
    varies = variance > 1e-9  # a constant alternative leaves rounding errors only
    ratios = np.ones((len(partitions), len(variance)))
    divisors = np.ones(len(variance))
    step = max(1, CHUNK_SUMS // len(pieces))
    for first in range(0, len(variance), step):
        some = slice(first, first + step)
        sums = _sums(bin_ids, slots, centred[:, some], pieces)
        if not per_slot:
            divisors[some] = stretch_divisor((sums - rows[:, None] * costs[slot, some])[rows > 0])
        sums = sums[order]
        for row, starts in enumerate(starts_by_length):
            squares = (np.add.reduceat(sums, starts, axis=0) ** 2).sum(axis=0)
            ratios[row, some] = np.where(varies[some], squares / np.where(varies[some], variance[some], 1.0), 1.0)
    return ratios, np.where(varies, divisors, 1.0)


def _common_refinement(slots: Ints, partitions: Sequence[BlockPartition]) -> Ints:
    """Return the row numbers [pieces + 1] where any block of any length begins or ends, or the slot changes."""
    changes = np.flatnonzero(np.diff(slots)) + 1
    return np.unique(np.concatenate([changes, *(blocks.starts for blocks in partitions)]))


def _groups(pieces: Ints, slots: Ints, partitions: Sequence[BlockPartition]) -> tuple[Ints, list[Ints]]:
    """Return the order of the pieces by slot, and for each block length where the sums of its blocks begin."""
    slot = slots[pieces[:-1]]
    order: Ints = np.argsort(slot, kind="stable")
    starts = []
    for blocks in partitions:
        block = np.searchsorted(blocks.starts, pieces[:-1][order], side="right")
        changes = (np.diff(block) != 0) | (np.diff(slot[order]) != 0)
        starts.append(np.concatenate([[0], np.flatnonzero(changes) + 1]))
    return order, starts


def _sums(bin_ids: Ints, slots: Ints, centred: Floats, pieces: Ints) -> Floats:
    """Return the sum of `centred` [slots, alternatives, bins] over the rows of each piece: [pieces, alternatives]."""
    alternatives, size = centred.shape[1:]
    out = np.empty((len(pieces) - 1, alternatives))
    step = max(1, CHUNK_BINS // size)
    for first in range(0, len(out), step):
        starts = pieces[first : first + step + 1]
        piece = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        counts = np.bincount(piece * size + bin_ids[starts[0] : starts[-1]], minlength=(len(starts) - 1) * size)
        counts = counts.reshape(-1, size).astype(np.float64)
        slot = slots[starts[:-1]]
        for one in np.unique(slot):
            out[first : first + step][slot == one] = counts[slot == one] @ centred[one].T
    return out


def _normal_scores(ratios: Floats, partitions: Sequence[BlockPartition], contributing: Floats) -> Floats:
    """Return the ratios of independent rows as normal scores: [block lengths, alternatives].

    The ratio counts the pairs of rows in the same block: with the weights of the rows, and beside the pairs of a row
    with itself. Its variance is 2 q, where q is the sum of the squared shares of the blocks. With few blocks it is as
    skewed as a chi-square over its 1/q degrees of freedom (Wilson and Hilferty's cube root makes it normal). With few
    contributing rows it is as skewed as a Poisson count of pairs (the signed root of its deviance is normal). The
    smaller score counts.

    Args:
        ratios: [block lengths, alternatives].
        partitions: of each block length.
        contributing: [alternatives] rows that contribute to the variance.
    """
    q = np.array([np.square(np.diff(blocks.starts) / blocks.starts[-1]).sum() for blocks in partitions])[:, None]
    by_blocks = (np.cbrt(np.maximum(ratios, 0)) - (1 - 2 * q / 9)) / np.sqrt(2 * q / 9)
    expected = contributing**2 * q / 2
    pairs = np.maximum(expected + contributing * (ratios - 1) / 2, 1e-9)
    deviance = 2 * (pairs * np.log(pairs / np.maximum(expected, 1e-300)) - (pairs - expected))
    by_rows = np.sign(pairs - expected) * np.sqrt(np.maximum(deviance, 0.0))
    scores: Floats = np.minimum(by_blocks, by_rows)
    return scores


def _significant_scores(bank: LikelihoodRatioBank, lengths: int) -> Floats:
    """Return the normal score [alternatives] above which block sums contradict independence.

    The risk of a feature is divided among its groups, and within a group among the tests that differ.
    """
    groups = np.array(bank.groups)
    present = set(bank.groups)
    needed = {}
    for group in present:
        tests = max(1.0, float((groups == group).sum()) * INDEPENDENT_SHARE[group]) * lengths
        needed[group] = NormalDist().inv_cdf(1 - DEPENDENCE_RISK / len(present) / tests)
    return np.array([needed[group] for group in bank.groups])


def _significant(ratios: Floats, contradicts: Bools, blocks: Floats, common: Bools) -> Floats:
    """Return the largest ratio of each alternative, or 1 if the feature varies no more than independent rows would.

    An estimate from few blocks is mostly noise, and the largest of many estimates always looks large. So v stays 1
    unless some length contradicts independence. Ordinary alternatives need evidence anywhere in the feature.
    Alternatives on rare bins need it there or of their own, and then get an upper confidence bound.
    """
    at = ratios.argmax(axis=0)
    largest = ratios.max(axis=0)
    correlated = bool(contradicts[:, common].any())
    upper = largest * (1 + 2 * np.sqrt(2 / blocks[at]))
    alone = correlated | contradicts.any(axis=0)
    values = np.where(common, largest if correlated else 1.0, np.where(alone, upper, 1.0))
    return np.maximum(values, 1.0)


def _floor_for_wandering_level(centred: Floats, counts: Ints, bank: LikelihoodRatioBank, values: Floats) -> Floats:
    """Return the least variance inflation of alternatives that respond to the square of a wandering level."""
    located = np.array(bank.groups) == "location"
    if not located.any():
        return np.ones(len(values))
    p = counts / counts.sum()
    level = centred[int(np.argmax(located))]
    level = level / np.sqrt(level**2 @ p)
    curvature = centred @ ((level**2 - 1) * p)
    least: Floats = np.clip(CURVATURE_MARGIN * curvature, 0.0, 1.0) * values[located].max()
    return least


def _shared_in_groups(divisors: Floats, groups: np.typing.NDArray[np.str_]) -> Floats:
    """Return the divisors [alternatives], each at least the largest one of its group if that shows trouble.

    Trouble that recurs takes another value or sign each time: an incident lifts a level or lowers it, a stuck sensor
    stops anywhere. Rare bins are told apart by what is in them, so each keeps its own divisor.
    """
    shared = divisors.copy()
    for group in ("location", "scale", "bump", "category"):
        inside = groups == group
        largest = divisors[inside].max(initial=1.0)
        shared[inside] = largest if largest > TROUBLE else divisors[inside]
    return shared


def _growth(ratios: Floats, partitions: Sequence[BlockPartition], contributing: Floats, tolerance: float) -> Floats:
    """Return an upper bound of v - 1 [alternatives] over the lengths at which traffic can turn effects into evidence.

    v - 1 is proportional to the rows in a block: it is the variance of the blocks' effects, in units of one row's
    variance, times these rows. An effect that lasts for a block and is certainly small against the tolerance does not
    become evidence in denser traffic, because the bounds allow it. So lengths with an upper bound of this variance of
    at most tolerance / `ABSORBED_SD`^2 are left out: they are the long ones, of which a reference has few blocks.
    """
    q = np.array([np.square(np.diff(blocks.starts) / blocks.starts[-1]).sum() for blocks in partitions])[:, None]
    rows = partitions[0].starts[-1] * q
    few = 6 / np.maximum(contributing, 1.0)  # twice the pairs that may have been missed (a Poisson count of 3), per row
    upper = np.maximum(ratios * (1 + 2 * np.sqrt(2 * q)) - 1, 0.0) + few
    upper = np.where(upper / rows * ABSORBED_SD**2 <= tolerance, 0.0, upper)
    growth: Floats = upper.max(axis=0)
    return growth


def _season(ratios: Floats, scores: Floats, partitions: Sequence[BlockPartition]) -> bool:
    """Return whether v still grows at the longest block: the reference is too short for a slower cycle.

    The alternative is the worst of all, so its score must exceed the largest score that this number of alternatives
    shows by chance.
    """
    halves = [row for row, blocks in enumerate(partitions) if blocks.length <= partitions[-1].length / 2 + 1]
    if not halves or not ratios.shape[1]:
        return False
    worst = int(np.argmax(ratios[-1]))
    grows = ratios[-1, worst] > SEASON_GROWTH * ratios[halves[-1], worst]
    return bool(grows and scores[-1, worst] > NormalDist().inv_cdf(1 - SEASON_RISK / ratios.shape[1]))
