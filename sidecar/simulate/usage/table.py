"""The result of a replay of use as table and charts, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from ..plant import STEP
from ..trace import Floats
from ..view import SimulationChart, SimulationView, ViewRow
from .outcome import GIB, UsageOutcome
from .play import PlayedUsage, SimulatedModel

COLUMNS = (
    "policy", "core-hours", "GiB-hours", "throttled minutes", "OOM minutes", "mean latency", "p95 latency", "resizes",
    "given up",
)  # fmt: skip
LATENCY_LIMIT = 20.0  # times the CPU time of a request, where the charts of the latency end
MOST_MODELS = 4  # with charts


@dataclass(frozen=True)
class UsageReplay:
    """All policies on one trace: what happened to each monitor, by the name of the policy."""

    title: str
    start: float
    models: Mapping[str, SimulatedModel]
    played: Mapping[str, Mapping[str, PlayedUsage]]
    assumptions: Sequence[str]
    notes: Sequence[str]

    @property
    def totals(self) -> dict[str, UsageOutcome]:
        """The figures of all monitors together, by policy."""
        return {name: UsageOutcome.of(found.values()) for name, found in self.played.items()}


def view_of(replay: UsageReplay) -> SimulationView:
    """Return the table and the charts of a replay; the first MOST_MODELS monitors have charts."""
    totals = replay.totals
    return SimulationView(
        title=replay.title,
        start=replay.start,
        step=STEP,
        columns=COLUMNS,
        rows=list(_rows(replay, totals)),
        legends=[f"{name}: {_seconds(one.mean)} mean, {_seconds(one.tail)} p95" for name, one in totals.items()],
        charts=[chart for name in list(replay.models)[:MOST_MODELS] for chart in _charts(replay, name)],
        comparison=list(_comparison(totals)),
        assumptions=replay.assumptions,
        notes=replay.notes,
        gaps=sorted({gap for model in replay.models.values() for gap in model.trace.gaps}),
    )


def as_json(replay: UsageReplay) -> str:
    """Return the figures of all policies as JSON."""
    found = {
        "start": replay.start,
        "policies": [
            {
                "name": name,
                **_rounded(UsageOutcome.of(played.values())),
                "monitors": {monitor: _rounded(UsageOutcome.of([one])) for monitor, one in played.items()},
            }
            for name, played in replay.played.items()
        ],
        "assumptions": list(replay.assumptions),
        "notes": list(replay.notes),
    }
    return json.dumps(found, indent=1)


def _rounded(outcome: UsageOutcome) -> dict[str, float]:
    return {name: round(value, 6) for name, value in asdict(outcome).items()}


def _rows(replay: UsageReplay, totals: Mapping[str, UsageOutcome]) -> Iterator[ViewRow]:
    for place, (name, played) in enumerate(replay.played.items()):
        yield ViewRow(place, (name, *_cells(totals[name])))
        for monitor, one in played.items() if len(played) > 1 else ():
            yield ViewRow(place, (f"  {monitor}", *_cells(UsageOutcome.of([one]))))


def _cells(outcome: UsageOutcome) -> tuple[str, ...]:
    judged = max(1, outcome.judged_minutes)
    return (
        f"{outcome.core_hours:,.1f}",
        f"{outcome.gib_hours:,.1f}",
        f"{outcome.throttled_minutes:,} ({outcome.throttled_minutes / judged:.1%})",
        f"{outcome.oom_minutes:,} ({outcome.oom_minutes / judged:.1%})",
        _seconds(outcome.mean),
        _seconds(outcome.tail),
        f"{outcome.resizes:,}",
        f"{outcome.given_up:,.0f}",
    )


def _seconds(value: float) -> str:
    return f"{value * 1000:,.0f} ms" if value < 10.0 else f"{value:,.1f} s"


def _comparison(totals: Mapping[str, UsageOutcome]) -> Iterator[str]:
    """Yield how the first policy differs from each other one."""
    (first, mine), *others = totals.items()
    for name, its in others:
        parts = [
            f"{mine.core_hours / its.core_hours - 1.0:+.1%} core-hours",
            f"mean latency times {_ratio(mine.mean, its.mean)}",
            f"p95 times {_ratio(mine.tail, its.tail)}",
            _difference(mine.throttled_minutes - its.throttled_minutes, "throttled minutes"),
            _difference(mine.oom_minutes - its.oom_minutes, "OOM minutes"),
        ]
        yield f"{first}: {', '.join(parts)}, compared with {name}"


def _difference(more: int, what: str) -> str:
    return f"as many {what}" if not more else f"{abs(more):,} {'more' if more > 0 else 'fewer'} {what}"


def _ratio(mine: float, its: float) -> str:
    return f"{mine / its:.2g}" if its else "-"


def _charts(replay: UsageReplay, name: str) -> Iterator[SimulationChart]:
    model, found = replay.models[name], [played[name] for played in replay.played.values()]
    limit = model.seconds * LATENCY_LIMIT
    yield SimulationChart(
        f"{name}: cores that the requests want",
        f"{name}: cores wanted",
        f"the load of {name}",
        [found[0].wanted],
        mean=True,
    )
    yield SimulationChart(
        f"{name}: cores that the pods have",
        f"{name}: cores",
        f"the CPU requests of {name} under each policy",
        [one.cores for one in found],
        stairs=True,
    )
    yield SimulationChart(
        f"{name}: mean latency in seconds, cut off at {limit:.3g} s",
        f"{name}: latency (s)",
        f"the latency of {name} under each policy",
        [_smooth(np.minimum(one.latency, limit)) for one in found],
    )
    if model.trace.memory is not None and len(replay.models) == 1:  # a pool does not share memory
        yield SimulationChart(
            f"{name}: memory of the pods in GiB",
            f"{name}: GiB",
            f"the memory requests of {name} under each policy",
            [one.memory / GIB for one in found],
            stairs=True,
        )


def _smooth(values: Floats) -> Floats:
    """Return the means over a minute, so that the noise of arrivals does not hide the lines."""
    width = round(60.0 / STEP)
    sums: Floats = np.convolve(values, np.ones(width) / width, mode="same")
    return sums
