"""A replay as a report: the whole run in a few hundred windows, drawn by the same page as live traffic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from ...detectors.batch import SIDES
from ...detectors.detection.replay import ClosedTick, Replay, TickSpan
from ...detectors.profile.profile import Profile
from ...detectors.settings import DriftSettings
from ...detectors.summaries.windows import WindowLevel, Windows
from ..report import schema as report
from ..report.pages import page
from ..report.response import ReportResponse
from ..report.timeline import convert as retold
from ..report.timeline.build import time_line

WINDOWS = 240  # over the whole run: as many as a drawing can show


@dataclass
class ReplayReport:
    """Gathers what a page needs while a replay runs: `take` each closed tick, then ask for the `document`."""

    profile: Profile
    settings: DriftSettings
    windows: Windows
    rows_per_tick: float | None
    measured: dict[tuple[str, str], report.Effects] = field(default_factory=dict)
    alarms: int = 0
    ticks: int = 0

    @classmethod
    def over(
        cls, profile: Profile, settings: DriftSettings, spans: list[TickSpan], rows_per_tick: float | None
    ) -> ReplayReport:
        """Return one for the ticks of `spans`, at least one; `rows_per_tick` is None where ticks are times."""
        width = -(-(spans[-1].tick - spans[0].tick + 1) // WINDOWS)
        levels = (
            WindowLevel(width, WINDOWS + 2),
        )  # the first and the last may be cut by where the run begins and ends
        return cls(profile, settings, Windows(profile, levels), rows_per_tick)

    def take(self, replayed: Replay, closed: ClosedTick) -> None:
        """Remember what a tick brought."""
        newest = replayed.windows.newest
        if newest is not None and newest.last == closed.tick:
            self.windows.absorb(newest)
            self.ticks += 1
        for alarm in closed.alarms:
            self.alarms += 1
            for feature in alarm.features:
                if feature.effects is not None:
                    effects = msgspec.convert(feature.effects, report.Effects, from_attributes=True)
                    self.measured[alarm.episode_id, feature.name] = effects

    def document(self, replayed: Replay, what: str, now: float) -> str:
        """Return the page of the run so far; `what` was replayed, `now` is epoch seconds."""
        answer = self._answer(replayed, what, now)
        return page.render(answer, time_line(self.profile, self.windows.snapshot(), answer, self.measured))

    def _answer(self, replayed: Replay, what: str, now: float) -> ReportResponse:
        status = replayed.status
        return ReportResponse(
            made_at=now,
            started_at=now,
            state="watching",
            reason=f"Not live traffic: a replay of {what}. Effect sizes of ended episodes are those of their alarm.",
            mode="replay",
            model=self.profile.model,
            version=self.profile.version,
            profile=retold.profile_info(self.profile),
            rows=tuple(report.RowCount(self.profile.model, side, rows) for side, rows in self._rows().items() if rows),
            type_mismatches=replayed.mismatches,
            ticks=report.TickStatus(
                tick_seconds=self.settings.tick_seconds,
                last_closed=status.tick,
                closed_total=self.ticks,
                rows_per_tick=self.rows_per_tick,
            ),
            families=retold.families(status),
            features=retold.features(self.profile, status),
            episodes=tuple(
                msgspec.convert(item, report.Episode, from_attributes=True)
                for item in sorted(status.episodes, key=lambda item: (not item.open, -item.opened_tick))
            ),
            budget=retold.budget(self.settings, self.ticks, self.alarms),
        )

    def _rows(self) -> Mapping[str, int]:
        return {side: sum(window.rows[side] for window in self.windows) for side in SIDES}
