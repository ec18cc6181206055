from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.detectors.summaries.counts import Counts
from pilotfish.sidecar.control.fleet.detector import FleetDetector
from pilotfish.sidecar.control.fleet.rules import FleetRules
from pilotfish.sidecar.control.fleet.watermark import Attendance, ExpectedPods, Verdict, verdict
from pilotfish.sidecar.control.reasons import Reason
from tests.control.fleet.simulated import SETTINGS, START, counts_of, end_of, rows, small_profile

PROFILE = small_profile()
RULES = FleetRules()
COUNTS = counts_of(PROFILE, rows(np.random.default_rng(1), 5))


@pytest.mark.parametrize(
    ("found", "in_grace", "expired", "expected"),
    [
        (Attendance(), True, False, Verdict.COUNT),  # no pods at all
        (Attendance(complete=5), True, False, Verdict.COUNT),
        (Attendance(complete=4, missing=1), True, False, Verdict.WAIT),
        (Attendance(complete=4, gone=1), True, False, Verdict.WAIT),  # its last counts may be on their way
        (Attendance(complete=5, starting=1), True, False, Verdict.WAIT),
        (Attendance(complete=4, missing=1), False, False, Verdict.COUNT),
        (Attendance(complete=4, starting=4), False, False, Verdict.COUNT),
        (Attendance(complete=3, missing=2), False, False, Verdict.HOLD),
        (Attendance(complete=3, missing=1, gone=1), False, False, Verdict.HOLD),
        (Attendance(complete=3, gone=2), False, False, Verdict.DROP),
        (Attendance(complete=3, missing=2), False, True, Verdict.DROP),
        (Attendance(complete=4, missing=1), True, True, Verdict.COUNT),
    ],
)
def test_verdicts(found: Attendance, in_grace: bool, expired: bool, expected: Verdict) -> None:
    assert verdict(found, in_grace=in_grace, expired=expired, quorum=0.8) is expected


@given(st.builds(Attendance, *[st.integers(0, 30)] * 4), st.booleans())
def test_no_tick_waits_for_ever_and_no_tick_below_the_quorum_counts(found: Attendance, in_grace: bool) -> None:
    assert verdict(found, in_grace=in_grace, expired=True, quorum=0.8) in (Verdict.COUNT, Verdict.DROP)
    served = found.complete + found.missing + found.gone
    counted = verdict(found, in_grace=in_grace, expired=False, quorum=0.8) is Verdict.COUNT
    assert not counted or found.complete >= 0.8 * served - 1e-9


class Watched:
    """A fleet whose ticks before START are closed."""

    def __init__(self, pods: int, rules: FleetRules = RULES) -> None:
        self.fleet = FleetDetector(PROFILE, SETTINGS, rules=rules)
        self.expected = {str(pod): end_of(START - 500) for pod in range(pods)}
        for uid in self.expected:
            self.hear(uid, START - 1, end_of(START - 1), tick=None)
        self.closed(end_of(START - 1))

    def hear(self, uid: str, through: int, now: float, tick: int | None = START, epoch: str = "1") -> None:
        reports = [] if tick is None else [(tick, 5, COUNTS)]
        self.fleet.receive(uid, epoch, reports, through, now)

    def closed(self, now: float) -> list[int]:
        return [result.tick for result in self.fleet.advance(now, ExpectedPods(dict(self.expected)))]

    @property
    def rows(self) -> int:
        newest = self.fleet.monitor.windows.newest
        return 0 if newest is None or newest.last != START else newest.rows["input"]


END = end_of(START)


def test_a_tick_closes_at_once_when_all_pods_have_sent_it() -> None:
    watched = Watched(5)
    for uid in watched.expected:
        assert watched.closed(END + 3) == []
        watched.hear(uid, START, END + 3)
    assert watched.closed(END + 3) == [START]
    assert watched.rows == 25
    assert watched.closed(END + 3) == []


def test_a_quorum_is_enough_after_the_grace() -> None:
    watched = Watched(5)
    for uid in "0123":
        watched.hear(uid, START, END + 3)
    assert watched.closed(END + RULES.grace - 1) == []
    assert watched.fleet.status().holding is None
    assert watched.closed(END + RULES.grace) == [START]
    assert watched.rows == 20


def test_below_the_quorum_the_tick_is_held_until_a_missing_pod_sends_it() -> None:
    watched = Watched(5)
    for uid in "012":
        watched.hear(uid, START, END + 3)
    assert watched.closed(END + 1000) == []
    status = watched.fleet.status()
    assert (status.holding, status.holding_tick, status.expected) == (Reason.QUORUM_MISSING, START, 5)
    watched.hear("3", START, END + 1001)
    assert watched.closed(END + 1001)[0] == START
    assert watched.rows == 20


def test_a_tick_that_never_reaches_the_quorum_is_dropped_when_no_pod_can_resend_it() -> None:
    watched = Watched(5)
    for uid in "012":
        watched.hear(uid, START, END + 3)
    assert watched.closed(END + RULES.resend - 1) == []
    assert watched.closed(END + RULES.resend)[0] == START
    status = watched.fleet.status()
    assert (watched.rows, status.dropped_ticks, status.dropped_rows) == (0, 1, 15)
    assert status.monitor.ticks_closed == 0


