"""What a change in one feature does to others: those that are made of a drifted column, too, are no news.

A relation between columns changes with every change of one of them, often weakly, so that it is noticed late and its
onset is estimated after the page. Then it does not take another cause to explain it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..profile.profile import Profile
from ..transforms import RelationTransform
from .episodes import Episode

RELATED_FAMILIES = ("features", "multivariate")  # families that see the same causes


@dataclass(frozen=True)
class SharedCauses:
    """By name of a relation's feature.

    Attributes:
        moved: the columns and features whose drift moves it.
        about: the columns whose relation it is, so that its own drift is theirs.
    """

    affected_by: Mapping[str, frozenset[str]]
    concerns: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, profile: Profile) -> SharedCauses:
        """Residuals hang on the columns that they are noticeably made of, whatever else is multivariate on all."""
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
        """Of features that do not hang on each other."""
        return cls({}, {})

    def explains(self, episode: Episode, feature: str) -> bool:
        """Whether what drifted in an episode moves a feature as well."""
        affected_by = self.affected_by.get(feature)
        if affected_by is None:
            return False
        return any(
            name in affected_by or self.concerns.get(name, frozenset()) & affected_by for name in episode.members
        )
