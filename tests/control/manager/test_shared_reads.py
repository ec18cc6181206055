"""Readings that all monitors share: read once for some time, bounded, and not kept long after a failure."""

from __future__ import annotations

import asyncio

import pytest

from pilotfish.sidecar.control.manager.resizing_limits import LASTING_SECONDS, LimitsReader
from pilotfish.sidecar.control.manager.shared_reads import BRIEF_SECONDS, MOST_KEPT, SharedReads
from pilotfish.sidecar.control.reasons import Reason
from tests.control.resize.sized import Sized
from tests.support.apiserver.faults import Fault
from tests.support.apiserver.server import ApiServer

pytestmark = pytest.mark.asyncio


class Counted:
    """A source that counts how often it is read."""

    def __init__(self) -> None:
        self.now, self.reads = 1000.0, 0
        self.shared = SharedReads(lambda: self.now)

    async def read(self) -> int:
        self.reads += 1
        await asyncio.sleep(0)
        return self.reads

    async def once(self, key: str = "a", *, lasts: bool = True) -> int:
        return await self.shared.once((key,), 60.0, self.read, lambda _found: lasts)


async def test_who_waits_for_a_reading_gets_it() -> None:
    source = Counted()
    assert await asyncio.gather(*(source.once() for _ in range(10))) == [1] * 10
    source.now += 59.0
    assert await source.once() == 1
    source.now += 1.0
    assert await source.once() == 2


async def test_a_reading_of_the_future_is_not_used_after_the_clock_was_set_back() -> None:
    source = Counted()
    await source.once()
    source.now -= 3600.0
    assert await source.once() == 2


async def test_a_reading_that_failed_for_now_is_made_again_soon() -> None:
    source = Counted()
    await source.once(lasts=False)
    assert await source.once(lasts=False) == 1
    source.now += BRIEF_SECONDS
    assert await source.once() == 2


async def test_readings_of_what_comes_and_goes_are_bounded() -> None:
    source = Counted()
    for number in range(3 * MOST_KEPT):
        source.now += 1.0
        await source.once(f"node-{number}")
        assert len(source.shared) <= MOST_KEPT


async def test_a_version_that_cannot_be_read_for_a_moment_is_a_problem_of_this_moment() -> None:
    now = 1000.0
    async with ApiServer() as api:
        kube = await api.connect()
        await Sized(kube, "default", api=api).start()
        reader = LimitsReader(kube, lambda: now)
        fault = api.faults.add(Fault(when=lambda call: call.path in {"/version", "/api/v1/nodes/node-of-default"}))
        fault.status, fault.reason = 403, "Forbidden"
        found = await reader.read("default", ["node-of-default"])
        assert found.problem is not None
        assert (found.problem.reason, found.version) == (Reason.NOT_AUTHORIZED, None)
        api.faults.end()
        now += BRIEF_SECONDS
        found = await reader.read("default", ["node-of-default"])
        assert (found.problem, found.version, dict(found.nodes)) == (None, (1, 36), {})
        now += LASTING_SECONDS
        assert "node-of-default" in (await reader.read("default", ["node-of-default"])).nodes
        await kube.close()
