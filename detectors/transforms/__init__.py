"""Transforms: columns that are derived from other columns.

They let the package monitor text, times, arrays, relations and losses like numbers.

A transform is fitted when a profile is built, and stored in it. It maps a block of rows to derived columns, which are
binned and counted as features of their own. So merging over pods, evidence and effect sizes need no special case.

Terms
-----
derived column           a column that a transform computes from other columns
block                    aligned rows of one side, as transforms receive them
residual                 what remains of a standardised column after the other columns predict it
partner                  a column with a large partial correlation to the column of a residual
random Fourier features  cosines of random projections of a row; their means approximate a kernel mean embedding
lag                      seconds between a timestamp and the exchange of its row
share                    the share of live rows that a costly transform is applied to

Data flow
---------
reference columns -> `fit.fit_transforms` -> transforms in the profile
columns of a block -> `Transform.apply` -> derived columns -> bins -> counts

arrays, text, timestamps    one column of that type; `single` holds what they share
relations, cosines          several columns; `linear` standardises them, `fit_relations` fits them
loss                        losses of labelled rows

Terms of the whole package: docs/glossary.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ProfileError, shown
from ..schema import unfit
from .arrays import ArrayTransform, ListTransform
from .base import Block, Transform, countable_rows, sampled_rows
from .cosines import RandomFourierFeatures
from .loss import LossTransform
from .relations import RelationTransform
from .single import SingleColumnTransform
from .text import TextTransform
from .timestamps import TimestampTransform

TRANSFORMS: dict[str, type[Transform]] = {
    "array": ArrayTransform,
    "cosines": RandomFourierFeatures,
    "list": ListTransform,
    "loss": LossTransform,
    "relations": RelationTransform,
    "text": TextTransform,
    "timestamp": TimestampTransform,
}

ARRAY_KINDS = frozenset({ArrayTransform.kind, ListTransform.kind})  # for columns with an array or a list per row
LARGE_VALUE_KINDS = ARRAY_KINDS | {TextTransform.kind}  # for columns with large values
COARSE_KINDS = frozenset({RandomFourierFeatures.kind})  # many features of bounded values, for which few bins suffice


def from_document(document: Mapping[str, Any], where: str) -> Transform:
    """Return the transform in a document.

    Raises:
        ProfileError: the kind is unknown, or the document is damaged.
    """
    if not isinstance(document, Mapping):
        raise unfit(where, "an object", document)
    kind = document.get("kind")
    if not isinstance(kind, str) or kind not in TRANSFORMS:
        raise ProfileError(
            f"{where}.kind must be one of {sorted(TRANSFORMS)}, not {shown(kind)}; build the profile with this version"
        )
    rest = {key: value for key, value in document.items() if key != "kind"}
    return TRANSFORMS[kind].from_document(rest, where)


def to_document(transform: Transform) -> dict[str, Any]:
    """Return the document of a transform, with its kind."""
    return {"kind": transform.kind, **transform.document()}


__all__ = [
    "ARRAY_KINDS",
    "COARSE_KINDS",
    "LARGE_VALUE_KINDS",
    "TRANSFORMS",
    "Block",
    "RelationTransform",
    "SingleColumnTransform",
    "Transform",
    "countable_rows",
    "from_document",
    "sampled_rows",
    "to_document",
]
