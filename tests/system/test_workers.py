"""A pool that starts its threads at once, so that no later call can wait for a thread that never runs."""

from __future__ import annotations

import threading

import pytest

from pilotfish.sidecar.system.workers import started_pool


def test_a_started_pool_starts_no_thread_later(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = started_pool(3)

    def fail(_: threading.Thread) -> None:
        raise MemoryError

    monkeypatch.setattr(threading.Thread, "start", fail)
    try:
        assert list(pool.map(str, range(20))) == [str(number) for number in range(20)]
    finally:
        pool.shutdown()
