"""The detector of one version of a model: reports of its pods in, alarms and episodes out.

The manager owns one per monitor, version and profile. Time is an argument. The result of a tick depends only on the
counts that it closes with, so whoever publishes results must store `state` first: another leader then continues from
these results, and closes each later tick from the same reports.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ....detectors.batch import SIDES
from ....detectors.detection.monitor import DriftMonitor
from ....detectors.detection.results import EpisodeChange, MonitorStatus, TickResult
from ....detectors.errors import StateError
from ....detectors.profile.profile import Profile
from ....detectors.settings import DriftSettings
from ....detectors.summaries.counts import Counts
from ...sync.messages import Acknowledgement
from ..reasons import Reason
from . import checkpoint
from .fold import Fold, FoldKey, PodCounts
from .rules import FleetRules
from .watermark import ExpectedPods, PodRecord, Verdict, attendance, verdict

MAX_OTHER_PROFILES = 8  # hashes that are counted separately
OTHERS = "others"

TickReports = Iterable[tuple[int, int, Counts | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetStatus:
    """The state of one detector for people and metrics.

    Attributes:
        monitor: evidence, effect sizes and episodes.
        version, profile_hash: what is monitored.
        expected: pods that should report.
        heard: those of them that reported lately.
        holding: why the next tick is held longer than the grace; empty if it is not.
        holding_tick: this tick, None if none is held.
        closed_through: all ticks up to this one are closed; None before the first message.
        open_ticks: ticks that have counts and are not closed.
        refused: reports that were not counted, by reason.
        other_profiles: reports of other profiles by hash; the profile of this detector is `profile_hash`.
        dropped_ticks: ticks that were closed without their rows, because too few pods were heard.
        dropped_rows: rows of these ticks.
    """

    monitor: MonitorStatus
    version: str
    profile_hash: str
    expected: int
    heard: int
    holding: Reason | None
    holding_tick: int | None
    closed_through: int | None
    open_ticks: int
    refused: Mapping[Reason, int]
    other_profiles: Mapping[str, int]
    dropped_ticks: int
    dropped_rows: int


@dataclass(frozen=True, slots=True)
class _Stored:
    """What a stored state contains: closed ticks, and for open ticks the sequence of each counts."""

    closed_through: int
    open: Mapping[tuple[int, FoldKey], int] = field(default_factory=dict)

    def contains(self, tick: int, key: FoldKey, sequence: int) -> bool:
        return tick <= self.closed_through or self.open.get((tick, key), -1) >= sequence


class FleetDetector:
    """The detector of one version of a model.

    `revision` is the number of the last result of `state`. `rules` say when ticks close. `monitor` has the results.

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
        self.revision = 0
        self._fold = Fold(profile)
        self._closed: dict[int, frozenset[FoldKey]] = {}  # whose counts arrived in time, for ticks that may be resent
        self._closed_through: int | None = None
        self._started_at: float | None = None
        self._pods: dict[str, PodRecord] = {}
        self._asked: dict[str, tuple[FoldKey, dict[int, int]]] = {}  # the last reports of each pod: sequence by tick
        self._expected = 0
        self._heard = 0
        self._holding: int | None = None
        self._refused: Counter[Reason] = Counter()
        self._other_profiles: Counter[str] = Counter()
        self._dropped_ticks = self._dropped_rows = 0
        self._stored: _Stored | None = None
        self._unstored: dict[int, _Stored] = {}

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
        pod = self._pods.get(pod_uid)
        if pod is None:
            if len(self._pods) >= self.rules.pods:
                self._refused[Reason.LIMIT] += sum(1 for _ in reports)
                return
            pod = self._pods[pod_uid] = PodRecord()
        key = FoldKey(pod_uid, epoch)
        asked: dict[int, int] = {}
        for tick, sequence, counts in reports:
            if counts is None:
                asked[tick] = sequence
                continue
            reason = self._refusal(tick, key, counts, now)
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
        self._asked[pod_uid] = key, asked
        pod.heard_at, pod.finished = now, leaving
        if self._is_ahead(complete_through, now):
            self._refused[Reason.CLOCK] += 1
        else:
            pod.complete_through = max(pod.complete_through, complete_through)

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
        stored = self._stored
        if stored is None or pod_uid not in self._asked:
            return ()
        key, asked = self._asked[pod_uid]
        return tuple(
            Acknowledgement(tick=tick, sequence=sequence)
            for tick, sequence in sorted(asked.items())
            if stored.contains(tick, key, sequence)
        )

    # --- ticks

    def advance(self, now: float, expected: ExpectedPods) -> list[TickResult]:
        """Close the ticks that may close at `now`, in order, and return their results."""
        through = self._begin(now)
        self._expect(expected, now)
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
            expected=self._expected,
            heard=self._heard,
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
        self.revision += 1
        stored = self._storable()
        self._unstored = {**dict(list(self._unstored.items())[-1:]), self.revision: _Stored(
            -1 if self._closed_through is None else self._closed_through,
            {(tick, key): self._counts(tick, key).sequence for tick, key in stored},
        )}  # fmt: skip
        return checkpoint.render(self._state(stored))

    def checkpointed(self, revision: int) -> None:
        """Record that the state with this number is stored: what it contains may be acknowledged."""
        self._stored = self._unstored.get(revision, self._stored)

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
            pods=tuple(_stored_pod(uid, pod, left_out.get(uid)) for uid, pod in sorted(self._pods.items())),
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
        self._pods = {
            pod.uid: PodRecord(pod.since, pod.left, pod.heard_at, pod.complete_through, pod.finished)
            for pod in state.pods
        }
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
        stored = {
            (tick, key): self._counts(tick, key).sequence for tick in self._fold.ticks for key in self._fold.keys(tick)
        }
        self._stored = _Stored(-1 if state.closed_through is None else state.closed_through, stored)

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
        """Return whether a tick has not ended yet, beyond what a clock may be ahead."""
        return (tick + 1) * self.settings.tick_seconds > now + self.rules.skew

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
        found = attendance(tick, seconds, self._pods.items(), self._fold.pods(tick), now, self.rules)
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

    def _expect(self, expected: ExpectedPods, now: float) -> None:
        """Record which pods are expected at `now`, and which no longer are."""
        for uid, since in expected.pods.items():
            pod = self._pods.setdefault(uid, PodRecord())
            pod.since, pod.left = since if pod.since is None else min(since, pod.since), None
        for uid, pod in self._pods.items():
            if uid not in expected.pods and pod.since is not None and pod.left is None:
                pod.left = now
        self._expected = len(expected.pods)
        self._heard = sum(_was_heard(self._pods[uid], now - self.rules.heard) for uid in expected.pods)

    def _forget(self, now: float) -> None:
        """Forget what no message can concern any more."""
        through = self._closed_through if self._closed_through is not None else -1
        start = min((through + 1) * self.settings.tick_seconds, now - self.rules.resend)
        gone = [
            uid
            for uid, pod in self._pods.items()
            if (pod.since is None or pod.left is not None)
            and (pod.left or start) <= start
            and not _was_heard(pod, start)
        ]
        for uid in gone:
            del self._pods[uid]
            self._asked.pop(uid, None)
        for tick in [tick for tick in self._closed if tick <= self._expired_through(now)]:
            del self._closed[tick]

    def _storable(self) -> list[tuple[int, FoldKey]]:
        """Return the counts that a checkpoint contains: of pods that are gone first, then the oldest ticks first."""
        found = [(tick, key) for tick in self._fold.ticks for key in self._fold.keys(tick)]
        found.sort(key=lambda one: (one[1].pod in self._pods and self._pods[one[1].pod].left is None, one[0]))
        size, kept = 0, []
        for tick, key in found:
            size += self._counts(tick, key).nbytes
            if size > self.rules.stored_bytes:
                break
            kept.append((tick, key))
        return sorted(kept)


def _was_heard(pod: PodRecord, since: float) -> bool:
    return pod.heard_at is not None and pod.heard_at >= since


def _stored_pod(uid: str, pod: PodRecord, left_out: int | None) -> checkpoint.StoredPod:
    """Return the record of a pod; `left_out` is the first tick of which its counts are not stored, None without one."""
    through, finished = pod.complete_through, pod.finished
    if left_out is not None:
        through, finished = min(through, left_out - 1), False
    return checkpoint.StoredPod(uid, pod.since, pod.left, pod.heard_at, through, finished)
