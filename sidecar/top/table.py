"""Draws rows as a table of a given width, with rich. Pure.

`COLUMNS` is the table of columns. Where they do not fit, columns without any value are left out first, then those with
the lowest rank. Colour only repeats what the words say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import floor, log10

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .history import TopSnapshot
from .rows import ALARM, Row, age_text
from .view import TableView, clamped, shown

NONE = "-"
GAP = 2  # spaces between two columns
FRAME = 3  # lines around the rows: title, head of the table, keys
MOST_NOTES = 2
LEAST_DECIMAL = 0.0001
LEAST_SHARE = 0.0005  # what is less would be shown as 0.0%
TONES = {"good": "green", "warning": "yellow", "bad": "bold red"}
FOOTER = "q quit  <> sort  r reverse  / filter  b split  ↑↓ scroll"


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column.

    Attributes:
        sort: the name in `view.SORTS`; empty if rows are not sorted by it.
        rank: columns of a lower rank are left out first.
        least: cells to which its texts may be cut to make room; 0 for figures, which are never cut.
    """

    title: str
    text: Callable[[Row], str]
    sort: str = ""
    rank: int = 0
    least: int = 0
    style: Callable[[Row], str] = lambda _: ""


def _name(row: Row) -> str:
    version = f" {row.version}" if row.version else ""
    return f"{row.model}{version}"


def _replicas(row: Row) -> str:
    asked = row.expected if row.expected is not None else row.asked
    answering = row.heard if row.heard is not None else row.answering
    counted = f"{answering}/{asked}"
    return counted if row.desired is None or row.desired == asked else f"{counted}→{row.desired}"


def _sized(row: Row) -> str:
    return NONE if row.sized is None else f"{row.sized}/{row.expected or 0}"


def _drift(row: Row) -> str:
    if row.episodes:
        return "alarm"
    return NONE if row.drift is None else f"{row.drift:.0%}" if row.drift < ALARM else "alarm"


def _failing(row: Row) -> str:
    return "red" if row.error_ratio else ""


def figure(value: float | None) -> str:
    """Return three significant digits: `0.0123`, `12.3`, `12300`, `6.1e-06`; `-` for an unknown value."""
    if value is None:
        return NONE
    if value == 0:
        return "0"
    if abs(value) < LEAST_DECIMAL:
        return f"{value:.2g}"
    digits = max(0, 2 - floor(log10(abs(value))))
    return f"{value:.{digits}f}"


def seconds(value: float | None) -> str:
    """Return a duration in the unit that suits it: `1.23 s`, `12.3 ms`, `45.6 µs`."""
    if value is None:
        return NONE
    if value == 0:
        return "0"
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if value >= size:
            return f"{figure(value / size)}{unit}"
    return f"{figure(value / 1e-6)}µs"


def share(value: float | None) -> str:
    """Return a share in per cent."""
    if value is None:
        return NONE
    return "0%" if value == 0 else "<0.1%" if value < LEAST_SHARE else f"{value:.1%}"


_OF_TOKENS = ("TOK/S", "COST/1M")
COLUMNS: Sequence[TableColumn] = (
    TableColumn("NAMESPACE", lambda row: row.namespace, rank=2, least=9),
    TableColumn("MODEL", _name, "model", 10, least=12),
    TableColumn("PART", lambda row: row.part, rank=9, least=12),
    TableColumn("REPL", _replicas, "replicas", 5),
    TableColumn("SIZED", _sized, rank=1),
    TableColumn("REQ/S", lambda row: figure(row.requests_per_second), "requests", 9),
    TableColumn("P95", lambda row: seconds(row.p95_seconds), "p95", 8),
    TableColumn(
        "ERR", lambda row: share(row.error_ratio), "errors", 8, style=lambda row: "red" if row.error_ratio else ""
    ),
    TableColumn("CORES", lambda row: figure(row.cpu_cores), "cpu", 6),
    TableColumn("GPUS", lambda row: figure(row.gpus), "gpu", 6),
    TableColumn("CPU/REQ", lambda row: seconds(row.cpu_seconds_per_request), "seconds", 4),
    TableColumn("GPU/REQ", lambda row: seconds(row.gpu_seconds_per_request), rank=3),
    TableColumn("COST/1000", lambda row: figure(row.cost_per_1000), "cost", 4),
    TableColumn("TOK/S", lambda row: figure(row.tokens_per_second), "tokens", 5),
    TableColumn("COST/1M", lambda row: figure(row.cost_per_million_tokens), rank=5),
    TableColumn("DRIFT", _drift, "drift", 7, style=lambda row: "bold red" if _drift(row) == "alarm" else ""),
    TableColumn("STATE", lambda row: row.state, "state", 9, least=16, style=lambda row: TONES[row.tone]),
)


