"""The watchdog ends a process whose event loop hangs, or that does not end; it leaves a running one alone."""

from __future__ import annotations

import signal
import sys

import pytest

from tests.support.processes import Child, Children
from tests.support.waiting import patient

PROGRAM = """
import asyncio, threading
from pilotfish.sidecar.run.watchdog import Watchdog

async def main():
    ending = asyncio.Event()
    watching = asyncio.create_task(Watchdog(hang=%HANG, end=%END, beat=0.05).watch(ending))
    await asyncio.sleep(0.2)
    print("ran", flush=True)
    BODY

asyncio.run(main())
"""
HANG_IN_LOOP = "threading.Event().wait()"
HANG_AT_THE_END = "threading.Thread(target=threading.Event().wait).start(); ending.set()"
HANG_AFTER_AN_ERROR = "threading.Thread(target=threading.Event().wait).start(); raise SystemExit(3)"
END = "ending.set(); await watching"


def program(spawn: Children, body: str, *, hang: float, end: float) -> Child:
    text = PROGRAM.replace("%HANG", str(hang)).replace("%END", str(end)).replace("BODY", body)
    child = spawn(sys.executable, "-c", text)
    child.process.wait(timeout=patient(20))
    return child


@pytest.mark.parametrize(
    ("body", "hang", "end"),
    [(HANG_IN_LOOP, 1.0, 60.0), (HANG_AT_THE_END, 60.0, 0.3), (HANG_AFTER_AN_ERROR, 60.0, 0.3)],
    ids=["in the loop", "at the end", "after an error"],
)
def test_a_process_that_hangs_is_ended(spawn: Children, body: str, hang: float, end: float) -> None:
    child = program(spawn, body, hang=hang, end=end)
    assert child.process.returncode == -signal.SIGALRM
    assert child.output() == "ran\n"


def test_a_process_whose_loop_runs_and_ends_is_left_alone(spawn: Children) -> None:
    assert program(spawn, END, hang=60.0, end=60.0).process.returncode == 0
