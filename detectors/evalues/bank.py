"""The bank: for each feature the alternatives that are tested, as likelihood ratios by bin.

A likelihood ratio h holds one float per bin, 0 < h <= 20: how much more likely the bin is under one kind of drift than
under the reference. Any bounded positive function is valid, because `bounds` bounds its mean as it is. So the bank
decides how fast drift is found, and never whether the false-alarm guarantee holds.

The variance inflations in a profile belong to the alternatives one by one. A change of the alternatives or of their
order needs a new `BANK_VERSION`.
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

BANK_VERSION = 1  # of the alternatives and their order
CLIP = 20.0
FLOOR = 1e-4
SHIFTS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
SCALES = (1.1, 1.3, 1.8)
CATEGORY_SHIFTS = (0.1, 0.3, 0.8)
EMPTIED_TAILS = (0.05, 0.1, 0.2)  # shares of the mass at either end
MAX_CATEGORIES = 20
LOSS_STEPS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # increase of the mean loss, in reference standard deviations
MAX_LOSS_SLOPE = 0.95  # share of h that a row with zero loss may lose
LEAST_ATOM_MASS = 0.1  # mass on atoms from which moving it away is an alternative
SPECIAL_FACTORS = (1.25, 1.5, 2.0)  # growth of a rare bin beyond what the tolerance allows
GROUP_WEIGHTS: dict[AlternativeGroup, float] = {
    "bump": 0.2, "category": 0.5, "location": 0.4, "loss": 1.0, "outside": 0.1, "scale": 0.2, "special": 0.2,
}  # fmt: skip
ORDINARY_ROLES = frozenset({"value", "tail"})
Shape: TypeAlias = tuple[AlternativeGroup, Floats]


@dataclass(frozen=True)
class LikelihoodRatioBank:
    """The alternatives of one feature.

    Attributes:
        h: [alternatives, bins] likelihood ratios.
        groups: the group of each alternative.
        weights: [alternatives] prior weights that sum to one.
        slopes: [alternatives] for alternatives that are linear in a loss: the increase of h per unit of loss; else
            None.
    """

    h: Floats
    groups: tuple[AlternativeGroup, ...]
    weights: Floats
    slopes: Floats | None = None

    def restricted_to(self, bin_slice: slice) -> LikelihoodRatioBank:
        """Return the same alternatives on some of the bins."""
        return replace(self, h=self.h[:, bin_slice])


def build_bank(bins: Bins, training: Ints, tolerance: float, slot: Ints | None = None) -> LikelihoodRatioBank:
    """Return the alternatives of one feature, in an order that depends on `bins` and `training` alone.

    Args:
        bins: the bins of the feature.
        training: counts [bins] of the training split.
        tolerance: chi-square distance that counts as no drift.
        slot: counts [bins] of the training rows of one slot. The alternatives are then relative to that slot.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.binning.numeric import NumericBins
        >>> from pilotfish.detectors.evalues.bank import build_bank
        >>> bins = NumericBins.from_values(np.array([0.0, 1.0, 1.0, 0.0]))
        >>> bank = build_bank(bins, np.array([0, 0, 0, 60, 0, 40, 0, 0, 0, 0]), tolerance=0.0025)
        >>> bank.h.shape == (len(bank.groups), bins.size), bool(abs(bank.weights.sum() - 1) < 1e-9)
        (True, True)
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
    """Return alternatives that are linear in the loss r of a bin: h = 1 + slope (r - m), with m the mean loss under p.

    The mean of h under any distribution q is 1 + slope (E_q r - m). It depends on the mean loss alone and rises with
    it. If the reference gives E r <= U, then 1 + slope (U + tolerance - m) bounds the mean of h for every q whose mean
    loss is at most `tolerance` above the reference's. So h over this bound is an e-value of exactly that hypothesis,
    and a smaller loss can only lower the evidence.

    Slopes are the best ones for losses that are `LOSS_STEPS` reference standard deviations larger, as far as h stays
    positive and below the clip. For zero-one loss, h is then the likelihood ratio. Rows without a loss are in none of
    these bins (`tested_bins`).
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
    """Yield h = q / p for the tilted distributions q ~ p exp(exponent)."""
    for exponent in exponents:
        h = np.exp(np.clip(exponent, -9.0, 9.0))
        yield group, h / (p @ h)


def _location_exponents(scores: Floats) -> list[Floats]:
    return [sign * theta * scores for theta in SHIFTS for sign in (1, -1)]


def _scale_exponents(scores: Floats) -> list[Floats]:
    """Return the exponents of changes of spread.

    Tilting a normal by eta (g^2 - 1) gives the variance 1 / (1 - 2 eta).
    """
    ratios = [ratio for spread in SCALES for ratio in (spread, 1 / spread)]
    return [(1 - 1 / ratio**2) / 2 * (scores**2 - 1) for ratio in ratios]


def _bumps(p: Floats, roles: np.typing.NDArray[np.str_]) -> Iterator[Shape]:
    """Yield windows of a tenth of the mass, twice or half as likely, half a window apart, and tails that lose mass.

    A shift empties one tail of a skewed or bounded distribution long before it changes the middle by the same amount.
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
    """Yield moves of mass away from the atoms, as any shift or new unit causes, or towards them."""
    atoms = np.isin(np.arange(len(p)), FIRST_VALUE_BIN + np.flatnonzero(~np.isnan(bins.atoms)))
    between = np.isin(np.arange(len(p)), FIRST_VALUE_BIN + np.flatnonzero(np.isnan(bins.atoms)))
    mass, left = float(p[between].sum()), float(p[atoms].sum())
    if whole[atoms].sum() >= LEAST_ATOM_MASS and mass > 0:
        for target in (mass + left / 2, mass + left * 0.9, mass / 2):
            h = np.where(between, target / mass, np.where(atoms, (mass + left - target) / left, 1.0))
            yield "bump", h / (p @ h)


def _categories(p: Floats, whole: Floats, ordinary: Bools) -> Iterator[Shape]:
    """Yield each of the heaviest categories against all others, and the light ones together."""
    candidates = np.flatnonzero(ordinary)
    heavy = candidates[np.argsort(-whole[candidates], kind="stable")][:MAX_CATEGORIES]
    groups = [np.arange(len(p)) == bin_id for bin_id in heavy]
    rest = ordinary & ~np.isin(np.arange(len(p)), heavy)
    groups = groups[:1] if len(candidates) <= 2 else groups  # two categories mirror each other
    for inside in [*groups, rest] if rest.any() else groups:
        mass = float(p[inside].sum())
        score = (inside - mass) / np.sqrt(mass * (1 - mass))
        steps = [sign * theta for theta in CATEGORY_SHIFTS for sign in (1, -1)]
        yield from _tilts("category", p, [np.clip(step * score, -3.0, 3.0) for step in steps])
        if whole[inside].sum() < 0.1:
            yield "category", _ratio(inside, mass, 3 * mass)


def _rare_bins(p: Floats, roles: np.typing.NDArray[np.str_], rows: float, tolerance: float) -> Iterator[Shape]:
    """Yield growth of the bins that should be rare, against p and against the most that the tolerance allows."""
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
    """Return h for moving the mass of some bins to a target, the others in proportion."""
    target = min(target, (1 + mass) / 2)
    return np.where(inside, target / mass, (1 - target) / (1 - mass))
