"""The bank: for each feature the alternatives that are watched for, as likelihood ratios by cell.

A function h (one float a cell, 0 < h <= 20) says how much likelier a cell is under one kind of drift than under the
reference. Any bounded positive function is valid: the bound in `bounds` is made for it as it is. So the
bank decides what is found fast, and never whether the promise holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from ..batch import Bools, Floats, Ints
from ..binning.categories import CategoryBins
from ..binning.losses import LossBins, tested_bins
from ..binning.numeric import FIRST_VALUE_BIN, NumericBins
from ..binning.probabilities import Bins, normal_scores, shrunken_probabilities, smoothed_probabilities

AlternativeGroup: TypeAlias = Literal["location", "loss", "scale", "bump", "category", "outside", "special"]

BANK_VERSION = 1  # of the functions and their order, which the inflations in a profile belong to
CLIP = 20.0
FLOOR = 1e-4
SHIFTS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
SCALES = (1.1, 1.3, 1.8)
CATEGORY_SHIFTS = (0.1, 0.3, 0.8)
EMPTIED_TAILS = (0.05, 0.1, 0.2)  # shares of the mass at either end
MAX_CATEGORIES = 20
LOSS_STEPS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # more loss, in reference sd
MAX_LOSS_SLOPE = 0.95  # of h that a row without any loss may lose
LEAST_ATOM_MASS = 0.1  # mass on values with a cell of their own, from which leaving them is an alternative
SPECIAL_FACTORS = (1.25, 1.5, 2.0)  # of a special cell, beyond what the tolerance allows
GROUP_WEIGHTS: dict[AlternativeGroup, float] = {
    "bump": 0.2, "category": 0.5, "location": 0.4, "loss": 1.0, "outside": 0.1, "scale": 0.2, "special": 0.2,
}  # fmt: skip
ORDINARY_ROLES = frozenset({"value", "tail"})
Shape: TypeAlias = tuple[AlternativeGroup, Floats]


@dataclass(frozen=True)
class LikelihoodRatioBank:
    """h [functions, cells], each function's group, and prior weights [functions] that sum to one.

    `slopes` [functions] are of those that are linear in a loss: what a loss of one more adds to h.
    """

    h: Floats
    groups: tuple[AlternativeGroup, ...]
    weights: Floats
    slopes: Floats | None = None

    def restricted_to(self, bin_slice: slice) -> LikelihoodRatioBank:
        """The same functions of some cells."""
        return replace(self, h=self.h[:, bin_slice])


def build_bank(bins: Bins, training: Ints, tolerance: float, slot: Ints | None = None) -> LikelihoodRatioBank:
    """The functions for one feature, in an order that depends on bins and `training` [cells] alone.

    With `slot`, the counts [cells] of the shaping rows of one slot, they are the same alternatives to what is usual
    in that slot.
    """
    whole = smoothed_probabilities(training)
    p = whole if slot is None else shrunken_probabilities(slot, whole)
    if isinstance(bins, LossBins):
        return _loss_bank(p, bins)
    roles = np.array(bins.roles)
    shapes: list[Shape] = list(_rare_bins(p, roles, float(training.sum()), tolerance))
    ordinary = np.isin(roles, list(ORDINARY_ROLES))
    if np.count_nonzero(ordinary) > 1 and (isinstance(bins, CategoryBins) or bins.discrete):
        shapes += _categories(p, whole, ordinary)
    if isinstance(bins, NumericBins) and np.count_nonzero(roles == "value") > 1:
        scores = normal_scores(p, roles)
        shapes += [*_tilts("location", p, _location_exponents(scores)), *_tilts("scale", p, _scale_exponents(scores))]
        shapes += [] if bins.discrete else [*_bumps(p, roles), *_atom_mass_moves(p, whole, bins)]
    groups = tuple(group for group, _ in shapes)
    sizes = {group: groups.count(group) for group in set(groups)}
    weights = np.array([GROUP_WEIGHTS[group] / sizes[group] for group in groups])
    return LikelihoodRatioBank(np.clip([h for _, h in shapes], FLOOR, CLIP), groups, weights / weights.sum())


def _loss_bank(p: Floats, bins: LossBins) -> LikelihoodRatioBank:
    """Functions that are linear in the loss r of a cell and grow with it: h = 1 + slope (r - m), m the mean under p.

    So the mean of h under any distribution q is that of a line: 1 + slope (E_q r - m). It depends on the mean loss
    alone, and rises with it. If E r <= U is known of the reference, then 1 + slope (U + tolerance - m) bounds the mean
    of h for every q whose mean loss is at most `tolerance` above the reference's, whatever its shape, and h over it is
    an e-value of exactly that hypothesis; a smaller loss can only lower the evidence. Slopes are the best ones for
    losses of `LOSS_STEPS` reference standard deviations more (for right or wrong h is then the likelihood ratio), as
    far as h stays positive and below the clip. A row without a loss is in no such cell (`tested_bins`).
    """
    bin_slice = tested_bins(bins)
    mass = p[bin_slice] / p[bin_slice].sum()
    mean = float(mass @ bins.atoms)
    spread = float(np.sqrt((bins.atoms - mean) ** 2 @ mass))
    most = min(MAX_LOSS_SLOPE / max(mean, 1e-9), (CLIP - 1) / max(1 - mean, 1e-9))
    slopes = np.minimum(np.array(LOSS_STEPS) / max(spread, 1e-9), most)
    h = np.ones((len(slopes), len(p)))
    h[:, bin_slice] = 1 + slopes[:, None] * (bins.atoms - mean)
    groups = tuple[AlternativeGroup, ...]("loss" for _ in slopes)
    return LikelihoodRatioBank(h, groups, np.full(len(slopes), 1 / len(slopes)), slopes)


def _tilts(group: AlternativeGroup, p: Floats, exponents: list[Floats]) -> Iterator[Shape]:
    """q ~ p exp(exponent), as h = q / p."""
    for exponent in exponents:
        h = np.exp(np.clip(exponent, -9.0, 9.0))
        yield group, h / (p @ h)


def _location_exponents(scores: Floats) -> list[Floats]:
    return [sign * theta * scores for theta in SHIFTS for sign in (1, -1)]


def _scale_exponents(scores: Floats) -> list[Floats]:
    """For a normal, tilting by eta (g^2 - 1) gives the variance 1 / (1 - 2 eta)."""
    ratios = [ratio for spread in SCALES for ratio in (spread, 1 / spread)]
    return [(1 - 1 / ratio**2) / 2 * (scores**2 - 1) for ratio in ratios]


def _bumps(p: Floats, roles: np.typing.NDArray[np.str_]) -> Iterator[Shape]:
    """Windows of a tenth of the mass, at a stride of half a window, twice and half as likely; and ends that empty.

    A shift empties one end of a skewed or bounded distribution long before it moves the middle by as much.
    """
    mass = np.where(roles == "value", p, 0.0)
    upper = np.cumsum(mass) / mass.sum()
    spans = np.stack([upper - mass / mass.sum(), upper])
    windows = [(start - 0.025, start + 0.075, factor) for start in np.arange(0, 0.951, 0.05) for factor in (2.0, 0.5)]
    ends = [(low, high, 1 / 8) for size in EMPTIED_TAILS for low, high in ((0.0, size), (1 - size, 1.0))]
    for low, high, factor in [*windows, *ends]:
        overlap = np.clip(np.minimum(spans[1], high) - np.maximum(spans[0], low), 0, None)
        share = overlap / np.where(mass > 0, mass / mass.sum(), 1.0)
        h = 1 + share * (factor - 1)
        yield "bump", h / (p @ h)


def _atom_mass_moves(p: Floats, whole: Floats, bins: NumericBins) -> Iterator[Shape]:
    """Mass that leaves the values with a cell of their own, as any shift or new unit makes it, or gathers there."""
    atoms = np.isin(np.arange(len(p)), FIRST_VALUE_BIN + np.flatnonzero(~np.isnan(bins.atoms)))
    between = np.isin(np.arange(len(p)), FIRST_VALUE_BIN + np.flatnonzero(np.isnan(bins.atoms)))
    mass, left = float(p[between].sum()), float(p[atoms].sum())
    if whole[atoms].sum() >= LEAST_ATOM_MASS and mass > 0:
        for target in (mass + left / 2, mass + left * 0.9, mass / 2):
            h = np.where(between, target / mass, np.where(atoms, (mass + left - target) / left, 1.0))
            yield "bump", h / (p @ h)


def _categories(p: Floats, whole: Floats, ordinary: Bools) -> Iterator[Shape]:
    """Each category that is heavy in the whole reference against all else, and the light ones together."""
    candidates = np.flatnonzero(ordinary)
    heavy = candidates[np.argsort(-whole[candidates], kind="stable")][:MAX_CATEGORIES]
    groups = [np.arange(len(p)) == bin_id for bin_id in heavy]
    rest = ordinary & ~np.isin(np.arange(len(p)), heavy)
    groups = groups[:1] if len(candidates) <= 2 else groups  # of two, one is the other's mirror
    for inside in [*groups, rest] if rest.any() else groups:
        mass = float(p[inside].sum())
        score = (inside - mass) / np.sqrt(mass * (1 - mass))
        steps = [sign * theta for theta in CATEGORY_SHIFTS for sign in (1, -1)]
        yield from _tilts("category", p, [np.clip(step * score, -3.0, 3.0) for step in steps])
        if whole[inside].sum() < 0.1:
            yield "category", _ratio(inside, mass, 3 * mass)


def _rare_bins(p: Floats, roles: np.typing.NDArray[np.str_], rows: float, tolerance: float) -> Iterator[Shape]:
    """What should be rare growing, against p, and once more against the most that the tolerance allows."""
    for role in ("missing", "unseen", "below", "above", "far", "inf"):
        inside = roles == role
        if not inside.any():
            continue
        group: AlternativeGroup = "outside" if role in {"below", "above"} else "special"
        mass = float(p[inside].sum())
        floor = max(mass, 5 / max(rows, 1.0))
        larger = [max(1.5 * mass, mass + 0.01), max(4 * mass, mass + 0.01)] if role == "missing" else [10 * floor]
        smaller = [mass / 4] if role == "missing" else []
        for target in [*larger, *smaller]:
            yield group, _ratio(inside, mass, target)
        allowed = min(mass + float(np.sqrt(tolerance * mass * (1 - mass))), (1 + mass) / 2)
        for target in [*(step * allowed for step in SPECIAL_FACTORS), max([10 * allowed, *larger])]:
            yield group, _ratio(inside, allowed, target)


def _ratio(inside: Bools, mass: float, target: float) -> Floats:
    """h of moving the mass of some cells to a target, the others in proportion."""
    target = min(target, (1 + mass) / 2)
    return np.where(inside, target / mass, (1 - target) / (1 - mass))
