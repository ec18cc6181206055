"""The log of refused clients: the first line at once, the others once a minute."""

from __future__ import annotations

from contextlib import closing

import pytest

from pilotfish.sidecar.proxy.reactor import SECOND, Reactor
from pilotfish.sidecar.proxy.refusals import DESCRIPTORS, LIMIT, RefusalLog


class Clock:
    """A clock that a test sets; the loop runs its timers when it is asked to."""

    def __init__(self) -> None:
        self.now = 0
        self.reactor = Reactor(lambda: self.now)

    def forward(self, seconds: int) -> None:
        self.now += seconds * SECOND
        self.reactor.call_later(0, self.reactor.stop)
        self.reactor.run()


def test_the_first_refusal_is_logged_at_once_and_a_flood_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    with closing(clock.reactor):
        refusals = RefusalLog(clock.reactor)
        for _ in range(1000):
            refusals.note(DESCRIPTORS)
        refusals.note(LIMIT)
        assert caplog.messages == [f"a client is not served: {DESCRIPTORS}", f"a client is not served: {LIMIT}"]
        caplog.clear()
        clock.forward(61)
        assert caplog.messages == [f"999 more clients were not served in the last minute: {DESCRIPTORS}"]
        caplog.clear()
        clock.forward(61)
        assert caplog.messages == []
        refusals.note(LIMIT)
        assert caplog.messages == [f"a client is not served: {LIMIT}"]
