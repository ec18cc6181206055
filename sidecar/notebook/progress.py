"""The progress of a long build or replay in a notebook or a script: one line on standard error, removed at the end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic

from ..errors import escape_unprintable
from ..profiles.table import Progress

FIRST = 3.0  # seconds before the first line, so that a short run shows nothing
EVERY = 0.5  # seconds between two lines
WIDTH = 60  # characters


@contextmanager
def shown_progress(
    write: Callable[[str], object] | None = None, clock: Callable[[], float] = monotonic
) -> Iterator[Progress]:
    """Yield a function of (activity, completed share) that shows a run of more than `FIRST` seconds in one line.

    A carriage return rewrites the line, in Jupyter as on a terminal. `write` gets the text (default: standard error).
    """
    begun = clock()
    following = begun + FIRST
    printed = False

    def put(text: str) -> None:
        nonlocal printed
        printed = True
        with suppress(OSError, ValueError, AttributeError):  # standard error is closed or absent; the run goes on
            if write is not None:
                write(text)
            else:
                sys.stderr.write(text)
                sys.stderr.flush()

    def show(what: str, share: float) -> None:
        nonlocal following
        now = clock()
        if now >= following:
            following = now + EVERY
            put(
                f"\r{f'pilotfish: {escape_unprintable(what)}'[: WIDTH - 15]}: {share:.0%}, {now - begun:,.0f} s".ljust(
                    WIDTH
                )
            )

    try:
        yield show
    finally:
        if printed:
            put(f"\r{'':{WIDTH}}\r")
