"""Relations between columns: the residual of each column given the others, and how unusual a row is as a whole.

Let z be the standardised columns and P the inverse of their correlations. The residual of column i is (P z)_i /
sqrt(P_ii), with variance 1. If a correlation falls from .8 to 0, its variance becomes 4.6, although no single column
has changed. The Mahalanobis distance is sqrt(z' P z). The PCA error is what remains of z beside the principal
components that explain most of the variance.

An unknown value (see `Standardizer`) is replaced by its expectation given the others, -sum_j P_ij z_j / P_ii. This is
exact for one unknown value in a row, and one step of Jacobi's iteration for more. So the residuals of its partners stay
what they were: a missing or absurd value in one column is not an event in others. Its own residual is not counted in
that row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from .. import schema
from ..batch import Bools, Column, Family, Floats, Side
from ..errors import ProfileError, shown
from .base import Block
from .linear import (
    FEWEST_KNOWN,
    MOST_COLUMNS,
    Standardizer,
    matrix,
    packed,
    rounded_to_grid,
    share_of,
    unpacked,
)

RESIDUAL = "residual:"
DISTANCE = "mahalanobis"
ERROR = "pca_error"
MAX_PARTNERS = 3  # partners that are named for a residual
LEAST_PARTNER_CORRELATION = 0.1  # least partial correlation of a partner
LEAST_DEPENDENCE = 0.1  # least partial correlation through which a change is noticeable
LARGEST_PRECISION = 1e12  # correlations are shrunken, so entries of P stay below about 1000
LARGEST_COMPONENT = 1.001  # components are orthonormal up to rounding
LEAST_PRECISION = 1e-6  # of the diagonal, which is at least 1 up to rounding


@dataclass(frozen=True)
class RelationTransform:
    """Residuals, Mahalanobis distance and PCA error of the input columns.

    Attributes:
        inputs: the columns.
        outputs: "residual:column" for columns that the others predict well enough, "mahalanobis", "pca_error".
        scales: standardise the columns.
        precision: P [columns, columns].
        components: [columns, components], orthonormal.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.batch import as_column
        >>> from pilotfish.detectors.transforms.base import Block
        >>> from pilotfish.detectors.transforms.linear import Standardizer
        >>> from pilotfish.detectors.transforms.relations import RelationTransform
        >>> x = np.random.default_rng(1).normal(size=1000)
        >>> scales, _ = Standardizer.of(np.array([x, x]))
        >>> precision = np.linalg.inv(np.array([[1.0, 0.8], [0.8, 1.0]]))
        >>> components = np.full((2, 1), 0.5**0.5)
        >>> transform = RelationTransform(("a", "b"), ("mahalanobis",), 1.0, scales, precision, components)
        >>> rows = Block({"a": as_column([1.0, 1.0]), "b": as_column([1.0, -1.0])}, 2)
        >>> transform.apply(rows)["mahalanobis"].values.round(1).tolist()
        [1.1, 3.2]
    """

    kind: ClassVar[str] = "relations"

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    share: float
    scales: Standardizer
    precision: Floats
    components: Floats

    @property
    def side(self) -> Side:
        return "input"

    @property
    def family(self) -> Family:
        return "multivariate"

    @cached_property
    def partners(self) -> dict[str, tuple[str, ...]]:
        """By residual, at most three columns with the largest partial correlation to its column."""
        out = {}
        for row, name in enumerate(self.inputs):
            best = np.argsort(-self._partial[row], kind="stable")[:MAX_PARTNERS]
            out[RESIDUAL + name] = tuple(
                self.inputs[i] for i in best if self._partial[row, i] >= LEAST_PARTNER_CORRELATION
            )
        return out

    @cached_property
    def depends_on(self) -> dict[str, frozenset[str]]:
        """By residual, its column and the columns that noticeably enter it."""
        return {
            RESIDUAL + name: frozenset(
                [name, *(self.inputs[i] for i in np.flatnonzero(self._partial[row] >= LEAST_DEPENDENCE))]
            )
            for row, name in enumerate(self.inputs)
        }

    @cached_property
    def _partial(self) -> Floats:
        """Absolute partial correlations [columns, columns], with 0 on the diagonal."""
        root = np.sqrt(np.diag(self.precision))
        partial: Floats = np.abs(self.precision) / np.outer(root, root)
        np.fill_diagonal(partial, 0.0)
        return partial

    def apply(self, block: Block) -> Mapping[str, Column]:
        z, known = self.scales.transform(matrix(block, self.inputs))
        z, product = self._with_expectations(z, known)
        silent = known.sum(axis=0) < FEWEST_KNOWN
        distance = np.sqrt(np.maximum(np.einsum("ij,ij->j", z, product), 0.0))
        kept = self.components.T @ z
        error = np.sqrt(np.maximum(np.einsum("ij,ij->j", z, z) - np.einsum("ij,ij->j", kept, kept), 0.0))
        product /= np.sqrt(np.diag(self.precision))[:, None]
        rows = dict(zip((RESIDUAL + name for name in self.inputs), rounded_to_grid(product), strict=True))
        made = {name: Column(rows[name], ~known[row] | silent) for row, name in enumerate(rows)}
        made |= {DISTANCE: Column(rounded_to_grid(distance), silent), ERROR: Column(rounded_to_grid(error), silent)}
        return {name: made[name] for name in self.outputs}

    def _with_expectations(self, z: Floats, known: Bools) -> tuple[Floats, Floats]:
        """Return values with unknown ones replaced by their expectation, and their product with P."""
        product = self.precision @ z
        rows = np.flatnonzero(~known.all(axis=0))
        if len(rows):
            expected = -product[:, rows] / np.diag(self.precision)[:, None]
            z[:, rows] = np.where(known[:, rows], z[:, rows], expected)
            product[:, rows] = self.precision @ z[:, rows]
        return z, product

    def document(self) -> dict[str, Any]:
        upper = np.triu_indices(len(self.inputs))
        return {
            "components": packed(self.components),
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "precision": packed(self.precision[upper]),
            "scales": self.scales.document(),
            "share": self.share,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any], where: str) -> Self:
        known = _DOCUMENT(document, where)
        inputs, outputs = known["inputs"], known["outputs"]
        columns = len(inputs)
        unknown = sorted(set(outputs) - {DISTANCE, ERROR, *(RESIDUAL + name for name in inputs)})
        if unknown:
            raise ProfileError(f"{where}.outputs holds {shown(unknown)}, which do not exist; build the profile again")
        size = (columns * (columns + 1) // 2,)
        flat = unpacked(known["precision"], size, f"{where}.precision", most=LARGEST_PRECISION)
        precision = np.zeros((columns, columns))
        precision[np.triu_indices(columns)] = flat
        precision += np.triu(precision, 1).T
        if np.any(np.diag(precision) < LEAST_PRECISION):
            raise ProfileError(f"{where}.precision has a diagonal that is not positive; build the profile again")
        return cls(
            inputs=inputs,
            outputs=outputs,
            share=known["share"],
            scales=Standardizer.from_document(known["scales"], columns, f"{where}.scales"),
            precision=precision,
            components=_components(known["components"], columns, f"{where}.components"),
        )


_DOCUMENT = schema.fields(
    components=schema.anything,
    inputs=schema.names(1, MOST_COLUMNS),
    outputs=schema.names(1, MOST_COLUMNS + 2, schema.LONGEST_DERIVED),
    precision=schema.anything,
    scales=schema.anything,
    share=share_of,
)


def _components(text: object, columns: int, where: str) -> Floats:
    """Return the components [columns, components]; their number follows from the size of the text."""
    size = len(text) * 3 // 4 // (4 * columns) if isinstance(text, str) else 0
    if not 1 <= size <= columns:
        raise ProfileError(f"{where} must hold 1 to {columns} components, not {shown(text)}; build the profile again")
    return unpacked(text, (columns, size), where, most=LARGEST_COMPONENT)
