"""Episodes: one cause, from its alarm to its end, however long it lasts.

open     a page opens an episode with the features it names; they leave the mixture, so that the rest is watched on
join     a feature that is named while an episode is open, and whose onset is not after that page, joins it
close    a feature leaves when its closing bet reaches the threshold, the episode ends with its last one
hold     a feature that returns soon after its closing reopens its episode, without a page
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .results import EpisodeFeature, EpisodeStatus

KEPT = 32  # closed episodes that are still listed
EPISODE_KEYS = {"reported_tick": "told_tick"}  # fields that have another name in a checkpoint
MEMBER_KEYS = {"alternative": "function", "log_recovery_evidence": "log_k"}


@dataclass
class EpisodeMember:
    """A feature in an episode: which function showed the drift, and the log of the closing evidence.

    `excess` is the function's mean since the onset, over its lowest bound.
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
    """`members` by name; `closed_by` is "recovery" or whoever closed it.

    `told_tick` is the page that told of its cause; `part_of` the id of that episode where it is of another family.
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
    def active(self) -> list[EpisodeMember]:
        return [member for member in self.members.values() if member.active]

    def add_member(self, member: EpisodeMember) -> None:
        """Take a feature in (again); a closed episode is open again."""
        self.members[member.name] = member
        self.closed_tick = self.closed_by = None

    def close(self, tick: int, by: str) -> None:
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
    """The episodes of a family, oldest first."""

    def __init__(self, episodes: list[Episode] | None = None) -> None:
        self.episodes = episodes or []

    @property
    def open(self) -> list[Episode]:
        return [episode for episode in self.episodes if episode.open]

    def of(self, feature: str) -> Episode | None:
        """The open episode that the feature is active in."""
        for episode in self.open:
            if feature in episode.members and episode.members[feature].active:
                return episode
        return None

    def recently_left(self, feature: str, tick: int, hold: int) -> Episode | None:
        """The latest episode that the feature left at most `hold` ticks ago."""
        for episode in reversed(self.episodes):
            member = episode.members.get(feature)
            if member is not None and member.closed_tick is not None and tick - member.closed_tick <= hold:
                return episode
        return None

    def add(self, episode: Episode) -> None:
        """Append, and forget the oldest closed ones."""
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
