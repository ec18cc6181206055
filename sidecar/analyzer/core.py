"""The worker's mind: records in, counts and evidence out. No file, no socket, no thread; the time is an argument.

greet, take     what the channel brings: the ledger gives each record its fate, rows go into their tick
advance         closes the ticks that are over
set_profile, close_episode, take_labels    what people and programs ask for
tap, learner    rows on their way to the disk, and the profile that is made of them
state           plain values for the checkpoint; a Core made from them goes on as if nothing had happened
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ...detectors.detection.results import TickResult
from ...detectors.errors import DetectorError
from ...detectors.profile.profile import Profile
from ...detectors.settings import DriftSettings
from ..channel.record import Hello, Record
from ..errors import shown
from ..report.schema import RESTART, Decision, Episode
from ..rows.tap import Tap
from ..settings.document import Feedback, KeepRows, Learn
from .columns import Columns
from .decode import Decoded, Hints, Rows, Skip, decode
from .engine import EngineFactory
from .errors import IdleError, ProfileRefusedError, UnknownEpisodeError
from .feedback import lags
from .feedback.frames import Tag, Taken
from .feedback.joining import Joiner
from .feedback.labels import Answer, Labels
from .feedback.store import Store
from .learning import Learner
from .ledger import IDENTIFIED, MEASURED, REUSED, UNDECODABLE, Ledger
from .streams import Streamed, Streams, total
from .ticks import SECOND, TickClock
from .watch import Watch

KEPT_EPISODES = 50
MAX_MODELS = 16
OTHER_MODEL = "other"

State = dict[str, Any]
Journaled = tuple[int, list[tuple[int, bytes]]]  # a segment's number; end and bytes of what was appended to its file


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What the document says, for the worker. `problem` says why the document cannot be used, empty when it can."""

    model: str = ""
    version: str = ""
    mode: str = ""
    hints: Hints = field(default_factory=Hints)
    drift: DriftSettings
    feedback: Feedback = field(default_factory=Feedback)
    engine_factory: EngineFactory
    learn: Learn | None = None
    keep_rows: KeepRows | None = None
    streams: tuple[Streamed, ...] = ()
    problem: str = ""


