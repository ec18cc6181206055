"""Charts of one feature over time: PSI with its interval, or shares of the rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..timeline.schema import FeatureSeries, Series, TimelineWindow
from . import svg
from .axis import Axis, levels
from .markup import Clock

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 520, 118, 48, 14, 92
SPARK_WIDTH, SPARK_HEIGHT = 90, 24
MIN_SHARE = 0.005  # series that stay below it are not drawn
MIN_TOP, MAX_PSI = 0.05, 1e6  # the scale reaches at least MIN_TOP, so that noise does not fill the chart


def psi(trend: FeatureSeries, spans: Sequence[TimelineWindow], clock: Clock, drift: tuple[int, int | None]) -> str:
    """Return PSI with its interval over the windows; `drift` (first, last tick) is marked, last None if it is open."""
    axis, values = Axis(spans, LEFT, WIDTH - 4), _bounded(trend.psi, MAX_PSI)
    top = max([MIN_TOP, *(value for value in values if value is not None)]) * 1.1
    low, high = (_bounded(series, top) for series in (trend.psi_low, trend.psi_high))
    parts = [
        axis.band("band", *drift, TOP, BOTTOM),
        *_scale(top),
        *axis.scale(clock, BOTTOM, 4),
        *_area(low, high, axis, top),
        *_line("line c0", values, axis, top),
        svg.label("scale", LEFT, TOP - 3, "PSI with its interval"),
    ]
    return svg.picture("chart", WIDTH, HEIGHT, "PSI over time", parts)


def shares(trend: FeatureSeries, spans: Sequence[TimelineWindow], clock: Clock, drift: tuple[int, int | None]) -> str:
    """Return the shares of missing, unseen and out-of-range rows over the windows; empty if all are small."""
    kinds = {"missing": trend.missing_ratio, "unseen": trend.unseen_ratio, "out of range": trend.out_of_range_ratio}
    bounded = {name: _bounded(series, 1.0) for name, series in kinds.items()}
    drawn = {
        name: series for name, series in bounded.items() if max((value or 0 for value in series), default=0) > MIN_SHARE
    }
    if not drawn:
        return ""
    axis = Axis(spans, LEFT, WIDTH - 4)
    top = max(value or 0 for series in drawn.values() for value in series) * 1.1
    parts = [axis.band("band", *drift, TOP, BOTTOM), *_scale(top, percent=True), *axis.scale(clock, BOTTOM, 4)]
    x = float(LEFT)
    for place, (name, series) in enumerate(drawn.items(), 1):
        parts += _line(f"line c{place}", series, axis, top)
        parts += [svg.line(f"line c{place}", x, TOP - 7, x + 16, TOP - 7), svg.label("scale", x + 20, TOP - 3, name)]
        x += 20 + 7 * len(name) + 14
    return svg.picture("chart", WIDTH, HEIGHT, "shares of the rows over time", parts)


def spark(trend: FeatureSeries) -> str:
    """Return PSI over the windows for a table row."""
    values = _bounded(trend.psi, MAX_PSI)
    top = max([MIN_TOP, *(value for value in values if value is not None)])
    step = SPARK_WIDTH / max(1, len(values))
    xs = [(place + 0.5) * step for place in range(len(values))]
    lines = [
        svg.path("line c0", [(x, SPARK_HEIGHT - 2 - value / top * (SPARK_HEIGHT - 4)) for x, value in _wide(run, step)])
        for run in svg.runs(values, xs)
    ]
    return svg.picture("chart spark", SPARK_WIDTH, SPARK_HEIGHT, "PSI over time", lines)


def _bounded(series: Series, top: float) -> Series:
    """Limit the values to [0, top], because they may come from a file."""
    return tuple(None if value is None else min(max(value, 0.0), top) for value in series)


def _wide(run: list[svg.Point], step: float) -> list[svg.Point]:
    if len(run) > 1:
        return run
    (x, value), half = run[0], min(step, 20) / 2
    return [(x - half, value), (x + half, value)]


def _y(value: float, top: float) -> float:
    return BOTTOM - value / top * (BOTTOM - TOP)


def _scale(top: float, percent: bool = False) -> Iterator[str]:
    for value in levels(top, 3):
        y = _y(value, top)
        yield svg.line("grid", LEFT, y, WIDTH - 4, y)
        yield svg.label("scale", LEFT - 5, y + 4, f"{100 * value:.3g} %" if percent else f"{value:.3g}", "end")


def _line(kind: str, series: Series, axis: Axis, top: float) -> Iterator[str]:
    for run in svg.runs(series, axis.middles):
        yield svg.path(kind, [(x, _y(value, top)) for x, value in _wide(run, axis.step)])


def _area(low: Series, high: Series, axis: Axis, top: float) -> Iterator[str]:
    for below, above in zip(svg.runs(low, axis.middles), svg.runs(high, axis.middles), strict=True):
        edge = [*_wide(above, axis.step), *reversed(_wide(below, axis.step))]
        yield svg.path("area", [(x, _y(value, top)) for x, value in edge], closed=True)
