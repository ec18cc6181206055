"""Progress as lines and as bars."""

from __future__ import annotations

import io

from rich.console import Console

from pilotfish.sidecar.profiles.progress import show_progress


def test_without_a_terminal_a_line_is_printed_every_few_seconds() -> None:
    stream, now = io.StringIO(), 0.0
    with show_progress(Console(file=stream, width=80), clock=lambda: now) as progress:
        for step in range(100):
            now = step / 8
            progress("reading", step / 100)
    assert stream.getvalue().splitlines() == ["reading: 40%", "reading: 80%"]


def test_on_a_terminal_a_bar_is_drawn_for_each_stage() -> None:
    stream = io.StringIO()
    with show_progress(Console(file=stream, width=80, force_terminal=True)) as progress:
        progress("reading", 0.5)
        progress("measuring amount", 0.25)
        progress("measuring zip", 1.0)
    assert "reading" in stream.getvalue()
    assert "measuring zip" in stream.getvalue()
