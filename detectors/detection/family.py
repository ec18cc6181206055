"""A family's detector: evidence, its crossing of the threshold, and the episodes that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..batch import Bools, Floats, Ints
from ..errors import StateError
from ..evalues.bounds import RUNGS
from ..summaries.counts import Counts
from ..summaries.windows import Windows
from .attribution import confirmed, leading
from .episodes import Episode, EpisodeBook, Member
from .results import EpisodeChange
from .sequential.closing import ClosingBet, Stretch
from .sequential.shiryaev_roberts import ShiryaevRoberts
from .shared_causes import Kinship
from .tables import FamilyTable, FeatureTable, Functions

QUIET = ("multivariate",)  # families that raise no alarm about a cause that another has told of: they name no column
LIKELY = float(np.log(1e-3))  # own evidence over the threshold, that makes a feature worth naming beside another

Kind = Literal["opened", "joined", "reopened", "feature_closed", "closed"]


@dataclass(frozen=True)
class Page:
    """A crossing of the threshold with a new cause; `log_ratio` is the evidence over the threshold."""

    episode: Episode
    log_ratio: float
    log_ratios: dict[str, float]


class FamilyDetector:
    """Deterministic function of the counts of the closed ticks.

    `evidence` drives the alarms: after a page it starts afresh, without the features of open episodes. `listing`, a
    copy that runs on from the page while any episode is open, says which features belong to it.
    """

    def __init__(self, table: FamilyTable, kinship: Kinship | None = None) -> None:
        self.table = table
        self._kinship = kinship or Kinship.none()
        self.evidence = ShiryaevRoberts(len(RUNGS), table.size)
        self.listing: Floats | None = None
        self.book = EpisodeBook()
        self.alarms_total = 0
        self.peak = -np.inf
        self._bets: dict[str, tuple[Functions, tuple[int, float], ClosingBet]] = {}
        self._stretches: dict[str, Stretch] = {}

    @property
    def log_ratio(self) -> float:
        """Log of the evidence over the threshold: an alarm at 0."""
        outside = self._outside()
        if not outside.any():
            return -np.inf
        by_feature = self.table.by_feature(self.evidence.log_r)[outside]
        return float(np.logaddexp.reduce(by_feature)) - self._log_needed

    def log_ratios(self) -> Floats:
        """[features] each one's own evidence over the threshold of the family."""
        shown = self.evidence.log_r if self.listing is None else self.listing
        out: Floats = self.table.by_feature(shown) - self._log_needed
        return out

    @property
    def _log_needed(self) -> float:
        """Log of the evidence that one feature needs to alarm alone."""
        return float(np.log(len(self.table.features))) + self.table.log_threshold

    def onset(self, position: int) -> int:
        """The onset of a feature's change, by its strongest function; negative before its first row."""
        return int(self.evidence.onset[self.table.features[position].functions][self._strongest(position)])

    def step(
        self, tick: int, counts: Counts, windows: Windows, akin: Sequence[EpisodeBook] = ()
    ) -> tuple[list[Page], list[EpisodeChange]]:
        """Close a tick, whose counts `windows` has already; `peak` is the evidence at its end.

        `akin` are the episodes of families that see the same causes.
        """
        steps, active = self.table.increments(tick, counts.cells)
        self.evidence.step(tick, steps, active & self._outside_functions())
        if self.listing is not None:
            self.listing = np.where(active, np.logaddexp(self.listing, 0.0) + steps, self.listing)
        changes = self._close_recovered(tick, counts.cells, steps)
        pages = []
        self.peak = log_ratio = self.log_ratio
        if log_ratio >= 0:
            page, named = self._cross(tick, log_ratio, windows, akin)
            pages = [page] if page is not None else []
            changes += named
        pages += self._outlived(tick, akin)
        changes += self._refine(tick, windows)
        self.table.make_ahead(tick)
        return pages, changes

    def close_episode(self, episode: Episode, tick: int, by: str) -> list[EpisodeChange]:
        """End an episode for all its features."""
        for member in episode.active:
            self._release(member)
        episode.close(tick, by)
        self._settle()
        return [EpisodeChange(episode.id, "closed", "", tick)]

    def _outside(self) -> Bools:
        """[features] true for those in no open episode."""
        inside = {member.name for episode in self.book.open for member in episode.active}
        return np.array([table.feature.name not in inside for table in self.table.features])

    def _outside_functions(self) -> Bools:
        sizes = [len(table.inflation) for table in self.table.features]
        return np.repeat(self._outside(), sizes)

    def _strongest(self, position: int) -> int:
        """A feature's function with the largest evidence."""
        functions = self.table.features[position].functions
        shown = self.evidence.log_r if self.listing is None else self.listing
        return int(np.argmax(self.table.weighted(shown, functions)))

    def _cross(
        self, tick: int, log_ratio: float, windows: Windows, akin: Sequence[EpisodeBook]
    ) -> tuple[Page | None, list[EpisodeChange]]:
        """Name the features, put each into an episode old or new, and start the evidence afresh."""
        outside = self._outside()
        by_feature = np.where(outside, self.table.by_feature(self.evidence.log_r), -np.inf)
        if self.listing is None:
            self.listing = self.evidence.log_r.copy()
        sure = [position for position in self._confirmed() if outside[position]]
        named = sure or [int(position) for position in leading(by_feature)]
        named += self._telling(by_feature, named)
        ratios = {self._name(position): float(self.log_ratios()[position]) for position in named}
        changes: list[EpisodeChange] = []
        fresh: list[Member] = []
        for position in named:
            member = self._member(position, tick, position in sure, windows)
            old = self.book.returned_to(member.name, tick, self.table.hold)
            episode = old or self._explaining(self.book, [(member.name, member.onset_tick)])
            if episode is None:
                fresh.append(member)
            else:
                changes.append(self._admit(episode, member, "reopened" if old else "joined"))
        self.evidence.log_r[:] = -np.inf
        if not fresh:
            return None, changes
        episode = self._open(tick, fresh, akin)
        changes.append(EpisodeChange(episode.id, "opened", "", tick))
        if episode.part_of is not None and self.table.name in QUIET:
            return None, changes
        self.alarms_total += 1
        return Page(episode, log_ratio, {member.name: ratios[member.name] for member in fresh}), changes

    def _telling(self, by_feature: Floats, named: list[int]) -> list[int]:
        """Where only measures of all columns are named: the feature that tells most likely which columns it is."""
        tells = np.array([table.feature.name in self._kinship.about for table in self.table.features])
        if not tells.any() or tells[named].any():
            return []
        best = int(np.argmax(np.where(tells, by_feature, -np.inf)))
        return [best] if by_feature[best] - self._log_needed >= LIKELY else []

    def _open(self, tick: int, members: list[Member], akin: Sequence[EpisodeBook]) -> Episode:
        """The identity of an episode follows from what it is about, so that every replica gives the same one."""
        name = f"{self.table.profile_hash[:12]}-{self.table.name}-{tick}"
        changed = [(member.name, member.onset_tick) for member in members]
        told = next((found for book in akin if (found := self._explaining(book, changed))), None)
        episode = Episode(
            id=name,
            family=self.table.name,
            opened_tick=tick,
            onset_tick=min(member.onset_tick for member in members),
            told_tick=tick if told is None else told.told_tick,
            part_of=None if told is None else told.part_of or told.id,
        )
        self.book.add(episode)
        for member in members:
            self._admit(episode, member, "joined")
        return episode

    def _refine(self, tick: int, windows: Windows) -> list[EpisodeChange]:
        """While an episode is open, confirm its features, and let those join that drifted before its page."""
        changes: list[EpisodeChange] = []
        if self.listing is None:
            return changes
        for position in self._confirmed():
            episode = self.book.of(self._name(position))
            if episode is not None:
                episode.members[self._name(position)].confirmed = True
                continue
            onset = self.onset(position)
            joined = self._explaining(self.book, [(self._name(position), onset)]) if onset >= 0 else None
            if joined is not None:
                changes.append(self._admit(joined, self._member(position, tick, True, windows), "joined"))
        return changes

    def _outlived(self, tick: int, akin: Sequence[EpisodeBook]) -> list[Page]:
        """Tell of what was taken for a part of another cause, and is still there long after that has ended."""
        pages: list[Page] = []
        for episode in self.book.open if self.table.name in QUIET else ():
            if episode.part_of is None:
                continue
            told = next((one for book in akin for one in book.episodes if one.id == episode.part_of), None)
            if told is not None and (told.closed_tick is None or tick - told.closed_tick <= self.table.hold):
                continue
            episode.part_of, episode.told_tick = None, tick
            self.alarms_total += 1
            shown = dict(zip(map(self._name, range(len(self.table.features))), self.log_ratios().tolist(), strict=True))
            ratios = {member.name: shown[member.name] for member in episode.active}
            pages.append(Page(episode, max(ratios.values()), ratios))
        return pages

    def _explaining(self, book: EpisodeBook, changed: list[tuple[str, int]]) -> Episode | None:
        """The first open episode that explains features changed since their onsets.

        Its cause was told of after the onset, or has moved what the feature is made of.
        """
        for episode in book.open:
            if all(onset <= episode.told_tick or self._kinship.explains(episode, name) for name, onset in changed):
                return episode
        return None

    def _confirmed(self) -> list[int]:
        if self.listing is None:
            return []
        found = confirmed(self.table.by_feature(self.listing), self.table.log_threshold)
        return [int(position) for position in found]

    def _member(self, position: int, tick: int, sure: bool, windows: Windows) -> Member:
        table = self.table.features[position]
        function, onset = self._strongest(position), self.onset(position)
        return Member(table.feature.name, function, _excess(table, function, onset, windows), onset, tick, sure)

    def _admit(self, episode: Episode, member: Member, kind: Kind) -> EpisodeChange:
        episode.admit(member)
        self.evidence.forget(self._table(member.name).functions)
        return EpisodeChange(episode.id, kind, member.name, member.joined_tick)

    def _close_recovered(self, tick: int, cells: Ints, steps: Floats) -> list[EpisodeChange]:
        changes: list[EpisodeChange] = []
        for episode in self.book.open:
            for member in episode.active:
                table = self._table(member.name)
                counts = cells[table.cells]
                rows = int(counts.sum())
                if rows == 0:
                    continue
                scale = self.table.live_inflation(rows, cells)
                if self._is_back(tick, member, table, counts, steps[:, table.functions], scale):
                    member.closed_tick = tick
                    self._release(member)
                    changes.append(EpisodeChange(episode.id, "feature_closed", member.name, tick))
            if not episode.active:
                episode.close(tick, "recovery")
                changes.append(EpisodeChange(episode.id, "closed", "", tick))
        self._settle()
        return changes

    def _is_back(
        self, tick: int, member: Member, table: FeatureTable, counts: Ints, steps: Floats, scale: float
    ) -> bool:
        """Take in a tick of a feature in an episode; `counts` [cells] and `steps` [rungs, functions] are its own."""
        inflation = float(table.inflation.max()) * scale
        if member.log_k <= 0 or member.name not in self._stretches:
            self._stretches[member.name] = Stretch.empty(*steps.shape)
        stretch = self._stretches[member.name]
        stretch.add(steps, table.at(tick).excess(counts), int(counts.sum()))
        member.log_k = float(np.logaddexp(member.log_k, 0.0)) + self._bet(tick, member).increment(counts, inflation)
        if member.log_k < self.table.log_threshold:
            return False
        other = stretch.still_drifting(table.log_k, self.table.log_threshold)
        if other is None:
            return True
        member.function, member.log_k = other, -np.inf
        member.excess = stretch.mean_excess(other)
        return False

    def _release(self, member: Member) -> None:
        """Watch a feature again, from nothing."""
        self._stretches.pop(member.name, None)
        functions = self._table(member.name).functions
        self.evidence.forget(functions)
        if self.listing is not None:
            self.listing[:, functions] = -np.inf

    def _settle(self) -> None:
        if not self.book.open:
            self.listing = None

    def _bet(self, tick: int, member: Member) -> ClosingBet:
        """The member's bet at a tick: made once for as long as the feature's functions stay the same."""
        functions = self._table(member.name).at(tick)
        terms = (member.function, member.excess)
        made = self._bets.get(member.name)
        if made is None or made[0] is not functions or made[1] != terms:
            h, upper = functions.h(member.function), functions.upper(member.function)
            made = functions, terms, ClosingBet.against(h, functions.p, upper, member.excess)
            self._bets[member.name] = made
        return made[2]

    def _table(self, name: str) -> FeatureTable:
        return next(table for table in self.table.features if table.feature.name == name)

    def _name(self, position: int) -> str:
        return self.table.features[position].feature.name

    def state(self) -> dict[str, Any]:
        return {
            "alarms_total": self.alarms_total,
            "episodes": self.book.state(),
            "evidence": self.evidence.state(),
            "listing": None if self.listing is None else self.listing.astype("<f8").tobytes(),
            "stretches": {name: stretch.state() for name, stretch in self._stretches.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """StateError if the state is of another version or size."""
        self.evidence = ShiryaevRoberts.from_state(len(RUNGS), self.table.size, state["evidence"])
        listing = state["listing"]
        self.listing = None if listing is None else np.frombuffer(listing, "<f8").astype(np.float64)
        if self.listing is not None:
            if len(self.listing) != self.table.size * len(RUNGS):
                raise StateError(f"a listing of {len(self.listing)} values does not fit this profile; start afresh")
            self.listing = self.listing.reshape(len(RUNGS), self.table.size)
        self.book = EpisodeBook.from_state(state["episodes"])
        self.alarms_total = int(state["alarms_total"])
        self._stretches = {name: Stretch.from_state(stored) for name, stored in state["stretches"].items()}


def _excess(table: FeatureTable, function: int, onset: int, windows: Windows) -> float:
    """The mean of a function since the onset, over its lowest bound; 1 if there is no window that lies in one slot."""
    total, rows = 0.0, 0
    for window in windows:
        if window.first + window.last >= 2 * onset and table.in_one_slot(window.first, window.last):
            functions, counts = table.at(window.last), window.cells[table.cells]
            total += float(functions.h(function) @ counts) / functions.upper(function)
            rows += int(counts.sum())
    return total / rows if rows else 1.0
