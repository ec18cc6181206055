"""The immutable description of the reference data: what every comparison and every bound is made of."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..batch import Ints, Side
from ..errors import ProfileError, shown
from ..transforms import ARRAY_KINDS, RelationTransform, SingleColumnTransform, Transform, to_document
from .feature import Feature
from .parsing import FORMAT, parse
from .performance import PerformanceSpec
from .provenance import ExcludedColumn, HeldOutTrial, ReferenceSummary


@dataclass(frozen=True)
class Profile:
    """Features in a fixed order, each with its cells one after another in every counts array.

    `input_columns` and `prediction_columns` name the reference's columns in their order, excluded ones too: what
    gives a name to the columns of a request that has none. `transforms` make the columns of those features that no row
    carries; `bank` is the version of the functions that the inflations belong to. `held_out` is None where no trial was
    made.
    """

    model: str
    version: str
    created: str
    reference: ReferenceSummary
    features: tuple[Feature, ...]
    excluded: tuple[ExcludedColumn, ...]
    warnings: tuple[str, ...]
    input_columns: tuple[str, ...]
    prediction_columns: tuple[str, ...]
    transforms: tuple[Transform, ...]
    bank: int
    held_out: HeldOutTrial | None = None
    performance: PerformanceSpec | None = None

    @cached_property
    def offsets(self) -> Ints:
        """[features + 1] where each feature's cells begin in a flat counts array."""
        return np.concatenate([[0], np.cumsum([feature.bins.size for feature in self.features])]).astype(np.int64)

    @property
    def n_bins(self) -> int:
        return int(self.offsets[-1])

    @cached_property
    def index(self) -> dict[str, int]:
        return {feature.name: position for position, feature in enumerate(self.features)}

    def feature(self, name: str) -> Feature:
        """The feature of that name; ProfileError naming the known ones if there is none."""
        if name not in self.index:
            raise ProfileError(f"the profile has no feature {name!r}; it has {shown(sorted(self.index))}")
        return self.features[self.index[name]]

    @cached_property
    def derived(self) -> frozenset[str]:
        """The features whose columns a transform makes."""
        return frozenset(name for transform in self.transforms for name in transform.outputs)

    @cached_property
    def column_transforms(self) -> dict[str, SingleColumnTransform]:
        """By feature, the transform that describes a single column by it."""
        return {
            name: derived
            for derived in self.transforms
            if isinstance(derived, SingleColumnTransform)
            for name in derived.outputs
        }

    @cached_property
    def text_columns(self) -> frozenset[str]:
        """The columns of free text."""
        return frozenset(name for transform in self.transforms if transform.kind == "text" for name in transform.inputs)

    @cached_property
    def array_columns(self) -> frozenset[str]:
        """The columns that hold an array or a list a row."""
        return frozenset(
            name for transform in self.transforms if transform.kind in ARRAY_KINDS for name in transform.inputs
        )

    @cached_property
    def partners(self) -> dict[str, tuple[str, ...]]:
        """Of each feature that is about a column's relations, the columns that it is most related to."""
        found = [transform.partners for transform in self.transforms if isinstance(transform, RelationTransform)]
        return {name: partners for one in found for name, partners in one.items()}

    def columns(self, side: Side) -> tuple[str, ...]:
        """The reference's columns of a side, excluded ones too, in their order; none of labels."""
        return {"input": self.input_columns, "prediction": self.prediction_columns}.get(side, ())

    def names(self, side: Side) -> tuple[str, ...]:
        """The columns of a side that counting needs: those watched, and those that transforms read."""
        watched = [f.name for f in self.features if f.side == side and f.name not in self.derived]
        read = [name for transform in self.transforms if transform.side == side for name in transform.inputs]
        return tuple(dict.fromkeys([*watched, *read]))

    def without_slots(self) -> Profile:
        """The same profile for ticks that are not counted from the epoch, so that nobody knows their hour."""
        return replace(self, features=tuple(replace(feature, slots=None) for feature in self.features))

    def document(self) -> dict[str, Any]:
        return {
            "bank": self.bank,
            "created": self.created,
            "excluded": [vars(excluded) for excluded in self.excluded],
            "features": [feature.document() for feature in self.features],
            "format": FORMAT,
            "held_out": None if self.held_out is None else asdict(self.held_out),
            "input_columns": list(self.input_columns),
            "model": self.model,
            "performance": None if self.performance is None else self.performance.document(),
            "prediction_columns": list(self.prediction_columns),
            "reference": vars(self.reference),
            "transforms": [to_document(transform) for transform in self.transforms],
            "version": self.version,
            "warnings": list(self.warnings),
        }

    @cached_property
    def _canonical(self) -> bytes:
        return canonical(self.document())

    def to_bytes(self) -> bytes:
        """Canonical JSON: sorted keys, no white space, shortest floats, UTF-8."""
        return self._canonical

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) of the canonical form, whatever the white space of the file it came from."""
        return hashlib.sha256(self._canonical).hexdigest()

    @classmethod
    def from_bytes(cls, raw: bytes) -> Profile:
        """The profile in a JSON document; ProfileError naming the path of whatever is wrong."""
        return cls(**parse(raw))


def canonical(document: dict[str, Any]) -> bytes:
    """The one way to write a document, so that equal content has equal bytes."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "surrogatepass")
