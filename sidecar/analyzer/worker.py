"""The one thread that counts: it reads the channel, closes ticks, writes the checkpoint, then publishes.

    receive -> core -> (each second, or as soon as it is quiet) journal -> checkpoint -> file `fates` -> snapshot

In that order: a number that was once shown survives any kill.
"""

from __future__ import annotations

import queue
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from ..channel.receiver import Receiver
from ..channel.record import Frame, Record
from ..errors import PilotfishError
from ..report.schema import Durability
from . import checkpoint
from .commands import (
    BeginLearning,
    CloseEpisode,
    Command,
    EndLearning,
    NoteLearning,
    Plain,
    SetProfile,
    ShowDecisions,
    TakeLabels,
    Warn,
)
from .core import Core
from .errors import StoppingError
from .fates import FatesFile
from .feedback.journal import Journal, JournalError
from .feedback.labels import Answer
from .publish import Published, Publisher
from .stores import Stores

SAVE_SECONDS = 1.0
QUIET_SECONDS = 0.05  # without a record for so long, what is unsaved is saved at once
IDLE_SECONDS = 0.5
SPACING_SECONDS = 0.2  # between two checkpoints at least
PATIENCE_SECONDS = 0.3  # that a label may come before its exchange, which is on its way from the proxy
STORE_ROWS = 2000  # that wait at most for being written, beside those of one portion

Clock = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What the worker works with; `now` is epoch seconds, `listen` opens the channel's socket."""

    core: Core
    fates: FatesFile
    checkpoint: Path
    journal: Journal
    stores: Stores
    listen: Callable[[], Receiver]
    now: Clock


