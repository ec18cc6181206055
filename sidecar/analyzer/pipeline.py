"""Everything that the worker counts, without I/O: records, labels and ticks in, state and episodes out.

`components` is the table of parts. The pipeline decides when something happens, and calls the hooks of the components
in the order of the table; the checkpoint is `{name: component.state()}`. No file, no socket, no thread; the time is an
argument. A pipeline that resumes a checkpoint continues as if nothing had happened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ...detectors.profile.profile import Profile
from ..channel.record import Hello, Record
from ..report.schema import AuditEntry
from .active_profile import ActiveProfile
from .component import Component, hooks
from .counters import LATE_ROWS, MEASURED, UNDECODABLE
from .decode import DecodedExchange, SkippedExchange, decode
from .errors import IdleError
from .exchange_ledger import ExchangeLedger
from .feedback.component import JournalSegment, LabelFeedback
from .feedback.frames import LabelEvent
from .feedback.labels import FeedbackResponse, LabelBatch
from .learning import LearningState
from .notices import Notices
from .row_collector import RowCollector
from .row_counts import RowCounts
from .settings import AnalyzerSettings
from .stream_detectors import StreamDetectors
from .ticks import MAX_OPEN, SECOND, TickClock
from .unprofiled import UnprofiledColumns

State = dict[str, Any]

_MEASURED = MEASURED.key()


class Pipeline:
    """The components and their order. One thread calls it; `change_count` grows with every change worth saving."""

    def __init__(
        self, settings: AnalyzerSettings, ledger: ExchangeLedger, saved: Mapping[str, Any] | None = None
    ) -> None:
        """Start, or continue from `saved`, which `state` returned; parts of it that no longer fit are dropped."""
        counters = ledger.counters
        self.settings = settings
        self.ledger = ledger
        self.counters = counters
        self.notices = Notices()
        self.ticks = TickClock.of(settings.drift.tick_seconds)
        self.learning = LearningState()
        self.active = ActiveProfile(settings, self.ticks, counters, self.notices)
        self.unprofiled = UnprofiledColumns()
        self.row_collector = RowCollector(settings, self.learning)
        self.streams = StreamDetectors(
            settings.streams, counters, settings.drift.tick_seconds, self.active.closed_counts
        )
        self.feedback = LabelFeedback(settings.feedback, counters)
        self.components: dict[str, Component] = {  # by name in the checkpoint, in the order of the calls
            "ledger": ledger,
            "ticks": self.ticks,
            "learning": self.learning,
            "profile": self.active,
            "columns": self.unprofiled,
            "row_collector": self.row_collector,
            "row_counts": RowCounts(counters, settings.model),
            "streams": self.streams,
            "feedback": self.feedback,
        }
        parts = self.components.values()
        self._on_profile = hooks(parts, "on_profile")
        self._on_exchange = hooks(parts, "on_exchange")
        self._on_labels = hooks(parts, "on_labels")
        self._on_tick = hooks(parts, "on_tick")
        self._hints = settings.hints
        self.idle_reason = settings.problem
        self.decisions: tuple[AuditEntry, ...] = ()
        self.change_count = 0
        if saved is not None:
            self._resume(saved)

    # --- what the channel brings

    def handshake(self, hello: Hello, fresh_id: int) -> bool:
        """Start a connection; return False when the ledger started again, with a new counter page."""
        self.change_count += 1
        return self.ledger.handshake(hello, fresh_id)

    def handle_record(self, record: Record, now_ns: int) -> None:
        """Decode and count one record; one that was sent again is not counted again."""
        ahead = record.sequence - self.ledger.position
        if ahead <= 0:
            return
        if ahead > 1:
            self.ledger.count_lost(record.sequence)
        decoded = decode(record, self._hints)
        if isinstance(decoded, SkippedExchange):
            self.ledger.record_outcome(UNDECODABLE.key(decoded.reason))
        else:
            self._handle_exchange(decoded, record.at_ns, now_ns)
            self.ledger.record_outcome(_MEASURED)
        self.change_count += 1

    def _handle_exchange(self, exchange: DecodedExchange, at_ns: int, now_ns: int) -> None:
        tick, late = self.ticks.place(at_ns, now_ns)
        at = at_ns / SECOND
        for hook in self._on_exchange:
            hook(tick, exchange, at)
        if late:
            self.counters.add(LATE_ROWS.key(), exchange.inputs.count)
        if len(self.ticks.open) > MAX_OPEN:  # a burst out of a queue may span many ticks
            self.advance(now_ns)

    # --- labels

    def take_labels(self, labels: LabelBatch, now_ns: int) -> FeedbackResponse:
        """Join and count labels that came now; IdleError while nothing is counted."""
        if self.idle_reason:
            raise IdleError(f"no label is taken while nothing is counted: {self.idle_reason}")
        taken, answer = self.feedback.take(labels, now_ns / SECOND)
        self._handle_labels(taken, now_ns)
        return answer

    def replay(self, segments: Sequence[JournalSegment], now_ns: int, *, count_labels: bool) -> None:
        """Read the journal; with `count_labels`, count the labels that were answered after the checkpoint."""
        for taken in self.feedback.replay(segments, now_ns / SECOND, count_labels=count_labels):
            self._handle_labels(taken, now_ns)

    def _handle_labels(self, taken: LabelEvent, now_ns: int) -> None:
        if taken.rows and taken.profile == self.active.profile_hash:
            tick, _ = self.ticks.place(int(taken.at * SECOND), now_ns)
            for hook in self._on_labels:
                hook(tick, taken)
        self.change_count += 1

    # --- time

    def advance(self, now_ns: int) -> None:
        """Close the ticks that are over."""
        due = self.ticks.due(now_ns)
        ahead = self.ticks.shift_ns / SECOND
        self.notices.set("clock", f"the clock was set back: ticks go on, {ahead:g} s ahead of it" if ahead else "")
        for tick in due:
            self.ticks.close(tick)
            for hook in self._on_tick:
                hook(tick, now_ns / SECOND)
            self.change_count += 1

    # --- what people and programs ask for

    def set_profile(self, profile: Profile, learnt: str = "", *, resumed: bool = False) -> None:
        """Count against `profile` from now on; ProfileRefusedError when it does not fit, and the old one stays.

        `learnt` is the id of the learning that made the profile, `resumed` says that it was in force before a restart.
        A profile that is neither ends all learning.
        """
        self.settings.check_profile(profile)
        rebaseline = bool(learnt) and self.learning.require(learnt).kind == "rebaseline"
        if not learnt and not resumed:
            self.learning.cancel()
        if self.active.profile_hash == profile.hash:
            return
        self.active.replace(profile, "rebaseline" if rebaseline else "profile")
        for hook in self._on_profile:
            hook(profile, restored=resumed and self.active.restorable)
        self._hints = msgspec.structs.replace(
            self.settings.hints,
            inputs=profile.columns("input"),
            outputs=profile.columns("prediction"),
            arrays=profile.array_columns,
        )
        self.idle_reason = ""
        self.change_count += 1

    def close_episode(self, episode_id: str, by: str) -> None:
        """End one open episode; UnknownEpisodeError when no open one has this id."""
        self.active.close_episode(episode_id, by)
        self.change_count += 1

    def show_decisions(self, decisions: tuple[AuditEntry, ...]) -> None:
        """Show these decisions, the newest of the audit, in the report."""
        self.decisions = decisions

    def stay_idle(self, reason: str) -> None:
        """Decode nothing until a profile is set; `reason` is shown in the report."""
        self.idle_reason = reason

    # --- the checkpoint

    def state(self) -> State:
        """Return the state of each component by its name."""
        return {name: component.state() for name, component in self.components.items()}

    def _resume(self, saved: Mapping[str, Any]) -> None:
        same_ticks = saved["ticks"]["tick_ns"] == self.ticks.tick_ns
        if not same_ticks:  # the numbers of ticks mean other times now
            self.notices.set("tick", "the length of a tick changed: counts, evidence and episodes start afresh")
        for name, component in self.components.items():
            if name in saved and (same_ticks or not component.by_tick):
                component.resume(saved[name])
