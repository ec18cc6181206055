"""Results of the monitor: immutable, of plain Python values.

The analyzer converts them to documents and metrics by attribute name, so names and types of the fields are part of the
API.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import Literal, TypeAlias

from ..batch import Side
from ..comparisons.distribution import CoarseDistribution
from ..comparisons.effects import EffectSizes

LARGEST_LOG_RATIO = 50.0

ChangeKind: TypeAlias = Literal["opened", "joined", "reopened", "feature_closed", "closed"]


@dataclass(frozen=True)
class AlarmFeature:
    """A feature that an alarm names.

    Attributes:
        confirmed: e-BH names it; otherwise it is only among the largest contributors.
        evidence_ratio: its own evidence over the family's threshold; at 1 it would raise an alarm alone.
        onset_tick: the estimated first tick of the change.
        effects: effect sizes since the onset. They may cover earlier ticks, because old ticks are merged.
        partners: for a residual, the columns that its column was most related to; one of these relations has changed.
    """

    name: str
    confirmed: bool
    evidence_ratio: float
    onset_tick: int
    effects: EffectSizes | None
    partners: tuple[str, ...] = ()


@dataclass(frozen=True)
class Alarm:
    """The evidence of a family has reached its threshold with a new cause. Features are sorted by descending evidence.

    Attributes:
        part_of: id of the episode in which another family has reported the cause; this alarm adds which columns
            drifted.
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
    """A change of an episode; `feature` is empty if it concerns the whole episode."""

    episode_id: str
    kind: ChangeKind
    feature: str
    tick: int


@dataclass(frozen=True)
class TickResult:
    """The results of closing one tick."""

    tick: int
    alarms: tuple[Alarm, ...] = ()
    changes: tuple[EpisodeChange, ...] = ()


@dataclass(frozen=True)
class FamilyStatus:
    """A family's evidence; at an evidence ratio of 1 it raises an alarm.

    Attributes:
        threshold: ticks per false alarm of this family.
        share: its part of the false-alarm budget.
    """

    name: str
    evidence_ratio: float
    threshold: float
    share: float
    alarms_total: int


@dataclass(frozen=True)
class FeatureStatus:
    """One monitored feature.

    Attributes:
        onset_tick: estimated first tick of the strongest change; None without rows.
        effects: since the onset in an open episode, else of the recent window. None without rows, and for a
            multivariate feature outside episodes.
        seen: whether live traffic has carried the feature at least once.
        partners: as in `AlarmFeature`.
        distribution: of the same rows as `effects`; None where `effects` is.
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
    distribution: CoarseDistribution | None = None


@dataclass(frozen=True)
class EpisodeFeature:
    """A feature in an episode; it is active until it has recovered."""

    name: str
    confirmed: bool
    active: bool
    onset_tick: int
    joined_tick: int
    closed_tick: int | None


@dataclass(frozen=True)
class EpisodeStatus:
    """One cause, from its alarm to its end.

    Attributes:
        part_of: id of the episode of another family that reported the cause; None if this one did.
    """

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
    """The status of a whole monitor.

    Attributes:
        density: rows of the largest feature in the last tick over those of a reference tick. Above 1, evidence is
            divided by it. None if the reference has no order, or before the first tick.
    """

    tick: int | None
    ticks_closed: int
    profile_hash: str
    families: tuple[FamilyStatus, ...]
    features: tuple[FeatureStatus, ...]
    episodes: tuple[EpisodeStatus, ...]
    density: float | None = None


def ratio(log_ratio: float) -> float:
    """Return a ratio for display from its logarithm, at most 5e21."""
    return exp(min(float(log_ratio), LARGEST_LOG_RATIO))
