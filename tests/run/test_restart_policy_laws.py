"""Invariants after any sequence of events: a rule-based machine sends signals, ends children and advances the time."""

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
    USAGE,
    Action,
    Exit,
    SignalChild,
    StartChild,
    SupervisorPolicy,
)
from tests.support.examples import examples

STATUSES = st.sampled_from((0, 1, 2, RECYCLE, -signal.SIGKILL, -signal.SIGSEGV))


class SupervisorMachine(RuleBasedStateMachine):
    """The environment of a policy: the running children, the signals sent to them, and the time."""

    @initialize(with_proxy=st.booleans(), seed=st.integers(0, 99))
    def begin(self, with_proxy: bool, seed: int) -> None:
        self.with_proxy, self.now = with_proxy, 0.0
        self.status: int | None = None
        self.running: set[str] = set()
        self.stopping = self.signalled = self.refused = False
        self.killed = False
        self.policy = SupervisorPolicy(with_proxy=with_proxy, random=Random(seed))
        self.do(self.policy.start_all(0.0))

    def do(self, actions: list[Action]) -> None:
        for action in actions:
            assert self.status is None, "no action follows the end"
            match action:
                case StartChild(child):
                    assert child not in self.running, "no child is started twice"
                    assert child == ANALYZER or self.now == 0, "the proxy is never restarted"
                    assert not self.stopping, "no child is started while ending"
                    assert not self.refused, "no child is started after the options were refused"
                    self.running.add(child)
                case SignalChild(child, number):
                    assert child in self.running
                    assert not (child == PROXY and number == signal.SIGKILL), "the proxy is never killed"
                    assert not (child == ANALYZER and self.with_proxy and PROXY in self.running)
                    self.stopping |= child == ANALYZER
                    self.refused |= child == PROXY and not self.signalled
                    self.killed |= number == signal.SIGKILL
                case Exit(status):
                    assert not self.running
                    assert status == USAGE or not self.refused, "refused options give their status"
                    self.status = status

    def alive(self) -> bool:
        return self.status is None

    @precondition(alive)
    @rule(seconds=st.floats(0.0, 100.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.do(self.policy.on_timer(self.now))

    @precondition(lambda self: self.status is None and ANALYZER in self.running)
    @rule(status=STATUSES)
    def analyzer_ends(self, status: int) -> None:
        self.running.discard(ANALYZER)
        self.do(self.policy.on_exit(ANALYZER, status, self.now))

    @precondition(lambda self: self.status is None and PROXY in self.running)
    @rule(status=STATUSES)
    def proxy_ends(self, status: int) -> None:
        self.running.discard(PROXY)
        self.stopping = True
        self.do(self.policy.on_exit(PROXY, status, self.now))

    @precondition(alive)
    @rule(number=st.sampled_from((signal.SIGTERM, signal.SIGINT, signal.SIGHUP)))
    def signal_arrives(self, number: int) -> None:
        if not self.with_proxy:
            self.stopping = True
        self.signalled = True
        self.do(self.policy.on_signal(number, self.now))

    @rule()
    def nothing_happens(self) -> None:
        """Do nothing; a rule that is allowed after the end, too."""

    @invariant()
    def an_event_is_awaited(self) -> None:
        if not hasattr(self, "policy") or self.status is not None:
            return
        wake_at = self.policy.wake_at
        assert self.running or wake_at is not None, "it always waits for a child or a time"
        if wake_at is not None:
            assert wake_at - self.now <= max(LONGEST, STOP_GRACE_SECONDS)
        if self.stopping and ANALYZER in self.running and not self.killed:
            assert wake_at is not None, "the wait for a stopping analyzer process is bounded"


SupervisorMachine.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=25, deadline=None)
TestSupervisor = SupervisorMachine.TestCase
