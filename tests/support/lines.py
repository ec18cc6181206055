"""Stops a function before each of its lines, to test what other processes find at that moment."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any


def visit_lines(module: ModuleType, run: Callable[[], None], visit: Callable[[], None]) -> None:
    """Call `run`, and `visit` before each line of `module` that it executes, and after it."""
    source = str(Path(module.__file__ or "").resolve())

    def enter(frame: FrameType, _event: str, _argument: object) -> Any:
        return line if str(Path(frame.f_code.co_filename).resolve()) == source else None

    def line(_frame: FrameType, event: str, _argument: object) -> Any:
        if event == "line":
            visit()
        return line

    previous = sys.gettrace()
    sys.settrace(enter)
    try:
        run()
    finally:
        sys.settrace(previous)
    visit()
