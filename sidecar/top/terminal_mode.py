"""Puts a terminal into the mode in which each key arrives at once, and restores its mode.

Signals of the terminal (Ctrl-C, Ctrl-Z) keep their meaning.
"""

from __future__ import annotations

import os
import termios
from collections.abc import Iterator
from contextlib import contextmanager

ECHO_AND_LINES = termios.ECHO | termios.ICANON
LOCAL_MODES, CONTROL_CHARACTERS = 3, 6  # places in the list of tcgetattr


@contextmanager
def keys_at_once(descriptor: int) -> Iterator[bool]:
    """Let each key of the terminal arrive at once while the block runs; yield False if it is no terminal."""
    if not os.isatty(descriptor):
        yield False
        return
    before = termios.tcgetattr(descriptor)
    changed = termios.tcgetattr(descriptor)
    changed[LOCAL_MODES] &= ~ECHO_AND_LINES
    changed[CONTROL_CHARACTERS][termios.VMIN], changed[CONTROL_CHARACTERS][termios.VTIME] = 1, 0
    termios.tcsetattr(descriptor, termios.TCSADRAIN, changed)
    try:
        yield True
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
