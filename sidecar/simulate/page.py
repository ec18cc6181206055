"""The result of a simulation as one self-contained HTML page: table, charts, assumptions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..report.pages import page, svg
from ..report.pages.axis import Axis, levels
from ..report.pages.markup import Clock, section, text, time
from ..report.timeline.schema import TimelineWindow
from .plant import STEP
from .result import PlayedPolicy, Simulation, largest, mean, width_of
from .table import COLUMNS, cells, comparison
from .trace import Floats

WIDTH, LEFT, RIGHT, TOP, BOTTOM, HEIGHT = 1080, 62, 1068, 22, 210, 236
MOST_POINTS = 1000
LABELS = 8
LATENCY_LIMIT = 6.0  # times the target, where the chart of the latency ends


def render(simulation: Simulation) -> str:
    """Return the page."""
    heads = [COLUMNS[0], *(f"#{name}" for name in COLUMNS[1:])]
    rows = [[_key(place, policy.name), *map(text, cells(policy.outcome))] for place, policy in _numbered(simulation)]
    body = (
        f"<h1>{text(simulation.title)}</h1>",
        f'<p class="soft">simulated from {time(simulation.trace.start)} on</p>',
        section("Result", "", heads, rows),
        *(f"<p>{text(line)}</p>" for line in comparison(simulation)),
        *_figures(simulation),
        "<section><h2>Assumptions</h2>",
        *(f"<p>{text(line)}</p>" for line in (*simulation.assumptions, *simulation.notes)),
        "</section>",
    )
    return page.document(f"{simulation.title} · Pilotfish", "".join(body))


def _numbered(simulation: Simulation) -> list[tuple[int, PlayedPolicy]]:
    return list(enumerate(simulation.policies))


def _figures(simulation: Simulation) -> Iterator[str]:
    played = [policy.played for policy in simulation.policies]
    width = width_of(len(played[0].arrived), MOST_POINTS)
    drawing = _Drawing.over(simulation, width)
    rate = mean(played[0].arrived / STEP, width)
    limit = simulation.service.target * LATENCY_LIMIT
    latencies = [np.minimum(largest(one.latency, width), limit) for one in played]
    replicas = [largest(one.replicas, width) for one in played]
    yield drawing.figure("Requests per second", [rate], "the load")
    yield drawing.figure("Replicas", replicas, "the number of replicas of each policy", stairs=True)
    yield drawing.figure(
        f"Latency in seconds: quantile {simulation.service.quantile:g}, cut off at {limit:.3g} s",
        latencies,
        "the latency under each policy, with the target",
        level=simulation.service.target,
    )


class _Drawing:
    """The charts of one simulation on one time axis; gaps of the trace are bands."""

    def __init__(self, axis: Axis, clock: Clock, gaps: Sequence[tuple[int, int]]) -> None:
        self._axis, self._clock, self._gaps = axis, clock, gaps

    @classmethod
    def over(cls, simulation: Simulation, width: int) -> _Drawing:
        """Return the drawing with points of `width` steps."""
        played, seconds = simulation.policies[0].played, width * STEP
        first = round(played.start / seconds)
        count = -(-len(played.arrived) // width)
        spans = [
            TimelineWindow(first_tick=tick, last_tick=tick, ticks=1, rows={}, evidence={})
            for tick in range(first, first + count)
        ]
        gaps = [(round(start / seconds), round(end / seconds)) for start, end in simulation.trace.gaps]
        return cls(Axis(spans, LEFT, RIGHT), Clock(seconds, None), gaps)

    def figure(
        self, title: str, series: Sequence[Floats], label: str, *, level: float | None = None, stairs: bool = False
    ) -> str:
        """Return a chart with a line for each of `series`, and a dashed one at `level`."""
        top = max([float(values.max()) for values in series] + [level or 0.0, 1e-9]) * 1.08
        parts = [
            *(self._axis.band("band", first, last, TOP, BOTTOM, "no data in the trace") for first, last in self._gaps),
            *_grid(top),
            *self._axis.scale(self._clock, BOTTOM, LABELS),
            *(self._line(place, values, top, stairs) for place, values in reversed(list(enumerate(series)))),
        ]
        if level is not None:
            parts.append(svg.line("threshold", LEFT, _y(level, top), RIGHT, _y(level, top)))
        drawn = svg.picture("chart", WIDTH, HEIGHT, label, parts)
        return f"<section><h2>{text(title)}</h2><figure>{drawn}</figure></section>"

    def _line(self, place: int, values: Floats, top: float, stairs: bool) -> str:
        middles, half = self._axis.middles, self._axis.step / 2
        heights = [_y(value, top) for value in values.tolist()]
        points = list(zip(middles, heights, strict=True))
        if stairs:
            points = [(x + side, y) for x, y in points for side in (-half, half)]
        return svg.path(f"line c{place}", points)


def _y(value: float, top: float) -> float:
    return BOTTOM - value / top * (BOTTOM - TOP)


def _grid(top: float) -> Iterator[str]:
    for value in levels(top, 5):
        yield svg.line("grid", LEFT, _y(value, top), RIGHT, _y(value, top))
        yield svg.label("scale", LEFT - 6, _y(value, top) + 4, f"{value:g}", "end")


def _key(place: int, name: str) -> str:
    line = f'<path class="line c{place}" d="M0,6 26,6"/>'
    return f'<span class="key"><svg class="chart" width="26" height="12">{line}</svg>{text(name)}</span>'
