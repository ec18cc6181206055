"""The state of the demo: the messages decide its phase and its end."""

from __future__ import annotations

import pytest

from pilotfish.sidecar.demo.messages import AnyMessage, ProcessFailure, Retrained, WebhookDelivery
from pilotfish.sidecar.demo.state import DemoState, progress
from pilotfish.sidecar.demo.transitions import SLOWEST_ALARM, on_message, on_report
from pilotfish.sidecar.report.schema import Report
from tests.demo.made import PLAN, day, episode, report

ACCEPTED = WebhookDelivery(verdict="accepted", reason="good", id="e-1", episode="episode-1")
RETRAINED = Retrained(rows=1800, profile="new")


def state_after(*items: AnyMessage | Report) -> DemoState:
    state = DemoState(PLAN)
    for item in items:
        state = on_report(state, item) if isinstance(item, Report) else on_message(state, item)
    return state


def loop(after: float = 7.0) -> list[AnyMessage | Report]:
    """A loop that closes, the error after the retraining being `after`."""
    return [
        *(item for number in (92, 93, 94) for item in (day(number), report(number))),
        day(95, error=40),
        report(95, episode(95)),
        ACCEPTED,
        day(96, error=40),
        RETRAINED,
        report(96, episode(95, open=False), profile="new"),
        day(97, error=after),
        report(97, episode(95, open=False), profile="new"),
        day(98, error=after),
    ]


def test_the_loop_closes_when_the_days_after_the_new_profile_are_quiet() -> None:
    state = state_after(*loop())
    assert state.phase == "closed"
    assert [entry.tone for entry in state.entries] == [
        "plain", "change", "alarm", "change", "change", "good", "good"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cut", "phase"), [(2, "stable"), (7, "changed"), (8, "alarmed"), (9, "retraining"), (12, "settling")]
)
def test_each_step_has_its_phase(cut: int, phase: str) -> None:
    assert state_after(*loop()[:cut]).phase == phase


def test_a_webhook_before_the_report_of_its_alarm_is_listed_after_it() -> None:
    early, late = loop(), loop()
    early[7], early[8] = early[8], early[7]
    assert state_after(*early[:9]).entries == state_after(*late[:9]).entries


def test_an_alarm_names_feature_onset_and_effect() -> None:
    alarm = state_after(*loop()[:8]).entries[-1]
    assert alarm.text == "ALARM: distance changed, since 4 Aug"


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        ([day(92), day(93), report(93, episode(93))], "a false alarm before the change, naming distance"),
        ([day(92), ProcessFailure(reason="the server ended")], "the server ended"),
        (loop(after=30.0), "the error is 30.0 minutes"),
        ([*loop()[:12], report(97, episode(96), profile="new")], "a second alarm, naming distance"),
        ([day(number) for number in range(92, 95 + SLOWEST_ALARM + 1)], f"no alarm within {SLOWEST_ALARM} days"),
    ],
    ids=["false alarm", "problem", "error not restored", "second alarm", "no alarm"],
)
def test_what_goes_wrong_ends_it_with_the_reason(items: list[AnyMessage | Report], reason: str) -> None:
    state = state_after(*items)
    assert state.phase == "failed"
    assert state.failure.startswith(reason)


def test_after_the_end_only_the_days_go_on() -> None:
    state = state_after(*loop())
    assert state_after(*loop(), ProcessFailure(reason="late"), day(99)).days == (*state.days, day(99))
    assert state_after(*loop(), ProcessFailure(reason="late")).phase == "closed"


def test_progress_is_nothing_without_evidence_and_one_at_the_threshold() -> None:
    assert progress(0.0, 1e6) == 0.0
    assert progress(1e-6, 1e6) == pytest.approx(0.0)
    assert progress(1e-3, 1e6) == pytest.approx(0.5)
    assert progress(1.0, 1e6) == progress(50.0, 1e6) == 1.0
