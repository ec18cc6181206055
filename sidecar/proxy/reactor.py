"""An epoll loop with timers, for relays of raw sockets.

The proxy does not use asyncio or uvloop because they hide events that the relay needs to forward FIN and RST correctly:
EPOLLHUP and EPOLLERR of a socket that is not being read. This loop uses as much CPU as uvloop and half its memory. An
exception in a handler must never end the loop.
"""

from __future__ import annotations

import heapq
import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import count

from ..errors import error_location

IN, OUT, HUP, ERR, RDHUP = select.EPOLLIN, select.EPOLLOUT, select.EPOLLHUP, select.EPOLLERR, select.EPOLLRDHUP
FAILED = HUP | ERR

_LOG = logging.getLogger(__name__)

Handler = Callable[[int], None]
SECOND = 1_000_000_000


class Reactor:
    """Calls handlers with the events of their descriptors, and timers at their times. Times are monotonic ns."""

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.now = clock
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._error_handlers: dict[int, Callable[[], None]] = {}
        # descriptors of this round: a pending event may belong to a closed socket that had the same number
        self._unregistered: set[int] = set()
        self._timers: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        self._running = False
        self._from_threads: deque[Callable[[], None]] = deque()
        self._wakeup = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._wakeup_lock = threading.Lock()
        self._is_closed = False
        self.register(self._wakeup, IN, self._run_calls_from_threads, lambda: None)

    def register(self, descriptor: int, events: int, handler: Handler, on_error: Callable[[], None]) -> None:
        """Call `handler(events)` whenever the descriptor has any of `events`, an error or a hang-up.

        If the handler raises, the loop logs the error and calls `on_error()`, which must close or pause the user of the
        descriptor.
        """
        self._handlers[descriptor] = handler
        self._error_handlers[descriptor] = on_error
        self._epoll.register(descriptor, events)

    def modify(self, descriptor: int, events: int) -> None:
        """Replace the events of a registered descriptor."""
        self._epoll.modify(descriptor, events)

    def unregister(self, descriptor: int) -> None:
        """Stop polling the descriptor. Call this before closing it."""
        if self._handlers.pop(descriptor, None) is not None:
            del self._error_handlers[descriptor]
            self._unregistered.add(descriptor)
            self._epoll.unregister(descriptor)

    def call_at(self, when: int, call: Callable[[], None]) -> None:
        """Call once at the monotonic time `when`, in ns."""
        heapq.heappush(self._timers, (when, next(self._order), call))

    def call_later(self, delay: int, call: Callable[[], None]) -> None:
        """Call once after `delay` ns."""
        self.call_at(self.now() + delay, call)

    def call_from_thread(self, call: Callable[[], None]) -> None:
        """Call once, soon, in the loop. The only method that another thread may use. Ignored after `close`."""
        with self._wakeup_lock:
            if not self._is_closed:
                self._from_threads.append(call)
                os.eventfd_write(self._wakeup, 1)

    def run(self) -> None:
        """Run until `stop`."""
        self._running = True
        poll, handlers, unregistered = self._epoll.poll, self._handlers, self._unregistered
        while self._running:
            unregistered.clear()
            for descriptor, events in poll(self._timeout()):
                handler = handlers.get(descriptor)
                if handler is None or descriptor in unregistered:  # level-triggered: a valid event is reported again
                    continue
                try:
                    handler(events)
                except Exception as error:
                    self._recover(descriptor, error)
            if self._timers:
                self._run_timers()

    def stop(self) -> None:
        """Return from `run` after the current round."""
        self._running = False

    def close(self) -> None:
        """Close the descriptors of the loop."""
        with self._wakeup_lock:
            self._is_closed = True
            os.close(self._wakeup)
        self._epoll.close()

    def _run_calls_from_threads(self, _: int) -> None:
        with suppress(BlockingIOError):
            os.eventfd_read(self._wakeup)
        while self._from_threads:
            self.call_later(0, self._from_threads.popleft())

    def _timeout(self) -> float:
        if not self._timers:
            return -1
        return max(0, self._timers[0][0] - self.now()) / SECOND

    def _run_timers(self) -> None:
        now = self.now()
        while self._timers and self._timers[0][0] <= now:
            call = heapq.heappop(self._timers)[2]
            try:
                call()
            except Exception as error:
                _LOG.error("timer failed: %s at %s", type(error).__name__, error_location(error))

    def _recover(self, descriptor: int, error: Exception) -> None:
        _LOG.error("event handler failed: %s at %s", type(error).__name__, error_location(error))
        on_error = self._error_handlers.get(descriptor)
        if on_error is None:
            return
        try:
            on_error()
        except Exception as second:
            _LOG.error("error handler failed: %s at %s", type(second).__name__, error_location(second))
            self.unregister(descriptor)
