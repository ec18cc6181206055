"""Component of the profile in force: its monitor, and the episodes of this profile and of earlier ones.

A change of profile closes all open episodes, because evidence against one profile is not valid for another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from ...detectors.detection.results import TickResult
from ...detectors.errors import DetectorError
from ...detectors.profile.profile import Profile
from ...detectors.summaries.counts import Counts
from ..errors import quote_value
from ..report import convert
from ..report.schema import RESTART, EpisodeReport
from .component import Component
from .counters import ALARMS, FINDINGS, TICKS, Counters
from .decode import DecodedExchange, Rows
from .errors import ProfileRefusedError, UnknownEpisodeError, describe
from .feedback.frames import LabelEvent
from .notices import Notices
from .profile_monitor import ProfileMonitor, TickCallback
from .settings import AnalyzerSettings
from .ticks import TickClock

MAX_EPISODES = 50  # closed ones in the report


class ActiveProfile(Component):
    """Counts rows against the profile in force; `monitor` is None before the first profile.

    `resume` only stores the state of the monitor. `replace` restores it if the profile is the same, or drops it.
    `restorable` is False once a profile other than the checkpoint's was set. `resumed` is whether the counts of the
    profile in force continue those of the checkpoint.
    """

    by_tick: ClassVar[bool] = True

    def __init__(
        self,
        settings: AnalyzerSettings,
        ticks: TickClock,
        counters: Counters,
        notices: Notices,
        on_closed: TickCallback | None = None,
    ) -> None:
        """`on_closed` is called with the counts of each closed tick and their profile."""
        self._on_closed = on_closed
        self._settings = settings
        self._ticks = ticks
        self._counters = counters
        self._notices = notices
        self._history: tuple[EpisodeReport, ...] = ()
        self._saved: Mapping[str, Any] | None = None
        self._closed_tick: int | None = None
        self.monitor: ProfileMonitor | None = None
        self.restorable = True
        self.resumed = False

    @property
    def profile_hash(self) -> str:
        """The hash of the profile in force, empty without one."""
        return self.monitor.profile.hash if self.monitor is not None else ""

    # --- hooks

    def on_exchange(self, tick: int, exchange: DecodedExchange, at: float) -> None:
        """Count the rows of one exchange."""
        if self.monitor is not None:
            self.monitor.add(tick, exchange, at)

    def on_labels(self, tick: int, labels: LabelEvent) -> None:
        """Count predictions with their labels."""
        if self.monitor is not None:
            self.monitor.add_labels(tick, Rows({**labels.columns}, labels.rows), labels.at)

    def on_tick(self, tick: int, now: float) -> None:
        """Pass the counts of `tick` to the engine."""
        result = self.monitor.close(tick) if self.monitor is not None else None
        self._closed_tick = None if result is None else tick
        if result is not None:
            self._count_result(result)

    # --- changes and queries

    def replace(self, profile: Profile, closed_by: str) -> None:
        """Put `profile` into force and close the previous one's episodes, with `closed_by` as the cause.

        On ProfileRefusedError, the previous profile stays in force.
        """
        monitor = self._create_monitor(profile)
        self._close_monitor(closed_by)
        self.monitor = monitor
        for tick in monitor.open_counts:
            if tick not in self._ticks.open:  # the tick closed while no profile was in force
                result = monitor.close(tick)
                if result is not None:
                    self._count_result(result)

    def close_episode(self, episode_id: str, by: str) -> None:
        """Close an open episode; raise UnknownEpisodeError when no open episode has this id."""
        if self.monitor is None:
            raise UnknownEpisodeError(f"episode {quote_value(episode_id)} does not exist: no profile is in force")
        try:
            self.monitor.close_episode(episode_id, by)
        except DetectorError as error:
            raise UnknownEpisodeError(str(error)) from error

    def episodes(self) -> tuple[EpisodeReport, ...]:
        """Return the open episodes, then up to MAX_EPISODES closed ones, latest first, of all profiles."""
        current = convert.episodes(self.monitor.status.episodes) if self.monitor is not None else ()
        known = {episode.id for episode in current}
        closed = [episode for episode in current if not episode.open]
        closed += [episode for episode in self._history if episode.id not in known]
        closed.sort(key=lambda episode: episode.closed_tick or 0, reverse=True)
        return (*(episode for episode in current if episode.open), *closed[:MAX_EPISODES])

    def closed_counts(self, tick: int) -> tuple[Profile, Counts] | None:
        """Return the profile and the counts of `tick`; None unless it is the last closed tick and had rows."""
        if self.monitor is None or tick != self._closed_tick:
            return None
        return self.monitor.profile, self.monitor.last_counts

    # --- the checkpoint

    def state(self) -> dict[str, Any]:
        """Return the state of the monitor, None without a profile, and the episodes."""
        if self.monitor is not None:
            self.monitor.flush()
        return {
            "monitor": self.monitor.state() if self.monitor is not None else None,
            "episodes": msgspec.to_builtins(self.episodes()),
        }

    def resume(self, saved: Mapping[str, Any]) -> None:
        """Store the state of the monitor for `replace`; until then, its open episodes count as closed."""
        self._saved = saved
        self._history = self._closed_episodes(saved, RESTART)

    # --- helpers

    def _count_result(self, result: TickResult) -> None:
        self._counters.add(TICKS.key())
        for alarm in result.alarms:
            self._counters.add(ALARMS.key(alarm.family))
        for finding in self.monitor.new_findings() if self.monitor is not None else ():
            self._counters.add(FINDINGS.key(finding.kind))

    def _close_monitor(self, by: str) -> None:
        if self.monitor is None:
            return
        for result in self.monitor.close_all(by):
            self._count_result(result)
        self._history = self.episodes()
        self.monitor = None

    def _create_monitor(self, profile: Profile) -> ProfileMonitor:
        """Return the monitor of `profile`, resumed if the checkpoint belongs to the same profile."""
        saved, self._saved = self._saved, None
        self.resumed = False
        state = saved["monitor"] if saved is not None else None
        if saved is not None and (state is None or state.get("profile_hash") != profile.hash):
            self._history = self._closed_episodes(saved, "profile")
            self.restorable = False
        factory, drift = self._settings.engine_factory, self._settings.drift
        if state is not None and state.get("profile_hash") == profile.hash:
            try:
                monitor = ProfileMonitor(profile, factory(profile, drift, state["engine"]), self._on_closed)
                monitor.resume(state)
            except Exception as error:
                note = f"evidence starts from zero, the checkpoint does not fit: {describe(error)}"
                self._notices.set("checkpoint", note)
            else:
                self.resumed = True
                return monitor
        try:
            return ProfileMonitor(profile, factory(profile, drift, None), self._on_closed)
        except Exception as error:  # a profile must not end the worker, whatever it contains
            raise ProfileRefusedError(f"the profile {profile.hash[:12]} cannot be used: {describe(error)}") from error

    def _closed_episodes(self, saved: Mapping[str, Any], by: str) -> tuple[EpisodeReport, ...]:
        """Return the checkpoint's episodes with all open ones closed by `by`; a resumed monitor has them open still."""
        episodes = msgspec.convert(saved["episodes"], tuple[EpisodeReport, ...])
        closed = {"open": False, "closed_by": by, "closed_tick": self._ticks.closed_through}
        return tuple(msgspec.structs.replace(item, **closed) if item.open else item for item in episodes)
