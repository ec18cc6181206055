"""Standardise several numeric columns, and encode the arrays that a profile stores for them.

`relations` and `cosines` share it. Results are rounded (`rounded_to_grid`), so that sums in another order give the same
bins.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import schema
from ..batch import Bools, Floats
from ..binning.numeric import to_floats
from ..errors import ProfileError, shown
from .base import Block

MOST_COLUMNS = 100
FEWEST_KNOWN = 2  # known values that a row needs
RANGE_TAIL = 0.0005  # share of the rows beyond either end of a column's range
HEAVY_TAIL_SDS = 8.0  # a range that reaches further, in sd of the middle half, is put on a logarithmic scale
FILL_GAP = 10.0  # times the distance from the median of the next value, beyond which a repeated value is a fill value
GARBAGE_GAP = 100.0  # the same for values that are not repeated, or where half of the values are equal
MEDIAN_DISTANCE_SDS = 1.4826  # standard deviations of a normal distribution per median distance from the median
ROUNDING = 2.0**20  # results are rounded to a multiple of its inverse


@dataclass(frozen=True)
class Standardizer:
    """The scales of several columns, which bring them to mean 0 and variance 1; all arrays are [columns].

    A value is unknown if it is missing, not a number, or outside the reference range by more than half its width. Such
    a value is an event of its own column and carries no information about relations. Fill values of the reference, such
    as -999, 1e9 or -9223372036854775808 for a missing number, are no part of its range.

    Attributes:
        centre, spread: median, and standard deviation from the middle half.
        heavy: whether arcsinh((x - centre) / spread) is standardised, for columns with a heavy tail.
        mean, sd: of the transformed values.
        low, high: the range, standardised.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.transforms.linear import Standardizer
        >>> scales, usable = Standardizer.of(np.array([np.arange(1000.0), np.full(1000, 7.0)]))
        >>> z, known = scales.transform(np.array([[499.5, 1e9, np.nan]]))
        >>> usable.tolist(), z.round(2).tolist(), known.tolist()
        ([True, False], [[0.0, 0.0, 0.0]], [[True, False, False]])
    """

    centre: Floats
    spread: Floats
    heavy: Bools
    mean: Floats
    sd: Floats
    low: Floats
    high: Floats

    @classmethod
    def of(cls, values: Floats) -> tuple[Standardizer, Bools]:
        """Return the scales of the usable columns, and which columns are usable.

        `values` is [columns, rows]; NaN is missing.
        """
        with np.errstate(all="ignore"):
            found = [_scale(row[np.isfinite(row)]) for row in values]
        usable = np.array([scale is not None for scale in found])
        parts = np.array([scale for scale in found if scale is not None]).reshape(-1, 7).T
        return cls(parts[0], parts[1], parts[2] > 0, *parts[3:]), usable

    def take(self, columns: Bools) -> Standardizer:
        """Return the scales of some columns, by mask."""
        rest = {name: values[columns] for name, values in vars(self).items() if name != "heavy"}
        return Standardizer(heavy=self.heavy[columns], **rest)

    def transform(self, values: Floats) -> tuple[Floats, Bools]:
        """Return standardised values [columns, rows], 0 where unknown, and which values are known."""
        with np.errstate(all="ignore"):
            out = values - self.centre[:, None]
            out /= self.spread[:, None]
            if self.heavy.any():
                out[self.heavy] = np.arcsinh(out[self.heavy])
            out -= self.mean[:, None]
            out /= self.sd[:, None]
            known = (out >= self.low[:, None]) & (out <= self.high[:, None])
        out[~known] = 0.0
        return out, known

    def document(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {name: packed(values.astype(np.float64), "<f8") for name, values in vars(self).items()}

    @classmethod
    def from_document(cls, document: Mapping[str, Any], columns: int, where: str) -> Standardizer:
        """Return the scales in a document.

        Raises:
            ProfileError: an array is damaged, a width is not positive, or a range is empty.
        """
        known = _SCALES(document, where)
        arrays = {
            name: unpacked(known[name], (columns,), f"{where}.{name}", "<f8", most) for name, most in _MOST.items()
        }
        heavy = arrays.pop("heavy") > 0
        made = cls(heavy=heavy, **arrays)
        if not (np.all(made.spread > 0) and np.all(made.sd > 0) and np.all(made.low < made.high)):
            raise ProfileError(f"{where} has a width that is not positive; build the profile again")
        return made


_FURTHEST = 1e30  # largest standardised value: products of two of them are finite
_MOST = {
    "centre": schema.LARGEST, "heavy": 1.0, "high": _FURTHEST, "low": _FURTHEST,
    "mean": schema.LARGEST, "sd": schema.LARGEST, "spread": schema.LARGEST,
}  # fmt: skip
_SCALES = schema.fields(**dict.fromkeys(_MOST, schema.anything))


def _scale(values: Floats) -> tuple[float, ...] | None:
    """Return a column's centre, spread, heavy, mean, sd, low and high; None if its values do not vary."""
    values = without_fill_values(values)
    if len(values) < 3:
        return None
    rare = max(RANGE_TAIL, 1.5 / len(values))
    at = (rare, 0.25, 0.5, 0.75, 1 - rare)
    bottom, lower, centre, upper, top = (float(x) for x in np.quantile(values, at, method="inverted_cdf"))
    spread = (upper - lower) / 1.349 or (top - bottom) / 6
    if not (np.isfinite(spread) and spread > 1e-12 * max(abs(bottom), abs(top))):
        return None
    scaled = (values - centre) / spread
    ends = (np.array([bottom, top]) - centre) / spread
    heavy = bool(np.abs(ends).max() > HEAVY_TAIL_SDS)
    scaled, ends = (np.arcsinh(scaled), np.arcsinh(ends)) if heavy else (scaled, ends)
    half = (ends[1] - ends[0]) / 2
    low, high = ends[0] - half, ends[1] + half
    inside = scaled[(scaled >= low) & (scaled <= high)]
    mean, sd = float(inside.mean()), float(inside.std())
    out = (centre, spread, float(heavy), mean, sd, (low - mean) / sd, (high - mean) / sd)
    return out if sd > 0 and np.all(np.isfinite(out)) else None