def test_a_pod_that_left_without_its_last_counts_does_not_hold_the_tick() -> None:
    watched = Watched(5)
    for uid in "0123":
        watched.hear(uid, START, END + 3)
    del watched.expected["4"]
    assert watched.closed(END + 4) == []  # its last message may be on its way
    assert watched.closed(END + RULES.grace) == [START]


def test_the_last_counts_of_a_pod_that_left_are_part_of_the_tick() -> None:
    watched = Watched(2)
    del watched.expected["1"]
    watched.closed(END - 30)
    watched.hear("0", START, END + 3)
    assert watched.closed(END + 3) == []
    watched.hear("1", START, END + 4)
    assert watched.closed(END + 4) == [START]
    assert watched.rows == 10


def test_a_leaving_pod_sends_the_tick_that_is_still_open() -> None:
    watched = Watched(1, FleetRules(skew=0.0))
    watched.fleet.receive("0", "1", [(START, 5, COUNTS)], START - 1, END - 50, leaving=True)
    assert watched.fleet.status().refused == {}
    assert watched.closed(END - 49) == []
    assert watched.closed(END) == [START]
    assert watched.rows == 5


def test_a_pod_that_left_earlier_is_not_waited_for() -> None:
    watched = Watched(2)
    del watched.expected["1"]
    watched.closed(END - 61)
    watched.hear("0", START, END + 3)
    assert watched.closed(END + 3) == [START]


def test_a_tick_of_pods_most_of_which_crashed_is_dropped_without_a_hold() -> None:
    watched = Watched(5)
    for uid in "23":
        watched.hear(uid, START, END + 3)
    for uid in "014":
        del watched.expected[uid]
    watched.closed(END + 4)
    assert watched.closed(END + RULES.grace) == [START]
    assert (watched.rows, watched.fleet.status().dropped_rows) == (0, 10)


def test_a_new_pod_is_waited_for_in_the_grace_and_not_part_of_the_quorum() -> None:
    watched = Watched(1)
    watched.hear("0", START, END + 3)
    watched.expected |= {"a": END - 20, "b": END - 10}
    assert watched.closed(END + 3) == []
    assert watched.closed(END + RULES.grace) == [START]
    watched.hear("0", START + 1, END + 63, tick=START + 1)
    assert watched.closed(END + 60 + RULES.grace) == [START + 1]
    assert watched.closed(END + 120 + RULES.grace) == []
    assert watched.fleet.status().holding is Reason.QUORUM_MISSING  # its start-up time has passed


def test_a_pod_that_became_ready_after_the_tick_is_not_waited_for() -> None:
    watched = Watched(1)
    watched.hear("0", START, END + 3)
    watched.expected["a"] = END
    assert watched.closed(END + 3) == [START]


def test_ticks_without_pods_close_without_rows() -> None:
    watched = Watched(0)
    assert watched.closed(END) == [START]
    assert watched.fleet.status().dropped_ticks == 0


def test_a_pod_that_is_heard_and_not_expected_counts() -> None:
    watched = Watched(1)
    watched.hear("0", START, END + 3)
    watched.hear("other", START, END + 3)
    assert watched.closed(END + 3) == [START]
    assert watched.rows == 10


def test_a_clock_that_is_ahead_closes_no_tick_and_its_counts_are_refused() -> None:
    watched = Watched(1)
    watched.hear("0", START + 100, END + 3, tick=START + 100)
    assert watched.closed(END + 3) == []
    assert watched.fleet.status().refused == {Reason.CLOCK: 2}
    assert watched.fleet.status().open_ticks == 0


def test_a_claim_of_a_clock_that_is_ahead_is_not_believed() -> None:
    watched = Watched(1)
    watched.hear("0", START + 100, END + 3)
    assert watched.closed(END + 3) == []
    assert watched.fleet.status().refused == {Reason.CLOCK: 1}


def test_a_clock_that_is_behind_does_not_hold_a_quorum() -> None:
    watched = Watched(5)
    for uid in "0123":
        watched.hear(uid, START, END + 3)
    watched.hear("4", START - 30, END + 3, tick=START - 30)
    assert watched.closed(END + RULES.grace) == [START]
    assert watched.fleet.status().refused == {Reason.LATE: 1}


@pytest.mark.parametrize(
    ("through", "tick"), [(START + 100, START + 100), (START - 100, START - 100), (START - 100, None)]
)
def test_one_wrong_clock_does_not_stop_the_others(through: int, tick: int | None) -> None:
    watched = Watched(3)
    for uid in "01":
        watched.hear(uid, START, END + 3)
    watched.hear("2", through, END + 3, tick=tick)
    assert watched.closed(END + RULES.grace) == [START]
    assert watched.fleet.status().clock_off == ("2",)
    watched.hear("2", START + 1, END + SETTINGS.tick_seconds + 3, tick=START + 1)
    assert watched.fleet.status().clock_off == ("2",)  # as of the last `advance`
    watched.closed(END + SETTINGS.tick_seconds + 4)
    assert watched.fleet.status().clock_off == ()


