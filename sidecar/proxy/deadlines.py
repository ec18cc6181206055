"""Deadlines that usually do not pass: for connects in progress. Thousands may start and succeed each second.

A timer for each of them would stay in the reactor's heap until its time. Here one timer serves all.
"""

from __future__ import annotations

from collections.abc import Callable

from .reactor import Reactor

_NEVER = 1 << 63


class Deadlines:
    """Calls each registered callable once when its time has passed, unless it is discarded before. Times are ns."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._due: dict[Callable[[], None], int] = {}
        self._wake_at = _NEVER

    def set(self, call: Callable[[], None], when: int) -> None:
        """Call at the monotonic time `when`. Replaces an earlier deadline of the same callable."""
        self._due[call] = when
        self._wake(when)

    def discard(self, call: Callable[[], None]) -> None:
        """Forget the callable, if it is registered."""
        self._due.pop(call, None)

    def _expire(self) -> None:
        now = self._reactor.now()
        if now < self._wake_at:  # the timer of a later deadline, which an earlier one has replaced
            return
        self._wake_at = _NEVER
        try:
            for call in [call for call, when in self._due.items() if when <= now]:
                if self._due.pop(call, None) is not None:  # an earlier call of this loop may have discarded it
                    call()
        finally:
            if self._due:
                self._wake(min(self._due.values()))

    def _wake(self, when: int) -> None:
        if when < self._wake_at:
            self._wake_at = when
            self._reactor.call_at(when, self._expire)
