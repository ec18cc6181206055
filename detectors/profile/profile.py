"""The immutable description of the reference data: what every comparison and every bound is made of."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np

from ..batch import Family, Floats, Ints, Side
from ..binning.categories import CategoryBins
from ..binning.numeric import NumericBins
from ..errors import ProfileError, shown
from ..transforms import ARRAYS, OfColumn, Relations, Transform, to_document
from .performance import Performance
from .slots import Slots

FORMAT = "pilotfish.dev/profile/v1"
Kind: TypeAlias = Literal["numeric", "integer", "boolean", "categorical", "constant"]
ColumnType: TypeAlias = Kind | Literal["array", "text", "timestamp"]
Order: TypeAlias = Literal["time", "rows", "exchangeable"]
Bins: TypeAlias = NumericBins | CategoryBins


@dataclass(frozen=True)
class Excluded:
    """A column that is not watched, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Reference:
    """Where the reference rows came from.

    Attributes:
        rows, ticks: how many rows, in how many ticks that had any.
        order: "time" (ticks by timestamps), "rows" (row order as time) or "exchangeable" (no order).
        split: "days" or "rows": what was dealt out between the part that shapes the alternatives and the part
            that bounds them.
        tick_seconds: width of a tick; None unless the order is "time".
        rows_per_tick: rows in the tick of an average row; None if exchangeable.
        first_time, last_time: epoch seconds; None unless the order is "time".
        longest_block: ticks of the longest block whose variance was measured.
        duplicate_ratio: share of the rows that repeat one shortly before them.
    """

    rows: int
    ticks: int
    order: Order
    split: Literal["days", "rows"]
    tick_seconds: float | None
    rows_per_tick: float | None
    first_time: float | None
    last_time: float | None
    longest_block: int
    duplicate_ratio: float = 0.0


@dataclass(frozen=True)
class HeldOutAlarm:
    """An alarm of the trial: the reference row after which it came, in time order, and the features that it named."""

    row: int
    family: str
    features: tuple[str, ...]


@dataclass(frozen=True)
class HeldOut:
    """The last third of the reference replayed against a trial profile of the first two thirds."""

    rows: int
    ticks: int
    alarms: tuple[HeldOutAlarm, ...]


@dataclass(frozen=True)
class Feature:
    """One watched column, of the rows as they come or made by a transform.

    Attributes:
        family: the features with which it shares a part of the false-alarm budget.
        shaping: counts [cells] of the 30 % of the reference that shape bins and alternatives.
        bounding: counts [cells] of the other 70 %, which bound the alternatives' means.
        inflation: [functions of the bank] how much more block sums vary than independent rows would (>= 1).
        n_eff: rows of `bounding` over the inflation of location shifts.
        smallest_shift: in reference standard deviations; smaller ones are never found.
        delay_rows: expected rows until a shift of one standard deviation is found; None if it never is.
        warnings: what a person should know before trusting silence.
        slots: the feature hour by hour, where the hours of the day are told apart; sensitivity is with them then.
    """

    name: str
    side: Side
    family: Family
    kind: Kind
    bins: Bins
    shaping: Ints
    bounding: Ints
    inflation: Floats
    n_eff: float
    smallest_shift: float
    delay_rows: float | None
    warnings: tuple[str, ...]
    slots: Slots | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        return self.bins.labels

    @property
    def roles(self) -> tuple[str, ...]:
        return self.bins.roles

    @property
    def alike(self) -> float:
        """How many rows that follow one another count as one independent row (>= 1)."""
        rows = self.bounding if self.slots is None else self.slots.bounding[self.slots.bounding.any(axis=1)]
        return max(1.0, float(rows.sum(axis=-1).mean()) / self.n_eff) if self.n_eff > 0 else 1.0

    @property
    def watched(self) -> bool:
        """Whether it can raise alarms; a feature without functions is counted only."""
        return len(self.inflation) > 0

    @cached_property
    def reference_counts(self) -> Ints:
        return self.shaping + self.bounding


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
    reference: Reference
    features: tuple[Feature, ...]
    excluded: tuple[Excluded, ...]
    warnings: tuple[str, ...]
    input_columns: tuple[str, ...]
    prediction_columns: tuple[str, ...]
    transforms: tuple[Transform, ...]
    bank: int
    held_out: HeldOut | None = None
    performance: Performance | None = None

    @cached_property
    def offsets(self) -> Ints:
        """[features + 1] where each feature's cells begin in a flat counts array."""
        return np.concatenate([[0], np.cumsum([feature.bins.size for feature in self.features])]).astype(np.int64)

    @property
    def cells(self) -> int:
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
    def made(self) -> frozenset[str]:
        """The features whose columns a transform makes."""
        return frozenset(name for transform in self.transforms for name in transform.outputs)

    @cached_property
    def described(self) -> dict[str, OfColumn]:
        """By feature, the transform that describes a single column by it."""
        return {name: made for made in self.transforms if isinstance(made, OfColumn) for name in made.outputs}

    @cached_property
    def texts(self) -> frozenset[str]:
        """The columns of free text."""
        return frozenset(name for transform in self.transforms if transform.kind == "text" for name in transform.inputs)

    @cached_property
    def arrays(self) -> frozenset[str]:
        """The columns that hold an array or a list a row."""
        return frozenset(name for transform in self.transforms if transform.kind in ARRAYS for name in transform.inputs)

    @cached_property
    def partners(self) -> dict[str, tuple[str, ...]]:
        """Of each feature that is about a column's relations, the columns that it is most related to."""
        found = [transform.partners for transform in self.transforms if isinstance(transform, Relations)]
        return {name: partners for one in found for name, partners in one.items()}

    def columns(self, side: Side) -> tuple[str, ...]:
        """The reference's columns of a side, excluded ones too, in their order; none of labels."""
        return {"input": self.input_columns, "prediction": self.prediction_columns}.get(side, ())

    def names(self, side: Side) -> tuple[str, ...]:
        """The columns of a side that counting needs: those watched, and those that transforms read."""
        watched = [f.name for f in self.features if f.side == side and f.name not in self.made]
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
            "features": [_feature_document(feature) for feature in self.features],
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
        from .parsing import read  # reading makes what is defined here

        return read(raw)


def canonical(document: dict[str, Any]) -> bytes:
    """The one way to write a document, so that equal content has equal bytes."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "surrogatepass")


def _feature_document(feature: Feature) -> dict[str, Any]:
    return {
        "bins": feature.bins.document(),
        "bounding": feature.bounding.tolist(),
        "delay_rows": feature.delay_rows,
        "family": feature.family,
        "inflation": feature.inflation.tolist(),
        "kind": feature.kind,
        "n_eff": feature.n_eff,
        "name": feature.name,
        "shaping": feature.shaping.tolist(),
        "side": feature.side,
        "slots": None if feature.slots is None else {key: part.tolist() for key, part in vars(feature.slots).items()},
        "smallest_shift": feature.smallest_shift,
        "warnings": list(feature.warnings),
    }
