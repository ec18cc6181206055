"""The progress of a long command: a bar on a terminal, otherwise a line every few seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from . import table

EVERY = 5.0  # seconds between two lines


@contextmanager
def show_progress(console: Console, clock: Callable[[], float] = monotonic) -> Iterator[table.Progress]:
    """Yield a function of (activity, completed share) that shows progress on `console`."""
    if not console.is_terminal:
        yield _Lines(console, clock)
        return
    columns = (TextColumn("{task.description:<30}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, int] = {}

        def show(what: str, share: float) -> None:
            first_word = what.split(" ", maxsplit=1)[0]
            if first_word not in tasks:
                tasks[first_word] = bars.add_task(first_word, total=1.0)
            bars.update(bars.task_ids[tasks[first_word]], completed=share, description=what[:30])

        yield show


class _Lines:
    """Prints a line if at least `EVERY` seconds have passed since the previous line."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self._console = console
        self._clock = clock
        self._last = clock()

    def __call__(self, what: str, share: float) -> None:
        now = self._clock()
        if now - self._last >= EVERY:
            self._last = now
            with suppress(OSError):  # standard error is closed or full; the command goes on
                self._console.print(f"{what}: {share:.0%}", highlight=False, markup=False)
