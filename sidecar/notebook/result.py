"""The result of a replay in a notebook: alarms, episodes, features and evidence as data frames, and pictures."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...detectors.detection.replay import Replay
from ...detectors.settings import DriftSettings
from ..errors import number
from ..profiles.replay_report import ReplayReport
from ..profiles.replay_rows import ReplayRows
from ..profiles.table import Progress
from ..report.columns import ordered
from ..report.pages import page
from ..report.pages.evidence import families
from ..report.pages.writing import write
from ..report.response import ReportResponse
from ..report.timeline.schema import Timeline
from .result_rows import (
    ALARMS,
    EPISODES,
    FEATURES,
    TIMES,
    alarm_row,
    episode_row,
    feature_row,
    moment,
    order_warnings,
)
from .result_view import result_html
from .tables import result_table

WHAT = "rows of a data frame"


@dataclass(frozen=True)
class ReplayResult:
    """What the detector would have reported for stored rows. Times are UTC.

    Attributes:
        rows, ticks: how many were replayed.
        false_alarms_expected: the false alarms to expect at most, if the rows follow the reference.
        warnings: what makes these ticks differ from those of the reference.
        missing_columns: columns of the profile that the frame lacks.
        notes: how the frame was read.
        report: the content of the page, at the end of the replay.
        timeline: the history that the page shows.
    """

    rows: int
    ticks: int
    false_alarms_expected: float
    warnings: tuple[str, ...]
    missing_columns: tuple[str, ...]
    notes: tuple[str, ...]
    report: ReportResponse
    timeline: Timeline
    _alarms: tuple[Mapping[str, object], ...]

    @classmethod
    def of(cls, given: ReplayRows, settings: DriftSettings, now: float, progress: Progress) -> ReplayResult:
        """Replay the rows, and tell `progress`; `now` is epoch seconds."""
        replayed = Replay(given.profile, settings)
        collected = ReplayReport.over(given.profile, settings, given.spans, given.rows_per_tick)
        alarms: list[Mapping[str, object]] = []
        for closed in replayed.run(given.columns, given.spans, given.times):
            progress("replaying", closed.row / max(given.rows, 1))
            collected.take(replayed, closed)
            alarms += [alarm_row(alarm, closed, given, settings.tick_seconds) for alarm in closed.alarms]
        report, timeline = collected.report(replayed, WHAT, now)
        warnings = [*replayed.warnings, *order_warnings(given)]
        expected = len(given.spans) / settings.ticks_per_false_alarm
        made = (tuple(warnings), tuple(given.absent), tuple(given.notes), report, timeline, tuple(alarms))
        return cls(given.rows, len(given.spans), expected, *made)

    @property
    def summary(self) -> str:
        """The numbers of rows, ticks and alarms, and of the false alarms to expect."""
        found = sum(alarm["part_of"] is None for alarm in self._alarms)
        counted = f"{number(self.rows, 'row')} in {number(self.ticks, 'tick')}: {number(found, 'alarm')}"
        return f"{counted} (without drift, expect at most {self.false_alarms_expected:.2g})"

    @property
    def alarms(self) -> Any:
        """One row per alarm. `columns` are those that the alarm names, the clearest first; `change` says what changed.

        `row` is the number of rows up to the alarm, and `onset_row` the first row of the change. `part_of` is the
        episode that has already reported the same cause, if there is one.
        """
        names = [name for name in ALARMS if self._by_time or name not in TIMES]
        return result_table(names, self._alarms)

    @property
    def episodes(self) -> Any:
        """One row per episode: one cause, from its alarm to its end; `closed` is missing while it lasts.

        `onset`, `opened` and `closed` are times, or numbers of rows if ticks are numbers of rows.
        """
        return result_table(EPISODES, [episode_row(item, self._moment) for item in self.report.episodes])

    @property
    def features(self) -> Any:
        """One row per feature at the end of the replay: drifted columns first, relations last."""
        found = ordered(self.report.features)
        items = [*(item for entry in found.columns for item in entry.features), *found.relations]
        return result_table(FEATURES, [feature_row(item) for item in items])

    @property
    def evidence(self) -> Any:
        """The largest evidence of each family over its threshold (1 is an alarm), one row per window of the chart."""
        names = families(self.timeline)
        rows = [
            {"start": self._moment(span.first_tick), **{name: span.evidence.get(name) for name in names}}
            for span in self.timeline.spans
        ]
        return result_table(("start", *names), rows)

    def to_html(self, path: str | os.PathLike[str] | None = None) -> str | None:
        """Return the page of `pilotfish replay --html`, or write it to `path` and return None."""
        document = page.render(self.report, self.timeline)
        if path is None:
            return document
        write(Path(path), document)
        return None

    @property
    def _by_time(self) -> bool:
        return self.report.ticks.rows_per_tick is None

    def _moment(self, tick: int | None) -> object:
        return moment(tick, self.report.ticks)

    def __repr__(self) -> str:
        return f"<pilotfish.ReplayResult {self.summary}>"

    def _repr_html_(self) -> str:
        absent = [f"{name}: the frame lacks this column" for name in self.missing_columns]
        return result_html(self.summary, self.report, self.timeline, [*self.warnings, *absent], self.notes)
