"""Deadlines: each callable runs once, when its time has passed, unless it was discarded or replaced."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.proxy.deadlines import Deadlines
from pilotfish.sidecar.proxy.reactor import Reactor

DAY = 86_400


class ScriptedReactor:
    """The timers of a reactor, on a clock that `advance` moves."""

    def __init__(self) -> None:
        self.time = 0
        self.timers: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()

    def now(self) -> int:
        return self.time

    def call_at(self, when: int, call: Callable[[], None]) -> None:
        heapq.heappush(self.timers, (when, next(self._order), call))

    def advance(self, until: int) -> None:
        while self.timers and self.timers[0][0] <= until:
            when, _, call = heapq.heappop(self.timers)
            self.time = max(self.time, when)
            call()
        self.time = until


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.integers(0, 9), st.integers(0, 20)),
        st.tuples(st.just("discard"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("advance"), st.just(0), st.integers(0, 20)),
    ),
    max_size=60,
)


@given(STEPS)
def test_each_deadline_passes_once_at_its_time(steps: list[tuple[str, int, int]]) -> None:
    reactor = ScriptedReactor()
    deadlines = Deadlines(cast(Reactor, reactor))
    passed: list[tuple[int, int]] = []
    calls = [partial(lambda key: passed.append((reactor.time, key)), key) for key in range(10)]
    due: dict[int, int] = {}
    expected: list[tuple[int, int]] = []

    def advance(to: int) -> None:
        reactor.advance(to)
        expected.extend((when, key) for key, when in due.items() if when <= to)
        for key in [key for key, when in due.items() if when <= to]:
            del due[key]

    for kind, key, number in steps:
        if kind == "set":
            deadlines.set(calls[key], reactor.time + number)
            due[key] = reactor.time + number
        elif kind == "discard":
            deadlines.discard(calls[key])
            due.pop(key, None)
        else:
            advance(reactor.time + number)
    advance(reactor.time + DAY)
    assert sorted(passed) == sorted(expected)


def test_many_deadlines_share_one_timer() -> None:
    reactor = ScriptedReactor()
    deadlines = Deadlines(cast(Reactor, reactor))
    passed: list[int] = []
    for step in range(1000):
        call: Callable[[], None] = partial(passed.append, step)
        deadlines.set(call, reactor.time + 5 * DAY)
        deadlines.discard(call)
        reactor.advance(reactor.time + 1)
    assert len(reactor.timers) == 1


def test_failure_of_one_call_does_not_lose_the_others() -> None:
    reactor = ScriptedReactor()
    deadlines = Deadlines(cast(Reactor, reactor))
    passed: list[str] = []

    def fail() -> None:
        raise ValueError("broken")

    deadlines.set(fail, 5)
    deadlines.set(partial(passed.append, "second"), 5)
    with pytest.raises(ValueError, match="broken"):
        reactor.advance(10)
    reactor.advance(10)
    assert passed == ["second"]
