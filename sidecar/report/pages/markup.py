"""Escaping, number formats and tables. Every text that is not a constant must pass through `text` or `name`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from ..schema import ScoreReport, TickStatus

NAME_LENGTH = 60
LARGEST = 1e15
THIN_SPACE = "\u202f"


@dataclass(frozen=True)
class Clock:
    """Converts ticks to times, or to row numbers if a tick is a number of consecutive rows."""

    tick_seconds: float
    rows_per_tick: float | None

    @classmethod
    def of(cls, ticks: TickStatus) -> Clock:
        return cls(ticks.tick_seconds, ticks.rows_per_tick)

    def start(self, tick: int) -> str:
        """Return the start of `tick`."""
        if self.rows_per_tick is not None:
            return f"row {whole(tick * self.rows_per_tick)}"
        return time(tick * self.tick_seconds)

    def brief(self, tick: float, span: float) -> str:
        """Return the start of `tick` in the precision of an axis over `span` ticks."""
        if self.rows_per_tick is not None:
            return f"row {whole(tick * self.rows_per_tick)}"
        form = (
            "%H:%M:%S"
            if span * self.tick_seconds < 600
            else "%d %b %H:%M"
            if span * self.tick_seconds < 4e6
            else "%d %b %Y"
        )
        return _date(tick * self.tick_seconds, form)


def text(value: str) -> str:
    """Escape a foreign text; unprintable characters become U+FFFD, except for the space of `whole`."""
    return escape("".join(char if char.isprintable() or char == THIN_SPACE else "\ufffd" for char in value))


def name(value: str) -> str:
    """Return a foreign name as an escaped label; a long one is cut in the middle, and its tooltip holds the rest."""
    if len(value) <= NAME_LENGTH:
        return f'<span class="name">{text(value)}</span>'
    half = NAME_LENGTH // 2
    return f'<span class="name" title="{text(value[:2000])}">{text(value[:half])}…{text(value[-half:])}</span>'


def time(at: float) -> str:
    """Format epoch seconds as a date and time."""
    return _date(at, "%Y-%m-%d %H:%M:%S UTC")


def _date(at: float, form: str) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).strftime(form)
    except (ValueError, OverflowError, OSError):  # a number from a saved report may be out of range
        return f"{at:g} s"


def duration(seconds: float | None) -> str:
    """Format the duration of a request; None gives an empty string."""
    if seconds is None:
        return ""
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def period(seconds: float) -> str:
    """Format a period of time in its natural unit."""
    for unit, length in (("days", 86_400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * length or seconds == length:
            return f"{seconds / length:.3g} {unit if seconds != length else unit[:-1]}"
    return f"{seconds:.3g} s"


def whole(number: float) -> str:
    """Format a count with thin spaces between thousands; very large ones in scientific notation."""
    if not abs(number) < LARGEST:
        return f"{number:.3g}"
    return f"{round(number):,}".replace(",", THIN_SPACE)


def decimal(number: float) -> str:
    """Format an effect size."""
    return f"{number:.3f}" if abs(number) < LARGEST else f"{number:.3g}"


def share(ratio: float) -> str:
    """Format a ratio in per cent, with more digits for small ones."""
    return (
        "0 %"
        if ratio == 0
        else "&lt; 0.01 %"
        if 0 < ratio < 1e-4
        else f"{100 * ratio:.2f} %"
        if ratio < 0.1
        else f"{100 * ratio:.1f} %"
    )


def evidence(ratio: float) -> str:
    """Format an evidence ratio; values beyond 1000 and below 0.0001 are cut off."""
    return "&gt; 1000" if ratio > 1000 else "&lt; 0.0001" if ratio < 1e-4 else f"{ratio:.2g}"


def score(found: ScoreReport | None) -> str:
    """Format an effect size with its interval in a second line."""
    if found is None:
        return ""
    return f"{decimal(found.value)}<br><small>{decimal(found.low)} – {decimal(found.high)}</small>"


def section(title: str, note: str, heads: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """Return a section with a table of HTML cells; empty without rows. A head with a leading # is a number column."""
    drawn = table(heads, rows)
    return f'<section class="{kind}"><h2>{text(title)}</h2>{note}{drawn}</section>' if drawn else ""


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of HTML cells, empty without rows; a row with a single cell takes the whole width."""
    kinds = [' class="number"' if head.startswith("#") else "" for head in heads]
    body = [_cells(kinds, row) for row in rows]
    if not body:
        return ""
    head = "".join(f"<th{kind}>{text(words.lstrip('#'))}</th>" for kind, words in zip(kinds, heads, strict=True))
    top = f"<thead><tr>{head}</tr></thead>" if any(heads) else ""
    return (
        f'<div class="scroll"><table>{top}<tbody>{"".join(f"<tr>{cells}</tr>" for cells in body)}</tbody></table></div>'
    )


def fold(summary: str, body: str) -> str:
    """Return a closed section that a click opens; `summary` and `body` are HTML."""
    return f"<details><summary>{summary}</summary>{body}</details>"


def _cells(kinds: Sequence[str], row: Sequence[str]) -> str:
    if len(row) == 1 < len(kinds):
        return f'<td class="whole" colspan="{len(kinds)}">{row[0]}</td>'
    return "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, row, strict=True))
