"""Tasks that run as long as their process."""

from __future__ import annotations

import asyncio

import pytest

from pilotfish.sidecar import tasks
from pilotfish.sidecar.tasks import cancel_all, keep_running


@pytest.mark.asyncio
async def test_work_that_fails_unexpectedly_begins_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "AGAIN", 0.0)
    attempts = []

    async def work() -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise LookupError("an odd object")

    stop = asyncio.Event()
    await keep_running("the test", work, stop)
    assert len(attempts) == 2
    assert "the test failed" in caplog.text


@pytest.mark.asyncio
async def test_the_exception_of_a_cancelled_task_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def fails_at_its_end() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            raise LookupError("an odd object")

    async def waits() -> None:
        await asyncio.sleep(3600)

    async def failed_before() -> None:
        raise ZeroDivisionError

    tasks_to_end = [asyncio.create_task(work()) for work in (fails_at_its_end, waits, failed_before)]
    await asyncio.sleep(0)
    await cancel_all("the test", tasks_to_end)
    assert all(task.done() for task in tasks_to_end)
    assert caplog.messages == ["the test ended with an exception"] * 2
    assert {record.exc_info[0] for record in caplog.records if record.exc_info} == {LookupError, ZeroDivisionError}
