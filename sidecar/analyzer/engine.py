"""The engine protocol, and the engine that computes effect sizes only.

An engine receives the counts of closed ticks from the profile monitor. `detectors.detection.monitor.DriftMonitor`
computes evidence and alarms. In a cluster, a pod computes effect sizes only: evidence needs the counts of all pods,
and separate evidence per pod would spend the false-alarm budget once per pod.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ...detectors.comparisons.distribution import CoarseDistribution
from ...detectors.comparisons.effects import EffectSizeEstimator, EffectSizes
from ...detectors.detection.results import EpisodeChange, FeatureStatus, MonitorStatus, TickResult
from ...detectors.errors import StateError
from ...detectors.profile.profile import Profile
from ...detectors.settings import DriftSettings
from ...detectors.summaries.counts import Counts
from ...detectors.summaries.windows import Windows, WindowSum, window_levels


class TickEngine(Protocol):
    """Receives the counts of each closed tick, in the order of the ticks."""

    @property
    def windows(self) -> Windows:
        """The counts of closed ticks, by tick, hour and day."""

    def close_tick(self, tick: int, counts: Counts) -> TickResult:
        """Add the counts of `tick`, greater than any before; return alarms and changes of episodes."""

    def status(self) -> MonitorStatus:
        """Return the current evidence, effect sizes and episodes."""

    def close_episode(self, episode_id: str, by: str = "person") -> tuple[EpisodeChange, ...]:
        """Close an open episode; raise StateError when no open episode has this id."""

    def state(self) -> dict[str, Any]:
        """Return plain values from which the factory restores the engine."""


EngineFactory = Callable[[Profile, DriftSettings, dict[str, Any] | None], TickEngine]

RECENT_TICKS = 60
STATE_VERSION = 2


class EffectSizesOnly:
    """The engine of a pod: effect sizes of the recent ticks against the reference. It raises no alarm."""

    def __init__(self, profile: Profile, drift: DriftSettings) -> None:
        self._profile = profile
        self._estimators = [
            (feature, EffectSizeEstimator.of(feature, drift.tick_seconds)) for feature in profile.features
        ]
        self.windows = Windows(profile, window_levels(drift.tick_seconds))
        self._tick: int | None = None
        self._ticks_closed = 0

    def close_tick(self, tick: int, counts: Counts) -> TickResult:
        """Add the counts of `tick` to the windows."""
        self._tick = tick
        if counts.bin_counts.any():
            self.windows.add(tick, counts)
            self._ticks_closed += 1
        return TickResult(tick)

    def status(self) -> MonitorStatus:
        """Return the effect sizes of at least the last RECENT_TICKS closed ticks."""
        recent = self.windows.latest(RECENT_TICKS)
        features = tuple(
            FeatureStatus(
                feature.name, feature.side, feature.family, 0.0, None, None,
                self._effects(feature.name, estimator, recent),
                distribution=self._distribution(feature.name, estimator, recent),
            )
            for feature, estimator in self._estimators
        )  # fmt: skip
        return MonitorStatus(self._tick, self._ticks_closed, self._profile.hash, (), features, ())

    def close_episode(self, episode_id: str, by: str = "person") -> tuple[EpisodeChange, ...]:
        """Raise StateError: this engine has no episodes."""
        raise StateError(
            f"cannot close episode {episode_id!r} for {by}: this analyzer raises no alarms; use the controller"
        )

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
        """Restore what `state` returned; raise StateError for the state of another kind of engine."""
        if (state.get("kind"), state.get("version")) != ("effect_sizes", STATE_VERSION):
            raise StateError("the checkpoint belongs to another kind of engine; effect sizes start from zero")
        self.windows.restore(state["windows"])
        self._tick, self._ticks_closed = state["tick"], int(state["ticks_closed"])

    def _effects(self, name: str, estimator: EffectSizeEstimator, recent: WindowSum | None) -> EffectSizes | None:
        if recent is None:
            return None
        counts, position = recent.counts, self._profile.index[name]
        excess, mismatches = counts.excess[position], int(counts.mismatches[position])
        return estimator.measure(counts.of(self._profile, name), excess, mismatches, recent.first, recent.last)

    def _distribution(
        self, name: str, estimator: EffectSizeEstimator, recent: WindowSum | None
    ) -> CoarseDistribution | None:
        if recent is None:
            return None
        return estimator.distribution(recent.counts.of(self._profile, name), recent.first, recent.last)


def effect_sizes_only(profile: Profile, drift: DriftSettings, state: dict[str, Any] | None) -> TickEngine:
    """Return the engine of a pod, restored from `state` unless it is None."""
    engine = EffectSizesOnly(profile, drift)
    if state is not None:
        engine.resume(state)
    return engine
