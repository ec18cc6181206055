"""The warnings of a profile: what a reader should know before trusting that no alarm means no drift.

The texts are part of the profile document and therefore of its hash: a changed word changes the hash of every profile
that is built again. Documentation and tests quote their beginnings.
"""

from __future__ import annotations

import numpy as np

from ..profile.feature import Feature
from ..profile.provenance import ReferenceSummary
from ..profile.slots import SLOT_KINDS, Slots
from ..transforms import Transform
from ..transforms.fit_relations import LEAST_KNOWN
from ..transforms.linear import MOST_COLUMNS
from .sensitivity import TOO_FEW_LABELS, TOO_FEW_ROWS

SEASON_WARNING = "season not covered"
SLOT_NOTES = {name: f"compared by the {name}" for name in SLOT_KINDS}
SORTED_WARNING = "grows or falls from row to row, though the rows are said to be in no order"


def feature_warnings(
    *, visible: bool, is_loss: bool, season_not_covered: bool, slots: Slots | None, sorted_in_no_order: bool
) -> tuple[str, ...]:
    """Return the warnings of one feature; `visible` is whether its sensitivity has a finite delay."""
    out = []
    if not visible:
        text = TOO_FEW_LABELS if is_loss else TOO_FEW_ROWS
        out.append(f"{text}: too few independent reference rows; give a longer reference")
    if season_not_covered:
        out.append(f"{SEASON_WARNING}: it still varies at the longest block; give a longer reference")
    if slots is not None:
        out.append(f"{SLOT_NOTES[slots.kind.name]} ({slots.timezone}): it has a cycle of a day or week")
    if sorted_in_no_order:
        out.append(f"{SORTED_WARNING}: exclude it if it goes on so, as row numbers do")
    return tuple(out)


def profile_warnings(
    reference: ReferenceSummary, features: tuple[Feature, ...], transforms: tuple[Transform, ...]
) -> tuple[str, ...]:
    """Return the warnings of a whole profile: the split, the features by kind of warning, and unrelated columns."""
    out = []
    if reference.split == "rows":
        out.append("fewer than 10 days: the reference was split by rows, not by days; slow changes look like noise")
    for text in (TOO_FEW_ROWS, TOO_FEW_LABELS, SEASON_WARNING, SORTED_WARNING, *SLOT_NOTES.values()):
        found = [feature for feature in features if any(w.startswith(text) for w in feature.warnings)]
        names = [feature.name for feature in found if feature.family != "multivariate"]
        if len(names) < len(found):
            names.append(f"{len(found) - len(names)} measures of relations")
        if names:
            out.append(f"{text}: {', '.join(names)}")
    return (*out, *_unrelated_columns(features, transforms))


def _unrelated_columns(features: tuple[Feature, ...], transforms: tuple[Transform, ...]) -> tuple[str, ...]:
    """Return a warning about the numeric inputs that the relations leave out, if any relations are monitored."""
    joint = {name for transform in transforms if transform.family == "multivariate" for name in transform.inputs}
    derived = {name for transform in transforms for name in transform.outputs}
    numeric = [
        feature
        for feature in features
        if feature.side == "input" and feature.kind in {"numeric", "integer"} and feature.name not in derived
    ]
    names: dict[str, list[str]] = {}
    for position, feature in enumerate(numeric):
        if feature.name not in joint:
            names.setdefault(_why_unrelated(feature, position), []).append(feature.name)
    if not joint or not names:
        return ()
    reasons = "; ".join(f"{', '.join(found)} ({reason})" for reason, found in names.items())
    return (f"relations are watched without {reasons}",)


def _why_unrelated(feature: Feature, position: int) -> str:
    """Return why relations leave out a numeric input, given its position among them."""
    if position >= MOST_COLUMNS:
        return f"only the first {MOST_COLUMNS} numeric columns are related"
    known = feature.training[np.isin(feature.roles, ["missing", "inf"], invert=True)].sum()
    return "mostly missing" if known < LEAST_KNOWN * feature.training.sum() else "hardly varying"
