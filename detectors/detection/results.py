"""What the monitor answers: immutable, of plain Python values, ready to be written as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import Literal

from ..batch import Side
from ..comparisons.effects import EffectSizes

LARGEST_LOG_RATIO = 50.0


@dataclass(frozen=True)
class AlarmFeature:
    """A feature that an alarm names.

    Attributes:
        confirmed: e-BH names it; otherwise it is only among the largest contributors.
        evidence_ratio: its own share of the evidence, over the family's threshold; at 1 it would alarm alone.
        onset_tick: the estimated first tick of the change.
        partners: of a residual the columns that its column was most related to; one of these relations is broken.
        effects: since the onset (the stretch in `effects` may begin earlier, as old ticks are merged).
    """

    name: str
    confirmed: bool
    evidence_ratio: float
    onset_tick: int
    effects: EffectSizes | None
    partners: tuple[str, ...] = ()


@dataclass(frozen=True)
class Alarm:
    """The evidence of a family has reached its threshold, and the cause is new: features by falling evidence.

    `part_of` is set where another family has told of the cause, in an episode of that id: what is new is which columns.
    """

    tick: int
    family: str
    episode_id: str
    evidence_ratio: float
    onset_tick: int
    features: tuple[AlarmFeature, ...]
    part_of: str | None = None


@dataclass(frozen=True)
class EpisodeChange:
    """Something happened to an episode; `feature` is empty where it concerns all of it."""

    episode_id: str
    kind: Literal["opened", "joined", "reopened", "feature_closed", "closed"]
    feature: str
    tick: int


@dataclass(frozen=True)
class TickResult:
    """What the closing of a tick brought."""

    tick: int
    alarms: tuple[Alarm, ...] = ()
    changes: tuple[EpisodeChange, ...] = ()


@dataclass(frozen=True)
class FamilyStatus:
    """A family's evidence over its threshold: at 1 it alarms.

    Attributes:
        threshold: ticks per false alarm of this family.
        share: its part of the budget.
    """

    name: str
    evidence_ratio: float
    threshold: float
    share: float
    alarms_total: int


@dataclass(frozen=True)
class FeatureStatus:
    """One watched feature.

    `effects` are since the onset in an open episode, else of the recent window; they and `onset_tick` are None
    without rows, the effects of a relation outside of episodes, too. `seen` is false until traffic has carried the
    feature once.
    """

    name: str
    side: Side
    family: str
    evidence_ratio: float
    onset_tick: int | None
    episode_id: str | None
    effects: EffectSizes | None
    seen: bool = True
    partners: tuple[str, ...] = ()


@dataclass(frozen=True)
class EpisodeFeature:
    """A feature in an episode; `active` until it is back within its bound."""

    name: str
    confirmed: bool
    active: bool
    onset_tick: int
    joined_tick: int
    closed_tick: int | None


@dataclass(frozen=True)
class EpisodeStatus:
    """One cause, from its alarm to its end; or, of another family, `part_of` the episode that told of the cause."""

    id: str
    family: str
    opened_tick: int
    onset_tick: int
    closed_tick: int | None
    closed_by: str | None
    open: bool
    features: tuple[EpisodeFeature, ...]
    part_of: str | None = None


@dataclass(frozen=True)
class MonitorStatus:
    """Everything a person would ask a monitor.

    `density` is the largest number of rows of a feature in the last tick over those of a reference tick; beyond 1,
    evidence is divided by it. None if the reference has no order, or before the first tick.
    """

    tick: int | None
    ticks_closed: int
    profile_hash: str
    families: tuple[FamilyStatus, ...]
    features: tuple[FeatureStatus, ...]
    episodes: tuple[EpisodeStatus, ...]
    density: float | None = None


def ratio(log_ratio: float) -> float:
    """A ratio for people, from its logarithm; what is beyond 5e21 is not told apart."""
    return exp(min(float(log_ratio), LARGEST_LOG_RATIO))
