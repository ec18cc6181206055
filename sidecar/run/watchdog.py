"""Ends the analyzer process if its event loop hangs, for example in the start of a thread without memory.

The kernel's timer sends SIGALRM, which ends the process, since nothing handles it. This needs no thread and no memory.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True)
class Watchdog:
    """Limits in seconds: `hang` for one round of the event loop, `end` for the end of the process; `beat` is below."""

    hang: float = 300.0  # longer than one step takes on an overloaded machine, at the lowest priority
    end: float = 30.0  # for the last checkpoint
    beat: float = 5.0

    async def watch(self, ending: asyncio.Event) -> None:
        """Let SIGALRM end the process when a limit is exceeded. Returns once `ending` is set, or when cancelled.

        The limit for the end stays in force afterwards.
        """
        try:
            while not ending.is_set():
                signal.setitimer(signal.ITIMER_REAL, self.hang)
                with suppress(TimeoutError):
                    await asyncio.wait_for(ending.wait(), self.beat)
        finally:
            signal.setitimer(signal.ITIMER_REAL, self.end)
