"""The description of a dashboard: plain values, which `page.py` and `panels.py` turn into objects of the SDK."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["bars", "heat", "lines", "state", "stat", "table", "text"]
Steps = tuple[tuple[float | None, str], ...]

GOOD: Steps = ((None, "green"),)
ZERO_IS_GOOD: Steps = ((None, "green"), (1, "red"))
ZERO_IS_BAD: Steps = ((None, "red"), (1, "green"))
EVIDENCE: Steps = ((None, "green"), (0.5, "yellow"), (1, "red"))  # 1 raises an alarm
PSI: Steps = ((None, "green"), (0.1, "yellow"), (0.25, "red"))  # the usual reading of the index
ERRORS: Steps = ((None, "green"), (0.01, "yellow"), (0.05, "red"))
SHARE_LOST: Steps = ((None, "green"), (0.001, "yellow"), (0.01, "red"))
FULL: Steps = ((None, "green"), (0.8, "yellow"), (0.95, "red"))
BURN: Steps = ((None, "green"), (1, "yellow"), (14.4, "red"))  # 14.4: 2 % of a 30-day budget in an hour


@dataclass(frozen=True, slots=True)
class Target:
    """One query and the text of its legend.

    In a table, `title`, `unit` and `steps` are those of its column, and `bar` draws a bar behind each value.
    """

    expr: str
    legend: str = "__auto"
    title: str = ""
    unit: str = "short"
    steps: Steps = GOOD
    bar: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Attributes:
        description: a sentence for the panel's help.
        targets: its queries; none in a text.
        empty: what it says when a query returns nothing.
        width: columns of 24.
        states: names and colours of values, such as 0 and 1.
        content: Markdown of a text panel.
        share: whether the lines are stacked.
        log: whether the axis is logarithmic, for evidence, which grows by factors.
        links: columns of a table that lead to another dashboard: label and uid.
        dashed: pattern of the lines that are dashed.
        sort: columns by which a table is sorted.
    """

    kind: Kind
    title: str
    description: str
    targets: tuple[Target, ...] = ()
    unit: str = "short"
    empty: str = ""
    width: int = 8
    height: int = 8
    steps: Steps = GOOD
    states: tuple[tuple[str, str, str], ...] = ()
    low: float | None = 0
    high: float | None = None
    content: str = ""
    share: bool = False
    log: bool = False
    links: tuple[tuple[str, str], ...] = ()
    dashed: str = ""
    sort: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A row with a title and its panels, which fill the grid from left to right."""

    title: str
    panels: tuple[Panel, ...]
    collapsed: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that lists the values of a label. `only_one` forbids several values and All."""

    name: str
    label: str
    query: str
    description: str
    only_one: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """One dashboard. `objective` adds the choice of an availability objective."""

    name: str
    title: str
    description: str
    variables: tuple[Variable, ...]
    sections: tuple[Section, ...]
    objective: bool = False
    tags: tuple[str, ...] = field(default=("pilotfish",))

    @property
    def uid(self) -> str:
        """The stable uid, by which a push replaces the dashboard."""
        return f"pilotfish-{self.name}"
