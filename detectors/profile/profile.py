"""The profile of a model: everything that counting, detection and comparisons use of the reference.

`reference.build_profile` creates it, and it never changes afterwards. Its hash covers the canonical bytes without
`created`, so two builds of the same rows have the same hash. Any other change of the JSON form makes stored counts and
checkpoints unusable.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..batch import SIDES, Ints, Side
from ..errors import ProfileError, shown
from ..transforms import ARRAY_KINDS, RelationTransform, SingleColumnTransform, Transform, to_document
from .feature import Feature
from .parsing import FORMAT, parse
from .performance import PerformanceSpec
from .provenance import ExcludedColumn, HeldOutTrial, ReferenceSummary


@dataclass(frozen=True)
class Profile:
    """Features in a fixed order, each with its bins one after another in every counts array.

    Attributes:
        model, version, created: as given to `build_profile`.
        reference: where the reference rows came from.
        features: monitored features first, then features that are only counted.
        excluded: columns that are not monitored, with the reason.
        warnings: reasons why no alarm does not mean no drift.
        input_columns, prediction_columns: all reference columns in their order, excluded and unreadable ones too.
        unsent_columns: the input columns that the model is not sent as a rule: times, indexes, row numbers, and those
            that a person excluded.
        transforms: they compute the derived columns.
        bank: version of the alternatives that the variance inflations belong to.
        missing_words: the texts that mean missing, ascending; see `cells.with_missing_words`.
        text_numbers: numeric features whose reference had numbers as text, so that such a text is no other type,
            ascending.
        held_out: result of the held-out trial; None if there was no trial.
        performance: how losses are computed; None without labels.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.profile.profile import Profile
        >>> from pilotfish.detectors.reference.build import build_profile
        >>> profile = build_profile({"x": np.arange(300) % 7}, exchangeable=True)
        >>> again = Profile.from_bytes(profile.to_bytes())
        >>> again.hash == profile.hash, again.n_bins, again.feature("x").labels[3]
        (True, 20, '0')
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
    missing_words: tuple[str, ...]
    text_numbers: tuple[str, ...]
    held_out: HeldOutTrial | None = None
    performance: PerformanceSpec | None = None
    unsent_columns: tuple[str, ...] = ()

    @cached_property
    def offsets(self) -> Ints:
        """[features + 1] the position of each feature's first bin in a flat counts array."""
        return np.concatenate([[0], np.cumsum([feature.bins.size for feature in self.features])]).astype(np.int64)

    @property
    def n_bins(self) -> int:
        """Number of bins of all features: the length of a flat counts array."""
        return int(self.offsets[-1])

    @cached_property
    def index(self) -> dict[str, int]:
        """Position of each feature, by name."""
        return {feature.name: position for position, feature in enumerate(self.features)}

    def feature(self, name: str) -> Feature:
        """Return the feature of that name.

        Raises:
            ProfileError: there is no such feature.
        """
        if name not in self.index:
            raise ProfileError(f"the profile has no feature {name!r}; its features are {shown(sorted(self.index))}")
        return self.features[self.index[name]]

    @cached_property
    def derived(self) -> frozenset[str]:
        """The features whose columns a transform computes."""
        return frozenset(name for transform in self.transforms for name in transform.outputs)

    @cached_property
    def column_transforms(self) -> dict[str, SingleColumnTransform]:
        """By feature, the transform that derives it from a single column."""
        return {
            name: derived
            for derived in self.transforms
            if isinstance(derived, SingleColumnTransform)
            for name in derived.outputs
        }

    def column(self, name: str) -> str:
        """Return the column that a feature describes; an empty text for relations and losses, which describe none."""
        made = self.column_transforms.get(name)
        return made.column if made is not None else "" if name in self.derived else name

    @cached_property
    def by_column(self) -> tuple[Feature, ...]:
        """The features in the order of the reference's columns, those of one column together, relations last."""
        places = {name: place for side in SIDES for place, name in enumerate(self.columns(side))}

        def place(feature: Feature) -> tuple[bool, int, int, int]:
            column = self.column(feature.name)
            place = places.get(column, len(places))
            return feature.family == "multivariate", SIDES.index(feature.side), place, self.index[feature.name]

        return tuple(sorted(self.features, key=place))

    @cached_property
    def text_columns(self) -> frozenset[str]:
        """The columns that hold free text."""
        return frozenset(name for transform in self.transforms if transform.kind == "text" for name in transform.inputs)

    @cached_property
    def array_columns(self) -> frozenset[str]:
        """The columns that hold an array or a list per row."""
        return frozenset(
            name for transform in self.transforms if transform.kind in ARRAY_KINDS for name in transform.inputs
        )

    @cached_property
    def partners(self) -> dict[str, tuple[str, ...]]:
        """By residual, the columns that its column is most related to."""
        found = [transform.partners for transform in self.transforms if isinstance(transform, RelationTransform)]
        return {name: partners for one in found for name, partners in one.items()}

    def columns(self, side: Side) -> tuple[str, ...]:
        """Return the reference columns of a side in their order, excluded ones too; none for labels."""
        return {"input": self.input_columns, "prediction": self.prediction_columns}.get(side, ())

    @cached_property
    def sent_columns(self) -> tuple[str, ...]:
        """The input columns that the model is sent, in order."""
        unsent = frozenset(self.unsent_columns)
        return tuple(name for name in self.input_columns if name not in unsent)

    @cached_property
    def input_orders(self) -> tuple[tuple[str, ...], ...]:
        """The columns that may name the values of a request without names; the first order of the right length does.

        They are the columns that the model is sent, then all of the reference, then only those that are monitored.
        """
        read = frozenset(self.names("input"))
        monitored = tuple(name for name in self.sent_columns if name in read)
        return tuple(dict.fromkeys((self.sent_columns, self.input_columns, monitored)))

    def names(self, side: Side) -> tuple[str, ...]:
        """Return the columns of a side that counting needs: monitored columns and inputs of transforms."""
        monitored = [f.name for f in self.features if f.side == side and f.name not in self.derived]
        read = [name for transform in self.transforms if transform.side == side for name in transform.inputs]
        return tuple(dict.fromkeys([*monitored, *read]))

    def without_slots(self) -> Profile:
        """Return the same profile without slots, for ticks that are not counted from the epoch and so have no hour."""
        return replace(self, features=tuple(replace(feature, slots=None) for feature in self.features))

    def document(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "bank": self.bank,
            "created": self.created,
            "excluded": [vars(excluded) for excluded in self.excluded],
            "features": [feature.document() for feature in self.features],
            "format": FORMAT,
            "held_out": None if self.held_out is None else asdict(self.held_out),
            "input_columns": list(self.input_columns),
            "missing_words": list(self.missing_words),
            "model": self.model,
            "performance": None if self.performance is None else self.performance.document(),
            "prediction_columns": list(self.prediction_columns),
            "reference": asdict(self.reference),
            "text_numbers": list(self.text_numbers),
            "transforms": [to_document(transform) for transform in self.transforms],
            "unsent_columns": list(self.unsent_columns),
            "version": self.version,
            "warnings": list(self.warnings),
        }

    def to_bytes(self) -> bytes:
        """Return canonical JSON: sorted keys, no white space, shortest floats, UTF-8."""
        return canonical(self.document())

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) of the canonical form without `created`: it depends on the rows and the options only."""
        return hashlib.sha256(canonical({**self.document(), "created": ""})).hexdigest()

    @classmethod
    def from_bytes(cls, raw: bytes) -> Profile:
        """Return the profile in a JSON document.

        Raises:
            ProfileError: a value is wrong; the message names its path.
        """
        return cls(**parse(raw))


def canonical(document: dict[str, Any]) -> bytes:
    """Return the canonical bytes of a document: equal content has equal bytes."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "surrogatepass")
