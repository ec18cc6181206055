"""The table shows no figure of a source that has stopped answering, and says since when."""

from __future__ import annotations

from pilotfish.sidecar.top.exposition import MonitorDrift
from pilotfish.sidecar.top.history import NEVER, WINDOW, Answer, MonitorState, Poll, PollHistory
from tests.top.made import POD, ROUTE, history, metrics


def test_before_the_first_round_nothing_is_known() -> None:
    assert not PollHistory().snapshot(0.0).polled


def test_the_second_answer_gives_rates() -> None:
    first = history((0.0, {POD: metrics(requests=100)}))
    assert first.snapshot(0.0).sources[POD].figures is None
    second = first.after(Poll(2.0, {POD: Answer(metrics(requests=120))}))
    figures = second.snapshot(2.0).sources[POD].figures
    assert figures is not None
    assert figures[ROUTE].requests == 10.0


def test_a_silent_sidecar_has_an_age_and_no_figures() -> None:
    found = history(
        (0.0, {POD: metrics(requests=1)}), (2.0, {POD: metrics(requests=2)}), (4.0, {POD: None}), (6.0, {POD: None})
    ).snapshot(7.0)
    state = found.sources[POD]
    assert (state.figures, state.age, state.problem) == (None, 5.0, "connection refused")
    assert state.metrics is not None, "its name is still known"


def test_a_sidecar_that_never_answered_has_no_age() -> None:
    assert history((0.0, {POD: None})).snapshot(50.0).sources[POD].age == NEVER


def test_rates_do_not_reach_over_a_gap_or_a_restart() -> None:
    gap = history((0.0, {POD: metrics(requests=1)}), (2.0, {POD: None}), (4.0, {POD: metrics(requests=9)}))
    assert gap.snapshot(4.0).sources[POD].figures is None
    restart = history((0.0, {POD: metrics(requests=1)}), (2.0, {POD: metrics(requests=9, started=2000.0)}))
    assert restart.snapshot(2.0).sources[POD].figures is None


def test_rates_cover_the_last_seconds_only() -> None:
    rounds = [(float(at), {POD: metrics(requests=100.0 * at if at < 20 else 2000.0)}) for at in range(40)]
    figures = history(*rounds).snapshot(39.0).sources[POD].figures
    assert figures is not None
    assert figures[ROUTE].requests == 0.0
    slow = history((0.0, {POD: metrics(requests=0)}), (3 * WINDOW, {POD: metrics(requests=60)}))
    figures = slow.snapshot(3 * WINDOW).sources[POD].figures
    assert figures is not None, "an interval may be longer than the window"
    assert figures[ROUTE].requests == 2.0


def test_counters_of_a_proxy_whose_heartbeat_is_old_give_no_rates() -> None:
    found = history((0.0, {POD: metrics(requests=1)}), (2.0, {POD: metrics(requests=1, up=0)}))
    assert found.snapshot(2.0).sources[POD].figures is None


def test_while_the_api_server_is_silent_nothing_is_shown_as_new() -> None:
    key = ("shop", "delays")
    polled = Poll(
        2.0,
        {POD: Answer(metrics(requests=2))},
        {key: MonitorState(heard=3, expected=3, state="watching")},
        {("shop", "delays", "7"): MonitorDrift(0.5, 0)},
    )
    found = history((0.0, {POD: metrics(requests=1)})).after(polled).after(Poll(4.0, failed="no route")).snapshot(12.0)
    assert (found.age, found.drift, found.problems) == (10.0, None, ("no route",))
    assert found.monitors == {key: MonitorState()}
    assert (found.sources[POD].figures, found.sources[POD].age) == (None, 10.0)


def test_a_controller_that_stops_answering_has_an_age() -> None:
    answered = PollHistory().after(Poll(1.0, drift={})).snapshot(1.0)
    assert answered.control_age is None
    orphaned = PollHistory().after(Poll(1.0, drift={})).after(Poll(3.0, orphaned=True))
    assert orphaned.snapshot(8.0).control_age == 7.0
    assert PollHistory().after(Poll(3.0, orphaned=True)).snapshot(8.0).control_age == NEVER
