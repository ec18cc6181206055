"""The detector of one model: counts of a tick in, alarms and episodes out.

The analyzer and `replay` own one monitor each. It reads no clock: ticks must arrive in ascending order, and the same
ticks give the same results, to the bit, on every replica and after every restart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..comparisons.distribution import CoarseDistribution
from ..comparisons.effects import EffectSizeEstimator, EffectSizes
from ..errors import CountsMismatchError, StateError, shown
from ..profile.profile import Profile
from ..settings import DriftSettings
from ..summaries.counts import Counts
from ..summaries.observed_columns import ObservedColumns
from ..summaries.windows import Windows, WindowSum, window_levels
from .episodes import EpisodeHistory
from .family import FamilyDetector, ThresholdCrossing
from .family_tables import family_tables
from .results import Alarm, AlarmFeature, EpisodeChange, FamilyStatus, FeatureStatus, MonitorStatus, TickResult, ratio
from .shared_causes import RELATED_FAMILIES, SharedCauses

STATE_VERSION = 2
RECENT_TICKS = 60


class DriftMonitor:
    """The drift detector of one model: a deterministic function of profile, settings and closed ticks.

    Raises:
        ProfileError: the profile was built for other alternatives.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.batch import Batch
        >>> from pilotfish.detectors.detection.monitor import DriftMonitor
        >>> from pilotfish.detectors.reference.build import build_profile
        >>> from pilotfish.detectors.summaries.counts import TickCounts
        >>> random = np.random.default_rng(1)
        >>> profile = build_profile({"x": random.normal(size=5000)}, exchangeable=True)
        >>> monitor, counting = DriftMonitor(profile), TickCounts(profile)
        >>> for tick in range(40):
        ...     counting.add(Batch({"x": random.normal(loc=1.0 if tick >= 20 else 0.0, size=100)}, 100))
        ...     for alarm in monitor.close_tick(tick, counting.take()).alarms:
        ...         print(alarm.tick, alarm.onset_tick, [feature.name for feature in alarm.features])
        20 20 ['x']
    """

    def __init__(self, profile: Profile, settings: DriftSettings | None = None) -> None:
        self.profile = profile
        self.settings = settings or DriftSettings()
        shared_causes = SharedCauses.of(profile)
        self._families = tuple(FamilyDetector(table, shared_causes) for table in family_tables(profile, self.settings))
        self.windows = Windows(profile, window_levels(self.settings.tick_seconds))
        self._observed = ObservedColumns(profile)
        self._estimators = [EffectSizeEstimator.of(feature, self.settings.tick_seconds) for feature in profile.features]
        self._status: MonitorStatus | None = None
        self._tick: int | None = None
        self._density: float | None = None
        self._ticks_closed = 0

    def close_tick(self, tick: int, counts: Counts) -> TickResult:
        """Add the counts of a tick. A tick without rows changes only the number of the last tick.

        Raises:
            CountsMismatchError: the counts belong to another profile.
            StateError: the tick is not after the last one.
        """
        if counts.profile_hash != self.profile.hash:
            raise CountsMismatchError(
                f"cannot add counts of profile {counts.profile_hash!r} to a monitor of profile {self.profile.hash!r}; "
                "discard them"
            )
        if self._tick is not None and tick <= self._tick:
            raise StateError(
                f"tick {tick} comes after tick {self._tick} was closed; count late rows in the open tick instead"
            )
        self._tick = tick
        self._status = None
        counts = self._observed.with_missing(counts)
        if not counts.bin_counts.any():
            return TickResult(tick)
        self._ticks_closed += 1
        densities = (family.table.density(counts.bin_counts) or 0.0 for family in self._families)
        self._density = max(densities, default=0.0) or None
        self.windows.add(tick, counts)
        alarms: list[Alarm] = []
        changes: list[EpisodeChange] = []
        for family in self._families:
            crossings, changed = family.step(tick, counts, self.windows, self._related_episodes(family))
            alarms += [self._alarm(tick, crossing) for crossing in crossings]
            changes += changed
        self.windows.record_peaks({family.table.name: family.peak for family in self._families})
        return TickResult(tick, tuple(alarms), tuple(changes))

    @property
    def density(self) -> float | None:
        """Rows of the last tick over those of a reference tick, as in `MonitorStatus`."""
        return self._density

    def close_episode(self, episode_id: str, by: str = "person") -> tuple[EpisodeChange, ...]:
        """Close an episode on behalf of a person. Its features are monitored again; a quick return reopens it.

        Raises:
            StateError: no open episode has that id.
        """
        self._status = None
        for family in self._families:
            for episode in family.history.open:
                if episode.id == episode_id:
                    return tuple(family.close_episode(episode, self._tick or 0, by))
        known = [episode.id for family in self._families for episode in family.history.open]
        raise StateError(f"no open episode has the id {shown(episode_id)}; the open ones are {shown(known)}")

    def status(self) -> MonitorStatus:
        """Return evidence, effect sizes and episodes.

        Effect sizes cover the recent window: the last 60 closed ticks, or a little more. For a feature in an open
        episode they cover the time since its onset. Multivariate features have effect sizes in an episode only.
        """
        if self._status is None:
            self._status = self._compute_status()
        return self._status

    def _compute_status(self) -> MonitorStatus:
        features: list[FeatureStatus] = []
        for family in self._families:
            features += self._features(family)
        return MonitorStatus(
            tick=self._tick,
            ticks_closed=self._ticks_closed,
            profile_hash=self.profile.hash,
            families=tuple(_family_status(family) for family in self._families),
            features=tuple(features),
            episodes=tuple(episode.status() for family in self._families for episode in family.history.episodes),
            density=self._density,
        )

    def state(self) -> dict[str, Any]:
        """Return everything that later results depend on, as plain values and bytes."""
        return {
            "density": self._density,
            "families": {family.table.name: family.state() for family in self._families},
            "presence": self._observed.state(),
            "profile_hash": self.profile.hash,
            "tick": self._tick,
            "ticks_closed": self._ticks_closed,
            "version": STATE_VERSION,
            "windows": self.windows.state(),
        }

    @classmethod
    def from_state(cls, profile: Profile, settings: DriftSettings | None, state: Mapping[str, Any]) -> DriftMonitor:
        """Return a monitor that continues exactly where the stored one stopped.

        Raises:
            StateError: the state belongs to another profile, version or set of features, or is damaged.
        """
        if state.get("version") != STATE_VERSION:
            raise StateError(
                f"the monitor's state has version {shown(state.get('version'))}, not {STATE_VERSION}; start without it"
            )
        if state.get("profile_hash") != profile.hash:
            raise StateError(
                f"the monitor's state belongs to profile {shown(state.get('profile_hash'))}, not to {profile.hash!r}; "
                "start without it"
            )
        out = cls(profile, settings)
        try:
            out._restore(state)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StateError(f"the monitor's state is damaged: {error!r}; start without it") from error
        return out

    def _restore(self, state: Mapping[str, Any]) -> None:
        names = sorted(family.table.name for family in self._families)
        if sorted(state["families"]) != names:
            found = shown(sorted(state["families"]))
            raise StateError(f"the monitor's state has the families {found}, not {names}; start without it")
        for family in self._families:
            family.restore(state["families"][family.table.name])
        self.windows.restore(state["windows"])
        self._observed.restore(state["presence"])
        self._density = state["density"]
        self._tick = state["tick"]
        self._ticks_closed = int(state["ticks_closed"])

    def _related_episodes(self, family: FamilyDetector) -> list[EpisodeHistory]:
        """Return the episodes of the other families that observe the same causes."""
        if family.table.name not in RELATED_FAMILIES:
            return []
        return [
            other.history for other in self._families if other is not family and other.table.name in RELATED_FAMILIES
        ]

    def _alarm(self, tick: int, crossing: ThresholdCrossing) -> Alarm:
        episode = crossing.episode
        features = [
            AlarmFeature(
                name=member.name,
                confirmed=member.confirmed,
                evidence_ratio=ratio(crossing.log_ratios[member.name]),
                onset_tick=member.onset_tick,
                effects=self._effects(member.name, self.windows.since(member.onset_tick)),
                partners=self.profile.partners.get(member.name, ()),
            )
            for member in (episode.members[name] for name in crossing.log_ratios)
        ]
        features.sort(key=lambda feature: -crossing.log_ratios[feature.name])
        log_ratio, onset = ratio(crossing.log_ratio), episode.onset_tick
        return Alarm(tick, episode.family, episode.id, log_ratio, onset, tuple(features), episode.part_of)

    def _effects(self, name: str, past: WindowSum | None) -> EffectSizes | None:
        if past is None:
            return None
        position = self.profile.index[name]
        counts, mismatches = past.counts.of(self.profile, name), int(past.counts.mismatches[position])
        excess = past.counts.excess[position]
        return self._estimators[position].measure(counts, excess, mismatches, past.first, past.last)

    def _distribution(self, name: str, past: WindowSum | None) -> CoarseDistribution | None:
        if past is None:
            return None
        estimator, counts = self._estimators[self.profile.index[name]], past.counts.of(self.profile, name)
        return estimator.distribution(counts, past.first, past.last)

    def _features(self, family: FamilyDetector) -> list[FeatureStatus]:
        recent = self.windows.latest(RECENT_TICKS)
        log_ratios = family.log_ratios()
        out = []
        for position, table in enumerate(family.table.features):
            episode = family.history.of(table.feature.name)
            onset = family.onset(position) if episode is None else episode.members[table.feature.name].onset_tick
            usual = None if family.table.name == "multivariate" else recent  # many features, of little interest then
            past = usual if episode is None else self.windows.since(onset)
            out.append(
                FeatureStatus(
                    name=table.feature.name,
                    side=table.feature.side,
                    family=family.table.name,
                    evidence_ratio=ratio(log_ratios[position]),
                    onset_tick=onset if onset >= 0 else None,
                    episode_id=None if episode is None else episode.id,
                    effects=self._effects(table.feature.name, past),
                    seen=bool(self._observed.observed[self.profile.index[table.feature.name]]),
                    partners=self.profile.partners.get(table.feature.name, ()),
                    distribution=self._distribution(table.feature.name, past),
                )
            )
        return out


def _family_status(family: FamilyDetector) -> FamilyStatus:
    table = family.table
    return FamilyStatus(table.name, ratio(family.log_ratio), table.threshold, table.share, family.alarms_total)
