"""The HTML page of a replay: the whole run in a few hundred windows, drawn like the page of live traffic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...detectors.batch import SIDES
from ...detectors.detection.replay import ClosedTick, Replay, TickSpan
from ...detectors.profile.profile import Profile
from ...detectors.settings import DriftSettings
from ...detectors.summaries.windows import WindowLevel, Windows
from ..report import convert
from ..report import schema as report
from ..report.pages import page
from ..report.response import ReportResponse
from ..report.timeline.build import time_line
from ..report.timeline.schema import Timeline

WINDOWS = 240  # for the whole run; a chart cannot show more


@dataclass
class ReplayReport:
    """Collects the data of the page during a replay: pass each closed tick to `take`, then call `document`."""

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
        """Return a report for the ticks of `spans` (not empty); `rows_per_tick` is None if ticks are times."""
        width = -(-(spans[-1].tick - spans[0].tick + 1) // WINDOWS)
        levels = (WindowLevel(width, WINDOWS + 2),)  # 2 more, because the first and the last window may be incomplete
        return cls(profile, settings, Windows(profile, levels), rows_per_tick)

    def take(self, replayed: Replay, closed: ClosedTick) -> None:
        """Add a closed tick: its window and its alarms."""
        newest = replayed.windows.newest
        if newest is not None and newest.last == closed.tick:
            self.windows.absorb(newest)
            self.ticks += 1
        for alarm in closed.alarms:
            self.alarms += alarm.part_of is None
            for feature in alarm.features:
                if feature.effects is not None:
                    self.measured[alarm.episode_id, feature.name] = convert.effects(feature.effects)

    def document(self, replayed: Replay, what: str, now: float) -> str:
        """Return the page of the run so far. `what` names the data, and `now` is epoch seconds."""
        return page.render(*self.report(replayed, what, now))

    def report(self, replayed: Replay, what: str, now: float) -> tuple[ReportResponse, Timeline]:
        """Return the content of the page."""
        answer = self._answer(replayed, what, now)
        return answer, time_line(self.profile, self.windows.snapshot(), answer, self.measured)

    def _answer(self, replayed: Replay, what: str, now: float) -> ReportResponse:
        status = replayed.status
        return ReportResponse(
            made_at=now,
            started_at=now,
            state="watching",
            reason=f"This is a replay of {what}, not live traffic. Ended episodes show effect sizes of their alarm.",
            mode="replay",
            model=self.profile.model,
            version=self.profile.version,
            profile=convert.profile_info(self.profile),
            rows=tuple(report.RowCount(self.profile.model, side, rows) for side, rows in self._rows().items() if rows),
            type_mismatches=replayed.mismatches,
            ticks=report.TickStatus(
                tick_seconds=self.settings.tick_seconds,
                last_closed=status.tick,
                closed_total=self.ticks,
                rows_per_tick=self.rows_per_tick,
            ),
            families=convert.families(status),
            features=convert.features(self.profile, status),
            episodes=convert.episodes(sorted(status.episodes, key=lambda item: (not item.open, -item.opened_tick))),
            budget=convert.budget(self.settings, self.ticks, self.alarms),
        )

    def _rows(self) -> Mapping[str, int]:
        return {side: sum(window.rows[side] for window in self.windows) for side in SIDES}
