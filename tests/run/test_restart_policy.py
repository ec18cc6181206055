"""The supervisor's decisions, step by step: events and times in, actions out."""

from __future__ import annotations

import logging
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
    STOP_SIGNAL,
    USAGE,
    Action,
    Exit,
    LogMessage,
    SignalChild,
    StartChild,
    SupervisorPolicy,
)


def started(*, with_proxy: bool = True, seed: int = 1) -> SupervisorPolicy:
    policy = SupervisorPolicy(with_proxy=with_proxy, random=Random(seed))
    policy.start_all(0.0)
    return policy


def without_messages(actions: list[Action]) -> list[Action]:
    return [action for action in actions if not isinstance(action, LogMessage)]


def restart_wait(policy: SupervisorPolicy, status: int, now: float) -> float:
    """End the analyzer process at `now`, restart it on time, and return the seconds in between."""
    assert without_messages(policy.on_exit(ANALYZER, status, now)) == []
    at = policy.wake_at
    assert at is not None
    assert policy.on_timer(at - 1e-6) == []
    assert without_messages(policy.on_timer(at)) == [StartChild(ANALYZER)]
    return at - now


def test_the_proxy_starts_first() -> None:
    policy = SupervisorPolicy(with_proxy=True, random=Random(1))
    assert policy.start_all(0.0) == [StartChild(PROXY), StartChild(ANALYZER)]
    assert policy.wake_at is None


@pytest.mark.parametrize(
    ("number", "forwarded"),
    [
        (signal.SIGTERM, signal.SIGTERM),
        (signal.SIGHUP, signal.SIGTERM),
        (signal.SIGINT, signal.SIGINT),
    ],
)
def test_a_signal_goes_to_the_proxy_alone_each_time(number: int, forwarded: int) -> None:
    policy = started()
    assert policy.on_signal(number, 1.0) == [SignalChild(PROXY, forwarded)]
    assert policy.on_signal(number, 2.0) == [SignalChild(PROXY, forwarded)]


@pytest.mark.parametrize(("status", "expected"), [(0, 0), (2, 2), (-signal.SIGKILL, 137), (-signal.SIGTERM, 143)])
def test_the_whole_ends_with_the_proxys_status_after_the_analyzer_stopped(status: int, expected: int) -> None:
    policy = started()
    assert without_messages(policy.on_exit(PROXY, status, 9.0)) == [SignalChild(ANALYZER, STOP_SIGNAL)]
    assert policy.on_signal(signal.SIGTERM, 9.1) == []
    assert policy.on_exit(ANALYZER, 0, 9.2) == [Exit(expected)]


@pytest.mark.parametrize(
    ("status", "words"),
    [(-signal.SIGKILL, "killed by SIGKILL"), (-signal.SIGSEGV, "SIGSEGV"), (1, "ended with status 1")],
)
def test_a_proxy_that_dies_is_an_error_in_the_log(status: int, words: str) -> None:
    first, *_ = started().on_exit(PROXY, status, 9.0)
    assert isinstance(first, LogMessage)
    assert first.level == logging.ERROR
    assert "the proxy" in first.text
    assert words in first.text


@pytest.mark.parametrize("status", [0, 2])
def test_a_proxy_that_ends_or_has_named_its_problem_is_not_reported_again(status: int) -> None:
    assert started().on_exit(PROXY, status, 9.0) == [SignalChild(ANALYZER, STOP_SIGNAL)]


def test_a_proxy_that_ends_after_a_signal_is_no_error() -> None:
    policy = started()
    policy.on_signal(signal.SIGTERM, 8.0)
    assert policy.on_exit(PROXY, -signal.SIGTERM, 9.0) == [SignalChild(ANALYZER, STOP_SIGNAL)]


def test_an_analyzer_that_does_not_stop_is_killed() -> None:
    policy = started()
    policy.on_exit(PROXY, 0, 9.0)
    at = policy.wake_at
    assert at == 9.0 + STOP_GRACE_SECONDS
    assert without_messages(policy.on_timer(at)) == [SignalChild(ANALYZER, signal.SIGKILL)]
    assert policy.wake_at is None
    assert policy.on_exit(ANALYZER, -signal.SIGKILL, 15.0) == [Exit(0)]


def test_the_proxy_ends_while_the_analyzer_waits_for_its_restart() -> None:
    policy = started()
    policy.on_exit(ANALYZER, 1, 1.0)
    assert without_messages(policy.on_exit(PROXY, 3, 1.01)) == [Exit(3)]
    assert policy.wake_at is None


def test_the_analyzer_goes_on_being_restarted_while_the_proxy_drains() -> None:
    policy = started()
    policy.on_signal(signal.SIGTERM, 1.0)
    assert restart_wait(policy, -signal.SIGSEGV, 2.0) <= 0.25


