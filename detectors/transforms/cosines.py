"""Random Fourier features of whole rows: a change in any relation, of any shape, changes some of their means.

cos(w' z + b) with normal w and uniform b are features of a Gaussian kernel (Rahimi, Recht: Random features for
large-scale kernel machines, 2007). So the means of many of them measure the maximum mean discrepancy. The columns are
decorrelated first. The kernel is as wide as the distance between typical rows, so nearly equal columns would otherwise
hide small differences.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from .. import schema
from ..batch import Column, Family, Floats, Side
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

MOST_COSINES = 64
LARGEST_DIRECTION = 1e6  # of a direction or phase; correlations are shrunken, so directions stay below about 1000


@dataclass(frozen=True)
class RandomFourierFeatures:
    """Cosines of random projections of the input columns; an unknown value (see `Standardizer`) counts as the mean.

    Attributes:
        inputs: the columns.
        outputs: "cosine:number".
        scales: standardise the columns.
        directions: [cosines, columns] of the standardised columns.
        phases: [cosines] in radians.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.batch import as_column
        >>> from pilotfish.detectors.transforms.base import Block
        >>> from pilotfish.detectors.transforms.cosines import RandomFourierFeatures
        >>> from pilotfish.detectors.transforms.linear import Standardizer
        >>> scales, _ = Standardizer.of(np.random.default_rng(1).normal(size=(2, 500)))
        >>> directions, phases = np.zeros((1, 2)), np.array([np.pi])
        >>> transform = RandomFourierFeatures(("a", "b"), ("cosine:0",), 1.0, scales, directions, phases)
        >>> transform.apply(Block({"a": as_column([0.1]), "b": as_column([0.2])}, 1))["cosine:0"].values.tolist()
        [-1.0]
    """

    kind: ClassVar[str] = "cosines"

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    share: float
    scales: Standardizer
    directions: Floats
    phases: Floats

    @property
    def side(self) -> Side:
        return "input"

    @property
    def family(self) -> Family:
        return "multivariate"

    def apply(self, block: Block) -> Mapping[str, Column]:
        z, known = self.scales.transform(matrix(block, self.inputs))
        silent = known.sum(axis=0) < FEWEST_KNOWN
        values = rounded_to_grid(np.cos(self.directions @ z + self.phases[:, None]))
        return {name: Column(row, silent) for name, row in zip(self.outputs, values, strict=True)}

    def document(self) -> dict[str, Any]:
        return {
            "directions": packed(self.directions),
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "phases": packed(self.phases),
            "scales": self.scales.document(),
            "share": self.share,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any], where: str) -> Self:
        known = _DOCUMENT(document, where)
        inputs, outputs = known["inputs"], known["outputs"]
        shapes = {"directions": (len(outputs), len(inputs)), "phases": (len(outputs),)}
        arrays = {
            name: unpacked(known[name], shape, f"{where}.{name}", most=LARGEST_DIRECTION)
            for name, shape in shapes.items()
        }
        scales = Standardizer.from_document(known["scales"], len(inputs), f"{where}.scales")
        return cls(**{**known, **arrays, "scales": scales})


_DOCUMENT = schema.fields(
    directions=schema.anything,
    inputs=schema.names(1, MOST_COLUMNS),
    outputs=schema.names(1, MOST_COSINES),
    phases=schema.anything,
    scales=schema.anything,
    share=share_of,
)
