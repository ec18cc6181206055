"""What a change in one feature does to others: those that are made of a drifted column, too, are no news.

A relation between columns changes with every change of one of them, often weakly, so that it is noticed late and its
onset is estimated after the page. Then it does not take another cause to explain it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..profile.profile import Profile
from ..transforms import Relations
from .episodes import Episode

AKIN = ("features", "multivariate")  # families that see the same causes


@dataclass(frozen=True)
class Kinship:
    """By name of a relation's feature.

    Attributes:
        moved: the columns and features whose drift moves it.
        about: the columns whose relation it is, so that its own drift is theirs.
    """

    moved: Mapping[str, frozenset[str]]
    about: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, profile: Profile) -> Kinship:
        """Residuals hang on the columns that they are noticeably made of, whatever else is multivariate on all."""
        moved: dict[str, frozenset[str]] = {}
        about: dict[str, frozenset[str]] = {}
        joint = [transform for transform in profile.transforms if transform.family == "multivariate"]
        residuals = {name: of for t in joint if isinstance(t, Relations) for name, of in t.made_of.items()}
        whole = frozenset(name for t in joint for name in t.outputs if name not in residuals)
        for transform in joint:
            for name in transform.outputs:
                moved[name] = residuals.get(name, whole.union(transform.inputs))
        for name, columns in residuals.items():
            about[name] = columns.intersection([*profile.partners[name], name.partition(":")[2]])
        return cls(moved, about)

    @classmethod
    def none(cls) -> Kinship:
        """Of features that do not hang on each other."""
        return cls({}, {})

    def explains(self, episode: Episode, feature: str) -> bool:
        """Whether what drifted in an episode moves a feature as well."""
        moved = self.moved.get(feature)
        if moved is None:
            return False
        return any(name in moved or self.about.get(name, frozenset()) & moved for name in episode.members)
