"""Draws the panels of a dashboard as SVG, from what Prometheus returned: enough to look at, and not Grafana."""

from __future__ import annotations

import html
import json
import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
PALETTE = ("#73bf69", "#5794f2", "#ff9830", "#b877d9", "#f2495c", "#8ab8ff", "#fade2a", "#ff7383", "#37872d", "#c4162a")
COLOURS = {"blue": "#5794f2", "green": "#56a64b", "red": "#e02f44", "yellow": "#e0b400"}
LEFT = 62.0  # pixels for the labels of an axis
GAPS = 30  # a line is interrupted where it has no point for this part of the time
LEGENDS = 4  # series that the legend lists
TEXT, GRID = "#44484f", "#e3e5e8"
SI = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""))
SECONDS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms"), (1e-6, "µs"))
SUFFIX = {
    "Bps": "B/s", "celsius": " °C", "cores": " cores", "cps": " c/s", "ops": " /s", "reqps": " req/s",
    "rowsps": " rows/s", "watt": " W", "µs": " µs",
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One series: its name in the legend, its labels, and its points."""

    name: str
    labels: dict[str, str]
    points: tuple[tuple[float, float], ...]

    @property
    def last(self) -> float:
        """The last value."""
        return self.points[-1][1]


@dataclass(frozen=True)
class Drawn:
    """A panel with its data: for each query its series. `span` is the time that is drawn, as start and end."""

    panel: Json
    queries: tuple[tuple[Line, ...], ...]
    span: tuple[float, float]

    @property
    def lines(self) -> tuple[Line, ...]:
        """The series of all queries."""
        return tuple(line for query in self.queries for line in query)

    @property
    def defaults(self) -> Json:
        """Unit, thresholds and texts."""
        found: Json = self.panel["fieldConfig"]["defaults"]
        return found


def line_of(target: Json, series: Json) -> Line:
    """Return a series of Prometheus with the name that the legend gives it."""
    labels = {key: value for key, value in series["metric"].items() if key != "__name__"}
    legend = target.get("legendFormat") or "__auto"
    shown = re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), legend)
    name = shown if legend != "__auto" else " ".join(labels.values())
    points = series.get("values") or [series["value"]]
    finite = ((float(at), float(value)) for at, value in points)
    return Line(name.strip(), labels, tuple((at, value) for at, value in finite if math.isfinite(value)))


def shown_value(value: float, unit: str) -> str:
    """Return a value with its unit, as short as Grafana writes it."""
    if unit == "percentunit":
        return f"{0 if abs(value) < 1e-5 else value * 100:.3g} %" if abs(value) < 10 else f"{value * 100:,.0f} %"
    if unit == "s":
        scale, name = next(((by, word) for by, word in SECONDS if abs(value) >= by), (1, "s"))
        return f"{value / scale:.3g} {name}"
    if unit in ("bytes", "Bps"):
        power = min(3, int(math.log(max(abs(value), 1), 1024)))
        return f"{value / 1024**power:.3g} {('', 'Ki', 'Mi', 'Gi')[power]}{SUFFIX.get(unit, 'B')}"
    scale, prefix = next(((by, word) for by, word in SI if abs(value) >= by), (1, ""))
    return f"{value / scale:.3g}{prefix}{SUFFIX.get(unit, '')}"


def colour_of(value: float, defaults: Json) -> str:
    """Return the colour of the threshold that a value has reached."""
    reached = [step for step in defaults["thresholds"]["steps"] if step["value"] is None or value >= step["value"]]
    colour: str = reached[-1]["color"]
    return COLOURS.get(colour, colour)


def text(x: float, y: float, content: str, *, size: int = 11, anchor: str = "start", fill: str = TEXT) -> str:
    """Return one line of text."""
    look = f'font-size="{size}" text-anchor="{anchor}" fill="{fill}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {look}>{html.escape(content)}</text>'


def draw(drawn: Drawn, width: float, height: float) -> str:
    """Return the inside of a panel as SVG."""
    kind = drawn.panel["type"]
    if kind == "text":
        lines = drawn.panel["options"]["content"].replace("```sh", "").replace("```", "").split("\n")
        return "".join(text(8, 18 + 16 * number, line) for number, line in enumerate(_wrapped(lines, int(width / 6))))
    if not any(line.points for line in drawn.lines):
        words = _wrapped([drawn.defaults["noValue"]], int(width / 7.5))
        tops = (height / 2 + 17 * (place - (len(words) - 1) / 2) for place in range(len(words)))
        return "".join(
            text(width / 2, top, line, size=13, anchor="middle", fill="#8e949c")
            for top, line in zip(tops, words, strict=True)
        )
    return KINDS[kind](drawn, width, height)


def _cut(cell: str, most: int) -> str:
    return cell if len(cell) <= most else cell[: most - 1] + "…"


def _wrapped(lines: Sequence[str], most: int) -> list[str]:
    found = []
    for line in lines:
        rest = line
        while len(rest) > most and (at := rest.rfind(" ", 0, most)) > 0:
            found.append(rest[:at])
            rest = rest[at + 1 :]
        found.append(rest)
    return found


def _stat(drawn: Drawn, width: float, height: float) -> str:
    line = next(line for line in drawn.lines if line.points)
    colour = colour_of(line.last, drawn.defaults)
    top = max(value for _, value in line.points) or 1
    path = _path(line.points, drawn.span, (0, max(top, 1e-12)), (0, height * 0.65, width, height * 0.35))
    shown = shown_value(line.last, drawn.defaults["unit"])
    big = text(
        width / 2, height * 0.55, shown, size=min(34, int(1.7 * width / len(shown))), anchor="middle", fill=colour
    )
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-opacity=".5"/>{big}'


def _path(
    points: Sequence[tuple[float, float]],
    span: tuple[float, float],
    bounds: tuple[float, float],
    box: tuple[float, float, float, float],
) -> str:
    """Return the path of a line in `box` (x, y, width, height)."""
    (start, end), (low, high), (left, top, width, height) = span, bounds, box
    parts, before = [], start - (end - start)
    for at, value in points:
        x, y = left + (at - start) / (end - start) * width, top + height - (value - low) / (high - low) * height
        parts.append(f"{'M' if at - before > (end - start) / GAPS else 'L'}{x:.1f},{y:.1f}")
        before = at
    return "".join(parts)


def _lines(drawn: Drawn, width: float, height: float) -> str:
    stacked = drawn.defaults["custom"].get("stacking", {}).get("mode") == "normal"
    lines = _stack(drawn.lines) if stacked else [line for line in drawn.lines if line.points]
    legend = min(len(lines), LEGENDS)
    if drawn.defaults["custom"].get("scaleDistribution", {}).get("type") == "log":
        return _logarithmic(drawn, lines, width, height)
    box = (LEFT, 6.0, width - LEFT - 8, height - 30 - 14 * legend)
    values = [value for line in lines for _, value in line.points]
    low = min([*values, *([drawn.defaults["min"]] if "min" in drawn.defaults else [])])
    high = max([*values, *([drawn.defaults["max"]] if "max" in drawn.defaults else [])])
    high = high if high > low else low + (abs(low) or 1)
    parts = [_axes(drawn, (low, high), box)]
    for step in drawn.defaults["thresholds"]["steps"][1:]:
        if low < step["value"] <= high:
            y = box[1] + box[3] * (1 - (step["value"] - low) / (high - low))
            colour = COLOURS[step["color"]]
            parts.append(f'<path d="M{box[0]},{y:.1f}h{box[2]:.1f}" stroke="{colour}" stroke-dasharray="5 4"/>')
    for place, line in enumerate(lines):
        path = _path(line.points, drawn.span, (low, high), box)
        colour = PALETTE[place % len(PALETTE)]
        parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.4"/>')
    parts += _legend(drawn, lines, height - 14 * legend + 4)
    return "".join(parts)


def _logarithmic(drawn: Drawn, lines: Sequence[Line], width: float, height: float) -> str:
    """Return lines by their powers of ten, from the minimum of the panel on."""
    least = drawn.defaults["min"]
    powers = [
        Line(line.name, line.labels, tuple((at, math.log10(max(value, least))) for at, value in line.points))
        for line in lines
    ]
    legend = min(len(lines), LEGENDS)
    box = (LEFT, 6.0, width - LEFT - 8, height - 30 - 14 * legend)
    bounds = (math.log10(least), max(0.3, *(value for line in powers for _, value in line.points)))
    parts = [_times(drawn.span, box[0], box[2], box[1] + box[3] + 12)]
    steps = [(step["value"], COLOURS[step["color"]], "5 4") for step in drawn.defaults["thresholds"]["steps"][1:]]
    for value, colour, dashes in [*((10.0**power, GRID, "") for power in range(-6, 1, 2)), *steps]:
        y = box[1] + box[3] * (1 - (math.log10(value) - bounds[0]) / (bounds[1] - bounds[0]))
        parts.append(f'<path d="M{box[0]},{y:.1f}h{box[2]:.1f}" stroke="{colour}" stroke-dasharray="{dashes}"/>')
        if not dashes:
            parts.append(text(box[0] - 4, y + 3, f"{value:g}", size=9, anchor="end"))
    for place, line in enumerate(powers):
        path = _path(line.points, drawn.span, bounds, box)
        parts.append(f'<path d="{path}" fill="none" stroke="{PALETTE[place % len(PALETTE)]}" stroke-width="1.4"/>')
    return "".join([*parts, *_legend(drawn, lines, height - 14 * legend + 4)])


def _stack(lines: Sequence[Line]) -> list[Line]:
    """Return each line on top of those before it."""
    base: dict[float, float] = {}
    found = []
    for line in lines:
        points = []
        for at, value in line.points:
            base[at] = base.get(at, 0.0) + value
            points.append((at, base[at]))
        if points:
            found.append(Line(line.name, line.labels, tuple(points)))
    return found


def _legend(drawn: Drawn, lines: Sequence[Line], top: float) -> list[str]:
    names = {(line.name, tuple(line.labels.items())): line for line in drawn.lines if line.points}
    parts = []
    for place, line in enumerate(lines[:LEGENDS]):
        y = top + 14 * place
        own = names[line.name, tuple(line.labels.items())]
        unit = drawn.defaults["unit"]
        more = f"  (+{len(lines) - LEGENDS})" if place == LEGENDS - 1 and len(lines) > LEGENDS else ""
        largest = max(value for _, value in own.points)
        shown = f"{line.name[:34] or 'value'}   {shown_value(own.last, unit)}, max {shown_value(largest, unit)}{more}"
        parts.append(f'<rect x="8" y="{y - 7:.1f}" width="10" height="3" fill="{PALETTE[place]}"/>')
        parts.append(text(22, y, shown, size=10))
    return parts


def _axes(drawn: Drawn, bounds: tuple[float, float], box: tuple[float, float, float, float]) -> str:
    left, top, width, height = box
    low, high = bounds
    parts = []
    for step in range(4):
        y = top + height * (1 - step / 3)
        value = shown_value(low + (high - low) * step / 3, drawn.defaults["unit"])
        parts.append(
            f'<path d="M{left},{y:.1f}h{width:.1f}" stroke="{GRID}"/>'
            + text(left - 4, y + 3, value, size=9, anchor="end")
        )
    return "".join([*parts, _times(drawn.span, left, width, top + height + 12)])


def _times(span: tuple[float, float], left: float, width: float, y: float) -> str:
    parts = []
    for step in range(5):
        word = time.strftime("%H:%M", time.gmtime(span[0] + (span[1] - span[0]) * step / 4))
        parts.append(text(left + width * step / 4, y, word, size=9, anchor="end" if step == 4 else "middle"))
    return "".join(parts)


def _heat(drawn: Drawn, width: float, height: float) -> str:
    buckets = sorted(
        (line for line in drawn.lines if line.points), key=lambda line: float(line.name.replace("+Inf", "inf"))
    )
    below: dict[float, float] = {}
    cells = []
    for place, line in enumerate(buckets):
        for at, value in line.points:
            cells.append((place, at, max(0.0, value - below.get(at, 0.0))))
            below[at] = value
    used = sorted({place for place, _, value in cells if value > 0})
    if not used:
        return text(width / 2, height / 2, drawn.defaults["noValue"], size=13, anchor="middle")
    first, last = used[0], used[-1]
    high = max(value for _, _, value in cells)
    columns = max(len(line.points) for line in buckets)
    left, bottom, wide, tall = LEFT, height - 22, width - LEFT - 8, (height - 30) / (last - first + 1)
    step = wide / columns
    parts = [_times(drawn.span, left, wide, height - 8)]
    for place in range(first, last + 1, 1 + int(10 / tall)):
        name = shown_value(float(buckets[place].name.replace("+Inf", "inf")), "s")
        parts.append(text(left - 4, bottom - (place - first + 0.3) * tall, name, size=9, anchor="end"))
    for place, at, value in cells:
        if value > 0:
            x = left + (at - drawn.span[0]) / (drawn.span[1] - drawn.span[0]) * (wide - step)
            y = bottom - (place - first + 1) * tall
            shade = (value / high) ** 0.5
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{step + 0.5:.1f}" height="{tall - 1:.1f}" fill="#1f60c4" '
                f'fill-opacity="{shade:.2f}"/>'
            )
    return "".join(parts)


def _state(drawn: Drawn, width: float, height: float) -> str:
    lines = [line for line in drawn.lines if line.points][:12]
    names = {
        value: item for mapping in drawn.defaults.get("mappings", ()) for value, item in mapping["options"].items()
    }
    left, tall = min(150.0, 12 + 6.2 * max(len(line.name) for line in lines)), min(26.0, (height - 44) / len(lines))
    wide = width - left - 10
    parts = [_times(drawn.span, left, wide, 12 + tall * len(lines) + 10)]
    for place, line in enumerate(lines):
        y = 8 + tall * place
        parts.append(text(left - 6, y + tall * 0.6, line.name[:24], size=10, anchor="end"))
        wide_point = max(1.0, wide / max(len(line.points), 60)) + 0.6
        for at, value in line.points:
            x = left + (at - drawn.span[0]) / (drawn.span[1] - drawn.span[0]) * wide
            item = names.get(f"{value:g}", {})
            colour = COLOURS.get(item.get("color", ""), "#999")
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide_point:.1f}" height="{tall - 5:.1f}" fill="{colour}"/>'
            )
    legend = " · ".join(item["text"] for item in names.values())
    return "".join([*parts, text(8, height - 6, legend, size=10)])


def _bars(drawn: Drawn, width: float, height: float) -> str:
    lines = [line for line in drawn.lines if line.points][:10]
    high = max(1e-9, *(line.last for line in lines))
    tall = min(24.0, (height - 10) / len(lines))
    parts = []
    for place, line in enumerate(lines):
        y = 6 + tall * place
        share = max(0.0, line.last / high) * (width - 190)
        colour = colour_of(line.last, drawn.defaults)
        parts.append(text(112, y + tall * 0.62, line.name[-18:], anchor="end"))
        parts.append(f'<rect x="118" y="{y:.1f}" width="{share:.1f}" height="{tall - 5:.1f}" fill="{colour}"/>')
        parts.append(text(124 + share, y + tall * 0.62, shown_value(line.last, drawn.defaults["unit"]), fill=colour))
    return "".join(parts)


def _table(drawn: Drawn, width: float, height: float) -> str:
    """Return the merged table: one row per set of labels, one column per query."""
    rename = next(
        item["options"]["renameByName"] for item in drawn.panel["transformations"] if item["id"] == "organize"
    )
    titles = list(rename.values())
    rows: dict[str, dict[int, float]] = {}
    for place, query in enumerate(drawn.queries):
        for line in query:
            if line.points:
                rows.setdefault(json.dumps(line.labels, sort_keys=True), {})[place] = line.last
    labels = sorted({key for row in rows for key in json.loads(row)})
    order = [item["displayName"] for item in drawn.panel.get("options", {}).get("sortBy") or ()]
    rows = dict(sorted(rows.items(), key=lambda item: [json.loads(item[0]).get(name, "") for name in order]))
    columns = [*labels, *titles]
    step = (width - 16) / len(columns)
    fits = int(step / 6.8)
    parts = [
        text(10 + step * place, 16, _cut(name, fits), size=11, fill="#1f60c4") for place, name in enumerate(columns)
    ]
    properties = {
        item["matcher"]["options"]: {one["id"]: one["value"] for one in item["properties"]}
        for item in drawn.panel["fieldConfig"]["overrides"]
        if "unit" in {one["id"] for one in item["properties"]}
    }
    most = max(value for values in rows.values() for value in values.values()) or 1
    for number, (row, values) in enumerate(list(rows.items())[: int((height - 22) / 20)]):
        y = 38 + 20 * number
        cells = [(json.loads(row).get(name, ""), TEXT) for name in labels]
        for place, title in enumerate(titles):
            own = properties[title]
            shown = shown_value(values[place], own["unit"]) if place in values else ""
            cells.append((shown, colour_of(values.get(place, 0.0), own)))
            if own.get("custom.cellOptions", {}).get("type") == "gauge":
                x, wide = 10 + step * (len(labels) + place), (step - 70) * values.get(place, 0.0) / most
                parts.append(f'<rect x="{x + 56:.1f}" y="{y - 10}" width="{wide:.1f}" height="12" fill="#5794f2"/>')
        parts.append(f'<path d="M8,{y - 14:.1f}h{width - 16:.1f}" stroke="{GRID}"/>')
        parts += [
            text(10 + step * place, y, _cut(cell, fits), fill=colour) for place, (cell, colour) in enumerate(cells)
        ]
    return "".join(parts)


KINDS: dict[str, Callable[[Drawn, float, float], str]] = {
    "bargauge": _bars,
    "heatmap": _heat,
    "stat": _stat,
    "state-timeline": _state,
    "table": _table,
    "timeseries": _lines,
}
