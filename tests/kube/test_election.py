"""At most one process leads, whatever happens to messages, processes and clocks."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pilotfish.sidecar.kube.election import Election, LeaseTiming, LeaseWrite
from tests.support.examples import examples

WALL = datetime(2026, 1, 1, tzinfo=UTC)
TIMING = LeaseTiming()
# Clocks of any start. Their rates differ by less than duration / renew_deadline, which is what the rules promise.
RATES = (0.85, 1.0, 1.2)
PROCESSES = range(3)
SECONDS = st.sampled_from([0.0, 0.0, 0.0, 0.0, 0.5, 2.0, 7.0, 13.0])
ENDS = st.sampled_from(["answered", "answered", "answered", "answered", "lost", "failed"])
SELDOM = st.sampled_from([False, False, False, True])


def process(name: str = "a") -> Election:
    return Election("ns", "lease", name, TIMING)


def stored(write: LeaseWrite | None, revision: int = 1) -> dict[str, Any]:
    """Return the Lease as the API server stores it."""
    assert write is not None
    body = copy.deepcopy(write.body)
    body["metadata"] |= {"uid": "1", "resourceVersion": str(revision)}
    return body


def held(name: str, seconds: int = 15, revision: int = 1) -> dict[str, Any]:
    spec = {"holderIdentity": name, "leaseDurationSeconds": seconds, "leaseTransitions": 2}
    return {"metadata": {"name": "lease", "uid": "1", "resourceVersion": str(revision)}, "spec": spec}


def test_a_missing_lease_is_created_and_renewed() -> None:
    one = process()
    one.observe(None, now=100.0)
    plan = one.plan(100.0, WALL)
    assert plan is not None
    assert not plan.exists
    lease = stored(plan)
    one.wrote(lease, started=100.0, now=103.0)
    assert one.leads(109.9)
    assert not one.leads(110.0)
    assert one.expires_at() == 115.0
    renewal = one.plan(105.0, WALL)
    assert renewal is not None
    assert renewal.exists
    assert renewal.body["metadata"] == lease["metadata"]
    assert renewal.body["spec"]["acquireTime"] == lease["spec"]["acquireTime"]
    assert renewal.body["spec"]["renewTime"] > lease["spec"]["renewTime"], "a clock that stands still changes it, too"


def test_a_held_lease_is_taken_after_the_duration_that_it_names() -> None:
    one = process()
    one.observe(held("b", seconds=40), now=100.0)
    assert one.plan(139.9, WALL) is None
    one.observe(held("b", seconds=40, revision=2), now=139.0)  # a label was added: no renewal
    plan = one.plan(140.0, WALL)
    assert plan is not None
    assert plan.body["spec"]["leaseTransitions"] == 3
    assert plan.body["metadata"]["resourceVersion"] == "2"


def test_a_released_lease_is_taken_at_once() -> None:
    holder, one = process("b"), process()
    holder.observe(held("b"), now=0.0)
    holder.wrote(stored(holder.plan(0.0, WALL)), started=0.0, now=0.0)
    released = stored(holder.resign(WALL), revision=3)
    assert not holder.leads(0.0)
    one.observe(held("b"), now=0.0)
    one.observe(released, now=1.0)
    assert one.plan(1.0, WALL)


def test_a_lease_that_was_deleted_is_created_after_its_duration() -> None:
    one = process()
    one.observe(held("b"), now=0.0)
    one.observe(None, now=100.0)
    assert one.plan(114.9, WALL) is None
    assert one.plan(115.0, WALL)


def test_a_process_whose_lease_another_one_holds_stops_at_once() -> None:
    one = process()
    one.observe(None, now=0.0)
    one.wrote(stored(one.plan(0.0, WALL)), started=0.0, now=0.0)
    assert one.leads(1.0)
    one.observe(held("b"), now=1.0)
    assert not one.leads(1.0)
    assert one.resign(WALL) is None, "another one's Lease is not released"


@pytest.mark.parametrize("spec", [None, {}, {"holderIdentity": None}, {"renewTime": "yesterday"}, {"renewTime": 3}])
def test_a_lease_that_nobody_holds_is_taken_whatever_it_contains(spec: object) -> None:
    one = process()
    one.observe({**held("b"), "spec": spec}, now=0.0)
    assert one.plan(0.0, WALL)


@pytest.mark.parametrize("seconds", [0, -1, "15", None])
def test_a_lease_without_a_duration_is_held_for_the_own_one(seconds: object) -> None:
    one = process()
    one.observe({**held("b"), "spec": {"holderIdentity": "b", "leaseDurationSeconds": seconds}}, now=0.0)
    assert one.plan(14.9, WALL) is None
    assert one.plan(15.0, WALL)


def test_times_that_allow_two_leaders_are_refused() -> None:
    with pytest.raises(ValueError, match="renew_deadline < duration"):
        LeaseTiming(duration=10.0)


@dataclass(eq=False)
class Request:
    """A request of one process on its way; the server may carry it out long after the process gave it up."""

    write: LeaseWrite | None  # None for a read
    started: float
    answer: Any = None  # a Lease, None for a missing one, "refused" or "failed"


@dataclass
class Competitor:
    """One process: its election, its clock, and the request that it waits for."""

    rate: float
    offset: float
    lives: int = 0
    election: Election = field(default_factory=process)
    waits_for: Request | None = None


class ElectionMachine(RuleBasedStateMachine):
    """Processes, an API server that compares and swaps, and a network in which everything happens late or never."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.revision = 0
        self.uid = 0
        self.lease: dict[str, Any] | None = None
        self.under_way: list[Request] = []
        self.processes = [Competitor(RATES[number], 1000.0 * number) for number in PROCESSES]
        for number in PROCESSES:
            self.restarts(number)

    def clock(self, one: Competitor) -> float:
        return one.offset + one.rate * self.now

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(number=st.sampled_from(PROCESSES), really=SELDOM)
    def dies(self, number: int, really: bool) -> None:
        if really:
            self.restarts(number)

    def restarts(self, number: int) -> None:
        """Kill a process, and start another one in its place."""
        one = self.processes[number]
        one.lives += 1
        one.election, one.waits_for = process(f"{number}-{one.lives}"), None

    @rule(number=st.sampled_from(PROCESSES), seconds=st.tuples(SECONDS, SECONDS, SECONDS), end=ENDS)
    def attempts(self, number: int, seconds: tuple[float, float, float], end: str) -> None:
        """Read, and write what follows from it, with time between the steps; the write may be lost."""
        self.gives_up(number)
        self.processes[number].election.refused()
        self.exchanges(number, 0.0, seconds[0], "answered")
        self.exchanges(number, seconds[1], seconds[2], end)

    @rule(number=st.sampled_from(PROCESSES), late=SECONDS, later=SECONDS, end=ENDS)
    def exchanges(self, number: int, late: float, later: float, end: str) -> None:
        """Send a request, carry it out after `late` seconds, and let its answer arrive `later` unless it is lost."""
        one = self.processes[number]
        self.gives_up(number)
        request = self.sends(number)
        self.now += late
        self.carry_out(request, fails=end == "failed")
        self.at_most_one_leads()
        self.now += later
        if end == "lost":
            self.gives_up(number)
        elif one.waits_for is request:
            self.answer_arrives(number)

    @rule(number=st.sampled_from(PROCESSES))
    def sends_what_hangs(self, number: int) -> None:
        """Send a request that the server carries out later than the process waits."""
        self.gives_up(number)
        self.sends(number)
        self.gives_up(number)

    @rule(number=st.sampled_from(PROCESSES))
    def begins(self, number: int) -> None:
        """Write what follows from a read; the answer is on its way while others go on."""
        self.gives_up(number)
        self.processes[number].election.refused()
        self.exchanges(number, 0.0, 0.0, "answered")
        self.carry_out(self.sends(number), fails=False)

    @rule(number=st.sampled_from(PROCESSES))
    def hears(self, number: int) -> None:
        if self.processes[number].waits_for:
            self.answer_arrives(number)

    def sends(self, number: int) -> Request:
        """Send what a process sends now: a read, or the write that it plans."""
        one = self.processes[number]
        now, write = self.clock(one), None
        if one.election.current:
            write = one.election.plan(now, WALL + timedelta(seconds=self.now))
        one.waits_for = Request(write, now)
        self.under_way.append(one.waits_for)
        return one.waits_for

    @rule(number=st.sampled_from(PROCESSES), really=SELDOM, arrives=st.booleans())
    def resigns(self, number: int, really: bool, arrives: bool) -> None:
        one = self.processes[number]
        if not (really and one.election.leads(self.clock(one))):
            return
        if write := one.election.resign(WALL + timedelta(seconds=self.now)):
            request = Request(write, self.clock(one))
            self.under_way.append(request)
            if arrives:
                self.carry_out(request, fails=False)
        one.election.refused()
        one.waits_for = None

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def server_carries_out(self, data: st.DataObject) -> None:
        """Carry out a request that hung."""
        self.carry_out(data.draw(st.sampled_from(self.under_way)), fails=False)

    def carry_out(self, request: Request, *, fails: bool) -> None:
        self.under_way.remove(request)
        write = request.write
        if fails:
            request.answer = "failed"
        elif write is None:
            request.answer = copy.deepcopy(self.lease)
        elif not self.fits(write):
            request.answer = "refused"
        else:
            self.revision += 1
            self.uid += self.lease is None
            self.lease = copy.deepcopy(write.body)
            self.lease["metadata"] |= {"uid": str(self.uid), "resourceVersion": str(self.revision)}
            request.answer = copy.deepcopy(self.lease)

    def fits(self, write: LeaseWrite) -> bool:
        if self.lease is None or not write.exists:
            return self.lease is None and not write.exists
        return bool(write.body["metadata"]["resourceVersion"] == self.lease["metadata"]["resourceVersion"])

    def answer_arrives(self, number: int) -> None:
        one = self.processes[number]
        request, one.waits_for = one.waits_for, None
        assert request is not None
        if isinstance(request.answer, str):
            one.election.refused()
        elif request.write is None:
            one.election.observe(request.answer, self.clock(one))
        else:
            one.election.wrote(request.answer, request.started, self.clock(one))

    def gives_up(self, number: int) -> None:
        """Stop waiting."""
        one = self.processes[number]
        if one.waits_for:
            one.election.refused()
            one.waits_for = None

    @precondition(lambda self: self.lease and all(one.election.holder for one in self.processes))
    @rule()
    def somebody_deletes_the_lease(self) -> None:
        """Delete it, when no process is so new that it never saw it.

        Once: a process that reads before and after two deletions cannot know that another one led between them.
        """
        if self.uid < 2:
            self.lease = None

    @invariant()
    def at_most_one_leads(self) -> None:
        leaders = [one.election.identity for one in self.processes if one.election.leads(self.clock(one))]
        assert len(leaders) <= 1, leaders


ElectionMachine.TestCase.settings = settings(max_examples=examples(150), stateful_step_count=50, deadline=None)
TestElection = ElectionMachine.TestCase