class Core:
    """Everything that a checkpoint holds. `changes` grows with all that is worth another one."""

    def __init__(self, setup: Setup, ledger: Ledger, saved: Mapping[str, Any] | None = None) -> None:
        """Begin, or go on from `saved` (what `state` returned); what of it does not fit any more is left behind."""
        self.setup = setup
        self.ledger = ledger
        self.clock = TickClock.of(setup.drift.tick_seconds)
        self.watch: Watch | None = None
        self.columns = Columns()
        self.answered: tuple[int, int] = tuple(saved["journal"]) if saved and "journal" in saved else (0, 0)
        rules = setup.feedback
        self.labels = Joiner(Store(rules.keep, rules.max_rows, Tag(), self.answered[0] + 1))
        self.labels.store.restore(saved.get("feedback", ()) if saved else ())
        self.hints = setup.hints
        self.idle_reason = setup.problem
        self.learner = Learner()
        self.streams = Streams(setup.streams)
        self.tap = Tap(frozenset(name for block in (setup.keep_rows, setup.learn) if block for name in block.mask))
        self.decisions: tuple[Decision, ...] = ()
        self.history: tuple[Episode, ...] = ()
        self.warnings: dict[str, str] = {}
        self.changes = 0
        self._row_names: dict[tuple[str, str], str] = {}
        self._saved = saved
        if saved is not None:
            self._resume(saved)

    # --- what the channel brings

    def greet(self, hello: Hello, fresh_id: int) -> bool:
        """Take the greeting of a new connection; return False when the ledger began anew, with a new counter page."""
        self.changes += 1
        return self.ledger.greet(hello, fresh_id)

    def take(self, record: Record, now_ns: int) -> None:
        """Decode and count one record; one that was sent again is not counted again."""
        ahead = record.sequence - self.ledger.position
        if ahead <= 0:
            return
        if ahead > 1:
            self.ledger.skip_to(record.sequence)
        decoded = decode(record, self.hints)
        if isinstance(decoded, Skip):
            self.ledger.settle(UNDECODABLE, decoded.reason)
        else:
            self._count(decoded, record.at_ns, now_ns)
            self._keep(decoded, record.at_ns)
            self.ledger.settle(MEASURED)
        self.changes += 1

    def take_labels(self, labels: Labels, now_ns: int) -> Answer:
        """Join and count labels that came now; IdleError while nothing is counted."""
        if self.idle_reason:
            raise IdleError(f"no label is taken while nothing is counted: {self.idle_reason}")
        taken, answer = self.labels.take(labels, now_ns / SECOND)
        self._count_labels(taken, now_ns)
        return answer

    def replay(self, segments: Sequence[Journaled], now_ns: int, *, redo: bool) -> None:
        """Take up what the journal holds; with `redo` count labels that were answered after the checkpoint."""
        store = self.labels.store
        for number, chunks in segments:
            found = store.replay(number, [raw for _, raw in chunks])
            for (end, _), labels in zip(chunks, found, strict=False):
                for taken in labels if redo and (number, end) > self.answered else ():
                    self._count_labels(taken, now_ns)
        store.expire(now_ns / SECOND)

    def advance(self, now_ns: int) -> None:
        """Close the ticks that are over."""
        due = self.clock.due(now_ns)
        self.warnings.pop("clock", None)
        if self.clock.shift_ns:
            ahead = self.clock.shift_ns / SECOND
            self.warnings["clock"] = f"the clock was set back: ticks go on, {ahead:g} s ahead of it"
        for tick in due:
            self.clock.close(tick)
            self.labels.store.expire(now_ns / SECOND)
            result = self.watch.close(tick) if self.watch else None
            if result is not None:
                self._note(result)
                self._feed_streams(tick)
            self.changes += 1

    # --- what is asked for

    def set_profile(self, profile: Profile, learnt: str = "", *, resumed: bool = False) -> None:
        """Count against `profile` from now on; ProfileRefusedError when it does not fit, and the old one stays.

        A profile that is neither what the learning `learnt` came to nor `resumed` after a restart ends all learning.
        """
        if self.setup.problem:
            raise ProfileRefusedError(f"no profile is taken while the document cannot be used: {self.setup.problem}")
        self._require_fit(profile)
        rebaselined = bool(learnt) and self.learner.require(learnt).kind == "rebaseline"
        if not learnt and not resumed:
            self.learner.learning = None
        if self.watch is not None and self.watch.profile.hash == profile.hash:
            return
        fresh = self._new_watch(profile)
        if not resumed:
            self.streams.reset()
        self._end_watch("rebaseline" if rebaselined else "profile")
        self.watch = fresh
        for tick in fresh.open_counts:  # resumed later than the clock: nobody else would close these
            if tick not in self.clock.open and (result := fresh.close(tick)) is not None:
                self._note(result)
        self.labels.follow(profile)
        self.columns = Columns()
        self.hints = msgspec.structs.replace(
            self.setup.hints,
            inputs=profile.columns("input"),
            outputs=profile.columns("prediction"),
            arrays=profile.array_columns,
        )
        self.idle_reason = ""
        self.changes += 1

    def close_episode(self, episode_id: str, by: str) -> None:
        """End one open episode; UnknownEpisodeError when none of that id is open."""
        try:
            if self.watch is None:
                raise UnknownEpisodeError(f"there is no episode {shown(episode_id)}: no profile is in force")
            self.watch.close_episode(episode_id, by)
        except DetectorError as error:
            raise UnknownEpisodeError(str(error)) from error
        self.changes += 1

    # --- the checkpoint

    def state(self) -> State:
        """Return everything as plain values."""
        if self.watch is not None:
            self.watch.settle()
        return {
            "ledger_id": self.ledger.id,
            "totals": dict(self.ledger.totals),
            "epoch": self.ledger.epoch,
            "tick_ns": self.clock.tick_ns,
            "closed_through": self.clock.closed_through,
            "newest_ns": self.clock.newest_ns,
            "open": list(self.clock.open),
            "watch": self.watch.state() if self.watch else None,
            "columns": self.columns.state(),
            "learning": self.learner.state(),
            "streams": self.streams.state(),
            "feedback": self.labels.store.state(),
            "episodes": msgspec.to_builtins(self.episodes()),
        }

    def episodes(self) -> tuple[Episode, ...]:
        """Return the open episodes, then the latest closed ones, those of earlier profiles among them."""
        mine = self.watch.status.episodes if self.watch else ()
        current = tuple(msgspec.convert(item, Episode, from_attributes=True) for item in mine)
        known = {episode.id for episode in current}
        closed = [episode for episode in current if not episode.open]
        closed += [episode for episode in self.history if episode.id not in known]
        closed.sort(key=lambda episode: episode.closed_tick or 0, reverse=True)
        return (*(episode for episode in current if episode.open), *closed[:KEPT_EPISODES])

    # --- inside

    def _count(self, decoded: Decoded, at_ns: int, now_ns: int) -> None:
        tick, late = self.clock.place(at_ns, now_ns)
        if self.watch is None:
            self.columns.add(decoded)
        else:
            self.watch.add(tick, decoded, at_ns / SECOND)
        if self.learner.gathering or self.setup.keep_rows is not None:
            outputs = decoded.outputs.columns if decoded.outputs is not None else {}
            self.tap.add(at_ns / SECOND, decoded.inputs.count, decoded.inputs.columns, outputs)
        self._count_rows(decoded.model, "input", decoded.inputs.count)
        if decoded.outputs is not None:
            self._count_rows(decoded.model, "prediction", decoded.outputs.count)
        if late:
            self.ledger.add("late_rows", decoded.inputs.count)
        if len(self.clock.open) > 2:  # a burst out of a queue may span many ticks
            self.advance(now_ns)

    def _keep(self, decoded: Decoded, at_ns: int) -> None:
        if decoded.request_id is not None or decoded.response_id is not None:
            self.ledger.add(IDENTIFIED)
        if not self.labels.keep(decoded, at_ns / SECOND):
            self.ledger.add(REUSED)

    def _count_labels(self, taken: Taken, now_ns: int) -> None:
        for outcome, labels in taken.outcomes.items():
            self.ledger.add(f"feedback:{outcome}", labels)
        for name, amount in lags.counted(taken.lags).items():
            self.ledger.add(name, amount)
        if taken.rows and self.watch is not None and self.watch.profile.hash == taken.profile:
            tick, _ = self.clock.place(int(taken.at * SECOND), now_ns)
            self.watch.add_labels(tick, Rows({**taken.columns}, taken.rows), taken.at)
        self.changes += 1

    def _count_rows(self, model: str, side: str, rows: int) -> None:
        name = self._row_names.get((model, side)) or self._row_name(model, side)
        self.ledger.add(name, rows)

    def _row_name(self, model: str, side: str) -> str:
        """Return the name of the total for rows of this model; all models beyond the first 16 share one."""
        name = f"rows:{side}:{self.setup.model or model}"
        totals = self.ledger.totals
        if name not in totals and sum(other.startswith("rows:") for other in totals) >= 2 * MAX_MODELS:
            return f"rows:{side}:{OTHER_MODEL}"
        self._row_names[model, side] = name
        return name

    def _note(self, result: TickResult) -> None:
        self.ledger.add("ticks")
        for alarm in result.alarms:
            self.ledger.add(f"alarms:{alarm.family}")
        for finding in self.watch.new_findings() if self.watch else ():
            self.ledger.add(f"finding:{finding.kind}")

    def _feed_streams(self, tick: int) -> None:
        if self.watch is not None and self.setup.streams:
            seconds = self.setup.drift.tick_seconds
            for key in self.streams.close(tick, self.watch.profile, self.watch.newest, seconds):
                self.ledger.add(total(key))

    def _require_fit(self, profile: Profile) -> None:
        for word, key, ours, theirs in (
            ("model", "name", self.setup.model, profile.model),
            ("version", "version", self.setup.version, profile.version),
        ):
            if ours and theirs and ours != theirs:
                raise ProfileRefusedError(
                    f"the profile {profile.hash[:12]} is of {word} {shown(theirs)}, the document is of {shown(ours)}; "
                    f"build it with --{word} {ours}, or change spec.model.{key}"
                )

    def _end_watch(self, by: str) -> None:
        if self.watch is None:
            return
        for result in self.watch.end(by):
            self._note(result)
        self.history = self.episodes()
        self.watch = None

    def _new_watch(self, profile: Profile) -> Watch:
        """Return the watch of `profile`, resumed from the checkpoint if that is of the same profile."""
        saved, self._saved = self._saved, None
        mine = saved.get("watch") if saved else None
        if saved is not None and (mine is None or mine.get("profile_hash") != profile.hash):
            self.history = self._ended(saved, "profile")
            self.streams.reset()
        factory, drift = self.setup.engine_factory, self.setup.drift
        if mine is not None and mine.get("profile_hash") == profile.hash and saved is not None:
            try:
                watch = Watch(profile, factory(profile, drift, mine["engine"]))
                watch.resume(mine)
            except (DetectorError, KeyError, TypeError, ValueError, AttributeError) as error:
                self.warnings["checkpoint"] = f"evidence starts afresh, the checkpoint does not fit: {error}"
            else:
                return watch
        try:
            return Watch(profile, factory(profile, drift, None))
        except DetectorError as error:
            raise ProfileRefusedError(f"the profile {profile.hash[:12]} cannot be used: {error}") from error

    def _resume(self, saved: Mapping[str, Any]) -> None:
        self.ledger.epoch = int(saved.get("epoch", 0))
        self.learner.resume(saved.get("learning"))
        if saved.get("tick_ns") == self.clock.tick_ns:
            self.clock.closed_through = int(saved["closed_through"])
            self.clock.newest_ns = int(saved["newest_ns"])
            self.clock.open = [int(tick) for tick in saved["open"]]
        else:  # numbers of ticks mean other times now
            self._saved = None
            self.warnings["tick"] = "the length of a tick changed: counts, evidence and episodes start afresh"
            return
        self.columns.resume(saved.get("columns", []))
        self.streams.resume(saved.get("streams", {}))
        self.history = self._ended(saved, RESTART)

    def _ended(self, saved: Mapping[str, Any], by: str) -> tuple[Episode, ...]:
        """Return the checkpoint's episodes, those that were open as ended; a watch that goes on has them still."""
        episodes = msgspec.convert(saved.get("episodes", []), tuple[Episode, ...])
        closed = {"open": False, "closed_by": by, "closed_tick": self.clock.closed_through}
        return tuple(msgspec.structs.replace(item, **closed) if item.open else item for item in episodes)
