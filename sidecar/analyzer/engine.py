"""What turns closed ticks into evidence: a protocol, and the engine of a pod, which knows effect sizes only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ...detectors.comparisons.effects import EffectSizeEstimator, EffectSizes
from ...detectors.detection.results import EpisodeChange, FeatureStatus, MonitorStatus, TickResult
from ...detectors.errors import StateError
from ...detectors.profile.profile import Profile
from ...detectors.settings import DriftSettings
from ...detectors.summaries.counts import Counts
from ...detectors.summaries.windows import Windows, WindowSum, window_levels


class TickEngine(Protocol):
    """Fed with the counts of each closed tick, in the order of the ticks; `detectors.monitor.DriftMonitor` is one."""

    @property
    def windows(self) -> Windows:
        """The counts of the past, by tick, hour and day."""

    def close_tick(self, tick: int, counts: Counts) -> TickResult:
        """Take the counts of `tick` (greater than any before); return alarms and what changed in the episodes."""

    def status(self) -> MonitorStatus:
        """Return evidence, effect sizes and episodes as they are now."""

    def close_episode(self, episode_id: str, by: str = "person") -> tuple[EpisodeChange, ...]:
        """End an open episode; StateError when there is none of that id."""

    def state(self) -> dict[str, Any]:
        """Return plain values from which the same engine can be made again."""


EngineFactory = Callable[[Profile, DriftSettings, dict[str, Any] | None], TickEngine]

RECENT_TICKS = 60
STATE_VERSION = 2


class EffectSizesOnly:
    """The engine of a pod: how far the recent ticks lie from the reference, and no alarm, whatever happens.

    Evidence is gathered where all the pods' counts come together; each pod for itself would spend the budget anew.
    """

    def __init__(self, profile: Profile, drift: DriftSettings) -> None:
        self._profile = profile
        self._estimators = [
            (feature, EffectSizeEstimator.of(feature, drift.tick_seconds)) for feature in profile.features
        ]
        self.windows = Windows(profile, window_levels(drift.tick_seconds))
        self._tick: int | None = None
        self._ticks_closed = 0

    def close_tick(self, tick: int, counts: Counts) -> TickResult:
        """Remember the counts of `tick`."""
        self._tick = tick
        if counts.bin_counts.any():
            self.windows.add(tick, counts)
            self._ticks_closed += 1
        return TickResult(tick)

    def status(self) -> MonitorStatus:
        """Return the effect sizes of the last 60 closed ticks or a little more."""
        recent = self.windows.latest(RECENT_TICKS)
        features = tuple(
            FeatureStatus(
                feature.name, feature.side, feature.family, 0.0, None, None,
                self._effects(feature.name, estimator, recent),
            )
            for feature, estimator in self._estimators
        )  # fmt: skip
        return MonitorStatus(self._tick, self._ticks_closed, self._profile.hash, (), features, ())

    def close_episode(self, episode_id: str, by: str = "person") -> tuple[EpisodeChange, ...]:
        """Raise StateError: there are no episodes here."""
        raise StateError(f"no episode {episode_id!r} for {by} to close: this analyzer raises no alarms; ask control")

    def state(self) -> dict[str, Any]:
        """Return plain values for the checkpoint."""
        return {
            "version": STATE_VERSION,
            "kind": "effect_sizes",
            "tick": self._tick,
            "ticks_closed": self._ticks_closed,
            "windows": self.windows.state(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned; StateError when another engine made it."""
        if (state.get("kind"), state.get("version")) != ("effect_sizes", STATE_VERSION):
            raise StateError("the checkpoint is of another kind of engine; effect sizes start afresh")
        self.windows.restore(state["windows"])
        self._tick, self._ticks_closed = state["tick"], int(state["ticks_closed"])

    def _effects(self, name: str, estimator: EffectSizeEstimator, recent: WindowSum | None) -> EffectSizes | None:
        if recent is None:
            return None
        mismatches = int(recent.counts.mismatches[self._profile.index[name]])
        return estimator.measure(recent.counts.of(self._profile, name), mismatches, recent.first, recent.last)


def effect_sizes_only(profile: Profile, drift: DriftSettings, state: dict[str, Any] | None) -> TickEngine:
    """Return the engine of a pod, resumed from `state` if there is one."""
    engine = EffectSizesOnly(profile, drift)
    if state is not None:
        engine.resume(state)
    return engine
