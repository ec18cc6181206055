"""The queue of worker commands: other threads submit, the worker takes the commands and executes them one by one.

Every submitted command's future must be resolved, also when the worker stops; otherwise an HTTP request would hang.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, overload

from ..labels.labels import FeedbackResponse, LabelBatch
from .commands import Command, SimpleCommand, TakeLabels
from .errors import StoppingError

LABEL_WAIT_SECONDS = 0.3  # a label may overtake its exchange, which the proxy sends asynchronously

Waiting = tuple[float, TakeLabels, Future[Any]]  # received at, command, response


class CommandQueue:
    """Commands and their futures. Each submission calls `wake`, in the thread of the submitter."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._commands: queue.SimpleQueue[tuple[Command, Future[Any]]] = queue.SimpleQueue()
        self._waiting: list[Waiting] = []
        self._lock = threading.Lock()
        self._stopping = False

    @property
    def stopping(self) -> bool:
        """Whether the queue refuses new commands."""
        return self._stopping

    @property
    def has_waiting_labels(self) -> bool:
        """Whether labels wait for their exchange."""
        return bool(self._waiting)

    @overload
    def submit(self, command: TakeLabels) -> Future[FeedbackResponse]: ...

    @overload
    def submit(self, command: SimpleCommand) -> Future[None]: ...

    def submit(self, command: Command) -> Future[Any]:
        """Queue a command; if it is refused, its future fails with the reason."""
        response: Future[Any] = Future()
        with self._lock:
            if self._stopping:
                response.set_exception(StoppingError("the analyzer is stopping; try again in a moment"))
                return response
            self._commands.put((command, response))
        self._wake()
        return response

    def stop(self) -> None:
        """Refuse new commands from now on."""
        with self._lock:
            self._stopping = True
        self._wake()

    def due(self, now: float, exchange_missing: Callable[[LabelBatch], bool]) -> Iterator[tuple[Command, Future[Any]]]:
        """Yield the commands to execute now.

        Labels for which `exchange_missing` returns True wait for up to LABEL_WAIT_SECONDS. `now` is epoch seconds.
        """

        def must_wait(received_at: float, command: TakeLabels) -> bool:
            return 0 <= now - received_at < LABEL_WAIT_SECONDS and exchange_missing(command.labels)

        waiting, self._waiting = self._waiting, []
        for received_at, labels, response in waiting:
            if must_wait(received_at, labels):
                self._waiting.append((received_at, labels, response))
            else:
                yield labels, response
        while not self._commands.empty():
            command, response = self._commands.get()
            if not response.set_running_or_notify_cancel():
                continue  # the submitter cancelled it
            if isinstance(command, TakeLabels) and must_wait(now, command):
                self._waiting.append((now, command, response))
            else:
                yield command, response

    def close(self) -> None:
        """Refuse all waiting and all future commands."""
        with self._lock:
            self._stopping = True
        for _, _, response in self._waiting:
            response.set_exception(StoppingError("the analyzer is stopping; send the labels again in a moment"))
        while not self._commands.empty():
            _, response = self._commands.get()
            if response.set_running_or_notify_cancel():
                response.set_exception(StoppingError("the analyzer is stopping; try again in a moment"))
