"""Small pictures for the documentation: axes, lines, dots with bounds; plain SVG, readable on any ground."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 760, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 34, 44
INK, GRID = "#57606a", "#8c959f55"
COLOURS = ("#0969da", "#bc4c00", "#1a7f37", "#8250df")
FONT = "font-family='system-ui, sans-serif' font-size='12'"


@dataclass(frozen=True)
class Scale:
    """From numbers to pixels, linear or logarithmic."""

    low: float
    high: float
    start: float
    stop: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = (log10(v) if self.logarithmic else v for v in (self.low, self.high, value))
        return self.start + (self.stop - self.start) * (at - low) / (high - low)

    def ticks(self) -> list[float]:
        if self.logarithmic:
            return [10.0**power for power in range(ceil(log10(self.low)), floor(log10(self.high)) + 1)]
        step = 10 ** floor(log10((self.high - self.low) / 2))
        step *= next(factor for factor in (1, 2, 5, 10) if (self.high - self.low) / (factor * step) <= 7)
        return [step * i for i in range(ceil(self.low / step), floor(self.high / step) + 1)]


@dataclass(frozen=True)
class Dot:
    """A measured value on its own line of a dot plot; `bound` is its upper 99 % bound, `group` chooses a colour."""

    name: str
    value: float
    bound: float
    group: int = 0


def dots(title: str, unit: str, values: Sequence[Dot], *, target: float | None, groups: Sequence[str] = ()) -> str:
    """Each value with its bound on a line of its own, beside a target."""
    label_width, row = 250, 20
    height = TOP + row * len(values) + BOTTOM
    high = max([dot.bound for dot in values] + [target or 0.0]) * 1.06 or 1.0
    across = Scale(0.0, high, label_width, WIDTH - RIGHT)
    body = [_text(8, 18, title, bold=True), *_legend(groups)]
    for tick in across.ticks():
        body += [_line(across(tick), TOP, across(tick), height - BOTTOM, GRID)]
        body += [_text(across(tick), height - BOTTOM + 16, f"{tick:g}", anchor="middle")]
    body.append(_text(WIDTH - RIGHT, height - 8, unit, anchor="end"))
    for number, dot in enumerate(values):
        y, colour = TOP + row * (number + 0.5), COLOURS[dot.group % len(COLOURS)]
        body.append(_text(label_width - 8, y + 4, dot.name, anchor="end"))
        body.append(_line(across(dot.value), y, across(dot.bound), y, colour, 2))
        body.append(f"<circle cx='{across(dot.value):.1f}' cy='{y:.1f}' r='4' fill='{colour}'/>")
    if target is not None:
        body.append(_line(across(target), TOP - 4, across(target), height - BOTTOM, INK, 1.5, dashed=True))
    return _document(height, title, body)


def lines(
    title: str,
    labels: tuple[str, str],
    series: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    *,
    level: tuple[float, str] | None = None,
    marks: Sequence[tuple[float, str]] = (),
) -> str:
    """Lines over a common axis, with a level across and marks along."""
    points = [point for _, drawn in series for point in drawn]
    lows, highs = [min(values) for values in zip(*points, strict=True)], [max(v) for v in zip(*points, strict=True)]
    across = Scale(lows[0], highs[0], LEFT, WIDTH - RIGHT)
    top = max(highs[1], level[0] if level else highs[1])
    up = Scale(min(lows[1], 0.0), top + 0.05 * (top - lows[1]), HEIGHT - BOTTOM, TOP)
    body = [_text(8, 18, title, bold=True), *_legend([name for name, _ in series] if len(series) > 1 else [])]
    for tick in up.ticks():
        body += [
            _line(LEFT, up(tick), WIDTH - RIGHT, up(tick), GRID),
            _text(LEFT - 6, up(tick) + 4, f"{tick:g}", "end"),
        ]
    body += [_text(across(tick), HEIGHT - BOTTOM + 16, f"{tick:,.0f}", "middle") for tick in across.ticks()]
    body += [_text(WIDTH - RIGHT, HEIGHT - 8, labels[0], "end"), _text(LEFT, TOP - 4, labels[1])]
    for number, (_, drawn) in enumerate(series):
        path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in drawn)
        body.append(f"<polyline points='{path}' fill='none' stroke='{COLOURS[number]}' stroke-width='1.5'/>")
    if level:
        body += [_line(LEFT, up(level[0]), WIDTH - RIGHT, up(level[0]), INK, 1.5, dashed=True)]
        body += [_text(LEFT + 6, up(level[0]) - 5, level[1])]
    for x, text in marks:
        body += [_line(across(x), TOP, across(x), HEIGHT - BOTTOM, COLOURS[1], 1.5, dashed=True)]
        body += [_text(across(x) - 6, HEIGHT - BOTTOM - 8, text, "end")]
    return _document(HEIGHT, title, body)


def _legend(names: Iterable[str]) -> list[str]:
    out, x = [], WIDTH - RIGHT
    for number, name in reversed(list(enumerate(names))):
        out.append(_text(x, 18, name, "end"))
        x -= 7 * len(name) + 12
        out.append(f"<circle cx='{x + 4}' cy='14' r='4' fill='{COLOURS[number % len(COLOURS)]}'/>")
        x -= 14
    return out


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1, *, dashed: bool = False) -> str:
    dash = " stroke-dasharray='5 4'" if dashed else ""
    ends = f"x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}'"
    return f"<line {ends} stroke='{colour}' stroke-width='{width}'{dash}/>"


def _text(x: float, y: float, text: str, anchor: str = "start", *, bold: bool = False) -> str:
    weight = " font-weight='600'" if bold else ""
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' fill='{INK}'{weight}>{escape(text)}</text>"


def _document(height: float, title: str, body: Iterable[str]) -> str:
    head = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height:.0f}' role='img' {FONT}>"
    return "\n".join([head, f"<title>{escape(title)}</title>", *body, "</svg>"]) + "\n"
