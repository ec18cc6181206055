"""Test whether the numeric inputs are related in the reference, and fit the transforms that monitor their relations.

One of the fits in `fit.FITS`. Random directions follow from the column names, so a profile that is built again is
equal.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ..batch import Bools, Floats
from ..splitmix import splitmix64
from .base import Transform
from .cosines import RandomFourierFeatures
from .linear import MOST_COLUMNS, Standardizer, matrix
from .relations import DISTANCE, ERROR, RESIDUAL, RelationTransform
from .rows import ReferenceRows

FEWEST_ROWS = 200  # rows of the training split
MOST_ROWS = 50_000  # rows of the training split that correlations are computed from
LEAST_KNOWN = 0.5  # share of rows in which a column has a value
EXPLAINED = 0.1  # share of a column's variance that the others must explain; else its residual is not monitored
RIDGE = 1e-3  # least weight of the identity, which bounds the residuals of equal columns
VARIANCE = 0.9  # share of the variance that the principal components explain
COSINES = 32
# The shares of live rows keep the cost at a twentieth of what the analyzer spends on a row: 1.5 of 27 us for 20 columns
# in JSON, 6 of 135 us for 100 columns.
COSINE_SHARE = 0.125
FULL_COLUMNS = 50  # up to this number of columns, residuals are computed for every row; with more columns, for a share


@dataclass(frozen=True)
class CorrelatedColumns:
    """Columns that are monitored jointly.

    Attributes:
        scales: standardise them.
        correlations: [columns, columns], shrunken towards independence.
    """

    names: tuple[str, ...]
    scales: Standardizer
    correlations: Floats


def fit_relations(part: ReferenceRows) -> list[Transform]:
    """Return residuals and random Fourier features of the numeric inputs.

    The result is empty if fewer than two columns are related, or for few rows.
    """
    related = _related(part)
    if related is None:
        return []
    taken = set(part.columns)
    precision = np.asarray(np.linalg.inv(related.correlations), dtype=np.float64)
    explained = 1 - 1 / np.diag(precision)
    residuals = [RESIDUAL + name for name, ratio in zip(related.names, explained, strict=True) if ratio >= EXPLAINED]
    if not residuals:
        return []
    outputs = tuple(name for name in [*residuals, DISTANCE, ERROR] if name not in taken)
    share = min(1.0, FULL_COLUMNS / len(related.names))
    relations = RelationTransform(
        related.names,
        outputs,
        share,
        related.scales,
        _as_stored(precision),
        _as_stored(_components(related.correlations)),
    )
    return [relations, _cosines(related, taken)]


def _related(part: ReferenceRows) -> CorrelatedColumns | None:
    names = tuple(
        name for name, type_ in part.types.items() if type_ in {"numeric", "integer"} and part.sides[name] == "input"
    )[:MOST_COLUMNS]
    if len(names) < 2 or part.rows < FEWEST_ROWS:
        return None
    rows = np.unique(np.linspace(0, part.rows - 1, min(part.rows, MOST_ROWS)).astype(np.int64))
    values = matrix(part.block(names).take(rows), names)
    scales, usable = Standardizer.of(np.where(np.isfinite(values), values, np.nan))
    names = tuple(name for name, use in zip(names, usable, strict=True) if use)
    if len(names) < 2:
        return None
    z, known = scales.transform(values[usable])
    full = known.mean(axis=1) >= LEAST_KNOWN
    if full.sum() < 2:
        return None
    names = tuple(name for name, use in zip(names, full, strict=True) if use)
    return CorrelatedColumns(names, scales.take(full), _correlations(z[full], known[full]))


def _correlations(z: Floats, known: Bools) -> Floats:
    """Return the correlations [columns, columns] over the rows that have both values, shrunken towards independence.

    The weight of independence has the least squared error (Schaefer, Strimmer: A shrinkage approach to large-scale
    covariance matrix estimation, 2005, after Ledoit and Wolf): the sum of the estimates' variances over the sum of
    their squares, at least `RIDGE`.
    """
    known_f = known.astype(np.float64)
    pairs = np.maximum(known_f @ known_f.T, 1.0)
    raw = np.clip(z @ z.T / pairs, -1.0, 1.0)
    variances = (z**2 @ (z**2).T / pairs - raw**2) / pairs
    off = ~np.eye(len(z), dtype=bool)
    squares = float((raw[off] ** 2).sum())
    weight = float(np.clip(variances[off].sum() / squares, RIDGE, 1.0)) if squares > 0 else 1.0
    np.fill_diagonal(raw, 1.0)
    shrunk = (1 - weight) * raw + weight * np.eye(len(z))
    values, vectors = np.linalg.eigh(shrunk)
    if values[0] >= RIDGE / 2:
        return shrunk
    fixed = (vectors * np.maximum(values, RIDGE)) @ vectors.T  # pairwise missing values can make it indefinite
    root = np.sqrt(np.diag(fixed))
    out: Floats = fixed / np.outer(root, root)
    return out


def _components(correlations: Floats) -> Floats:
    """Return the principal components [columns, components] that explain `VARIANCE`, at most one fewer than columns."""
    values, vectors = np.linalg.eigh(correlations)
    held = np.cumsum(values[::-1]) / values.sum()
    count = int(np.clip(np.searchsorted(held, VARIANCE) + 1, 1, len(values) - 1))
    out: Floats = vectors[:, ::-1][:, :count]
    return out


def _cosines(related: CorrelatedColumns, taken: set[str]) -> RandomFourierFeatures:
    """Return random Fourier features for a kernel as wide as the distance between rows, seeded by the column names."""
    outputs = tuple(f"cosine:{number}" for number in range(COSINES))
    columns = len(related.names)
    seed = int.from_bytes(hashlib.sha256("\0".join(related.names).encode("utf-8", "replace")).digest()[:7], "big")
    draws = splitmix64(np.arange(seed, seed + COSINES * (columns + 1), dtype=np.uint64)) / 2.0**64
    inverse = np.vectorize(NormalDist().inv_cdf, otypes=[float])
    normal = inverse(np.clip(draws[COSINES:], 1e-12, 1 - 1e-12)).reshape(COSINES, columns)
    values, vectors = np.linalg.eigh(related.correlations)
    whitening = (vectors / np.sqrt(values)) @ vectors.T
    directions = normal @ whitening / np.sqrt(2 * columns)
    keep = np.array([name not in taken for name in outputs])
    return RandomFourierFeatures(
        inputs=related.names,
        outputs=tuple(name for name in outputs if name not in taken),
        share=COSINE_SHARE,
        scales=related.scales,
        directions=_as_stored(directions[keep]),
        phases=_as_stored(2 * np.pi * draws[:COSINES][keep]),
    )


def _as_stored(values: Floats) -> Floats:
    """Return values as a profile stores them, so that a profile gives the same bits before and after it is written."""
    return values.astype(np.float32).astype(np.float64)
