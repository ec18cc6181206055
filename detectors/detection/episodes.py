"""Episodes: one cause, from its alarm to the recovery of all its features.

open       an alarm opens an episode with the features that it names; the other features are monitored as before
join       a feature that is named while an episode is open, with an onset before the episode's alarm, joins it
recover    a feature leaves when its recovery test reaches the threshold; the episode closes with its last feature
reopen     a feature that drifts again soon after it left reopens the episode without an alarm

`family` applies these rules. `TRANSITIONS` lists every change of an episode's state; a test holds it against the
monitor, and docs/detection.md draws it. `EpisodeHistory.state` is part of checkpoints, so its keys must not change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np

from .results import EpisodeFeature, EpisodeStatus

KEPT = 32  # closed episodes that stay listed
EPISODE_KEYS = {"reported_tick": "told_tick"}  # fields that have another name in a checkpoint
MEMBER_KEYS = {"alternative": "function", "log_recovery_evidence": "log_k"}
SECONDARY_FAMILIES = ("multivariate",)  # they raise no alarm for a cause that a related family has reported

EpisodePhase: TypeAlias = Literal["attached", "closed", "open"]


@dataclass(frozen=True)
class Transition:
    """A change of the phase of an episode.

    Attributes:
        source, target: a phase; "" before the episode exists, and after it was dropped.
        event: the kind of the `EpisodeChange`; "alarm" and "dropped" are not reported as changes.
        reason: what causes the change.
    """

    source: EpisodePhase | Literal[""]
    event: str
    target: EpisodePhase | Literal[""]
    reason: str


TRANSITIONS = (
    Transition("", "opened", "open", "a new cause, with an alarm"),
    Transition("", "opened", "attached", "a related family has reported the cause, no alarm"),
    Transition("attached", "alarm", "open", "the cause has ended, the drift has not"),
    *(
        Transition(phase, event, phase, reason)
        for phase in ("attached", "open")
        for event, reason in (
            ("joined", "a feature that drifted before the alarm"),
            ("reopened", "a feature that drifts again"),
            ("feature_closed", "a feature has recovered"),
        )
    ),
    Transition("attached", "closed", "closed", "the last feature has recovered, or a person closed it"),
    Transition("open", "closed", "closed", "the last feature has recovered, or a person closed it"),
    Transition("closed", "reopened", "open", "a feature drifts again soon after"),
    Transition("closed", "reopened", "attached", "a feature drifts again soon after"),
    Transition("closed", "dropped", "", f"more than {KEPT} closed episodes"),
)


def diagram() -> str:
    """Return `TRANSITIONS` as a Mermaid state diagram, one line for each pair of phases."""
    pairs: dict[tuple[str, str], list[str]] = {}
    for move in TRANSITIONS:
        pairs.setdefault((move.source or "[*]", move.target or "[*]"), []).append(move.event)
    return "\n".join(
        ["stateDiagram-v2", *(f"    {one} --> {other}: {', '.join(events)}" for (one, other), events in pairs.items())]
    )


@dataclass
class EpisodeMember:
    """A feature in an episode.

    Attributes:
        alternative: the alternative that showed the drift, by its position within the feature.
        excess: the mean of the alternative's likelihood ratio since the onset, over its lowest bound.
        log_recovery_evidence: log of the evidence of the recovery test.
        closed_tick: when the feature left; None while it is active.
    """

    name: str
    alternative: int
    excess: float
    onset_tick: int
    joined_tick: int
    confirmed: bool
    log_recovery_evidence: float = -np.inf
    closed_tick: int | None = None

    @property
    def active(self) -> bool:
        return self.closed_tick is None


@dataclass
class Episode:
    """One cause within one family.

    Attributes:
        reported_tick: tick of the alarm that reported the cause, of this or of a related family.
        part_of: id of the related family's episode that reported the cause; None if this episode did.
        members: features by name.
        closed_by: "recovery", or the person who closed it.
    """

    id: str
    family: str
    opened_tick: int
    onset_tick: int
    reported_tick: int
    part_of: str | None = None
    members: dict[str, EpisodeMember] = field(default_factory=dict)
    closed_tick: int | None = None
    closed_by: str | None = None

    @property
    def open(self) -> bool:
        return self.closed_tick is None

    @property
    def phase(self) -> EpisodePhase:
        """The phase; attached means open without an alarm, as a related family has reported the cause."""
        if not self.open:
            return "closed"
        return "attached" if self.part_of is not None and self.family in SECONDARY_FAMILIES else "open"

    @property
    def active(self) -> list[EpisodeMember]:
        return [member for member in self.members.values() if member.active]

    def add_member(self, member: EpisodeMember) -> None:
        """Add a feature, possibly again. A closed episode becomes open."""
        self.members[member.name] = member
        self.closed_tick = self.closed_by = None

    def close(self, tick: int, by: str) -> None:
        """Close the episode for all its features."""
        for member in self.active:
            member.closed_tick = tick
        self.closed_tick, self.closed_by = tick, by

    def status(self) -> EpisodeStatus:
        return EpisodeStatus(
            id=self.id,
            family=self.family,
            opened_tick=self.opened_tick,
            onset_tick=self.onset_tick,
            closed_tick=self.closed_tick,
            closed_by=self.closed_by,
            open=self.open,
            part_of=self.part_of,
            features=tuple(
                EpisodeFeature(m.name, m.confirmed, m.active, m.onset_tick, m.joined_tick, m.closed_tick)
                for m in self.members.values()
            ),
        )


class EpisodeHistory:
    """The episodes of one family, oldest first."""

    def __init__(self, episodes: list[Episode] | None = None) -> None:
        self.episodes = episodes or []

    @property
    def open(self) -> list[Episode]:
        return [episode for episode in self.episodes if episode.open]

    def of(self, feature: str) -> Episode | None:
        """Return the open episode in which the feature is active."""
        for episode in self.open:
            if feature in episode.members and episode.members[feature].active:
                return episode
        return None

    def recently_left(self, feature: str, tick: int, hold: int) -> Episode | None:
        """Return the latest episode that the feature left at most `hold` ticks ago."""
        for episode in reversed(self.episodes):
            member = episode.members.get(feature)
            if member is not None and member.closed_tick is not None and tick - member.closed_tick <= hold:
                return episode
        return None

    def add(self, episode: Episode) -> None:
        """Append an episode, and drop the oldest closed ones beyond `KEPT`."""
        self.episodes.append(episode)
        closed = [one for one in self.episodes if not one.open]
        for old in closed[: max(0, len(closed) - KEPT)]:
            self.episodes.remove(old)

    def state(self) -> list[dict[str, Any]]:
        return [
            _stored(
                vars(episode)
                | {"members": [_stored(vars(member), MEMBER_KEYS) for member in episode.members.values()]},
                EPISODE_KEYS,
            )
            for episode in self.episodes
        ]

    @classmethod
    def from_state(cls, state: list[Mapping[str, Any]]) -> EpisodeHistory:
        episodes = []
        for stored in state:
            members = [EpisodeMember(**_read(member, MEMBER_KEYS)) for member in stored["members"]]
            by_name = {member.name: member for member in members}
            episodes.append(Episode(**_read(stored, EPISODE_KEYS) | {"members": by_name}))
        return cls(episodes)


def _stored(fields: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
    """Return fields under the keys that they have in a checkpoint."""
    return {keys.get(name, name): value for name, value in fields.items()}


def _read(stored: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
    """Return what a checkpoint holds as the fields of a dataclass."""
    names = {key: name for name, key in keys.items()}
    return {names.get(key, key): value for key, value in stored.items()}
