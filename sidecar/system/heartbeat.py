"""Signs of life of a process: a pipe to the process that watches it, which needs neither a file nor a clock.

The watched process writes a byte once a second, the watching one empties the pipe. Standard library only.
"""

from __future__ import annotations

import os
from contextlib import suppress

_CHUNK = 64 * 1024


class HeartbeatPipe:
    """The watching side. Let the child inherit `descriptor`, the end to write to."""

    def __init__(self) -> None:
        self._reading, self.descriptor = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def beaten(self) -> bool:
        """Return whether a byte has arrived since the last call."""
        found = False
        with suppress(BlockingIOError):
            while os.read(self._reading, _CHUNK):
                found = True
        return found


def beat(descriptor: int) -> None:
    """Write a sign of life; a full pipe, or one that nothing reads, is ignored."""
    with suppress(OSError):
        os.write(descriptor, b".")
