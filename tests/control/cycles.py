"""A single cycle of a control loop, and a simulated crash."""

from __future__ import annotations

from pilotfish.sidecar.control.loop import ControlLoop


class Crash(BaseException):
    """A simulated crash of the process."""


async def run_cycle(loop: ControlLoop) -> None:
    """Run one cycle and wait for its attempts."""
    await loop.cycle()
    await loop.drain()
