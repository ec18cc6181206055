"""Shows the state: as a live picture on a terminal, as plain lines elsewhere."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live

from .state import DemoState
from .text_lines import new_lines
from .view import TIMELINE, render

PICTURE_WIDTH = 100  # columns of a saved picture
TITLE = "pilotfish demo"
FRAME = 28  # lines of the picture without its timeline at most, plus one for the cursor
LEAST_LINES = 2
_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


class Screen(Protocol):
    """A context manager that shows the state while it changes."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def show(self, before: DemoState, after: DemoState) -> None:
        """Show the additions of `after` to `before`."""


class PlainScreen:
    """Plain lines on `console`."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def show(self, before: DemoState, after: DemoState) -> None:
        for line in new_lines(before, after):
            self._console.out(line, highlight=False)


class RichScreen:
    """A picture that is redrawn in place on the terminal of `console`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, before: DemoState, after: DemoState) -> None:  # noqa: ARG002  # the picture is redrawn completely
        timeline = max(LEAST_LINES, min(TIMELINE, self._console.height - FRAME))
        self._live.update(render(after, timeline), refresh=True)


def screen_for(console: Console, *, plain: bool) -> Screen:
    """Return the picture screen if `console` can show it, else plain lines."""
    able = console.is_terminal and not console.is_dumb_terminal and console.encoding.startswith("utf")
    return RichScreen(console) if able and not plain else PlainScreen(console)


def save_picture(state: DemoState, path: Path) -> None:
    """Write the view of `state` as an SVG file."""
    console = Console(record=True, width=PICTURE_WIDTH, file=StringIO(), force_terminal=True, color_system="truecolor")
    console.print(render(state))
    path.write_text(_FONT.sub("", console.export_svg(title=TITLE)))  # otherwise a viewer would download fonts
