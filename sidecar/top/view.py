"""What the user chose to see: split, sort column, filter, scroll position; and the rows in that order. Pure.

`press` maps one key to the next view. `KEYS` is the table of all keys, from which the footer and the docs follow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from .rows import SPLITS, Row, Split

SORTS: Mapping[str, Callable[[Row], str | float | None]] = {
    "model": lambda row: row.model.casefold(),
    "replicas": lambda row: row.expected if row.expected is not None else row.asked,
    "requests": lambda row: row.requests_per_second,
    "p95": lambda row: row.p95_seconds,
    "errors": lambda row: row.error_ratio,
    "cpu": lambda row: row.cpu_cores,
    "gpu": lambda row: row.gpus,
    "seconds": lambda row: row.cpu_seconds_per_request,
    "cost": lambda row: row.cost_per_1000,
    "tokens": lambda row: row.tokens_per_second,
    "drift": lambda row: row.drift,
    "state": lambda row: {"bad": 2, "warning": 1}.get(row.tone, 0),
}
SORT_NAMES = tuple(SORTS)
LONGEST_FILTER = 60  # characters


@dataclass(frozen=True, slots=True)
class TableView:
    """The choices of the user.

    Attributes:
        sort: a key of SORTS. Numbers are sorted from the largest, names from A.
        reverse: the other direction.
        pattern: words; a row is shown if each occurs in its names or in its state.
        typing: whether keys extend the pattern.
        first: the first row that is shown.
        over: whether the user wants to quit.
    """

    split: Split = "model"
    sort: str = "requests"
    reverse: bool = False
    pattern: str = ""
    typing: bool = False
    first: int = 0
    over: bool = False


def shown(rows: Iterable[Row], view: TableView) -> list[Row]:
    """Return the rows that the pattern matches, sorted. Rows without the value come last, in either direction."""
    key = SORTS[view.sort]
    found = sorted((row for row in rows if matches(row, view.pattern)), key=_name)
    known = [row for row in found if key(row) is not None]
    downward = (view.sort != "model") != view.reverse
    known.sort(key=key, reverse=downward)  # type: ignore[arg-type]  # None is not among them, and a column has one type
    return known + [row for row in found if key(row) is None]


def matches(row: Row, pattern: str) -> bool:
    """Return whether each word of the pattern occurs in the names or in the state of the row; case is ignored."""
    text = f"{row.namespace} {row.model} {row.version} {row.part} {row.state}".casefold()
    return all(word in text for word in pattern.casefold().split())


def _name(row: Row) -> tuple[str, str, str, str]:
    return row.namespace, row.model, row.version, row.part


def clamped(view: TableView, rows: int, lines: int) -> TableView:
    """Return the view with a scroll position that leaves no empty line at the end."""
    return replace(view, first=max(0, min(view.first, rows - lines)))


def press(view: TableView, key: str) -> TableView:
    """Return the view after a key; an unknown key changes nothing."""
    if view.typing:
        return _typed(view, key)
    action = _ACTIONS.get(key)
    return action(view) if action else view


def _typed(view: TableView, key: str) -> TableView:
    if key == "enter":
        return replace(view, typing=False)
    if key == "escape":
        return replace(view, typing=False, pattern="")
    if key == "backspace":
        return replace(view, pattern=view.pattern[:-1])
    if len(key) == 1 and key.isprintable() and len(view.pattern) < LONGEST_FILTER:
        return replace(view, pattern=view.pattern + key, first=0)
    return view


def _sorted_by(step: int) -> Callable[[TableView], TableView]:
    def change(view: TableView) -> TableView:
        at = (SORT_NAMES.index(view.sort) + step) % len(SORT_NAMES)
        return replace(view, sort=SORT_NAMES[at], first=0)

    return change


def _scrolled(step: int) -> Callable[[TableView], TableView]:
    return lambda view: replace(view, first=max(0, view.first + step))


def _split(view: TableView) -> TableView:
    return replace(view, split=SPLITS[(SPLITS.index(view.split) + 1) % len(SPLITS)], first=0)


KEYS: Sequence[tuple[tuple[str, ...], str, Callable[[TableView], TableView]]] = (
    (("q",), "quit", lambda view: replace(view, over=True)),
    (("<", "left"), "sort by the column to the left", _sorted_by(-1)),
    ((">", "right"), "sort by the column to the right", _sorted_by(1)),
    (("r",), "reverse the order", lambda view: replace(view, reverse=not view.reverse)),
    (
        ("/",),
        "filter by words in names and state; Enter keeps them, Esc clears them",
        lambda view: replace(view, typing=True, first=0),
    ),
    (("escape",), "clear the filter", lambda view: replace(view, pattern="")),
    (("b",), "split by model, pod or route", _split),
    (("down", "j"), "scroll down", _scrolled(1)),
    (("up", "k"), "scroll up", _scrolled(-1)),
)
_ACTIONS = {key: action for keys, _, action in KEYS for key in keys}
