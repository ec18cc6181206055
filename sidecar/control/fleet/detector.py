"""The detector of one version of a model: reports of its pods in, alarms and episodes out.

The manager owns one per monitor, version and profile. Time is an argument. The result of a tick depends only on the
counts that it closes with, so whoever publishes results must store `state` first: another leader then continues from
these results, and closes each later tick from the same reports.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from ....detectors.batch import SIDES
from ....detectors.detection.monitor import DriftMonitor
from ....detectors.detection.results import EpisodeChange, TickResult
from ....detectors.errors import StateError
from ....detectors.profile.profile import Profile
from ....detectors.settings import DriftSettings
from ....detectors.summaries.counts import Counts
from ...sync.messages import Acknowledgement
from ..reasons import Reason
from . import checkpoint
from .acknowledgements import Acknowledgements
from .fold import Fold, FoldKey, PodCounts
from .roster import Roster
from .rules import FleetRules
from .status import FleetStatus
from .watermark import ExpectedPods, PodRecord, Verdict, attendance, verdict

MAX_OTHER_PROFILES = 8  # hashes that are counted separately
OTHERS = "others"

TickReports = Iterable[tuple[int, int, Counts | None]]


class FleetDetector:
    """The detector of one version of a model.

    `rules` say when ticks close. `monitor` has the results.

    Example:
        >>> from pilotfish.detectors.batch import Batch
        >>> from pilotfish.detectors.reference.build import build_profile
        >>> from pilotfish.detectors.summaries.counts import TickCounts
        >>> from pilotfish.sidecar.control.fleet.detector import FleetDetector
        >>> from pilotfish.sidecar.control.fleet.watermark import ExpectedPods
        >>> profile = build_profile({"city": ["Rome"] * 30 + ["Bern"] * 10}, exchangeable=True)
        >>> fleet, counting = FleetDetector(profile), TickCounts(profile)
        >>> counting.add(Batch({"city": ["Rome", "Bern"]}, 2))
        >>> counts, expected = counting.take(), ExpectedPods({"a": 0.0, "b": 0.0})
        >>> fleet.receive("a", "1", [(100, 2, counts)], complete_through=100, now=6065.0)
        >>> fleet.advance(6066.0, expected)
        []
        >>> fleet.receive("b", "1", [(100, 2, counts)], complete_through=100, now=6067.0)
        >>> [result.tick for result in fleet.advance(6068.0, expected)][-1]
        100
        >>> fleet.monitor.windows.newest.rows["input"]
        4
    """

    def __init__(
        self,
        profile: Profile,
        settings: DriftSettings | None = None,
        version: str = "",
        *,
        rules: FleetRules | None = None,
        monitor: DriftMonitor | None = None,
    ) -> None:
        self.profile = profile
        self.settings = settings or DriftSettings()
        self.version = version
        self.rules = rules or FleetRules()
        self.monitor = monitor or DriftMonitor(profile, self.settings)
        self._fold = Fold(profile)
        self._closed: dict[int, frozenset[FoldKey]] = {}  # whose counts arrived in time, for ticks that may be resent
        self._closed_through: int | None = None
        self._started_at: float | None = None
        self._roster = Roster()
        self._acknowledgements = Acknowledgements()
        self._holding: int | None = None
        self._refused: Counter[Reason] = Counter()
        self._other_profiles: Counter[str] = Counter()
        self._dropped_ticks = self._dropped_rows = 0

    @property
    def revision(self) -> int:
        """The number of the last result of `state`."""
        return self._acknowledgements.revision

    # --- reports

    def receive(
        self,
        pod_uid: str,
        epoch: str,
        reports: TickReports,
        complete_through: int,
        now: float,
        *,
        leaving: bool = False,
    ) -> None:
        """Add the reports of a pod: tick, sequence and cumulative counts of each.

        Args:
            pod_uid: the pod that sends.
            epoch: the life of its counts.
            reports: in any order, and repeated as often as the pod likes. Counts may be None where `has` is True.
            complete_through: the pod has closed all ticks up to this one, -1 before the first.
            now: epoch seconds.
            leaving: the pod ends, and this is everything that it has counted.
        """
        self._begin(now)
        pods = self._roster.pods
        if pod_uid not in pods and len(pods) >= self.rules.pods:
            self._refused[Reason.LIMIT] += sum(1 for _ in reports)
            return
        pod = pods.setdefault(pod_uid, PodRecord())
        key = FoldKey(pod_uid, epoch)
        asked: dict[int, int] = {}
        in_time = other_time = False
        for tick, sequence, counts in reports:
            if counts is None:
                asked[tick], in_time = sequence, True
                continue
            reason = self._refusal(tick, key, counts, now)
            in_time, other_time = in_time or reason is None, other_time or reason in (Reason.CLOCK, Reason.LATE)
            if reason is not None:
                self._refused[reason] += 1
            elif not self._is_closed(tick):  # else a repetition
                self._fold.add(tick, key, sequence, counts)
            if reason is Reason.PROFILE:
                self.refuse_profile(counts.profile_hash, 1)
            if reason in (None, Reason.LATE):  # a pod may forget what came too late
                asked[tick] = max(sequence, asked.get(tick, sequence))
            else:  # what may come again is still missing
                complete_through, leaving = min(complete_through, tick - 1), False
        self._acknowledgements.ask(key, asked)
        pod.heard_at, pod.finished = now, leaving
        if self._is_ahead(complete_through + 1, now):  # it says that a tick has ended which has not
            self._refused[Reason.CLOCK] += 1
            other_time = True
        else:
            pod.complete_through = max(pod.complete_through, complete_through)
            other_time = other_time or (not asked and self._is_behind(complete_through + 1, now))
        pod.clock_off = other_time and not in_time

    def has(self, pod_uid: str, epoch: str, tick: int, sequence: int) -> bool:
        """Return whether a report is a repetition, whose counts need not be decoded."""
        if self._is_closed(tick):
            return FoldKey(pod_uid, epoch) in self._closed.get(tick, ())
        known = self._fold.epochs(tick, pod_uid).get(epoch)
        return known is not None and known.sequence >= sequence

    def refuse_profile(self, profile_hash: str, reports: int) -> None:
        """Count reports of another profile, which cannot be read; the pod does not count as heard."""
        known = profile_hash in self._other_profiles or len(self._other_profiles) < MAX_OTHER_PROFILES
        self._other_profiles[profile_hash[:64] if known else OTHERS] += reports

    def acknowledge(self, pod_uid: str) -> tuple[Acknowledgement, ...]:
        """Return which of the last reports of a pod survive a restart of the controller.

        These are the ones that a stored state contains, and those of ticks that it has closed.
        """
        return self._acknowledgements.of(pod_uid)

    # --- ticks

    def advance(self, now: float, expected: ExpectedPods) -> list[TickResult]:
        """Close the ticks that may close at `now`, in order, and return their results."""
        through = self._begin(now)
        self._roster.expect(expected, now, self.rules)
        results: list[TickResult] = []
        self._holding = None
        last = int(now // self.settings.tick_seconds) - 1
        while (tick := through + 1) <= last:
            if tick <= (expired := self._expired_through(now)) and not self._fold.pods(tick):
                with_counts = [one for one in self._fold.ticks if one <= expired]
                skipped = min([*with_counts, expired + 1]) - tick
                self._dropped_ticks += skipped
                self._closed_through = through = through + skipped
                continue
            found = self._verdict(tick, now)
            if found in (Verdict.WAIT, Verdict.HOLD):
                self._holding = tick if found is Verdict.HOLD else None
                break
            results.append(self._close(tick, counted=found is Verdict.COUNT))
            self._closed_through = through = tick
        self._forget(now)
        return results

    def close_episode(self, episode_id: str, by: str = "person") -> tuple[EpisodeChange, ...]:
        """Close an open episode; raise StateError when no open episode has this id."""
        return self.monitor.close_episode(episode_id, by)

    def status(self) -> FleetStatus:
        """Return the present state for people and metrics."""
        return FleetStatus(
            monitor=self.monitor.status(),
            version=self.version,
            profile_hash=self.profile.hash,
            expected=self._roster.expected,
            heard=self._roster.heard,
            clock_off=self._roster.clock_off,
            holding=None if self._holding is None else Reason.QUORUM_MISSING,
            holding_tick=self._holding,
            closed_through=self._closed_through,
            open_ticks=len(self._fold.ticks),
            refused=dict(self._refused),
            other_profiles=dict(self._other_profiles),
            dropped_ticks=self._dropped_ticks,
            dropped_rows=self._dropped_rows,
        )

    # --- checkpoint

    def state(self) -> bytes:
        """Return everything that later results depend on, and count `revision` up.

        Counts of open ticks beyond `rules.stored_bytes` are left out, and are not acknowledged; after a restart their
        ticks wait until the pod has sent them again. The counts of pods that no longer exist are stored first.
        """
        stored = self._storable()
        sequences = {(tick, key): self._counts(tick, key).sequence for tick, key in stored}
        self._acknowledgements.add_state(self._closed_through, sequences)
        return checkpoint.render(self._state(stored))

    def checkpointed(self, revision: int) -> None:
        """Record that the state with this number is stored: what it contains may be acknowledged."""
        self._acknowledgements.checkpointed(revision)

    @classmethod
    def from_state(
        cls, profile: Profile, settings: DriftSettings | None, data: bytes, *, rules: FleetRules | None = None
    ) -> FleetDetector:
        """Return a detector that continues exactly where the stored one stopped.

        Raises:
            StateError: the state is damaged, or belongs to another profile, tick length or set of features.
        """
        state = checkpoint.parse(data)
        used = settings or DriftSettings()
        if state.tick_seconds != used.tick_seconds:
            raise StateError(
                f"the stored state has ticks of {state.tick_seconds:g} s, not {used.tick_seconds:g} s; "
                "detection starts without it"
            )
        monitor = DriftMonitor.from_state(profile, used, state.monitor)
        out = cls(profile, used, state.version, rules=rules, monitor=monitor)
        try:
            out._restore(state)
        except (IndexError, ValueError) as error:
            raise StateError(
                f"the stored state of a fleet is damaged: {error!r}; detection starts without it"
            ) from error
        return out

    def _state(self, stored: list[tuple[int, FoldKey]]) -> checkpoint.FleetState:
        keys: dict[FoldKey, int] = {}
        for key in [*(key for _, key in stored), *(key for found in self._closed.values() for key in sorted(found))]:
            keys.setdefault(key, len(keys))
        packed: dict[int, dict[FoldKey, checkpoint.StoredCounts]] = {tick: {} for tick in self._fold.ticks}
        for tick, key in stored:
            one = self._counts(tick, key)
            counts = one.small.tobytes(), one.large.tobytes()
            packed[tick][key] = checkpoint.StoredCounts(keys[key], one.sequence, *counts)
        left_out: dict[str, int] = {}  # by pod, the first tick of which something is not stored
        for tick in reversed(self._fold.ticks):
            left_out |= {key.pod: tick for key in self._fold.keys(tick) if key not in packed[tick]}
        return checkpoint.FleetState(
            version=self.version,
            tick_seconds=self.settings.tick_seconds,
            closed_through=self._closed_through,
            monitor=self.monitor.state(),
            pods=self._roster.state(left_out),
            keys=tuple(keys),
            open={tick: tuple(found.values()) for tick, found in packed.items()},
            closed={
                tick: np.sort(np.array([keys[key] for key in found], "<u4")).tobytes()
                for tick, found in self._closed.items()
            },
            refused={reason.value: count for reason, count in sorted(self._refused.items())},
            other_profiles=dict(self._other_profiles),
            dropped_ticks=self._dropped_ticks,
            dropped_rows=self._dropped_rows,
        )

    def _restore(self, state: checkpoint.FleetState) -> None:
        keys = [FoldKey(*key) for key in state.keys]
        self._roster.restore(state.pods)
        for tick, found in state.open.items():
            for one in found:
                self._fold.restore(tick, keys[one.key], one.sequence, one.small, one.large)
        self._closed = {
            tick: frozenset(keys[position] for position in np.frombuffer(found, "<u4"))
            for tick, found in state.closed.items()
        }
        self._closed_through = state.closed_through
        self._refused = Counter({reason: state.refused[reason] for reason in Reason if reason in state.refused})
        self._other_profiles = Counter(state.other_profiles)
        self._dropped_ticks, self._dropped_rows = state.dropped_ticks, state.dropped_rows
        sequences = {
            (tick, key): self._counts(tick, key).sequence for tick in self._fold.ticks for key in self._fold.keys(tick)
        }
        self._acknowledgements.add_state(self._closed_through, sequences)
        self._acknowledgements.checkpointed(self.revision)

    # --- helpers

    def _counts(self, tick: int, key: FoldKey) -> PodCounts:
        return self._fold.epochs(tick, key.pod)[key.epoch]

    def _begin(self, now: float) -> int:
        """Return the last closed tick. Detection begins with the oldest tick that pods may send."""
        self._started_at = now if self._started_at is None else self._started_at
        if self._closed_through is None:
            self._closed_through = self._expired_through(now)
        return self._closed_through

    def _expired_through(self, now: float) -> int:
        return int((now - self.rules.resend) // self.settings.tick_seconds) - 1

    def _is_ahead(self, tick: int, now: float) -> bool:
        """Return whether a tick lies in the future, beyond what a clock may be ahead."""
        return tick * self.settings.tick_seconds > now + self.rules.skew

    def _is_behind(self, tick: int, now: float) -> bool:
        """Return whether a pod without counts to send, of which this is the open tick, has a clock that is behind."""
        return tick > 0 and (tick + 1) * self.settings.tick_seconds < now - self.rules.heard

    def _refusal(self, tick: int, key: FoldKey, counts: Counts, now: float) -> Reason | None:
        """Return why a report is not counted; a repetition of one that was counted has no reason."""
        if counts.profile_hash != self.profile.hash:
            return Reason.PROFILE
        if self._is_ahead(tick, now):
            return Reason.CLOCK
        if self._is_closed(tick):
            return None if key in self._closed.get(tick, ()) else Reason.LATE
        epochs = self._fold.epochs(tick, key.pod)
        full = len(epochs) >= self.rules.epochs or self._fold.nbytes >= self.rules.open_bytes
        return Reason.LIMIT if full and key.epoch not in epochs else None

    def _is_closed(self, tick: int) -> bool:
        return self._closed_through is not None and tick <= self._closed_through

    def _verdict(self, tick: int, now: float) -> Verdict:
        seconds = self.settings.tick_seconds
        end = (tick + 1) * seconds
        began = max(end, now if self._started_at is None else self._started_at)
        found = attendance(tick, seconds, self._roster.pods.items(), self._fold.pods(tick), now, self.rules)
        return verdict(
            found,
            in_grace=now < began + self.rules.grace,
            expired=tick <= self._expired_through(now),
            quorum=self.rules.quorum,
        )

    def _close(self, tick: int, *, counted: bool) -> TickResult:
        self._closed[tick] = frozenset(self._fold.keys(tick))
        counts = self._fold.take(tick)
        if not counted:
            self._dropped_ticks += 1
            self._dropped_rows += sum(counts.rows(side) for side in SIDES)
            counts = Counts.empty(self.profile)
        return self.monitor.close_tick(tick, counts)

    def _forget(self, now: float) -> None:
        """Forget what no message can concern any more."""
        through = self._closed_through if self._closed_through is not None else -1
        start = min((through + 1) * self.settings.tick_seconds, now - self.rules.resend)
        for uid in self._roster.forget_before(start):
            self._acknowledgements.forget(uid)
        for tick in [tick for tick in self._closed if tick <= self._expired_through(now)]:
            del self._closed[tick]

    def _storable(self) -> list[tuple[int, FoldKey]]:
        """Return the counts that a checkpoint contains: of pods that are gone first, then the oldest ticks first."""
        found = [(tick, key) for tick in self._fold.ticks for key in self._fold.keys(tick)]
        found.sort(key=lambda one: (not self._roster.has_left(one[1].pod), one[0]))
        size, kept = 0, []
        for tick, key in found:
            size += self._counts(tick, key).nbytes
            if size > self.rules.stored_bytes:
                break
            kept.append((tick, key))
        return sorted(kept)
