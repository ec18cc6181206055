"""Tasks that run as long as their process."""

from __future__ import annotations

import asyncio

import pytest

from pilotfish.sidecar.serving import tasks
from pilotfish.sidecar.serving.tasks import keep_running


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
