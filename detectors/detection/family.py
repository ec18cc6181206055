"""The detector of one family: evidence, threshold crossings, and the episodes that follow.

`monitor` owns one detector per family and passes it the counts of each closed tick. The order of the steps in
`FamilyDetector.step` is part of the guarantee: evidence is compared with the threshold after recovered features have
left their episodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..batch import Bools, Floats, Ints
from ..errors import StateError
from ..evalues.bounds import CONFIDENCE_GRID
from ..summaries.counts import Counts
from ..summaries.windows import Windows
from .attribution import e_bh, largest_contributors
from .episodes import SECONDARY_FAMILIES, Episode, EpisodeHistory, EpisodeMember
from .recoveries import Recoveries
from .results import ChangeKind, EpisodeChange
from .sequential.shiryaev_roberts import ShiryaevRoberts
from .shared_causes import SharedCauses
from .tables import FamilyTable, FeatureTable

LEAST_LOG_RATIO = float(np.log(1e-3))  # evidence ratio from which a feature is worth naming beside another


@dataclass(frozen=True)
class ThresholdCrossing:
    """The evidence of a family has reached its threshold, with a new cause.

    Attributes:
        episode: the new episode.
        log_ratio: log of the family's evidence over the threshold.
        log_ratios: log of each named feature's evidence over the threshold.
    """

    episode: Episode
    log_ratio: float
    log_ratios: dict[str, float]


class FamilyDetector:
    """The detector of one family: a deterministic function of the counts of the closed ticks.

    Attributes:
        evidence: drives the alarms. After an alarm it restarts from zero, without the features of open episodes.
        episode_evidence: [confidence levels, alternatives] a copy of log R that continues from the alarm while an
            episode is open; it decides which features join. None without an open episode.
        history: the episodes.
        peak: log of the evidence ratio at the end of the last tick, before an alarm reset it.
    """

    def __init__(self, table: FamilyTable, shared_causes: SharedCauses | None = None) -> None:
        self.table = table
        self._shared_causes = shared_causes or SharedCauses.none()
        self.evidence = ShiryaevRoberts(len(CONFIDENCE_GRID), table.size)
        self.episode_evidence: Floats | None = None
        self.history = EpisodeHistory()
        self.alarms_total = 0
        self.peak = -np.inf
        self._recoveries = Recoveries(table.log_threshold)

    @property
    def log_ratio(self) -> float:
        """Log of the evidence over the threshold: an alarm at 0."""
        outside = self._not_in_episode()
        if not outside.any():
            return -np.inf
        by_feature = self.table.by_feature(self.evidence.log_r)[outside]
        return float(np.logaddexp.reduce(by_feature)) - self._log_needed

    def log_ratios(self) -> Floats:
        """Return log evidence of each feature over the threshold of the family: [features]."""
        shown = self.evidence.log_r if self.episode_evidence is None else self.episode_evidence
        out: Floats = self.table.by_feature(shown) - self._log_needed
        return out

    @property
    def _log_needed(self) -> float:
        """Log of the evidence that one feature needs to raise an alarm alone."""
        return float(np.log(len(self.table.features))) + self.table.log_threshold

    def onset(self, position: int) -> int:
        """Return the onset of a feature's change, by its strongest alternative; negative before its first row."""
        return int(self.evidence.onset[self.table.features[position].alternatives][self._strongest(position)])

    def step(
        self, tick: int, counts: Counts, windows: Windows, related_histories: Sequence[EpisodeHistory] = ()
    ) -> tuple[list[ThresholdCrossing], list[EpisodeChange]]:
        """Close a tick; return threshold crossings and changes of episodes.

        Args:
            tick: number of the tick.
            counts: its counts.
            windows: the past, which includes this tick.
            related_histories: the episodes of families that observe the same causes.
        """
        steps, active = self.table.increments(tick, counts.bin_counts)
        self.evidence.step(tick, steps, active & self._alternatives_not_in_episode())
        if self.episode_evidence is not None:
            self.episode_evidence = np.where(
                active, np.logaddexp(self.episode_evidence, 0.0) + steps, self.episode_evidence
            )
        changes = self._close_recovered(tick, counts.bin_counts, steps)
        crossings = []
        self.peak = log_ratio = self.log_ratio
        if log_ratio >= 0:
            crossing, named = self._open_or_extend(tick, log_ratio, windows, related_histories)
            crossings = [crossing] if crossing is not None else []
            changes += named
        crossings += self._cause_has_ended(tick, related_histories)
        changes += self._confirm_and_join(tick, windows)
        self.table.prepare_next_slot(tick)
        return crossings, changes

    def close_episode(self, episode: Episode, tick: int, by: str) -> list[EpisodeChange]:
        """Close an episode for all its features."""
        for member in episode.active:
            self._monitor_again(member)
        episode.close(tick, by)
        self._drop_episode_evidence()
        return [EpisodeChange(episode.id, "closed", "", tick)]

    def _not_in_episode(self) -> Bools:
        """Return a mask [features] that is true for features in no open episode."""
        inside = {member.name for episode in self.history.open for member in episode.active}
        return np.array([table.feature.name not in inside for table in self.table.features])

    def _alternatives_not_in_episode(self) -> Bools:
        sizes = [len(table.variance_inflation) for table in self.table.features]
        return np.repeat(self._not_in_episode(), sizes)

    def _strongest(self, position: int) -> int:
        """Return the alternative of a feature with the largest evidence."""
        alternatives = self.table.features[position].alternatives
        shown = self.evidence.log_r if self.episode_evidence is None else self.episode_evidence
        return int(np.argmax(self.table.weighted(shown, alternatives)))

    def _open_or_extend(
        self, tick: int, log_ratio: float, windows: Windows, related_histories: Sequence[EpisodeHistory]
    ) -> tuple[ThresholdCrossing | None, list[EpisodeChange]]:
        """Name the features, put each into an old or a new episode, and restart the evidence."""
        outside = self._not_in_episode()
        by_feature = np.where(outside, self.table.by_feature(self.evidence.log_r), -np.inf)
        if self.episode_evidence is None:
            self.episode_evidence = self.evidence.log_r.copy()
        sure = [position for position in self._confirmed() if outside[position]]
        named = sure or [int(position) for position in largest_contributors(by_feature)]
        named += self._most_specific(by_feature, named)
        ratios = {self._name(position): float(self.log_ratios()[position]) for position in named}
        changes: list[EpisodeChange] = []
        fresh: list[EpisodeMember] = []
        for position in named:
            member = self._member(position, tick, position in sure, windows)
            old = self.history.recently_left(member.name, tick, self.table.reopen_ticks)
            episode = old or self._find_cause(self.history, [(member.name, member.onset_tick)])
            if episode is None:
                fresh.append(member)
            else:
                changes.append(self._admit(episode, member, "reopened" if old else "joined"))
        self.evidence.log_r[:] = -np.inf
        if not fresh:
            return None, changes
        episode = self._open(tick, fresh, related_histories)
        changes.append(EpisodeChange(episode.id, "opened", "", tick))
        if episode.phase == "attached":
            return None, changes
        self.alarms_total += episode.part_of is None  # one cause is one alarm
        return ThresholdCrossing(episode, log_ratio, {member.name: ratios[member.name] for member in fresh}), changes

    def _most_specific(self, by_feature: Floats, named: list[int]) -> list[int]:
        """Return the most likely feature with known columns, if only measures of all columns are named."""
        specific = np.array([table.feature.name in self._shared_causes.concerns for table in self.table.features])
        if not specific.any() or specific[named].any():
            return []
        best = int(np.argmax(np.where(specific, by_feature, -np.inf)))
        return [best] if by_feature[best] - self._log_needed >= LEAST_LOG_RATIO else []

    def _open(self, tick: int, members: list[EpisodeMember], related_histories: Sequence[EpisodeHistory]) -> Episode:
        """Open an episode. Its id follows from family and tick, so every replica gives it the same id."""
        name = f"{self.table.profile_hash[:12]}-{self.table.name}-{tick}"
        changed = [(member.name, member.onset_tick) for member in members]
        cause = next((found for history in related_histories if (found := self._find_cause(history, changed))), None)
        episode = Episode(
            id=name,
            family=self.table.name,
            opened_tick=tick,
            onset_tick=min(member.onset_tick for member in members),
            reported_tick=tick if cause is None else cause.reported_tick,
            part_of=None if cause is None else cause.part_of or cause.id,
        )
        self.history.add(episode)
        for member in members:
            self._admit(episode, member, "joined")
        return episode

    def _confirm_and_join(self, tick: int, windows: Windows) -> list[EpisodeChange]:
        """While an episode is open, confirm its features, and add those that drifted before its alarm.

        The confirmed features are those of this tick. The false discovery rate holds at each tick, but not for the
        union of the lists of many ticks.
        """
        changes: list[EpisodeChange] = []
        if self.episode_evidence is None:
            return changes
        confirmed = self._confirmed()
        for member in [member for one in self.history.open for member in one.active]:
            member.confirmed = False
        for position in confirmed:
            episode = self.history.of(self._name(position))
            if episode is not None:
                episode.members[self._name(position)].confirmed = True
                continue
            onset = self.onset(position)
            joined = self._find_cause(self.history, [(self._name(position), onset)]) if onset >= 0 else None
            if joined is not None:
                changes.append(self._admit(joined, self._member(position, tick, True, windows), "joined"))
        return changes

    def _cause_has_ended(self, tick: int, related_histories: Sequence[EpisodeHistory]) -> list[ThresholdCrossing]:
        """Report episodes that were part of another cause and outlast that cause by the reopening time."""
        crossings: list[ThresholdCrossing] = []
        for episode in self.history.open if self.table.name in SECONDARY_FAMILIES else ():
            if episode.phase != "attached":
                continue
            cause = next(
                (one for history in related_histories for one in history.episodes if one.id == episode.part_of), None
            )
            if cause is not None and (cause.closed_tick is None or tick - cause.closed_tick <= self.table.reopen_ticks):
                continue
            episode.part_of, episode.reported_tick = None, tick
            self.alarms_total += 1
            shown = dict(zip(map(self._name, range(len(self.table.features))), self.log_ratios().tolist(), strict=True))
            ratios = {member.name: shown[member.name] for member in episode.active}
            crossings.append(ThresholdCrossing(episode, max(ratios.values()), ratios))
        return crossings

    def _find_cause(self, history: EpisodeHistory, changed: list[tuple[str, int]]) -> Episode | None:
        """Return the first open episode that explains all changed features, given as (name, onset).

        An episode explains a feature if its cause was reported after the onset, or if it affects what the feature is
        derived from.
        """
        for episode in history.open:
            if all(
                onset <= episode.reported_tick or self._shared_causes.explains(episode, name) for name, onset in changed
            ):
                return episode
        return None

    def _confirmed(self) -> list[int]:
        if self.episode_evidence is None:
            return []
        found = e_bh(self.table.by_feature(self.episode_evidence), self.table.log_threshold)
        return [int(position) for position in found]

    def _member(self, position: int, tick: int, sure: bool, windows: Windows) -> EpisodeMember:
        table = self.table.features[position]
        alternative, onset = self._strongest(position), self.onset(position)
        return EpisodeMember(
            table.feature.name, alternative, _excess(table, alternative, onset, windows), onset, tick, sure
        )

    def _admit(self, episode: Episode, member: EpisodeMember, kind: ChangeKind) -> EpisodeChange:
        episode.add_member(member)
        self.evidence.forget(self._table(member.name).alternatives)
        return EpisodeChange(episode.id, kind, member.name, member.joined_tick)

    def _close_recovered(self, tick: int, bin_counts: Ints, steps: Floats) -> list[EpisodeChange]:
        changes: list[EpisodeChange] = []
        for episode in self.history.open:
            for member in episode.active:
                table = self._table(member.name)
                counts = bin_counts[table.bin_slice]
                rows = int(counts.sum())
                if rows == 0:
                    continue
                density = self.table.density_of(rows, bin_counts)
                if self._recoveries.has_recovered(tick, member, table, counts, steps[:, table.alternatives], density):
                    member.closed_tick = tick
                    self._monitor_again(member)
                    changes.append(EpisodeChange(episode.id, "feature_closed", member.name, tick))
            if not episode.active:
                episode.close(tick, "recovery")
                changes.append(EpisodeChange(episode.id, "closed", "", tick))
        self._drop_episode_evidence()
        return changes

    def _monitor_again(self, member: EpisodeMember) -> None:
        """Monitor a feature again, from zero evidence."""
        self._recoveries.forget(member.name)
        alternatives = self._table(member.name).alternatives
        self.evidence.forget(alternatives)
        if self.episode_evidence is not None:
            self.episode_evidence[:, alternatives] = -np.inf

    def _drop_episode_evidence(self) -> None:
        if not self.history.open:
            self.episode_evidence = None

    def _table(self, name: str) -> FeatureTable:
        return next(table for table in self.table.features if table.feature.name == name)

    def _name(self, position: int) -> str:
        return self.table.features[position].feature.name

    def state(self) -> dict[str, Any]:
        return {
            "alarms_total": self.alarms_total,
            "episodes": self.history.state(),
            "evidence": self.evidence.state(),
            "listing": None if self.episode_evidence is None else self.episode_evidence.astype("<f8").tobytes(),
            "stretches": self._recoveries.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore a state of `state`.

        Raises:
            StateError: the state has another version or size.
        """
        self.evidence = ShiryaevRoberts.from_state(len(CONFIDENCE_GRID), self.table.size, state["evidence"])
        episode_evidence = state["listing"]
        self.episode_evidence = (
            None if episode_evidence is None else np.frombuffer(episode_evidence, "<f8").astype(np.float64)
        )
        if self.episode_evidence is not None:
            if len(self.episode_evidence) != self.table.size * len(CONFIDENCE_GRID):
                raise StateError(
                    f"the episode evidence has {len(self.episode_evidence)} values, which do not fit this profile; "
                    "start without the state"
                )
            self.episode_evidence = self.episode_evidence.reshape(len(CONFIDENCE_GRID), self.table.size)
        self.history = EpisodeHistory.from_state(state["episodes"])
        self.alarms_total = int(state["alarms_total"])
        self._recoveries.restore(state["stretches"])


def _excess(table: FeatureTable, alternative: int, onset: int, windows: Windows) -> float:
    """Return the mean of a likelihood ratio since the onset, over its lowest bound.

    The value is 1 if no window since the onset lies in one slot.
    """
    total, rows = 0.0, 0
    for window in windows:
        if window.first + window.last >= 2 * onset and table.in_one_slot(window.first, window.last):
            alternatives, counts = table.at(window.last), window.bin_counts[table.bin_slice]
            total += float(alternatives.h(alternative) @ counts) / alternatives.upper(alternative)
            rows += int(counts.sum())
    return total / rows if rows else 1.0
