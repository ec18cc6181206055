"""A long build or replay shows its progress in one line, and a short one shows nothing."""

from __future__ import annotations

from pilotfish.sidecar.notebook.progress import FIRST, shown_progress


def test_a_short_run_shows_nothing() -> None:
    written: list[str] = []
    with shown_progress(written.append, lambda: 0.0) as progress:
        progress("measuring x", 0.5)
    assert not written


def test_a_long_run_rewrites_one_line_and_removes_it() -> None:
    written: list[str] = []
    now = [0.0]
    with shown_progress(written.append, lambda: now[0]) as progress:
        for moment in (1.0, FIRST + 1, FIRST + 1.1, FIRST + 2):
            now[0] = moment
            progress("measuring x", 0.25)
    assert [line.split() for line in written] == [
        ["pilotfish:", "measuring", "x:", "25%,", "4", "s"],
        ["pilotfish:", "measuring", "x:", "25%,", "5", "s"],
        [],
    ]
    assert all("\n" not in line and line.startswith("\r") for line in written)
