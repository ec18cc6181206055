"""The pipeline: decodes records and passes them to a table of components. It is the core of the analyzer, without I/O.

The pipeline decides when a hook is called; each component decides what it does. `components` is the table, and the
hooks are called in its order. The checkpoint is `{name: component.state()}`, so a component's name must never change.
There is no file, socket, thread or clock in here; the time is an argument. A pipeline that resumes from a checkpoint
gives the same numbers, to the bit, as one that never stopped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ...detectors.profile.profile import Profile
from ..channel.record import Hello, Record
from ..labels.labels import FeedbackResponse, LabelBatch
from ..report.problems import LANGUAGE_MODEL
from ..report.schema import AuditEntry
from ..sync.messages import Acknowledgement
from .active_profile import ActiveProfile
from .component import Component, hooks
from .counters import LATE_ROWS, MEASURED, UNDECODABLE
from .decode import Allowance, DecodedExchange, SkippedExchange, decode
from .errors import IdleError
from .exchange_ledger import ExchangeLedger
from .feedback.component import JournalSegment, LabelFeedback
from .feedback.frames import LabelEvent
from .learning import LearningState
from .notices import Notices
from .row_collector import RowCollector
from .row_counts import RowCounts
from .settings import AnalyzerSettings
from .stream_detectors import StreamDetectors
from .sync.unacknowledged import UnacknowledgedTicks
from .ticks import EMPTY_GRACE_SECONDS, MAX_OPEN, SECOND, TickClock
from .tokens.component import WorkOfRecords
from .unprofiled import UnprofiledColumns

State = dict[str, Any]

_MEASURED = MEASURED.key()


class Pipeline:
    """The components and the order of their hooks. Not thread-safe: the worker is the only caller.

    `change_count` grows with every change that must be saved. `idle_reason` is empty unless the pipeline is idle.
    """

    def __init__(
        self,
        settings: AnalyzerSettings,
        ledger: ExchangeLedger,
        saved: Mapping[str, Any] | None = None,
        sync: UnacknowledgedTicks | None = None,
    ) -> None:
        """Start, or resume from `saved`, a return value of `state`; parts that no longer fit are dropped.

        `sync` keeps closed ticks for the controller; None without one.
        """
        counters = ledger.counters
        self.settings = settings
        self.ledger = ledger
        self.counters = counters
        self.notices = Notices()
        self.ticks = TickClock.of(settings.drift.tick_seconds)
        self.learning = LearningState()
        self.sync = sync
        self.active = ActiveProfile(settings, self.ticks, counters, self.notices, sync.add if sync else None)
        self.unprofiled = UnprofiledColumns()
        self.row_collector = RowCollector(settings, self.learning)
        self.streams = StreamDetectors(
            settings.streams, counters, settings.drift.tick_seconds, self.active.closed_counts
        )
        self.feedback = LabelFeedback(settings.feedback, counters)
        self.work = WorkOfRecords()
        self.components: dict[str, Component] = {  # name in the checkpoint -> component, in the order of the calls
            "ledger": ledger,
            "ticks": self.ticks,
            "learning": self.learning,
            "profile": self.active,
            "columns": self.unprofiled,
            "row_collector": self.row_collector,
            "row_counts": RowCounts(counters, settings.model),
            "streams": self.streams,
            "feedback": self.feedback,
            "work": self.work,
        }
        if sync is not None:
            sync.use(self.ticks)
            self.components["sync"] = sync
        parts = self.components.values()
        self._on_profile = hooks(parts, "on_profile")
        self._on_record = hooks(parts, "on_record")
        self._on_exchange = hooks(parts, "on_exchange")
        self._on_labels = hooks(parts, "on_labels")
        self._on_tick = hooks(parts, "on_tick")
        self._hints = settings.hints
        self.idle_reason = settings.problem
        self.decisions: tuple[AuditEntry, ...] = ()
        self.change_count = 0
        self._started_ns: int | None = None
        if saved is not None:
            self._resume(saved)

    # --- records from the channel

    def handshake(self, hello: Hello, fresh_id: int) -> bool:
        """Start a connection; return False when the ledger restarted because the counter page is new.

        `fresh_id` is the id of the ledger in that case.
        """
        self.change_count += 1
        return self.ledger.handshake(hello, fresh_id)

    def handle_record(self, record: Record, now_ns: int, allowance: Allowance | None = None) -> None:
        """Decode and count one record, received at `now_ns` (epoch nanoseconds); ignore a repeated record.

        A record that is expected to cost more than `allowance` is skipped.
        """
        ahead = record.sequence - self.ledger.position
        if ahead <= 0:
            return
        if ahead > 1:
            self.ledger.count_lost(record.sequence)
        allowance = allowance or Allowance()
        decoded = decode(record, self._hints, allowance)
        for hook in self._on_record:
            hook(record, decoded, allowance)
        if isinstance(decoded, SkippedExchange):
            self.ledger.record_outcome(UNDECODABLE.key(self._skip_reason(decoded)))
        else:
            self._handle_exchange(decoded, record.at_ns, now_ns)
            self.ledger.record_outcome(_MEASURED)
        self.change_count += 1

    def _skip_reason(self, skipped: SkippedExchange) -> str:
        """Return why a record has no rows; exchanges of language models have none, unless the document says where."""
        is_text = self._hints.protocol == "auto" and skipped.reason in ("truncated", "unknown_protocol")
        return LANGUAGE_MODEL if is_text and self.work.is_language_model else skipped.reason

    def _handle_exchange(self, exchange: DecodedExchange, at_ns: int, now_ns: int) -> None:
        tick, late = self.ticks.place(at_ns, now_ns)
        at = at_ns / SECOND
        for hook in self._on_exchange:
            hook(tick, exchange, at)
        if late:
            self.counters.add(LATE_ROWS.key(), exchange.inputs.count)
        if len(self.ticks.open) > MAX_OPEN:  # a queued burst may span many ticks
            self.advance(now_ns)

    # --- labels

    def take_labels(self, labels: LabelBatch, now_ns: int) -> FeedbackResponse:
        """Join and count labels received at `now_ns`; raise IdleError while idle."""
        self._refuse_idle_labels()
        event, answer = self.feedback.take(labels, now_ns / SECOND)
        self._handle_labels(event, now_ns)
        return answer

    def look_up_labels(self, labels: LabelBatch, now_ns: int) -> FeedbackResponse:
        """Return what `take_labels` would return, and change nothing; raise IdleError while idle."""
        self._refuse_idle_labels()
        return self.feedback.joiner.look_up(labels, now_ns / SECOND)

    def _refuse_idle_labels(self) -> None:
        if self.idle_reason:
            raise IdleError(f"labels are refused while the analyzer is idle: {self.idle_reason}")

    def replay(self, segments: Sequence[JournalSegment], now_ns: int, *, count_labels: bool) -> None:
        """Replay the label journal; with `count_labels`, count the labels acknowledged after the checkpoint."""
        for event in self.feedback.replay(segments, now_ns / SECOND, count_labels=count_labels):
            self._handle_labels(event, now_ns)

    def _handle_labels(self, event: LabelEvent, now_ns: int) -> None:
        if event.rows and event.profile == self.active.profile_hash:
            tick, _ = self.ticks.place(int(event.at * SECOND), now_ns)
            for hook in self._on_labels:
                hook(tick, event)
        self.change_count += 1

    # --- time

    def advance(self, now_ns: int) -> None:
        """Close the ticks that have ended by `now_ns`."""
        due = self.ticks.due(now_ns)
        ahead = self.ticks.shift_ns / SECOND
        self.notices.set("clock", f"the clock was set back: ticks continue {ahead:g} s ahead of it" if ahead else "")
        for tick in due:
            self.ticks.close(tick)
            for hook in self._on_tick:
                hook(tick, now_ns / SECOND)
            self.change_count += 1
        if self.sync is not None:
            self._pass_empty_ticks(now_ns)

    def _pass_empty_ticks(self, now_ns: int) -> None:
        """Close the ticks without rows, so that the controller does not wait for them."""
        self._started_ns = now_ns if self._started_ns is None else min(now_ns, self._started_ns)
        started = now_ns - self._started_ns >= EMPTY_GRACE_SECONDS * SECOND  # the queue of the proxy has been read
        if started and not self.idle_reason and self.ticks.pass_empty(now_ns):
            self.change_count += 1

    # --- commands

    def set_profile(self, profile: Profile, learning_id: str = "", *, resumed: bool = False) -> None:
        """Put `profile` into force; on ProfileRefusedError the previous one stays.

        `learning_id` is the id of the learning that built the profile. `resumed` means that the profile was in force
        before a restart. Any other profile ends a learning under way.
        """
        self.settings.check_profile(profile)
        rebaseline = bool(learning_id) and self.learning.require(learning_id).kind == "rebaseline"
        if not learning_id and not resumed:
            self.learning.cancel()
        if self.active.profile_hash == profile.hash:
            return
        self.active.replace(profile, "rebaseline" if rebaseline else "profile")
        if self.sync is not None:
            self.sync.follow_profile(profile.hash, resumed=self.active.resumed)
        for hook in self._on_profile:
            hook(profile, restored=resumed and self.active.restorable)
        self._hints = msgspec.structs.replace(
            self.settings.hints,
            inputs=profile.input_orders[0],
            other_inputs=profile.input_orders[1:],
            outputs=profile.columns("prediction"),
            arrays=profile.array_columns,
        )
        self.idle_reason = ""
        self.change_count += 1

    def close_episode(self, episode_id: str, by: str) -> None:
        """Close an open episode; raise UnknownEpisodeError when no open episode has this id."""
        self.active.close_episode(episode_id, by)
        self.change_count += 1

    def acknowledge_ticks(self, epoch: str, ticks: Sequence[Acknowledgement]) -> None:
        """Forget the ticks that the controller keeps durably."""
        if self.sync is not None:
            self.sync.acknowledge(epoch, ticks)
            self.change_count += 1

    def show_decisions(self, decisions: tuple[AuditEntry, ...]) -> None:
        """Show `decisions`, the newest entries of the audit log, in the report."""
        self.decisions = decisions

    def stay_idle(self, reason: str) -> None:
        """Decode nothing until a profile is set; the report shows `reason`."""
        self.idle_reason = reason

    # --- the checkpoint

    def state(self) -> State:
        """Return the state of each component by name."""
        return {name: component.state() for name, component in self.components.items()}

    def _resume(self, saved: Mapping[str, Any]) -> None:
        same_ticks = saved["ticks"]["tick_ns"] == self.ticks.tick_ns
        if not same_ticks:  # the saved tick numbers stand for other times
            self.notices.set("tick", "the tick length changed: counts, evidence and episodes start from zero")
        for name, component in self.components.items():
            if name in saved and (same_ticks or not component.by_tick):
                component.resume(saved[name])
