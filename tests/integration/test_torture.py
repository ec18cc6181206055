"""Every script, direct and through the proxy: the same bytes, order and ends; correct counters and records."""

from __future__ import annotations

import socket

import pytest

from pilotfish.sidecar.channel.page import PageSnapshot
from pilotfish.sidecar.channel.record import RESPONSE_TRUNCATED
from tests.integration import cases_ends, cases_http, cases_opaque, oracle
from tests.integration.case import Case
from tests.integration.conftest import Harness
from tests.integration.process import counted, seen
from tests.integration.wire import Cut, Wire, bytewise, connected, listening, whole
from tests.support.waiting import patient, wait_until

CASES = (*cases_ends.CASES, *cases_http.CASES, *cases_opaque.CASES)
EVERY_CASE = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
LOCKSTEP = [case for case in CASES if case.lockstep]


@EVERY_CASE
def test_script_passes_without_a_proxy(case: Case) -> None:
    with listening() as listener, connected(listener, listener.getsockname()) as wire:
        case.play(wire)


@EVERY_CASE
def test_script_passes_through_the_proxy(case: Case, harness: Harness) -> None:
    through(case, harness, whole)


@pytest.mark.parametrize("case", LOCKSTEP, ids=[case.name for case in LOCKSTEP])
def test_script_passes_through_the_proxy_byte_by_byte(case: Case, harness: Harness) -> None:
    through(case, harness, bytewise)


def through(case: Case, harness: Harness, cut: Cut) -> None:
    """Play the case through the proxy, then compare counters and records with the case."""
    drain(harness.listener)
    before, records = harness.proxy.page(), len(harness.reader.records)
    with connected(harness.listener, harness.proxy.address, cut) as wire:
        case.play(wire)
    after = harness.settled(counted(before) + case.total)
    check_counters(case, before, after)
    check_records(case, harness, records, wire)


def drain(listener: socket.socket) -> None:
    """Accept and close the connections that a failed script left in the backlog."""
    listener.setblocking(False)
    try:
        while True:
            listener.accept()[0].close()
    except BlockingIOError:
        listener.settimeout(patient(10))


def check_counters(case: Case, before: PageSnapshot, after: PageSnapshot) -> None:
    """Compare the increments of the counters with the case."""
    assert seen(after) == counted(after), "the totals of outcomes and routes differ"
    classes = dict.fromkeys(("none", "1xx", "2xx", "3xx", "4xx", "5xx"), 0)
    for route in after.routes:
        for name, count in route.codes.items():
            classes[name] += count
    for route in before.routes:
        for name, count in route.codes.items():
            classes[name] -= count
    downgrades = {name: after.downgrades[name] - before.downgrades[name] for name in after.downgrades}
    steps = {
        key: after.outcomes[key] - before.outcomes[key]
        for key in after.outcomes
        if after.outcomes[key] != before.outcomes[key]
    }
    assert sum(steps.values()) == case.total, (steps, classes, downgrades)
    assert steps.get(("accepted", ""), 0) == len(posts(case)), steps
    dropped = steps.get(("dropped", "aborted"), 0) + steps.get(("dropped", "downgraded"), 0)
    assert dropped in (case.aborted, case.aborted + (case.downgrade == "upgrade")), (steps, classes)
    for name in ("2xx", "3xx", "4xx", "5xx"):
        completed = sum(1 for exchange in case.exchanges if exchange.split()[1][0] == name[0])
        assert classes[name] >= completed, (classes, case.exchanges)
    assert after.connections["accepted"] - before.connections["accepted"] == 1
    if case.downgrade is None:
        assert not any(downgrades.values()), downgrades
    else:
        assert sum(downgrades.values()) == 1
        assert case.downgrade == "any" or downgrades[case.downgrade] == 1, downgrades


def posts(case: Case) -> list[str]:
    """Return the exchanges that are recorded."""
    return [exchange for exchange in case.exchanges if exchange.startswith("POST")]


def check_records(case: Case, harness: Harness, start: int, wire: Wire) -> None:
    """Compare the records of the POST exchanges with the case, and with the exchanges that h11 finds."""
    expected = posts(case)
    wait_until(lambda: len(harness.reader.records) >= start + len(expected), timeout=5, what=f"{len(expected)} records")
    records = harness.reader.records[start:]
    assert [f"{record.method} {record.status}" for record in records] == expected
    assert [record.sequence for record in records] == list(range(start + 1, start + 1 + len(records)))
    if case.clean:
        ended = oracle.read(bytes(wire.sent_up), bytes(wire.sent_down), server_ended=not wire.was_reset)
        bodies = [exchange for exchange in ended.exchanges() if exchange[0] == "POST"]
        assert [
            (record.method, record.status, record.request_body, record.response_body) for record in records
        ] == bodies
    for record in records:
        assert record.route.startswith("POST /v2/models/")
        assert 0 <= record.first_byte_ns <= record.duration_ns
        assert record.request_bytes == len(record.request_body)
        assert record.response_bytes == len(record.response_body) or record.flags & RESPONSE_TRUNCATED
