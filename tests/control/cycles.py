"""Single cycles of a control loop, for tests, and the crash that may come in one."""

from __future__ import annotations

from pilotfish.sidecar.control.loop import ControlLoop


class Crash(BaseException):
    """The process dies here."""


async def settled(loop: ControlLoop) -> None:
    """Do a cycle and let its effects end."""
    await loop.cycle()
    await loop.drain()
