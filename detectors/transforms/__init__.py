"""Columns made of columns: what lets text, times, arrays, relations and losses be watched like any number.

A transform is fitted when a profile is built, and stored in it. It turns a block of rows into further columns, which
are binned and counted as features of their own; so adding up over pods, evidence and effect sizes are the same for all.

    columns of a block -> Transform.apply -> further columns -> bins -> counts

    arrays, text, timestamps    what describes one column of its type; single: what these share
    base    Transform, and the Block of rows that it is given
    relations, cosines          what describes several columns together; linear: their common scale; relating: the fit
    fit     which transforms a reference calls for
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ProfileError, shown
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

ARRAY_KINDS = frozenset({ArrayTransform.kind, ListTransform.kind})  # of columns that hold an array or a list a row
LARGE_VALUE_KINDS = ARRAY_KINDS | {TextTransform.kind}  # of columns whose values may be large
COARSE_KINDS = frozenset({RandomFourierFeatures.kind})  # many features of bounded values: few cells each are enough


def from_document(document: Mapping[str, Any], where: str) -> Transform:
    """The transform in a document; ProfileError if there is none of its kind, or it is damaged."""
    kind = document.get("kind")
    if not isinstance(kind, str) or kind not in TRANSFORMS:
        raise ProfileError(
            f"{where}.kind is {shown(kind)}, not one of {sorted(TRANSFORMS)}; build it with this version"
        )
    rest = {key: value for key, value in document.items() if key != "kind"}
    return TRANSFORMS[kind].from_document(rest, where)


def to_document(transform: Transform) -> dict[str, Any]:
    """The document of a transform, its kind with it."""
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