def test_restarts_wait_longer_each_time_up_to_a_ceiling() -> None:
    policy, now, waits = started(), 0.0, []
    for _ in range(12):
        waits.append(restart_wait(policy, 1, now + 0.1))
        now += 0.1 + waits[-1]
    bounds = [min(LONGEST, 0.25 * 2**power) for power in range(12)]
    assert all(bound / 2 <= wait <= bound for wait, bound in zip(waits, bounds, strict=True))


def test_restarts_are_spread_at_random() -> None:
    waits = {restart_wait(started(seed=seed), 1, 1.0) for seed in range(20)}
    assert len(waits) == 20


def test_an_analyzer_that_ran_well_is_forgiven() -> None:
    policy, now = started(), 0.0
    for _ in range(8):
        now += 0.1 + restart_wait(policy, 1, now + 0.1)
    assert restart_wait(policy, 1, now + HEALTHY_SECONDS) <= 0.25


def test_an_analyzer_is_recycled_at_once() -> None:
    policy = started()
    actions = policy.on_exit(ANALYZER, RECYCLE, 100.0)
    assert without_messages(actions) == []
    assert policy.wake_at == 100.0
    assert without_messages(policy.on_timer(100.0)) == [StartChild(ANALYZER)]


def test_an_analyzer_that_wants_to_be_recycled_again_and_again_has_failed() -> None:
    policy, now, waits = started(), 0.0, []
    for _ in range(6):
        waits.append(restart_wait(policy, RECYCLE, now + 1.0))
        now += 1.0 + waits[-1]
    assert waits[-1] >= 4.0


def test_the_log_has_the_reason_and_the_wait() -> None:
    (line,) = started().on_exit(ANALYZER, -signal.SIGKILL, 3.0)
    assert isinstance(line, LogMessage)
    assert line.text.startswith(
        "the analyzer process was killed by SIGKILL (by the kernel, if memory was short) after 3.0 s; "
        "traffic is not affected; restart in "
    )
    (line,) = started().on_exit(ANALYZER, 1, 3.0)
    assert isinstance(line, LogMessage)
    assert "ended with status 1 after 3.0 s" in line.text
    (line,) = started().on_exit(ANALYZER, RECYCLE, 3.0)
    assert isinstance(line, LogMessage)
    assert "--memory-limit" in line.text


def test_without_a_proxy_a_signal_stops_the_analyzer() -> None:
    policy = started(with_proxy=False)
    assert policy.on_signal(signal.SIGTERM, 1.0) == [SignalChild(ANALYZER, STOP_SIGNAL)]
    assert policy.on_exit(ANALYZER, 0, 1.5) == [Exit(0)]


def test_without_a_proxy_nothing_but_a_signal_ends_it() -> None:
    policy, now = started(with_proxy=False), 0.0
    for status in (0, 1, 2, -9):
        now += 1.0 + restart_wait(policy, status, now + 1.0)
    policy.on_exit(ANALYZER, 1, now + 1.0)
    assert policy.on_signal(signal.SIGINT, now + 1.01) == [Exit(0)]


def test_options_that_the_first_analyzer_refuses_stop_the_proxy_and_end_with_status_2() -> None:
    policy = started()
    assert without_messages(policy.on_exit(ANALYZER, USAGE, 1.0)) == [SignalChild(PROXY, signal.SIGTERM)]
    assert policy.wake_at is None
    assert policy.on_signal(signal.SIGTERM, 1.1) == [SignalChild(PROXY, signal.SIGTERM)]
    assert policy.on_exit(PROXY, 0, 2.0) == [Exit(USAGE)]


def test_options_that_a_later_analyzer_refuses_are_tried_again() -> None:
    policy = started()
    wait = restart_wait(policy, 1, 1.0)
    assert restart_wait(policy, USAGE, 1.0 + wait + 1.0) <= 0.5
    assert policy.on_signal(signal.SIGTERM, 9.0) == [SignalChild(PROXY, signal.SIGTERM)]


@pytest.mark.parametrize("status", [1, 127, RECYCLE, -signal.SIGKILL, -signal.SIGSEGV])
def test_a_first_analyzer_that_fails_for_another_reason_is_restarted(status: int) -> None:
    assert restart_wait(started(), status, 1.0) <= 0.25


def test_both_fail_at_once() -> None:
    policy = started()
    policy.on_exit(ANALYZER, USAGE, 1.0)
    assert policy.on_exit(PROXY, 3, 1.0) == [Exit(USAGE)]
    policy = started()
    policy.on_exit(PROXY, 3, 1.0)
    assert policy.on_exit(ANALYZER, USAGE, 1.0) == [Exit(3)]
