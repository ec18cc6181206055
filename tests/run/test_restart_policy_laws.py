"""What holds after any sequence of events: a rule-based machine plays signals, ends of children and time."""

from __future__ import annotations

import signal
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pilotfish.sidecar.run.restart_policy import (
    ANALYZER,
    LONGEST,
    PROXY,
    RECYCLE,
    STOP_GRACE_SECONDS,
    Action,
    Exit,
    SignalChild,
    StartChild,
    SupervisorPolicy,
)
from tests.support.examples import examples

STATUSES = st.sampled_from((0, 1, 2, RECYCLE, -signal.SIGKILL, -signal.SIGSEGV))


class Life(RuleBasedStateMachine):
    """The world around a supervision: which children run, what they were sent, and the time."""

    @initialize(with_proxy=st.booleans(), seed=st.integers(0, 99))
    def begin(self, with_proxy: bool, seed: int) -> None:
        self.with_proxy, self.now = with_proxy, 0.0
        self.status: int | None = None
        self.running: set[str] = set()
        self.stopping = False
        self.killed = False
        self.supervision = SupervisorPolicy(with_proxy=with_proxy, random=Random(seed))
        self.do(self.supervision.begin(0.0))

    def do(self, actions: list[Action]) -> None:
        for action in actions:
            assert self.status is None, "nothing happens after the end"
            match action:
                case StartChild(child):
                    assert child not in self.running, "no child is started twice"
                    assert child == ANALYZER or self.now == 0, "the proxy is never restarted"
                    assert not self.stopping, "nothing is started at the end"
                    self.running.add(child)
                case SignalChild(child, number):
                    assert child in self.running
                    assert not (child == PROXY and number == signal.SIGKILL), "the traffic is never killed"
                    assert not (child == ANALYZER and self.with_proxy and PROXY in self.running)
                    self.stopping |= child == ANALYZER
                    self.killed |= number == signal.SIGKILL
                case Exit(status):
                    assert not self.running
                    self.status = status

    def alive(self) -> bool:
        return self.status is None

    @precondition(alive)
    @rule(seconds=st.floats(0.0, 100.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.do(self.supervision.due(self.now))

    @precondition(lambda self: self.status is None and ANALYZER in self.running)
    @rule(status=STATUSES)
    def member_ends(self, status: int) -> None:
        self.running.discard(ANALYZER)
        self.do(self.supervision.ended(ANALYZER, status, self.now))

    @precondition(lambda self: self.status is None and PROXY in self.running)
    @rule(status=STATUSES)
    def proxy_ends(self, status: int) -> None:
        self.running.discard(PROXY)
        self.stopping = True
        self.do(self.supervision.ended(PROXY, status, self.now))

    @precondition(alive)
    @rule(number=st.sampled_from((signal.SIGTERM, signal.SIGINT, signal.SIGHUP)))
    def told(self, number: int) -> None:
        if not self.with_proxy:
            self.stopping = True
        self.do(self.supervision.told(number, self.now))

    @rule()
    def nothing_happens(self) -> None:
        """Leave something to do once it has ended."""

    @invariant()
    def someone_is_awaited(self) -> None:
        if not hasattr(self, "supervision") or self.status is not None:
            return
        wake_at = self.supervision.wake_at
        assert self.running or wake_at is not None, "it never waits for nothing"
        if wake_at is not None:
            assert wake_at - self.now <= max(LONGEST, STOP_GRACE_SECONDS)
        if self.stopping and ANALYZER in self.running and not self.killed:
            assert wake_at is not None, "an analyzer process that is told to stop is not waited for without end"


Life.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=25, deadline=None)
TestLife = Life.TestCase
