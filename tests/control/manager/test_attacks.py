"""Laws of resizing under attack: documents, targets, leaders, errors of the API server, pods and clocks in any order.

Of one monitor, no two pods are resized at once; every write is within the bounds; the QoS class stays; no amount is
added or removed; each hold has a reason of the table; what is kept is bounded; and nothing fails with a traceback.
"""

from __future__ import annotations

from random import Random

import pytest

from pilotfish.sidecar.kube import client
from tests.control.manager.attacks import attack, attacked
from tests.support.sizes import size

pytestmark = [pytest.mark.asyncio, pytest.mark.long, pytest.mark.timeout(300)]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "FIRST_PAUSE", 0.001)  # seconds until a failed read is repeated


@pytest.mark.parametrize("seed", range(size(4, 60)))
async def test_the_laws_of_resizing_hold_under_attack(seed: int) -> None:
    found = await attack(seed, size(15, 40))
    assert found.broken == [], found.log


async def test_a_resize_that_a_late_watch_does_not_show_yet_is_not_made_again() -> None:
    async with attacked(Random(1)) as found:
        found.answer = "in_progress"
        while not found.writes:
            await found.elapse(1)
        found.late = 17
        await found.elapse(18)
        assert [entry.state for entry in found.entries()] == ["delivered"]
        assert found.broken == []


async def test_a_pod_that_vanishes_in_the_middle_of_its_resize_does_not_hold_the_others() -> None:
    async with attacked(Random(2)) as found:
        found.answer = "in_progress"
        while not found.writes:
            await found.elapse(1)
        await found.vanish()
        found.answer = "done"
        await found.elapse(120)
        assert found.writes > 3
        assert found.broken == []


async def test_resizing_goes_on_after_an_hour_was_set_back() -> None:
    async with attacked(Random(3)) as found:
        while not found.writes:
            await found.elapse(1)
        found.small.now -= 3600.0
        before = found.writes
        await found.elapse(120)
        assert found.writes > before
        assert found.broken == []
