"""A member of which something is not known neither takes cores from the others nor loses its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.resize.pool.book import SharedPool
from pilotfish.sidecar.control.resize.pool.member import PoolLoad, PoolMember, PoolPod

MINUTE = 60.0


def saturated(cores: float, in_flight: float | None, now: float) -> PoolMember:
    """A member in a closed loop, which uses all that its CPU limit allows."""
    return PoolMember(
        pods=(PoolPod(uid="pod", requested=cores, allocated=cores),),
        minimum=0.1,
        maximum=4.0,
        load=PoolLoad(
            cpu=cores, rate=cores / 0.1 if in_flight is not None else None, in_flight=in_flight, limit=cores, at=now
        ),
    )


def settled(in_flight: dict[str, float | None], minutes: int = 60, budget: float = 4.0) -> dict[str, float]:
    """Return the cores that each member has in the end."""
    pool, cores = SharedPool("ml/shared", budget), dict.fromkeys(in_flight, budget / len(in_flight))
    pool.expect(in_flight)
    for minute in range(minutes):
        for name, requests in in_flight.items():
            now = minute * MINUTE
            cores[name] = pool.exchange(name, saturated(cores[name], requests, now), now).pods["pod"]
        assert sum(cores.values()) <= budget + 1e-6
    return cores


@pytest.mark.parametrize("requests", [2.0, 4.0, 30.0])
def test_a_saturated_member_whose_requests_are_unknown_gets_as_much_as_one_with_as_many(requests: float) -> None:
    found = settled({"known": requests, "unknown": None})
    assert found["unknown"] == pytest.approx(2.0, abs=0.3)
    assert found["known"] == pytest.approx(2.0, abs=0.3)


def test_of_members_whose_requests_are_all_unknown_none_gets_more() -> None:
    found = settled({"a": None, "b": None})
    assert found["a"] == pytest.approx(found["b"], abs=0.3)


def test_a_member_whose_use_is_unknown_holds_no_more_than_it_has() -> None:
    pool, cores = SharedPool("ml/shared", 6.0), 1.0
    pool.expect(("blind", "busy"))
    pods = (
        PoolPod(uid="small", requested=1.0, allocated=1.0),
        PoolPod(uid="large", requested=3.0, allocated=3.0),
    )
    for minute in range(30):
        now = minute * MINUTE
        blind = pool.exchange("blind", PoolMember(pods=pods, minimum=0.1, maximum=4.0), now)
        cores = pool.exchange("busy", saturated(cores, 8.0, now), now).pods["pod"]
        assert blind.pods == {"small": 1.0, "large": 3.0}
    assert cores == pytest.approx(2.0, abs=0.01)
    assert (blind.entry, blind.reason) == (1.0, Reason.USAGE_MISSING)


def test_a_member_that_becomes_blind_keeps_what_it_has_however_busy_the_others_are() -> None:
    pool, cores = SharedPool("ml/shared", 4.0), {"a": 2.0, "b": 2.0}
    pool.expect(cores)
    for minute in range(60):
        now = minute * MINUTE
        for name, present in list(cores.items()):
            member = saturated(present, 16.0, now)
            if name == "a" and minute >= 20:
                member = replace(member, load=None)
            cores[name] = pool.exchange(name, member, now).pods["pod"]
        if minute == 30:
            kept = dict(cores)
    assert cores == kept
    assert cores["a"] == pytest.approx(2.0, abs=0.3)


def test_shares_follow_the_load_after_a_clock_that_was_set_back() -> None:
    pool, cores = SharedPool("ml/shared", 4.0), {"a": 2.0, "b": 2.0}
    pool.expect(cores)

    def play(loads: dict[str, float], begin: float) -> None:
        for minute in range(12):
            now = begin + minute * MINUTE
            for name, present in list(cores.items()):
                load = PoolLoad(cpu=min(loads[name], present), rate=20.0 * loads[name], in_flight=loads[name], at=now)
                pod = PoolPod(uid="pod", requested=present, allocated=present)
                member = PoolMember(pods=(pod,), minimum=0.1, maximum=4.0, load=load)
                cores[name] = pool.exchange(name, member, now).pods["pod"]

    play({"a": 2.5, "b": 0.2}, 10_000.0)
    assert cores["a"] > 2.5
    play({"a": 0.2, "b": 2.5}, 10_000.0 - 3600.0)
    assert cores["b"] > 2.5
