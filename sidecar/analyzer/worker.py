"""The worker: the one thread that changes the analyzer's state.

receive records -> pipeline: count, close ticks -> execute commands -> persistence.py: save -> publish a snapshot

It saves once a second, or as soon as no record has arrived for QUIET_SECONDS. It must save before it publishes, so that
a published number never decreases after a crash.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, overload

from ..channel.receiver import Receiver
from ..channel.record import Frame, Record
from ..errors import PilotfishError
from ..labels.labels import FeedbackResponse, LabelBatch
from .command_queue import CommandQueue
from .commands import (
    AcknowledgeTicks,
    BeginLearning,
    CloseEpisode,
    Command,
    EndLearning,
    SetProfile,
    ShowDecisions,
    SimpleCommand,
    TakeLabels,
    UpdateLearning,
    Warn,
)
from .decode.allowance import FREE, Allowance
from .decode_budget import DecodeBudget
from .exchange_ledger import new_ledger_id
from .feedback.journal import JournalError
from .notices import Notices
from .persistence import Persistence
from .pipeline import Pipeline
from .row_stores import RowStores
from .snapshot import Publisher, Snapshot

QUIET_SECONDS = 0.05  # after this time without a record, unsaved changes are saved at once
IDLE_SECONDS = 0.5  # the longest wait for records when nothing is unsaved

Clock = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class WorkerDependencies:
    """The collaborators of the worker.

    `now` returns epoch seconds, and `ticks` monotonic nanoseconds. `open_receiver` opens the channel's socket.
    `near_limit` is whether the process needs so much memory that it must be recycled.
    """

    pipeline: Pipeline
    persistence: Persistence
    stores: RowStores
    open_receiver: Callable[[], Receiver]
    now: Clock
    ticks: Callable[[], int] = time.monotonic_ns
    near_limit: Callable[[], bool] = lambda: False


class Worker:
    """The worker thread: `start` it, read `published`, `submit` commands, `stop` it.

    `published` is the latest snapshot, safe to read from any thread. After `stop`, the thread writes a last checkpoint.
    It stops by itself when memory is short; `short_of_memory` is then true.
    """

    def __init__(self, dependencies: WorkerDependencies, publisher: Publisher) -> None:
        self._pipeline = dependencies.pipeline
        self._stores = dependencies.stores
        self._open_receiver = dependencies.open_receiver
        self._now = dependencies.now
        self._ticks = dependencies.ticks
        self._near_limit = dependencies.near_limit
        self._budget = DecodeBudget(self._ticks())
        self.short_of_memory = False
        self.turns = 0  # rounds and records; it changes unless the thread hangs
        self._persistence = dependencies.persistence
        self._publisher = publisher
        self._receiver: Receiver | None = None
        self._receiver_lock = threading.Lock()
        self._command_event = threading.Event()
        self._queue = CommandQueue(self._wake)
        self._notices = Notices()
        self.finished: Future[None] = Future()
        self.published: Snapshot = self._snapshot()

    def start(self) -> None:
        """Open the channel unless idle, and start the thread; `finished` is done when the thread ends."""
        self._open()
        threading.Thread(target=self._run, name="worker", daemon=True).start()

    @property
    def connected(self) -> bool:
        """Whether a proxy is connected to the channel. Safe to read from any thread."""
        receiver = self._receiver
        return receiver is not None and receiver.connected

    @overload
    def submit(self, command: TakeLabels) -> Future[FeedbackResponse]: ...

    @overload
    def submit(self, command: SimpleCommand) -> Future[None]: ...

    def submit(self, command: Command) -> Future[Any]:
        """Queue a command from any thread; if it is refused, its future fails with the reason."""
        return self._queue.submit(command)

    def stop(self) -> None:
        """Request that the thread end; `finished` reports when it has."""
        self._queue.stop()

    # --- runs in the worker's thread

    def _run(self) -> None:
        try:
            while not self._queue.stopping:
                self.turns += 1
                quiet = self._receive()
                self._pipeline.advance(self._now_ns())
                self._run_commands()
                if self._persistence.due(self._now(), quiet=quiet):
                    self._save()
            self._finish()
        except BaseException as error:
            try:
                self._close()
            finally:
                self.finished.set_exception(error)
        else:
            self.finished.set_result(None)

    def _receive(self) -> bool:
        """Receive and count one batch of records; return whether none arrived within the timeout."""
        timeout = QUIET_SECONDS if self._persistence.dirty or self._queue.has_waiting_labels else IDLE_SECONDS
        if self._receiver is None:
            self._command_event.wait(timeout)
            self._command_event.clear()
            return True
        return not self._handle_frames(self._receiver.receive(timeout))

    def _handle_frames(self, frames: Iterator[Frame]) -> bool:
        """Count the records in `frames`; return whether there were any frames."""
        pipeline, now_ns = self._pipeline, 0
        for frame in frames:
            now_ns = now_ns or self._now_ns()  # read once per batch, after the wait
            if isinstance(frame, Record):
                self._handle_record(frame, now_ns)
            elif not pipeline.handshake(frame, new_ledger_id()):
                # the old totals belong to the old counter page; after a crash, a restart would resume from them
                self._persistence.forget_totals()
                self._save()
        return now_ns > 0

    def _handle_record(self, record: Record, now_ns: int) -> None:
        """Count one record. After an expensive one, stop when memory is short: the next one could fail."""
        self.turns += 1
        begun = self._ticks()
        allowance = 0 if self.short_of_memory else self._budget.available(begun)
        self._pipeline.handle_record(record, now_ns, Allowance(allowance))
        if self._pipeline.row_collector.full:
            self._stores.store(self._now())
        elapsed = self._ticks() - begun
        if elapsed > FREE:
            self._budget.charge(elapsed)
            if self._near_limit():
                self.short_of_memory = True
                self._queue.stop()

    def _run_commands(self) -> None:
        labelled: list[tuple[Future[Any], FeedbackResponse]] = []
        for command, response in self._queue.due(self._now(), self._exchange_missing):
            try:
                answer = self._execute(command)
            except PilotfishError as error:
                response.set_exception(error)
                continue
            if answer is not None:
                labelled.append((response, answer))
                continue
            self._save()
            response.set_result(None)
        if labelled:
            self._resolve_labels(labelled)

    def _exchange_missing(self, labels: LabelBatch) -> bool:
        """Return whether a label names an exchange that has not been counted yet."""
        return not self._pipeline.idle_reason and self._pipeline.feedback.exchange_missing(labels, self._now())

    def _resolve_labels(self, labelled: Sequence[tuple[Future[Any], FeedbackResponse]]) -> None:
        """Write the journal once for all labels of this round, then resolve their futures."""
        try:
            self._persistence.write_journal(sync=True)
        except JournalError as error:
            for response, _ in labelled:
                response.set_exception(error)
        else:
            for response, answer in labelled:
                response.set_result(answer)

    def _execute(self, command: Command) -> FeedbackResponse | None:
        pipeline = self._pipeline
        match command:
            case TakeLabels(labels, look_up):
                return (pipeline.look_up_labels if look_up else pipeline.take_labels)(labels, self._now_ns())
            case SetProfile(profile, learning_id):
                pipeline.set_profile(profile, learning_id)
                self._open()
            case AcknowledgeTicks(epoch, ticks):
                pipeline.acknowledge_ticks(epoch, ticks)
            case BeginLearning(learning):
                pipeline.learning.begin(learning)
            case UpdateLearning(id_, progress, problem):
                pipeline.learning.update_progress(id_, progress, problem)
            case EndLearning(id_):
                pipeline.learning.end(id_)
            case ShowDecisions(decisions):
                pipeline.show_decisions(decisions)
            case CloseEpisode(episode_id, by):
                pipeline.close_episode(episode_id, by)
            case Warn(topic, text):
                self._notices.set(topic, text)
        return None

    def _save(self) -> None:
        self._persistence.save(self._now())
        self.published = self._snapshot()

    def _finish(self) -> None:
        if self._receiver is not None:
            self._handle_frames(self._receiver.finish())
        self._save()
        self._close()

    def _close(self) -> None:
        """Close the channel and the totals file, and refuse the commands that were not executed."""
        with self._receiver_lock:
            receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.close()
        self._persistence.close()
        self._queue.close()

    # --- helpers

    def _open(self) -> None:
        if self._receiver is None and not self._pipeline.idle_reason:
            self._receiver = self._open_receiver()

    def _wake(self) -> None:
        self._command_event.set()
        with self._receiver_lock:
            if self._receiver is not None:
                self._receiver.wake()

    def _now_ns(self) -> int:
        return int(self._now() * 1e9)

    def _snapshot(self) -> Snapshot:
        problems = self._notices.by_topic()
        if self._receiver is not None and self._receiver.problem:
            problems["channel"] = self._receiver.problem
        problems |= self._persistence.problems()
        return self._publisher.publish(
            self._pipeline, self._persistence.durability, problems, self._now(), self._stores.stored_rows()
        )
