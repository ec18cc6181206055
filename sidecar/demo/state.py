"""The state of the demo: everything that the views show. transitions.py computes the next state."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

from ..report import wording
from ..report.schema import Effects, EpisodeReport, Family, FeatureReport, Report
from .flights import FIRST_DATE
from .messages import DayReplayed, GatheringRows, Retrained, WebhookDelivery

Phase = Literal["preparing", "stable", "changed", "alarmed", "retraining", "settling", "closed", "failed"]
Tone = Literal["plain", "change", "alarm", "good", "bad"]


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """The plan, with days as numbers: the replay begins on `first_day`, the data changes on `change_day`.

    A retraining needs `wanted_days` of labelled rows. The demo ends after `settled_days` without an alarm.
    """

    first_day: int
    change_day: int
    change_origin: str
    wanted_days: int
    settled_days: int


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of the timeline; `day` is None before the first one."""

    day: int | None
    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class DemoAlarm:
    """The episodes that an alarm opened, as first reported, and the effect sizes of the named features."""

    episodes: tuple[EpisodeReport, ...]
    opened_tick: int
    onset_tick: int
    effects: dict[str, Effects]

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features that the episodes list, each once."""
        return tuple(dict.fromkeys(feature.name for episode in self.episodes for feature in episode.features))

    @property
    def text(self) -> str:
        """What changed in the first column, and the names of the others; without columns, the number of relations."""
        features = {
            feature.name: FeatureReport(
                name=feature.name, side="", family=episode.family, effects=self.effects.get(feature.name)
            )
            for episode in self.episodes
            for feature in episode.features
        }
        folded = wording.fold(list(features.values()))
        if not folded.columns:
            return folded.summary.removeprefix("and ")
        first, *others = [item.feature for item in folded.columns]
        return ", also ".join([wording.change(first), *(item.name for item in others)])


@dataclass(frozen=True, slots=True)
class DemoState:
    """Everything that the views show; each function of `transitions` returns a new one.

    psi       by feature, after each tick
    evidence  by family, after each tick: 0 nothing, 1 the threshold, on a logarithmic scale
    """

    plan: DemoPlan
    phase: Phase = "preparing"
    days: tuple[DayReplayed, ...] = ()
    report: Report | None = None
    alarm: DemoAlarm | None = None
    delivery: WebhookDelivery | None = None
    gathering: GatheringRows | None = None
    retrained: Retrained | None = None
    in_force_day: int | None = None
    psi: dict[str, tuple[float, ...]] = field(default_factory=dict)
    evidence: dict[str, tuple[float, ...]] = field(default_factory=dict)
    entries: tuple[TimelineEntry, ...] = ()
    failure: str = ""

    @property
    def today(self) -> int | None:
        """The last day that was sent."""
        return self.days[-1].number if self.days else None

    @property
    def over(self) -> bool:
        """Whether the demo has ended."""
        return self.phase in {"closed", "failed"}

    def day_of(self, tick: int) -> int | None:
        """Return the day that was replayed in `tick`, None before the first one."""
        return max((day.number for day in self.days if day.tick <= tick), default=None)

    def error_between(self, first: int, end: int | None = None) -> float | None:
        """Return the mean absolute error over the days `first` to `end - 1`, weighted by rows."""
        chosen = [day for day in self.days if first <= day.number and (end is None or day.number < end)]
        rows = sum(day.rows for day in chosen)
        return sum(day.error * day.rows for day in chosen) / rows if rows else None


def date_of(number: int) -> date:
    """Return the date of a day's number."""
    return FIRST_DATE + timedelta(days=number)


def progress(ratio: float, threshold: float) -> float:
    """Return evidence between none (0) and the threshold (1), on a logarithmic scale.

    `ratio` is evidence over the threshold, as the report gives it.
    """
    if ratio <= 0 or threshold <= 1:
        return 0.0
    return max(0.0, min(1.0, 1 + math.log(ratio) / math.log(threshold)))


def height(family: Family, report: Report) -> float:
    """Return the progress of a family; 1 while it has an open episode, although evidence restarts at the alarm."""
    if any(episode.open and episode.family == family.name for episode in report.episodes):
        return 1.0
    return progress(family.evidence_ratio, family.threshold)
