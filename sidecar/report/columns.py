"""Order features for a reader: the columns of the model first, each with what is derived from it, relations last. Pure.

The page and the text report show one entry per column. They fold away the measures of relations between columns unless
nothing but relations changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import number
from .schema import FeatureReport
from .wording import RELATIONS, RESIDUAL

NOTABLE = 0.01  # of what an alarm needs; below it, evidence is noise and does not change the order
NOTABLE_PSI = 0.1  # the customary threshold, where there is no evidence
SHOWN_RELATIONS = 5  # if nothing but relations changed


@dataclass(frozen=True)
class ColumnEntry:
    """A column: its own feature, or the features that are derived from it, the most notable first."""

    name: str
    features: tuple[FeatureReport, ...]

    @property
    def first(self) -> FeatureReport:
        """The feature that stands for the column."""
        return self.features[0]

    @property
    def derived(self) -> tuple[FeatureReport, ...]:
        """The derived features; none if the column is monitored itself."""
        return self.features if self.first.name != self.name else ()


@dataclass(frozen=True)
class Ordered:
    """Features in the order of a reader: `columns`, then `relations`.

    `changed_relations` are in an episode without a column that changed, so they are shown with the columns.
    """

    columns: tuple[ColumnEntry, ...]
    relations: tuple[FeatureReport, ...]
    changed_relations: tuple[FeatureReport, ...]

    @property
    def derived(self) -> int:
        """The number of derived features."""
        return sum(len(entry.derived) for entry in self.columns)

    @property
    def summary(self) -> str:
        """One line about the relations: `39 measures of relations between columns, none near an alarm`."""
        if not self.relations:
            return ""
        alarming = sum(item.episode_id is not None for item in self.relations)
        near = sum((item.evidence_ratio or 0.0) >= NOTABLE for item in self.relations)
        state = (
            f"{alarming:,} changed"
            if alarming
            else f"{near:,} above {NOTABLE:.0%} of an alarm".replace("%", " %")
            if near
            else "none near an alarm"
        )
        return f"{number(len(self.relations), 'measure')} of relations between columns, {state}"


def ordered(features: Sequence[FeatureReport]) -> Ordered:
    """Return features in the order of a reader.

    Columns in an open episode come first, then those with evidence, then the others in the given order.
    """
    found: dict[str, list[FeatureReport]] = {}
    relations: list[FeatureReport] = []
    for item in sorted(features, key=_rank):
        if item.family == RELATIONS:
            relations.append(item)
        else:
            found.setdefault(item.column or item.name, []).append(item)
    columns = tuple(ColumnEntry(name, tuple(items)) for name, items in found.items())
    explained = any(item.episode_id is not None for entry in columns for item in entry.features)
    changed = [] if explained else [item for item in relations if item.episode_id is not None]
    named = [item for item in changed if item.name.startswith(RESIDUAL)] or changed[:1]
    return Ordered(columns, tuple(relations), tuple(named[:SHOWN_RELATIONS]))


def has_no_values(feature: FeatureReport) -> bool:
    """Return whether no recent row has a value, so that no evidence means nothing.

    Relations have effect sizes in an episode only.
    """
    return feature.effects is None and feature.family != RELATIONS and not feature.episode_id


def _rank(feature: FeatureReport) -> tuple[bool, float, float]:
    """Return the place of a feature; features of the same place keep their order."""
    evidence, psi = feature.evidence_ratio, feature.effects.psi.value if feature.effects else 0.0
    return (
        feature.episode_id is None,
        -evidence if evidence is not None and evidence >= NOTABLE else 0.0,
        -psi if feature.episode_id is not None or (evidence is None and psi >= NOTABLE_PSI) else 0.0,
    )
