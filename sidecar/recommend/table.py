"""The advice as lines for a terminal of 80 columns, without colour. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from fractions import Fraction
from io import StringIO
from itertools import groupby

from rich.console import Console
from rich.table import Table

from ..errors import number
from ..podspec.amounts import KINDS, Kind
from .advice import Advice
from .figures import NONE, amount, change
from .recommended import SOURCES, ContainerRecommendation

WIDTH = 80
COLUMNS = ("CONTAINER", "", "REQUEST", "TARGET", "RANGE", "LIMIT", "CHANGE")
_LEAST_NAME = 12


def lines(advices: Sequence[Advice], width: int = WIDTH) -> Iterator[str]:
    """Yield a block for each workload: its title, a table, and notes about each container."""
    for place, (title, group) in enumerate(groupby(advices, key=_title)):
        found = list(group)
        if place:
            yield ""
        yield title
        yield from _text(_table(found), width)
        for advice in found:
            yield from _notes(advice, width)


def _title(advice: Advice) -> str:
    workload = advice.workload
    monitor = f", monitor {workload.monitor.metadata.name}" if workload.monitor else ""
    return f"{workload.title} in {workload.namespace}: {number(len(workload.pods), 'running pod')}{monitor}"


def _table(advices: Sequence[Advice]) -> Table:
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for place, title in enumerate(COLUMNS):
        drawn.add_column(
            title,
            justify="left" if place < 2 else "right",
            no_wrap=place > 0,
            overflow="fold",
            min_width=_LEAST_NAME if place == 0 else None,
        )
    for advice in advices:
        for place, kind in enumerate(KINDS):
            drawn.add_row(advice.container.name if not place else "", kind, *_cells(advice, kind))
    return drawn


def _cells(advice: Advice, kind: Kind) -> tuple[str, ...]:
    found, now, proposed = advice.recommended, advice.now, advice.proposed
    request, limit = now.requests.get(kind), now.limits.get(kind)
    target = found.target.get(kind) if found else None
    after = proposed.requests.get(kind) if target is not None else None
    return (
        amount(kind, request),
        amount(kind, target),
        _range(found, kind),
        _limit(kind, limit, proposed.limits.get(kind)),
        change(request, after),
    )


def _range(found: ContainerRecommendation | None, kind: Kind) -> str:
    lower, upper = (found.lower.get(kind), found.upper.get(kind)) if found else (None, None)
    return NONE if lower is None and upper is None else f"{amount(kind, lower)}-{amount(kind, upper)}"


def _limit(kind: Kind, before: Fraction | None, after: Fraction | None) -> str:
    first, second = amount(kind, before), amount(kind, after)
    return first if first == second else f"{first}→{second}"


def _notes(advice: Advice, width: int) -> Iterator[str]:
    """Yield sentences about one container, each wrapped."""
    for label, text in _sentences(advice):
        yield from textwrap.wrap(
            f"{label}: {text}", width, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False
        )


def _sentences(advice: Advice) -> Iterator[tuple[str, str]]:
    name, found = advice.container.name, advice.recommended
    if found is None:
        if not advice.container.is_own:
            yield name, f"no recommendation: {advice.unapplied or 'its use is not known'}"
        return
    observed = f"{found.confidence_days:.1f} days" if found.confidence_days >= 0.1 else "less than 3 hours"
    doubt = "" if found.is_confident else "; low confidence, so the range is wide"
    yield name, f"from {SOURCES[found.source]}: {observed} of use, {number(found.samples, 'sample')}{doubt}"
    yield f"{name} throttling", found.throttling.text
    for note in advice.notes:
        yield name, note
    if advice.unapplied:
        yield f"{name} not applied", advice.unapplied
    if advice.cost is not None:
        currency = advice.workload.prices.currency
        text = f"{advice.cost:+,.2f} {currency}".strip()
        yield f"{name} cost", f"{text} in 30 days for {number(len(advice.workload.pods), 'pod')}"


def _text(table: Table, width: int) -> list[str]:
    console = Console(file=StringIO(), width=width, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as captured:
        console.print(table)
    return [line.rstrip() for line in captured.get().splitlines()]
