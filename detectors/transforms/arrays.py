"""Derive features from embeddings, images and lists: norm, mean, and coordinates along the main directions.

Directions are fitted on the training split. Results are rounded to float32, so that they do not depend on the other
rows of a block.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from .. import schema
from ..batch import Array, Bools, Column, Floats, Ints, missing_mask
from ..cells import number_of
from ..splitmix import splitmix64
from .base import Block
from .linear import packed, unpacked
from .rows import ReferenceRows
from .single import COLUMN, SIDE, SingleColumnTransform, column_of

FOLDED = 512  # longer arrays are folded to this length
DIRECTIONS = 6
LONGEST_PACKED = 20_000  # characters of 6 directions of 512 numbers
FITTED_ROWS = 4096
CHUNK_NUMBERS = 2**16  # numbers processed together; they fit the cache
LONGEST_OF_ALL = 2**14  # longer arrays are processed for a share of the rows only
COMMON_LENGTH_SHARE = 0.95  # share of rows that must have one length; else only the length is monitored
LEAST_ARRAYS = 0.5  # the same share if empty lists count, which stand for arrays that are missing
OUTLYING = 100.0  # times the median distance from the centre, beyond which an array chooses no direction
KINDS = "fiub"
NUMBERS = frozenset((bool, float, int, np.bool_, np.float32, np.float64, np.int32, np.int64))


@dataclass(frozen=True)
class ArrayTransform(SingleColumnTransform):
    """Norm, mean, coordinates along the main directions, and the residual norm, of arrays of `length` numbers.

    An array longer than 512 is first folded to 512 numbers: every 512th number is added up with fixed random signs,
    which preserves distances in expectation (Charikar, Chen, Farach-Colton, 2002: count sketch). An array of another
    length, or with a NaN, an infinity or a text, is a mismatch and counts as missing. A list that is sent as
    text, or as texts, is a mismatch, too, but is read.

    Attributes:
        length: numbers per array, however nested.
        centre: mean of the folded reference arrays; float32, little-endian, base64.
        directions: their first principal components one after another; encoded in the same way.

    Example:
        >>> from pilotfish.detectors.batch import as_column
        >>> from pilotfish.detectors.transforms.arrays import ArrayTransform
        >>> from pilotfish.detectors.transforms.base import Block
        >>> from pilotfish.detectors.transforms.linear import packed
        >>> import numpy as np
        >>> transform = ArrayTransform("e", "input", 2, packed(np.zeros(2)), packed(np.array([1.0, 0.0])))
        >>> derived = transform.apply(Block({"e": as_column([[3.0, 4.0]])}, 1))
        >>> {name: float(column.values[0]) for name, column in derived.items()}
        {'e:norm': 5.0, 'e:mean': 3.5, 'e:pc1': 3.0, 'e:rest': 4.0}
    """

    kind: ClassVar[str] = "array"
    length: int
    centre: str
    directions: str

    @property
    def outputs(self) -> tuple[str, ...]:
        found = len(self._directions)
        coordinates = [f"pc{place + 1}" for place in range(found)]
        return self._named("norm", "mean", *coordinates, *["rest"] * (found < len(self._centre)))

    @property
    def share(self) -> float:
        return min(1.0, LONGEST_OF_ALL / self.length)

    def apply(self, block: Block) -> Mapping[str, Column]:
        column = block.columns[self.column]
        missing = missing_mask(column)
        outputs = self.outputs
        values = np.full((block.rows, len(outputs)), np.nan)
        wrong = ~missing
        for rows, arrays in _pieces(column, missing, self.length):
            whole = np.isfinite(arrays).all(axis=1)
            values[rows[whole]] = self._described(arrays[whole])
            wrong[rows[whole]] = False
        for rows, arrays in _texts(column, wrong, self.length):  # still mismatches, as a number that is sent as text is
            values[rows] = self._described(arrays)
        return {name: column_of(values[:, place], wrong) for place, name in enumerate(outputs)}

    def definition(self, output: str) -> Mapping[str, object]:
        """Return the length for norm and mean; the other outputs also depend on the fitted centre and directions."""
        return {"length": self.length} if output in self._named("norm", "mean") else self.document()

    @classmethod
    def from_document(cls, document: Mapping[str, Any], where: str) -> Self:
        made = schema.record(
            cls,
            centre=schema.text(most=LONGEST_PACKED),
            column=COLUMN,
            directions=schema.text(most=LONGEST_PACKED),
            length=schema.whole(1, 2**31 - 1),
            side=SIDE,
        )(document, where)
        width = min(made.length, FOLDED)
        unpacked(made.centre, (width,), f"{where}.centre")
        _unpacked_rows(made.directions, width, f"{where}.directions")
        return made

    def _described(self, arrays: Floats) -> Floats:
        """Return the outputs [rows, outputs] of arrays [rows, length]."""
        with np.errstate(over="ignore", invalid="ignore"):
            norm = np.sqrt(np.einsum("ij,ij->i", arrays, arrays))
            away = folded(arrays) - self._centre
            along = away @ self._directions.T
            out = [norm, arrays.mean(axis=1), *along.T]
            if len(self._directions) < len(self._centre):
                rest = np.einsum("ij,ij->i", away, away) - np.einsum("ij,ij->i", along, along)
                out.append(np.sqrt(np.maximum(rest, 0.0)))
            return np.stack(out, axis=1).astype(np.float32)  # rounding removes the effect of a row's place in a block

    @cached_property
    def _centre(self) -> Floats:
        return unpacked(self.centre, (min(self.length, FOLDED),), "centre")

    @cached_property
    def _directions(self) -> Floats:
        return _unpacked_rows(self.directions, len(self._centre), "directions")


@dataclass(frozen=True)
class ListTransform(SingleColumnTransform):
    """The number of entries of each list; any other value is a mismatch.

    Example:
        >>> from pilotfish.detectors.batch import as_column
        >>> from pilotfish.detectors.transforms.arrays import ListTransform
        >>> from pilotfish.detectors.transforms.base import Block
        >>> rows = Block({"tags": as_column([["a", "b"], []])}, 2)
        >>> ListTransform("tags", "input").apply(rows)["tags:count"].values.tolist()
        [2.0, 0.0]
    """

    kind: ClassVar[str] = "list"

    @property
    def outputs(self) -> tuple[str, ...]:
        return self._named("count")

    def apply(self, block: Block) -> Mapping[str, Column]:
        column = block.columns[self.column]
        counts = np.fromiter(map(_entries, column.values), dtype=np.float64, count=block.rows)
        missing = missing_mask(column)
        counts[missing] = np.nan
        return {self.outputs[0]: column_of(counts, ~missing & np.isnan(counts))}

    @classmethod
    def from_document(cls, document: Mapping[str, Any], where: str) -> Self:
        return schema.record(cls, column=COLUMN, side=SIDE)(document, where)


def fit_arrays(reference: ReferenceRows) -> list[ArrayTransform | ListTransform]:
    """Return a transform for each array column: of arrays if nearly all have one length, else of lists."""
    made: list[ArrayTransform | ListTransform] = []
    for name, type_ in reference.types.items():
        side = reference.sides[name]
        if type_ == "array" and side != "label":
            length = _common_length(reference.columns[name])
            if length:
                centre, directions = _main_directions(reference.columns[name], length)
                made.append(ArrayTransform(name, side, length, packed(centre), packed(directions)))
            else:
                made.append(ListTransform(name, side))
    return made


def _unpacked_rows(text: str, width: int, where: str) -> Floats:
    """Return the directions [at most DIRECTIONS, width]; their number follows from the size of the text."""
    found = min(len(text) * 3 // 4 // (4 * width), DIRECTIONS)
    return unpacked(text, (found, width), where)


def folded(arrays: Floats) -> Floats:
    """Return arrays [rows, length] folded to [rows, at most 512].

    The sign of a number depends on its position alone.
    """
    length = arrays.shape[1]
    if length <= FOLDED:
        return arrays
    together = math.ceil(length / FOLDED)
    signs = 1.0 - 2.0 * (splitmix64(np.arange(length, dtype=np.uint64)) >> np.uint64(63)).astype(np.float64)
    padded = np.zeros((len(arrays), together * FOLDED))
    np.multiply(arrays, signs, out=padded[:, :length])
    sums: Floats = padded.reshape(len(arrays), together, FOLDED).sum(axis=1)
    return sums


def _pieces(column: Column, missing: Bools, length: int) -> Iterator[tuple[Ints, Floats]]:
    """Yield row numbers and their arrays [rows, length], a bounded number at a time; unusable rows are left out."""
    rows, values = np.flatnonzero(~missing), column.values
    step = max(1, CHUNK_NUMBERS // length)
    if values.ndim > 1 and values.dtype.kind in KINDS:
        if math.prod(values.shape[1:]) == length:
            for first in range(0, len(rows), step):
                some = rows[first : first + step]
                yield some, values[some].reshape(len(some), length).astype(np.float64)
        return
    for first in range(0, len(rows), step):
        good, found = [], []
        for row in rows[first : first + step].tolist():
            array = _numbers_of(values[row])
            if array is not None and array.size == length:
                good.append(row)
                found.append(array.ravel())
        if good:
            with np.errstate(over="ignore"):
                yield np.array(good), np.array(found, dtype=np.float64)


def _numbers_of(value: object) -> Array | None:
    """Return a list or an array of numbers as an array; None for any other value."""
    if not isinstance(value, (list, tuple, np.ndarray)):
        return None
    try:
        array = np.asarray(value, dtype=None if isinstance(value, np.ndarray) else object)
        if array.dtype == object and NUMBERS.issuperset(map(type, array.ravel().tolist())):
            array = array.astype(np.float64)
    except (ValueError, TypeError, OverflowError, RecursionError):  # lists of several lengths, or too deep
        return None
    return array if array.ndim and array.dtype.kind in KINDS else None


def _texts(column: Column, wrong: Bools, length: int) -> Iterator[tuple[Ints, Floats]]:
    """Yield the rows in `wrong` whose list was sent as text, or whose numbers were, and their arrays [rows, length]."""
    rows = np.flatnonzero(wrong) if column.values.dtype == object else np.zeros(0, np.int64)
    step = max(1, CHUNK_NUMBERS // length)
    for first in range(0, len(rows), step):
        read = {row: _numbers_of_texts(column.values[row], length) for row in rows[first : first + step].tolist()}
        found = {row: array for row, array in read.items() if array is not None and np.isfinite(array).all()}
        if found:
            yield np.array(list(found)), np.array(list(found.values()))


def _numbers_of_texts(value: object, length: int) -> Floats | None:
    """Return `length` numbers of a list that is a text, or that holds texts; None for any other value."""
    try:
        found = json.loads(value) if isinstance(value, str) and value.lstrip().startswith("[") else value
        array = np.asarray(found if isinstance(found, (list, tuple)) else None, dtype=object)
    except (ValueError, RecursionError):  # no JSON, or lists of several lengths
        return None
    return np.array(list(map(number_of, array.ravel().tolist()))) if array.ndim and array.size == length else None


def _entries(value: object) -> float:
    return (
        float(len(value))
        if isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim)
        else np.nan
    )


def _common_length(column: Column) -> int:
    """Return the number of numbers that nearly every array has; 0 if lengths differ or values are not numbers.

    Empty lists stand for missing arrays and have no length, unless they are in the majority.
    """
    values, missing = column.values, missing_mask(column)
    if values.ndim > 1:
        return math.prod(values.shape[1:]) if values.dtype.kind in KINDS else 0
    present = np.flatnonzero(~missing)
    some = present[:: max(1, len(present) // FITTED_ROWS)].tolist()
    sizes = Counter(-1 if array is None else array.size for array in (_numbers_of(values[row]) for row in some))
    filled = len(some) - sizes.pop(0, 0)
    size, rows = sizes.most_common(1)[0] if sizes else (0, 0)
    return size if size > 0 and rows >= max(COMMON_LENGTH_SHARE * filled, LEAST_ARRAYS * len(some)) else 0


def _main_directions(column: Column, length: int) -> tuple[Floats, Floats]:
    """Return the mean [width] and the first principal components [directions, width] of evenly spread, folded rows."""
    present = np.flatnonzero(~missing_mask(column))
    spread = present[np.unique(np.linspace(0, len(present) - 1, min(FITTED_ROWS, len(present))).astype(int))]
    some = column.take(spread)
    parts = [
        folded(arrays[np.isfinite(arrays).all(axis=1)])
        for _, arrays in _pieces(some, np.zeros(len(spread), dtype=bool), length)
    ]
    width = min(length, FOLDED)
    rows = np.concatenate([np.zeros((0, width)), *parts])
    if not len(rows):
        return np.zeros(width), np.zeros((0, width))
    rows = rows[_usual_rows(rows)]
    centre = np.clip(rows.mean(axis=0), -_LARGEST, _LARGEST)
    away = np.clip(rows - centre, -_LARGEST, _LARGEST)
    scale = float(np.abs(away).max()) or 1.0
    directions = _principal(away / scale)
    largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1)
    return centre, directions * np.sign(largest)


def _usual_rows(rows: Floats) -> Bools:
    """Return which arrays [rows] lie near the others; the directions of one with a fill value would hide all others."""
    with np.errstate(over="ignore"):
        distances = np.abs(rows - np.median(rows, axis=0)).max(axis=1)
    typical = float(np.median(distances))
    usual: Bools = distances <= (OUTLYING * typical or np.inf)
    return usual


def _principal(rows: Floats) -> Floats:
    """Return the first principal components [components, width] of centred rows, from the smaller Gram matrix."""
    few = len(rows) < rows.shape[1]
    variances, vectors = np.linalg.eigh(rows @ rows.T if few else rows.T @ rows)
    first = np.argsort(variances)[::-1][:DIRECTIONS]
    first = first[variances[first] > 1e-9 * max(float(variances.max()), 1e-300)]
    found = rows.T @ vectors[:, first] / np.sqrt(variances[first]) if few else vectors[:, first]
    directions: Floats = found.T
    return directions


_LARGEST = 1e37  # within the range of float32
