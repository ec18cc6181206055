"""A single cycle of a control loop, the event loop of one process, and a simulated crash."""

from __future__ import annotations

import asyncio

from pilotfish.sidecar.control.loop import ControlLoop


class Crash(BaseException):
    """A simulated crash of the process."""


class Life:
    """The event loop of one process. A loop that crashed gets a new one, and its running attempts end with the old one.

    A lock or a queue belongs to the event loop in which a task first waited for it, so all cycles of one control loop
    must share one.
    """

    def __init__(self) -> None:
        self._runner = asyncio.Runner()

    def cycle(self, loop: ControlLoop) -> None:
        """Run one cycle and wait for its attempts."""
        self._runner.run(run_cycle(loop))

    def end(self, loop: ControlLoop) -> None:
        """Cancel what runs, and close the outbox."""
        self._runner.close()
        loop.outbox.close()


async def run_cycle(loop: ControlLoop) -> None:
    """Run one cycle and wait for its attempts."""
    await loop.cycle()
    await loop.drain()