def without_fill_values(values: Floats) -> Floats:
    """Return finite values [n] without those that stand for a missing number, in their order.

    Fill values are fewer than half of the values and lie far beyond all others. Their distance from the median is more
    than `HEAVY_TAIL_SDS` standard deviations, and `FILL_GAP` times that of the next value if the nearest of them is
    repeated, else `GARBAGE_GAP` times. Heavy tails have no such gap.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.transforms.linear import without_fill_values
        >>> without_fill_values(np.array([1.0, -999.0, 2.0, 3.0, 1e30, 4.0, -999.0, 5.0])).tolist()
        [1.0, 2.0, 3.0, 4.0, 5.0]
    """
    if len(values) < 3:
        return values
    with np.errstate(over="ignore"):
        distances = np.abs(values - np.quantile(values, 0.5, method="inverted_cdf"))
    order = np.argsort(distances, kind="stable")
    ascending = distances[order]
    half = len(values) // 2
    near, far = ascending[half:-1], ascending[half + 1 :]
    gap = FILL_GAP if ascending[half] > 0 else GARBAGE_GAP
    with np.errstate(over="ignore"):
        apart = (near > 0) & (far > np.maximum(gap * near, HEAVY_TAIL_SDS * MEDIAN_DISTANCE_SDS * ascending[half]))
        garbage = far > GARBAGE_GAP * near
    for place in np.flatnonzero(apart) + half + 1:
        nearest = values[order[place]]
        if np.count_nonzero(values == nearest) > 1 or (garbage[place - half - 1] and place < len(values) - 1):
            return values[np.sort(order[:place])]
    return values


def matrix(block: Block, names: tuple[str, ...]) -> Floats:
    """Return the named columns as numbers [columns, rows], NaN where a value is missing or not a number."""
    out = np.empty((len(names), block.rows))
    for position, name in enumerate(names):
        out[position] = to_floats(block.columns[name])[0]
    return out


def rounded_to_grid(values: Floats) -> Floats:
    """Return values rounded to a multiple of 1 / `ROUNDING`.

    Rows in other blocks then get the same bins, although sums are computed in another order.
    """
    out: Floats = np.rint(values * ROUNDING)
    out /= ROUNDING
    return out


def packed(values: Floats, type_: str = "<f4") -> str:
    """Return an array as base64 of little-endian floats."""
    return base64.b64encode(np.ascontiguousarray(values).astype(type_).tobytes()).decode("ascii")


def unpacked(
    text: object, shape: tuple[int, ...], where: str, type_: str = "<f4", most: float = schema.LARGEST
) -> Floats:
    """Return the array of `packed` as float64.

    Raises:
        ProfileError: the text is not base64, or the array has another size or a number beyond +-`most`.
    """
    size = int(np.prod(shape)) * np.dtype(type_).itemsize
    try:
        raw = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != size:
        raise ProfileError(f"{where} must be an array of {shape} numbers, not {shown(text)}; build the profile again")
    out = np.frombuffer(raw, dtype=type_).astype(np.float64).reshape(shape)
    wrong = np.flatnonzero(~(np.abs(out) <= most))  # also NaN
    if len(wrong):
        raise schema.unfit(f"{where}[{wrong[0]}]", f"from -{most:g} to {most:g}", out.flat[wrong[0]].item())
    return out


LEAST_SHARE = 2.0**-32  # of the live rows; smaller ones count no rows
share_of = schema.real(LEAST_SHARE, 1.0)
