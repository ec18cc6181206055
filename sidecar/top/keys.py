"""Turns the bytes of a terminal into names of keys. Pure.

Arrow keys come as escape sequences. An escape byte that nothing follows is the key Esc. Other sequences are skipped as
a whole, so that an unknown key never types its letters.
"""

from __future__ import annotations

import re

_KEY = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.)|\x1b|[^\x1b]", re.DOTALL)
_NAMES = {
    "\x1b": "escape",
    "\x1b[A": "up",
    "\x1b[B": "down",
    "\x1b[C": "right",
    "\x1b[D": "left",
    "\x1bOA": "up",
    "\x1bOB": "down",
    "\x1bOC": "right",
    "\x1bOD": "left",
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\x08": "backspace",
}


def keys_of(received: bytes) -> list[str]:
    """Return the keys of the bytes of one read: names such as `up`, else the character."""
    found = _KEY.findall(received.decode(errors="replace"))
    return [_NAMES.get(text, text) for text in found if text in _NAMES or len(text) == 1]