def test_more_wrong_clocks_than_right_ones_hold_the_ticks() -> None:
    watched = Watched(3)
    watched.hear("0", START, END + 3)
    for uid in "12":
        watched.hear(uid, START + 100, END + 3, tick=START + 100)
    assert watched.closed(END + RULES.grace + 1) == []
    assert watched.fleet.status().holding is Reason.QUORUM_MISSING


@pytest.mark.parametrize("tick", [-(2**63), -1, 0, START - 1])
def test_counts_of_a_closed_tick_are_late_and_change_nothing(tick: int) -> None:
    watched = Watched(1)
    before = watched.fleet.monitor.state()
    watched.hear("0", START - 1, END, tick=tick)
    assert watched.fleet.status().refused == {Reason.LATE: 1}
    assert watched.fleet.status().open_ticks == 0
    assert watched.fleet.monitor.state() == before


def test_a_repeated_report_of_a_closed_tick_is_not_late() -> None:
    watched = Watched(1)
    for _ in range(3):
        watched.hear("0", START, END + 3)
        watched.closed(END + 3)
    assert watched.fleet.status().refused == {}


def test_a_repetition_needs_no_counts_and_is_acknowledged() -> None:
    watched = Watched(1)
    fleet = watched.fleet
    assert not fleet.has("0", "1", START, 5)
    for closed in (False, True):
        watched.hear("0", START, END + 3)
        assert watched.closed(END + 3) == ([] if closed else [START])
        assert fleet.has("0", "1", START, 5)
        assert not fleet.has("0", "2", START, 5)
        fleet.state()
        fleet.checkpointed(fleet.revision)
        fleet.receive("0", "1", [(START, 5, None)], START, END + 3)
        assert [found.tick for found in fleet.acknowledge("0")] == [START]
    fleet.receive("0", "1", [(START + 1, 5, COUNTS)], START, END + 63)
    assert fleet.has("0", "1", START + 1, 5)
    assert not fleet.has("0", "1", START + 1, 6)


def test_a_restarted_pod_adds_the_counts_of_its_new_epoch() -> None:
    watched = Watched(1)
    watched.hear("0", START - 1, END - 20)
    watched.hear("0", START, END + 3, epoch="2")
    assert watched.closed(END + 3) == [START]
    assert watched.rows == 10


def test_epochs_pods_and_bytes_are_bounded() -> None:
    watched = Watched(1, FleetRules(epochs=3, pods=2, open_bytes=1))
    watched.fleet.rules = FleetRules(epochs=3, pods=2)
    for epoch in range(5):
        watched.hear("0", START, END, epoch=str(epoch))
    for uid in "abc":
        watched.hear(uid, START, END)
    assert watched.fleet.status().refused == {Reason.LIMIT: 4}
    watched.fleet.rules = FleetRules(open_bytes=1)
    watched.hear("d", START, END)
    watched.hear("0", START, END, epoch="0")  # what is known may grow
    assert watched.fleet.status().refused == {Reason.LIMIT: 5}


def test_a_pod_whose_counts_are_refused_is_not_complete() -> None:
    watched = Watched(1)
    watched.fleet.rules = FleetRules(open_bytes=0)
    watched.hear("0", START, END + 3)
    assert watched.closed(END + 3) == []
    watched.fleet.rules = RULES
    watched.hear("0", START, END + 4)
    assert watched.closed(END + 4) == [START]
    assert watched.rows == 5


def test_after_a_long_pause_of_the_controller_ticks_go_on_without_a_result_for_each_lost_one() -> None:
    watched = Watched(1)
    later = END + 30 * 86_400
    tick = int(later // 60) - 1
    watched.hear("0", tick, later, tick=tick)
    closed = watched.closed(later)
    assert closed[-1] == tick
    assert len(closed) <= 61
    assert watched.fleet.status().dropped_ticks == tick - START + 1 - len(closed)


def test_counts_of_another_profile_are_counted_by_hash() -> None:
    watched = Watched(1)
    other = Counts.empty(small_profile(2))
    watched.fleet.receive("0", "1", [(START, 1, other)], START - 1, END)
    for number in range(20):
        watched.fleet.refuse_profile(f"{number:064x}", 2)
    status = watched.fleet.status()
    assert (status.profile_hash, status.refused) == (PROFILE.hash, {Reason.PROFILE: 1})
    assert status.other_profiles[small_profile(2).hash] == 1
    assert status.other_profiles["others"] == 26
    assert len(status.other_profiles) == 9


def test_a_clock_of_the_controller_that_is_set_back_closes_no_tick_twice() -> None:
    watched = Watched(1)
    watched.hear("0", START, END + 3)
    assert watched.closed(END + 3) == [START]
    assert watched.closed(END - 5000) == []
    assert watched.closed(END + 3) == []
