"""What the supervisor decides, step by step: (event, time) in, actions out."""

from __future__ import annotations

import signal
from random import Random

import pytest

from pilotfish.sidecar.run.restart_policy import (
    ANALYZER,
    HEALTHY_SECONDS,
    LONGEST,
    PROXY,
    RECYCLE,
    STOP_GRACE_SECONDS,
    Action,
    Exit,
    LogMessage,
    SignalChild,
    StartChild,
    SupervisorPolicy,
)


def begun(*, with_proxy: bool = True, seed: int = 1) -> SupervisorPolicy:
    supervision = SupervisorPolicy(with_proxy=with_proxy, random=Random(seed))
    supervision.begin(0.0)
    return supervision


def told(actions: list[Action]) -> list[Action]:
    return [action for action in actions if not isinstance(action, LogMessage)]


def restart_wait(supervision: SupervisorPolicy, status: int, now: float) -> float:
    """End the analyzer process at `now`, start it again when it is due, and return how long that took."""
    assert told(supervision.ended(ANALYZER, status, now)) == []
    at = supervision.wake_at
    assert at is not None
    assert supervision.due(at - 1e-6) == []
    assert told(supervision.due(at)) == [StartChild(ANALYZER)]
    return at - now


def test_the_proxy_starts_first() -> None:
    supervision = SupervisorPolicy(with_proxy=True, random=Random(1))
    assert supervision.begin(0.0) == [StartChild(PROXY), StartChild(ANALYZER)]
    assert supervision.wake_at is None


@pytest.mark.parametrize(
    ("number", "forwarded"),
    [
        (signal.SIGTERM, signal.SIGTERM),
        (signal.SIGHUP, signal.SIGTERM),
        (signal.SIGINT, signal.SIGINT),
    ],
)
def test_a_signal_goes_to_the_proxy_alone_each_time(number: int, forwarded: int) -> None:
    supervision = begun()
    assert supervision.told(number, 1.0) == [SignalChild(PROXY, forwarded)]
    assert supervision.told(number, 2.0) == [SignalChild(PROXY, forwarded)]


@pytest.mark.parametrize(("status", "expected"), [(0, 0), (2, 2), (-signal.SIGKILL, 137), (-signal.SIGTERM, 143)])
def test_the_whole_ends_with_the_proxys_status_after_the_member_stopped(status: int, expected: int) -> None:
    supervision = begun()
    assert supervision.ended(PROXY, status, 9.0) == [SignalChild(ANALYZER, signal.SIGTERM)]
    assert supervision.told(signal.SIGTERM, 9.1) == []
    assert supervision.ended(ANALYZER, 0, 9.2) == [Exit(expected)]


def test_a_member_that_does_not_stop_is_killed() -> None:
    supervision = begun()
    supervision.ended(PROXY, 0, 9.0)
    at = supervision.wake_at
    assert at == 9.0 + STOP_GRACE_SECONDS
    assert told(supervision.due(at)) == [SignalChild(ANALYZER, signal.SIGKILL)]
    assert supervision.wake_at is None
    assert supervision.ended(ANALYZER, -signal.SIGKILL, 15.0) == [Exit(0)]


def test_the_proxy_ends_while_the_member_waits_for_its_restart() -> None:
    supervision = begun()
    supervision.ended(ANALYZER, 1, 1.0)
    assert supervision.ended(PROXY, 3, 1.01) == [Exit(3)]
    assert supervision.wake_at is None


def test_the_member_goes_on_being_restarted_while_the_proxy_drains() -> None:
    supervision = begun()
    supervision.told(signal.SIGTERM, 1.0)
    assert restart_wait(supervision, -signal.SIGSEGV, 2.0) <= 0.25


def test_restarts_wait_longer_each_time_up_to_a_ceiling() -> None:
    supervision, now, waits = begun(), 0.0, []
    for _ in range(12):
        waits.append(restart_wait(supervision, 1, now + 0.1))
        now += 0.1 + waits[-1]
    bounds = [min(LONGEST, 0.25 * 2**power) for power in range(12)]
    assert all(bound / 2 <= wait <= bound for wait, bound in zip(waits, bounds, strict=True))


def test_restarts_are_spread_at_random() -> None:
    waits = {restart_wait(begun(seed=seed), 1, 1.0) for seed in range(20)}
    assert len(waits) == 20


def test_a_member_that_ran_well_is_forgiven() -> None:
    supervision, now = begun(), 0.0
    for _ in range(8):
        now += 0.1 + restart_wait(supervision, 1, now + 0.1)
    assert restart_wait(supervision, 1, now + HEALTHY_SECONDS) <= 0.25


def test_a_member_is_recycled_at_once() -> None:
    supervision = begun()
    actions = supervision.ended(ANALYZER, RECYCLE, 100.0)
    assert told(actions) == []
    assert supervision.wake_at == 100.0
    assert told(supervision.due(100.0)) == [StartChild(ANALYZER)]


def test_a_member_that_wants_to_be_recycled_again_and_again_has_failed() -> None:
    supervision, now, waits = begun(), 0.0, []
    for _ in range(6):
        waits.append(restart_wait(supervision, RECYCLE, now + 1.0))
        now += 1.0 + waits[-1]
    assert waits[-1] >= 4.0


def test_what_happened_is_told_with_the_reason_and_the_wait() -> None:
    (line,) = begun().ended(ANALYZER, -signal.SIGKILL, 3.0)
    assert isinstance(line, LogMessage)
    assert line.text.startswith(
        "the analyzer process was killed by SIGKILL after 3.0 s; the traffic goes on; it is started again"
    )
    (line,) = begun().ended(ANALYZER, 2, 3.0)
    assert isinstance(line, LogMessage)
    assert "ended with status 2 after 3.0 s" in line.text
    (line,) = begun().ended(ANALYZER, RECYCLE, 3.0)
    assert isinstance(line, LogMessage)
    assert "--memory-limit" in line.text


def test_without_a_proxy_a_signal_stops_the_member() -> None:
    supervision = begun(with_proxy=False)
    assert supervision.told(signal.SIGTERM, 1.0) == [SignalChild(ANALYZER, signal.SIGTERM)]
    assert supervision.ended(ANALYZER, 0, 1.5) == [Exit(0)]


def test_without_a_proxy_nothing_but_a_signal_ends_it() -> None:
    supervision, now = begun(with_proxy=False), 0.0
    for status in (0, 1, 2, -9):
        now += 1.0 + restart_wait(supervision, status, now + 1.0)
    supervision.ended(ANALYZER, 1, now + 1.0)
    assert supervision.told(signal.SIGINT, now + 1.01) == [Exit(0)]
