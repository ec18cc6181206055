"""The result of a simulation as one self-contained HTML page: table, charts, assumptions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..report.pages import page, svg
from ..report.pages.axis import Axis, levels
from ..report.pages.markup import Clock, section, text, time
from ..report.timeline.schema import TimelineWindow
from .trace import Floats
from .view import SimulationChart, SimulationView

WIDTH, LEFT, RIGHT, TOP, BOTTOM, HEIGHT = 1080, 62, 1068, 22, 210, 236
MOST_POINTS = 1000
LABELS = 8


def render(view: SimulationView) -> str:
    """Return the page."""
    heads = [view.columns[0], *(f"#{name}" for name in view.columns[1:])]
    rows = [[_key(row.policy, row.cells[0]), *map(text, row.cells[1:])] for row in view.rows]
    drawing = _Drawing.over(view)
    body = (
        f"<h1>{text(view.title)}</h1>",
        f'<p class="soft">simulated from {time(view.start)} on</p>',
        section("Result", "", heads, rows),
        *(f"<p>{text(line)}</p>" for line in view.comparison),
        *(drawing.figure(chart) for chart in view.charts),
        "<section><h2>Assumptions</h2>",
        *(f"<p>{text(line)}</p>" for line in (*view.assumptions, *view.notes)),
        "</section>",
    )
    return page.document(f"{view.title} · Pilotfish", "".join(body))


class _Drawing:
    """The charts of one simulation on one time axis, with points of `width` steps; gaps of the trace are bands."""

    def __init__(self, axis: Axis, clock: Clock, gaps: Sequence[tuple[int, int]], width: int) -> None:
        self._axis, self._clock, self._gaps, self._width = axis, clock, gaps, width

    @classmethod
    def over(cls, view: SimulationView) -> _Drawing:
        """Return the drawing of a view."""
        width = view.width(MOST_POINTS)
        seconds = width * view.step
        first, count = round(view.start / seconds), len(view.times(width))
        spans = [
            TimelineWindow(first_tick=tick, last_tick=tick, ticks=1, rows={}, evidence={})
            for tick in range(first, first + count)
        ]
        gaps = [(round(start / seconds), round(end / seconds)) for start, end in view.gaps]
        return cls(Axis(spans, LEFT, RIGHT), Clock(seconds, None), gaps, width)

    def figure(self, chart: SimulationChart) -> str:
        """Return a chart with its lines, and a dashed one at its level."""
        series = chart.points(self._width)
        top = max([float(values.max()) for values in series] + [chart.level or 0.0, 1e-9]) * 1.08
        parts = [
            *(self._axis.band("band", first, last, TOP, BOTTOM, "no data in the trace") for first, last in self._gaps),
            *_grid(top),
            *self._axis.scale(self._clock, BOTTOM, LABELS),
            *(self._line(place, values, top, chart.stairs) for place, values in reversed(list(enumerate(series)))),
        ]
        if chart.level is not None:
            parts.append(svg.line("threshold", LEFT, _y(chart.level, top), RIGHT, _y(chart.level, top)))
        drawn = svg.picture("chart", WIDTH, HEIGHT, chart.label, parts)
        return f"<section><h2>{text(chart.title)}</h2><figure>{drawn}</figure></section>"

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