def fitting(rows: Sequence[Row], width: int) -> list[TableColumn]:
    """Return the columns that fit into `width` cells, with names at their least width."""
    used = [column for column in COLUMNS if _is_used(column, rows)]
    while len(used) > 1 and _least_width(used, rows) > width:
        used.remove(min(used, key=lambda column: (_has_value(column, rows), column.rank)))
    return used


def _is_used(column: TableColumn, rows: Sequence[Row]) -> bool:
    """Return whether a column of names tells rows apart, or one of tokens or sizes has a value; all others are used."""
    if column.title in _OF_TOKENS:
        return any(column.text(row) != NONE for row in rows)
    if column.title == "NAMESPACE":
        return len({row.namespace for row in rows}) > 1
    if column.title == "SIZED":
        return any(row.sized is not None for row in rows)
    return column.title != "PART" or any(row.part for row in rows)


def _has_value(column: TableColumn, rows: Sequence[Row]) -> bool:
    return column.rank >= 9 or any(column.text(row) not in (NONE, "") for row in rows)


def _widths(columns: Sequence[TableColumn], rows: Sequence[Row]) -> list[tuple[int, int]]:
    """Return the least and the full width of each column."""
    found = []
    for column in columns:
        longest = max([len(column.title), *(cell_len(column.text(row)) for row in rows)])
        found.append((min(longest, column.least or longest), longest))
    return found


def _least_width(columns: Sequence[TableColumn], rows: Sequence[Row]) -> int:
    return sum(least for least, _ in _widths(columns, rows)) + GAP * (len(columns) - 1)


def _shared(columns: Sequence[TableColumn], rows: Sequence[Row], width: int) -> Iterator[int]:
    """Yield the width of each column: the least one, and what is left over, from the left."""
    spare = max(0, width - _least_width(columns, rows))
    for least, longest in _widths(columns, rows):
        more = min(spare, longest - least)
        spare -= more
        yield min(least + more, width)


def table(rows: Sequence[Row], width: int, sort: str = "") -> Table:
    """Return the rows as a table of at most `width` cells; the title of the sort column is reversed."""
    columns = fitting(rows, width)
    drawn = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold")
    for column, cells in zip(columns, _shared(columns, rows, width), strict=True):
        drawn.add_column(
            Text(column.title, style="reverse" if sort and column.sort == sort else ""),
            justify="left" if column.least else "right",
            no_wrap=True,
            overflow="ellipsis",
            width=cells,
        )
    for row in rows:
        drawn.add_row(*(Text(column.text(row), style=column.style(row)) for column in columns))
    return drawn


def screen(
    title: str, snapshot: TopSnapshot, found: Sequence[Row], view: TableView, width: int, height: int
) -> RenderableType:
    """Return the whole picture for a terminal of `width` and `height` cells; the keys are in its last line."""
    chosen = shown(found, view)
    notes = [_line(problem, "yellow") for problem in snapshot.problems[:MOST_NOTES]]
    room = max(1, height - FRAME - len(notes))
    view = clamped(view, len(chosen), room)
    part = chosen[view.first : view.first + room]
    head = Text(f"{title}  {_count(part, chosen, found)}, by {view.split}, sorted by {view.sort}", style="bold")
    body: RenderableType = table(part, width, view.sort) if part else Text(f"{_nothing(snapshot, found)}\n")
    filled = [Text("")] * (room - max(1, len(part)))
    return Group(_line(head), *notes, body, *filled, _line(_footer(view), "dim"))


def _line(text: str | Text, style: str = "") -> Text:
    """Return a text that takes one line."""
    line = text if isinstance(text, Text) else Text(text, style=style)
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _footer(view: TableView) -> str:
    if view.typing:
        return f"filter: {view.pattern}█  Enter keeps it, Esc clears it"
    return FOOTER + (f"  filter: {view.pattern}" if view.pattern else "")


def _count(part: Sequence[Row], chosen: Sequence[Row], found: Sequence[Row]) -> str:
    text = f"{len(chosen)} rows" if len(chosen) != 1 else "1 row"
    text += f" of {len(found)}" if len(chosen) < len(found) else ""
    return f"{text}, {len(part)} shown" if len(part) < len(chosen) else text


def _nothing(snapshot: TopSnapshot, found: Sequence[Row]) -> str:
    if found:
        return "no row matches the filter; Esc clears it"
    if not snapshot.polled:
        return "waiting for the first answers"
    return "no model" if snapshot.age is None else f"no answer {age_text(snapshot.age)}"
