"""Shared causes: a drifted column also changes the features that are derived from it.

A relation between columns changes whenever one of them changes, often weakly. Then it is detected late, and its onset
is estimated after the alarm. `family` uses the tables of this module to attach such a change to the existing episode.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..profile.profile import Profile
from ..transforms import RelationTransform
from .episodes import Episode

RELATED_FAMILIES = ("features", "multivariate")  # families that observe the same causes


@dataclass(frozen=True)
class SharedCauses:
    """What affects the multivariate features, by feature name.

    Attributes:
        affected_by: the columns and features whose drift also changes the feature.
        concerns: the columns that the feature is about, so that its drift is theirs.
    """

    affected_by: Mapping[str, frozenset[str]]
    concerns: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, profile: Profile) -> SharedCauses:
        """Return the shared causes of a profile.

        A residual depends on the columns that noticeably enter it; any other multivariate feature depends on all
        columns.
        """
        affected_by: dict[str, frozenset[str]] = {}
        concerns: dict[str, frozenset[str]] = {}
        joint = [transform for transform in profile.transforms if transform.family == "multivariate"]
        residuals = {name: of for t in joint if isinstance(t, RelationTransform) for name, of in t.depends_on.items()}
        whole = frozenset(name for t in joint for name in t.outputs if name not in residuals)
        for transform in joint:
            for name in transform.outputs:
                affected_by[name] = residuals.get(name, whole.union(transform.inputs))
        for name, columns in residuals.items():
            concerns[name] = columns.intersection([*profile.partners[name], name.partition(":")[2]])
        return cls(affected_by, concerns)

    @classmethod
    def none(cls) -> SharedCauses:
        """Return the shared causes of features that do not depend on each other."""
        return cls({}, {})

    def explains(self, episode: Episode, feature: str) -> bool:
        """Return whether the drift of an episode's features also changes `feature`."""
        affected_by = self.affected_by.get(feature)
        if affected_by is None:
            return False
        return any(
            name in affected_by or self.concerns.get(name, frozenset()) & affected_by for name in episode.members
        )
