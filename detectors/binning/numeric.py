"""Bins of a numeric feature: intervals between cuts, and extra bins for values outside the reference range.

`reference.candidates` builds the bins; `digitize` runs for every live row. Each float64, NaN and infinity must fall
into exactly one bin, and `digitize` must not raise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from .. import schema
from ..batch import Bools, Column, Floats, Ints, is_missing
from ..cells import MISSING_WORDS, NUMBERS, TRUTHS, number_of
from .grid import LookUpGrid

QUANTILES = np.unique(np.r_[np.arange(1, 32) / 32, 0.001, 0.005, 0.01, 0.02, 0.98, 0.99, 0.995, 0.999])
COARSE_QUANTILES = np.arange(1, 16) / 16  # for features that need few bins
ATOM_MASS = 0.02  # a value with a larger share of the rows has a bin of its own
MAX_DISCRETE = 32  # up to this number of distinct values, each seen twice on average, every value has a bin
GRID_ROWS = 128  # number of rows from which the grid is faster than a search
PLAIN = {int, float, bool, type(None)}  # types that numpy converts, None to NaN
FIRST_VALUE_BIN = 3  # the bin of the first value, after -inf, far below and below
RELATIVE_TOLERANCE = 1e-6  # a value that went through float32 is still the same value
LARGEST_VALUE = 1e300  # reference values are clipped to it, so that no cut overflows
LARGEST_CUT = 10 * LARGEST_VALUE  # the outermost cuts lie beyond the values; differences of cuts stay finite
EXCESS_STEPS, LARGEST_EXCESS = 2**11, 2.0**31  # of `excess`, in parts of a bin's width, and for one row
DIGITS = 9  # significant ones of a mean
MOST_BINS = 4096  # of a feature; `from_values` makes about 150 at most, and losses by score six times as many


@dataclass(frozen=True)
class NumericBins:
    """Ordered bins: -inf, far, below, values, above, far, +inf and missing.

    Bin i holds borders[i-1] <= x < borders[i].

    Attributes:
        cuts: ascending inner borders: far | below | value ... value | above | far.
        atoms: for each value bin its single value, or NaN for an interval.
        discrete: whether every reference value has a bin of its own.
        centre, spread: mean and standard deviation of the reference values, for people.
        means: mean of the reference values in each bin from far below to far above, NaN for bins without rows; for
            people. None in profiles of earlier releases.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.batch import Column
        >>> from pilotfish.detectors.binning.numeric import NumericBins
        >>> bins = NumericBins.from_values(np.array([1.0, 2.0, 2.0, 3.0, 3.0, 1.0]))
        >>> bin_ids, mismatches = bins.digitize(Column(np.array([2.0, 2.5, 99.0, np.nan])))
        >>> [bins.roles[i] for i in bin_ids], mismatches
        (['value', 'unseen', 'far', 'missing'], 0)
    """

    cuts: Floats
    atoms: Floats
    discrete: bool
    centre: float
    spread: float
    means: Floats | None = None

    @classmethod
    def from_values(cls, values: Floats, quantiles: Floats = QUANTILES) -> NumericBins:
        """Build bins from the quantiles, atoms and range of finite reference values [n], n >= 1."""
        values = np.clip(values, -LARGEST_VALUE, LARGEST_VALUE)
        distinct, counts = np.unique(values, return_counts=True)
        discrete = len(distinct) <= max(2, min(MAX_DISCRETE, len(values) // 2))
        atoms = distinct if discrete else distinct[counts > ATOM_MASS * len(values)]
        below, above = _around(distinct)
        low, high = below[0], above[-1]
        at = np.searchsorted(distinct, atoms)
        inner = np.concatenate([below[at], above[at]])
        if not discrete:
            edges = np.unique(np.quantile(values, quantiles, method="inverted_cdf"))
            edges = edges[(edges > distinct[0]) & (edges < distinct[-1])]
            taken = np.searchsorted(below[at], edges, side="right") > np.searchsorted(above[at], edges, side="left")
            inner = np.concatenate([inner, edges[~taken]])
        inner = np.unique(inner[(inner > low) & (inner < high)])
        reach = max((high - low) / 2, abs(high) * RELATIVE_TOLERANCE, abs(low) * RELATIVE_TOLERANCE, 1e-300)
        reach = 0.5 * max(abs(low), 1.0) if len(distinct) == 1 else reach
        cuts = np.concatenate([[low - reach, low], inner, [high, high + reach]])
        scale = float(np.max(np.abs(values))) or 1.0
        centre, spread = float(np.mean(values / scale)) * scale, float(np.std(values / scale)) * scale
        return cls(np.unique(cuts), _atoms_of_bins(np.unique(cuts), atoms), discrete, centre, spread)

    def described(self, values: Floats, bin_ids: Ints) -> Self:
        """Return the bins with centre, spread and means of all reference values [rows], which have these bins."""
        finite = np.isfinite(values)
        values, places = np.clip(values[finite], -LARGEST_VALUE, LARGEST_VALUE), bin_ids[finite] - 1
        if not len(values):
            return self
        scale = float(np.max(np.abs(values))) or 1.0
        centre, spread = float(np.mean(values / scale)) * scale, float(np.std(values / scale)) * scale
        rows = np.bincount(places, minlength=len(self.cuts) + 1)
        sums = np.bincount(places, values / scale, minlength=len(self.cuts) + 1)
        with np.errstate(invalid="ignore"):
            means = sums / rows * scale  # a bin without rows: 0 / 0
        rounded = np.array([float(f"{mean:.{DIGITS}g}") for mean in means])
        return replace(self, centre=centre, spread=spread, means=rounded)

    @cached_property
    def positions(self) -> Floats:
        """[bins] where the reference rows of each bin are on average: infinite for inf, NaN for missing.

        Bins without known rows have the middle of a closed bin, or the border of an open one.
        """
        cuts = self.cuts
        middles = cuts[1:-2] + np.diff(cuts[1:-1]) / 2
        usual = np.concatenate([cuts[:1], [(cuts[0] + cuts[1]) / 2], middles, [(cuts[-2] + cuts[-1]) / 2], cuts[-1:]])
        usual[2:-2] = np.where(np.isnan(self.atoms), middles, self.atoms)
        inner = usual if self.means is None else np.where(np.isnan(self.means), usual, self.means)
        return np.concatenate([[-np.inf], np.maximum.accumulate(inner), [np.inf, np.nan]])

    @property
    def excess_units(self) -> Floats:
        """[2] the units of `excess`, below and above: the width of the bin next to the range, divided by 2048."""
        reach: Floats = np.array([self.cuts[1] - self.cuts[0], self.cuts[-1] - self.cuts[-2]])
        return np.maximum(reach / EXCESS_STEPS, np.finfo(np.float64).tiny)

    def excess(self, column: Column, bin_ids: Ints) -> Ints:
        """Return how far finite values lie below and above the range in all, int64 [2] in `excess_units`.

        Each row is rounded by itself, so the sums of parts add up exactly. A row counts at most 2^20 times the width of
        the bin next to the range, so that the sum of 2^32 rows fits.
        """
        outside = np.flatnonzero((bin_ids < FIRST_VALUE_BIN) | (bin_ids >= self.size - FIRST_VALUE_BIN - 1))
        values, _ = to_floats(column.take(outside))
        values = values[np.isfinite(values)]
        with np.errstate(over="ignore"):
            steps = np.array([self.cuts[1] - values, values - self.cuts[-2]]) / self.excess_units[:, None]
        out: Ints = np.rint(np.clip(steps, 0.0, LARGEST_EXCESS)).astype(np.int64).sum(axis=1)
        return out

    @cached_property
    def borders(self) -> Floats:
        """The borders for `searchsorted`: the cuts between the infinities, NaN last."""
        return np.concatenate([[np.finfo(np.float64).min], self.cuts, [np.inf, np.nan]])

    @cached_property
    def _grid(self) -> LookUpGrid:
        return LookUpGrid.from_borders(self.borders)

    @cached_property
    def binary(self) -> bool:
        """Whether the reference has no other values than 0 and 1, which also stand for false and true."""
        return self.discrete and set(self.atoms[~np.isnan(self.atoms)].tolist()) <= {0.0, 1.0}

    @property
    def size(self) -> int:
        return len(self.cuts) + 4

    @cached_property
    def roles(self) -> tuple[str, ...]:
        gap = "unseen" if self.discrete else "value"
        values = [gap if np.isnan(atom) else "value" for atom in self.atoms]
        return ("inf", "far", "below", *values, "above", "far", "inf", "missing")

    @cached_property
    def labels(self) -> tuple[str, ...]:
        edges = [f"{cut:.6g}" if abs(cut) > 1e-300 else "0" for cut in self.cuts]
        inner = [
            f"[{low}, {high})" if np.isnan(atom) else f"{atom:.6g}"
            for low, high, atom in zip(edges[1:-2], edges[2:-1], self.atoms, strict=True)
        ]
        low, high = edges[1], edges[-2]
        return (
            "-inf", f"far below {edges[0]}", f"below {low}", *inner,
            f"above {high}", f"far above {edges[-1]}", "+inf", "missing",
        )  # fmt: skip

    def digitize(self, column: Column) -> tuple[Ints, int]:
        """Return bin numbers [rows], and how many values were not numbers."""
        values, mismatches = to_floats(column)
        if len(values) < GRID_ROWS:
            return np.searchsorted(self.borders, values, side="right"), mismatches
        return self._grid.digitize(values), mismatches

    def document(self) -> dict[str, Any]:
        return {
            "atoms": [None if np.isnan(atom) else atom for atom in self.atoms.tolist()],
            "centre": self.centre, "cuts": self.cuts.tolist(), "discrete": self.discrete, "spread": self.spread,
            "means": None if self.means is None else [None if np.isnan(m) else m for m in self.means.tolist()],
        }  # fmt: skip

    @classmethod
    def from_document(cls, document: object, where: str) -> Self:
        known = _DOCUMENT(document, where)
        cuts = schema.ascending(known["cuts"], f"{where}.cuts")
        atoms = np.array([np.nan if atom is None else atom for atom in known["atoms"]])
        cls._check_atoms(schema.sized(atoms, len(cuts) - 3, f"{where}.atoms"), cuts, f"{where}.atoms")
        means = known["means"]
        if means is not None:
            means = np.array([np.nan if mean is None else mean for mean in means])
            schema.sized(means, len(cuts) + 1, f"{where}.means")
        return cls(cuts, atoms, known["discrete"], known["centre"], known["spread"], means)

    @classmethod
    def _check_atoms(cls, atoms: Floats, cuts: Floats, where: str) -> None:
        """Raise ProfileError unless each atom lies in its bin."""
        wrong = np.flatnonzero((atoms < cuts[1:-2]) | (atoms >= cuts[2:-1]))
        if len(wrong):
            at = int(wrong[0])
            raise schema.unfit(f"{where}[{at}]", f"from {cuts[1 + at]} to {cuts[2 + at]}", atoms[at].item())


_DOCUMENT = schema.fields(
    atoms=schema.listed(schema.optional(schema.real(-LARGEST_CUT, LARGEST_CUT)), 1, MOST_BINS),
    centre=schema.real(-LARGEST_CUT, LARGEST_CUT),
    cuts=schema.reals(-LARGEST_CUT, LARGEST_CUT, fewest=4, longest=MOST_BINS),
    discrete=schema.flag,
    means=schema.optional(schema.listed(schema.optional(schema.real(-LARGEST_CUT, LARGEST_CUT)), 1, MOST_BINS)),
    spread=schema.real(0, 2 * LARGEST_CUT),
)


def to_floats(column: Column, *, text_numbers: bool = False) -> tuple[Floats, int]:
    """Return the values as float64 [rows], NaN where a value is missing or unusable, and the number of non-numbers.

    A text that is a number is read as this number, true as 1 and false as 0. It counts as a non-number, unless it is
    a number and `text_numbers` is true.
    """
    values, kind = column.values, column.values.dtype.kind
    missing = column.missing
    mismatches = 0
    if values.ndim > 1:
        return np.full(len(values), np.nan), len(values)
    if kind in "fiub":
        out = values.astype(np.float64, copy=missing is not None)
    elif kind == "M":
        out = values.astype("datetime64[us]").astype(np.float64) / 1e6
        out[np.isnat(values)] = np.nan
    else:
        out, mismatches = _parsed(values.tolist(), missing, text_numbers=text_numbers)
    if missing is not None:
        out[missing] = np.nan
    return out, mismatches


def _parsed(values: list[object], missing: Bools | None, *, text_numbers: bool) -> tuple[Floats, int]:
    if set(map(type, values)) <= PLAIN:
        try:
            return np.array(values, dtype=np.float64), 0
        except OverflowError:  # an integer beyond a double
            pass
    out = np.full(len(values), np.nan)
    absent = [False] * len(values) if missing is None else missing.tolist()
    mismatches = 0
    for row, value in enumerate(values):
        if absent[row] or is_missing(value):
            continue
        out[row] = number = number_of(value)
        if isinstance(value, NUMBERS) or (text_numbers and number == number):  # not NaN
            continue
        word = value.strip() if isinstance(value, str) else None
        if word not in MISSING_WORDS:  # a word that the profile keeps as a category is missing among numbers
            mismatches += 1
            out[row] = TRUTHS.get(word.lower(), number) if word else number
    return out, mismatches


def _around(distinct: Floats) -> tuple[Floats, Floats]:
    """Return the borders below and above each of ascending values, within which a value still counts as that value.

    The width is the relative tolerance, and at most a quarter of the gap to the next value.
    """
    gaps = np.diff(distinct) / 4
    slack = np.abs(distinct) * RELATIVE_TOLERANCE
    below = distinct - np.minimum(slack, np.concatenate([[np.inf], gaps]))
    above = distinct + np.minimum(slack, np.concatenate([gaps, [np.inf]]))
    return np.nextafter(below, -np.inf), np.nextafter(above, np.inf)


def _atoms_of_bins(cuts: Floats, atoms: Floats) -> Floats:
    """Return the atom of each value bin cuts[1:-2]..cuts[2:-1], or NaN."""
    out = np.full(len(cuts) - 3, np.nan)
    bin_ids = np.searchsorted(cuts, atoms, side="right") - 2
    keep = (bin_ids >= 0) & (bin_ids < len(out))
    out[bin_ids[keep]] = atoms[keep]
    return out
