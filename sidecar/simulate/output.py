"""Where the result of a simulation goes: the terminal, a page, a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ..errors import UsageError, quote_value
from ..report.pages.writing import write
from ..settings.units import UNITS, read_duration
from ..system.files import replace_file, require_replaceable
from ..terminal import show, show_error
from . import page, picture
from .view import SimulationView

WIDTH = 140  # columns of the table if the output is no terminal


def read_option(given: str | None, option: str) -> float:
    """Return the seconds of a duration that an option gives; raise UsageError."""
    seconds = read_duration(given)
    if not seconds:
        raise UsageError(f"{option} {quote_value(given)}: give {UNITS['duration'].wants}")
    return seconds


def require_writable(paths: Sequence[Path | None]) -> None:
    """Raise UsageError for a path that cannot be written; None stands for none."""
    for path in paths:
        try:
            if path is not None:
                require_replaceable(path)
        except OSError as error:
            raise UsageError(f"{path}: cannot be written ({error.strerror}); choose another path") from error


def print_view(view: SimulationView, lines: Sequence[str] = ()) -> None:
    """Print the table, and `lines` below the comparison."""
    show(*view.assumptions, *view.notes, "")
    console = Console(highlight=False) if Console().is_terminal else Console(highlight=False, width=WIDTH)
    console.print(view.table())
    show("", *view.comparison, *lines)


def write_view(view: SimulationView, html: Path | None, png: Path | None) -> None:
    """Write the page and the picture, where they were asked for."""
    if html is not None:
        show_error(f"{html}: {write(html, page.render(view)):,} bytes")
    if png is not None:
        raw = picture.render(view)
        replace_file(png, raw)
        show_error(f"{png}: {len(raw):,} bytes")