class Worker:
    """Start it with `start`; read `published`; ask with `submit`; `stop` ends it after a last checkpoint."""

    def __init__(self, desk: Desk, publisher: Publisher) -> None:
        self._desk = desk
        self._publisher = publisher
        self._receiver: Receiver | None = None
        self._commands: queue.SimpleQueue[tuple[Command, Future[Any]]] = queue.SimpleQueue()
        self._early: list[tuple[float, TakeLabels, Future[Any]]] = []
        self._arrived = threading.Event()
        self._stopping = False
        self._saved_changes = -1
        self._saved_at = float("-inf")
        self._durability = Durability()
        self._problems: dict[str, str] = {}
        self._lock = threading.Lock()
        self.finished: Future[None] = Future()
        self.published: Published = self._snapshot()

    def start(self) -> None:
        """Open the channel unless idle, and run in a thread of its own; `finished` tells when and how it ended."""
        self._open()
        threading.Thread(target=self._run, name="worker", daemon=True).start()

    @overload
    def submit(self, command: TakeLabels) -> Future[Answer]: ...

    @overload
    def submit(self, command: Plain) -> Future[None]: ...

    def submit(self, command: Command) -> Future[Any]:
        """Queue a command; its future fails with what the command was refused for."""
        answer: Future[Any] = Future()
        with self._lock:
            if self._stopping:
                answer.set_exception(StoppingError("the analyzer is ending; ask again in a moment"))
                return answer
            self._commands.put((command, answer))
        self._wake()
        return answer

    def stop(self) -> None:
        """Ask the thread to end."""
        with self._lock:
            self._stopping = True
        self._wake()

    # --- in the thread

    def _run(self) -> None:
        try:
            while not self._stopping:
                quiet = self._receive()
                self._desk.core.advance(self._now_ns())
                self._obey()
                self._keep(quiet)
            self._end()
        except BaseException as error:
            self._close()
            self.finished.set_exception(error)
        else:
            self.finished.set_result(None)

    def _receive(self) -> bool:
        """Take one portion of records, waiting for it a little; return whether there was none."""
        dirty = self._desk.core.changes != self._saved_changes
        timeout = QUIET_SECONDS if dirty or self._early else IDLE_SECONDS
        if self._receiver is None:
            self._arrived.wait(timeout)
            self._arrived.clear()
            return True
        return not self._take(self._receiver.receive(timeout))

    def _take(self, frames: Iterator[Frame]) -> bool:
        """Count what came; return whether anything did."""
        core, now_ns = self._desk.core, 0
        for frame in frames:
            now_ns = now_ns or self._now_ns()  # the time after the wait, once for all that came with it
            if isinstance(frame, Record):
                core.take(frame, now_ns)
            elif not core.greet(frame, fresh_id()):
                # the old totals must not outlive the old page, or a restart would count on from them
                self._desk.fates.write(core.ledger.id, {})
                self._save()
        if core.tap.rows >= STORE_ROWS:
            self._desk.stores.store(self._desk.now())
        return now_ns > 0

    def _obey(self) -> None:
        labelled: list[tuple[Future[Any], Answer]] = []
        for command, answer in self._due():
            try:
                result = self._do(command)
            except PilotfishError as error:
                answer.set_exception(error)
                continue
            if result is not None:
                labelled.append((answer, result))
                continue
            self._save()
            answer.set_result(None)
        if labelled:
            self._answer(labelled)

    def _due(self) -> Iterator[tuple[Command, Future[Any]]]:
        """Yield what is to be done now; labels whose exchange may still be on its way wait a little."""
        now = self._desk.now()
        early, self._early = self._early, []
        for came, command, answer in early:
            if self._awaited(came, now, command):
                self._early.append((came, command, answer))
            else:
                yield command, answer
        while not self._commands.empty():
            asked, answer = self._commands.get()
            if not answer.set_running_or_notify_cancel():
                continue  # whoever asked has left
            if isinstance(asked, TakeLabels) and self._awaited(now, now, asked):
                self._early.append((now, asked, answer))
            else:
                yield asked, answer

    def _awaited(self, came: float, now: float, command: TakeLabels) -> bool:
        core = self._desk.core
        in_time = 0 <= now - came < PATIENCE_SECONDS and not core.idle_reason
        return in_time and core.labels.awaits(command.labels, now)

    def _answer(self, labelled: Sequence[tuple[Future[Any], Answer]]) -> None:
        """Answer those who sent labels, once they are in the journal: all that came together by one write."""
        try:
            self._write(sync=True)
        except JournalError as error:
            for answer, _ in labelled:
                answer.set_exception(error)
        else:
            for answer, result in labelled:
                answer.set_result(result)

    def _write(self, *, sync: bool) -> None:
        store = self._desk.core.labels.store
        self._desk.journal.append(store.drain(), store.oldest, sync=sync)

    def _do(self, command: Command) -> Answer | None:
        core = self._desk.core
        match command:
            case TakeLabels(labels):
                return core.take_labels(labels, self._now_ns())
            case SetProfile(profile, learnt):
                core.set_profile(profile, learnt)
                self._open()
            case BeginLearning(learning):
                core.learner.begin(learning)
            case NoteLearning(id_, progress, problem):
                core.learner.note(id_, progress, problem)
            case EndLearning(id_):
                core.learner.end(id_)
            case ShowDecisions(decisions):
                core.decisions = decisions
            case CloseEpisode(episode_id, by):
                core.close_episode(episode_id, by)
            case Warn(topic, text):
                self._problems.pop(topic, None)
                if text:
                    self._problems[topic] = text
        return None

    def _keep(self, quiet: bool) -> None:
        if self._desk.core.changes == self._saved_changes:
            return
        age = self._desk.now() - self._saved_at
        if age >= SAVE_SECONDS or age < 0 or (quiet and age >= SPACING_SECONDS):
            self._save()

    def _save(self) -> None:
        """Make what was counted durable, then public; a disk that is full is shown, not waited for."""
        core, now = self._desk.core, self._desk.now()
        if not core.idle_reason:  # an idle analyzer would overwrite evidence that it did not take up
            with suppress(JournalError):  # it is among the problems
                self._write(sync=False)
            self._desk.stores.store(now)
            try:
                state = {**core.state(), "journal": self._desk.journal.position}
                checkpoint.save(self._desk.checkpoint, checkpoint.render(state))
                self._durability = Durability(at=now, failures_total=self._durability.failures_total)
            except checkpoint.CheckpointError as error:
                failures = self._durability.failures_total + 1
                self._durability = Durability(at=self._durability.at, failures_total=failures, error=str(error))
        self._desk.fates.write(core.ledger.id, core.ledger.totals)
        self._saved_changes, self._saved_at = core.changes, now
        self.published = self._snapshot()

    def _end(self) -> None:
        if self._receiver is not None:
            self._take(self._receiver.finish())
        self._save()
        self._close()

    def _close(self) -> None:
        """Close channel and file, and refuse whatever was asked for in the meantime."""
        with self._lock:
            self._stopping = True
            receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.close()
        self._desk.fates.close()
        for _, _, answer in self._early:
            answer.set_exception(StoppingError("the analyzer is ending; send the labels again in a moment"))
        while not self._commands.empty():
            _, answer = self._commands.get()
            if answer.set_running_or_notify_cancel():
                answer.set_exception(StoppingError("the analyzer is ending; ask again in a moment"))

    # --- small matters

    def _open(self) -> None:
        if self._receiver is None and not self._desk.core.idle_reason:
            self._receiver = self._desk.listen()

    def _wake(self) -> None:
        self._arrived.set()
        with self._lock:
            if self._receiver is not None:
                self._receiver.wake()

    def _now_ns(self) -> int:
        return int(self._desk.now() * 1e9)

    def _snapshot(self) -> Published:
        problems = dict(self._problems)
        if self._receiver is not None and self._receiver.problem:
            problems["channel"] = self._receiver.problem
        if self._desk.journal.problem:
            problems["feedback"] = self._desk.journal.problem
        if self._durability.error:
            problems["checkpoint"] = self._durability.error
        if self._desk.stores.problem:
            problems["rows"] = self._desk.stores.problem
        kept = self._desk.stores.kept()
        return self._publisher.publish(self._desk.core, self._durability, problems, self._desk.now(), kept)


def fresh_id() -> int:
    """Return an id for a new ledger: random, of 63 bits, never 0."""
    return secrets.randbits(63) | 1
