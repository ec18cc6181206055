"""From a dashboard and a Prometheus to a PNG: `drawing.py` draws the panels, and a headless Chromium the picture."""

from __future__ import annotations

import html
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.dashboards.drawing import Drawn, draw, line_of, text
from tests.dashboards.prometheus import Prometheus, substituted
from tests.support.waiting import patient

Json = dict[str, Any]
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
CELL, LINE, HEAD, TITLE = 50.0, 30.0, 44.0, 26.0  # pixels: width of a column, height of a row, page head, panel title
POINTS = 120
NOTE = "Drawn by Pilotfish's tests from a real Prometheus. Not Grafana."


def svg_of(
    dashboard: Json, server: Prometheus, seconds: float, chosen: Mapping[str, str], *, sections: int | None = None
) -> tuple[str, int, int]:
    """Return the SVG of a dashboard with its width and height: the first `sections` rows, or all of them."""
    span = (time.time() - seconds, time.time())
    parts, bottom = [], HEAD
    for panel, y in _placed(dashboard, sections):
        place = panel["gridPos"]
        left, top, width = place["x"] * CELL, HEAD + y * LINE, place["w"] * CELL
        if panel["type"] == "row":
            parts.append(text(left + 8, top + 20, f"▾ {panel['title']}", size=15))
            bottom = max(bottom, top + LINE)
            continue
        height = place["h"] * LINE
        bottom = max(bottom, top + height)
        drawn = Drawn(panel, tuple(_queried(panel, server, seconds, chosen)), span)
        inside = draw(drawn, width - 8, height - TITLE - 8)
        parts.append(
            f'<g transform="translate({left + 4:.0f},{top + 4:.0f})">'
            f'<rect width="{width - 8:.0f}" height="{height - 8:.0f}" rx="3" fill="#fff" stroke="#d8dadd"/>'
            f"{text(8, 18, panel['title'], size=13)}"
            f'<svg y="{TITLE:.0f}" width="{width - 8:.0f}" height="{height - TITLE - 8:.0f}">{inside}</svg></g>'
        )
    wide = int(24 * CELL)
    head = text(12, 28, dashboard["title"], size=20) + text(wide - 12, 28, NOTE, size=12, anchor="end", fill="#a0522d")
    shown = "".join([head, *parts])
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{bottom + 8:.0f}" font-family="sans-serif">'
        f'<rect width="100%" height="100%" fill="#f4f5f5"/>{shown}</svg>'
    )
    return svg, wide, int(bottom + 8)


def _placed(dashboard: Json, sections: int | None) -> Iterator[tuple[Json, int]]:
    """Yield the panels with their row in the grid; collapsed rows are opened, and move what is below."""
    shift, seen = 0, 0
    for panel in dashboard["panels"]:
        y = panel["gridPos"]["y"] + shift
        if panel["type"] == "row":
            seen += 1
            if sections is not None and seen > sections:
                return
        yield panel, y
        inside = panel.get("panels") or []
        if inside:
            yield from ((item, item["gridPos"]["y"] + shift) for item in inside)
            shift += max(item["gridPos"]["y"] + item["gridPos"]["h"] for item in inside) - panel["gridPos"]["y"] - 1


def _queried(panel: Json, server: Prometheus, seconds: float, chosen: Mapping[str, str]) -> Iterator[tuple[Any, ...]]:
    for target in panel.get("targets", ()):
        expr = substituted(target["expr"], chosen)
        found = server.range(expr, seconds, seconds / POINTS) if target.get("range") else server.instant(expr)
        yield tuple(line_of(target, series) for series in found)


def screenshot(svg: str, width: int, height: int, path: Path, *, scale: float = 1.0) -> None:
    """Write a PNG of the SVG by a headless Chromium."""
    assert BROWSER is not None
    folder = path.parent / f"{path.stem}.browser"
    folder.mkdir()
    page = folder / "page.html"
    page.write_text(f'<!doctype html><meta charset="utf-8"><style>body{{margin:0}}</style><body>{svg}')
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}",
        f"--force-device-scale-factor={scale}", f"--window-size={width},{height}", f"--screenshot={path}",
        page.as_uri(),
    ]  # fmt: skip
    subprocess.run(
        command, check=True, capture_output=True, timeout=patient(60), env={**os.environ, "HOME": str(folder)}
    )
    shutil.rmtree(folder)


def size_of(path: Path) -> tuple[int, int]:
    """Return width and height of a PNG."""
    width, height = struct.unpack(">II", path.read_bytes()[16:24])
    return width, height


def titles(dashboard: Json) -> list[str]:
    """Return the titles that a picture of the whole dashboard shows, escaped as in SVG."""
    return [html.escape(panel["title"]) for panel, _ in _placed(dashboard, None)]
