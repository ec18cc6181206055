"""Whatever happens to a pod and to its requests, the controller's total is what the pod durably counted."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pilotfish.sidecar.analyzer.sync.requests import build_last_requests, build_requests
from pilotfish.sidecar.sync.messages import Acknowledgement, SyncRequest, decode, encode
from tests.analyzer.made import profile
from tests.analyzer.sync.pods import OPTIONS, CountingPod
from tests.support.examples import examples
from tests.sync.controller import FakeController

PROFILES = (profile(0), profile(1))


class Exactly(RuleBasedStateMachine):
    """Rows, time, checkpoints, crashes, profiles, requests and acknowledgements in any order.

    `durable` is how many rows per profile the last checkpoint has, and `counted` how many the process has.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pod = CountingPod(PROFILES[0])
        self.controller = FakeController(0)
        self.used = self.stored = 0
        self.counted = [0, 0]
        self.durable = [0, 0]
        self.complete: dict[Any, int] = {}
        self.late: set[Any] = set()
        self.save()

    @rule(rows=st.integers(1, 3), ago=st.sampled_from([0.0, 0.0, 0.5, 3.0]))
    def send(self, rows: int, ago: float) -> None:
        self.pod.send(rows, ago)
        self.counted[self.used] += rows

    @rule(ticks=st.sampled_from([0.3, 1.0, 2.5, 40.0]))
    def wait(self, ticks: float) -> None:
        self.pod.pass_time(ticks)

    @rule()
    def save(self) -> None:
        self.pod.save()
        self.durable, self.stored = list(self.counted), self.used

    @rule()
    def fail_to_save(self) -> None:
        self.pod.error = "no room"
        self.pod.save()
        self.pod.error = ""

    @rule(fetched=st.booleans())
    def crash(self, fetched: bool) -> None:
        """Restart with the stored profile, or fetch it again, as when the process ended before it was stored."""
        self.pod.restart(None if fetched else PROFILES[self.stored])
        if fetched:
            self.pod.pipeline.set_profile(PROFILES[self.stored])
            self.pod.publish()
        self.counted, self.used = list(self.durable), self.stored

    @rule()
    def lose_the_checkpoint(self) -> None:
        self.pod.saved = None
        self.pod.restart(PROFILES[self.stored])
        self.counted = [self.controller.total(made).input_rows for made in PROFILES]
        self.used = self.stored
        self.save()

    @rule(which=st.integers(0, 1))
    def change_profile(self, which: int) -> None:
        self.pod.pipeline.set_profile(PROFILES[which])
        self.used = which
        self.save()  # as the worker does after each command

    @rule(stored=st.booleans(), answered=st.booleans(), leaving=st.booleans())
    def sync(self, stored: bool, answered: bool, leaving: bool) -> None:
        build = build_last_requests if leaving else build_requests
        for request in build(OPTIONS, self.pod.published, generation=0):
            received = decode(encode(request), SyncRequest)
            self.check_complete(received)
            self.controller.keep(received)
            if stored and answered:
                found = tuple(Acknowledgement(tick=item.tick, sequence=item.sequence) for item in received.ticks)
                self.pod.pipeline.acknowledge_ticks(received.epoch, found)
                self.save()  # as the worker does after each command

    def check_complete(self, request: SyncRequest) -> None:
        """No new counts may come for a tick that an earlier request of the epoch declared complete."""
        key, through = request.epoch, self.complete.get(request.epoch, -1)
        known = {(item[2], item[3]): reports for item, reports in self.controller.reports.items()}
        for report in request.ticks:
            if report.tick <= through:
                assert report.sequence in known.get((request.epoch, report.tick), {})
        self.complete[key] = max(through, request.complete_through)

    @invariant()
    def no_row_is_counted_twice(self) -> None:
        assert self.controller.conflicts == 0
        for which, made in enumerate(PROFILES):
            assert self.controller.total(made).input_rows <= self.counted[which]

    def teardown(self) -> None:
        self.pod.pass_time(2)
        self.save()
        self.sync(stored=True, answered=True, leaving=False)
        for which, made in enumerate(PROFILES):
            assert self.controller.total(made).input_rows == self.counted[which]


@pytest.mark.long
def test_rows_are_received_exactly_once() -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(Exactly, settings=settings(max_examples=examples(150), stateful_step_count=30))
