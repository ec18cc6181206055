"""The pictures of docs/detection-measured.md, from stored results; one whose results are missing is left as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.benchmarks.detection import svg
from tests.benchmarks.detection.real import KNOWN

Results = Mapping[str, Mapping[str, Any]]


def pictures(results: Results) -> dict[str, str]:
    """SVG by the name of its file."""
    return {name: drawn for name, draw in PICTURES.items() if (drawn := draw(results))}


def _delays(results: Results) -> str:
    values = [
        svg.Dot(row["name"], row["figures"]["ratio"], row["figures"]["upper"], group)
        for group, name in enumerate(DELAYS)
        for row in _rows(results, name)
        if "ratio" in row["figures"]
    ]
    groups = tuple(DELAYS.values())
    title = "Rows until the alarm, over log(A) / KL"
    return svg.dots(title, "x, and its 99 % bound", values, target=1.0, groups=groups) if values else ""


def _false_alarms(results: Results) -> str:
    values = [
        dot
        for name in ("quiet", "quiet-small", "quiet-all", "serial")
        for row in _rows(results, name)
        for dot in _quiet(row)
    ]
    groups = ("A = 200", "A = 43,200")
    title = "False alarms over what is allowed"
    return svg.dots(title, "x, and its 99 % bound", values, target=1.0, groups=groups) if values else ""


def _quiet(row: Mapping[str, Any]) -> Iterator[svg.Dot]:
    figures = row["figures"]
    if "ratio" in figures:
        yield svg.Dot(
            row["name"].replace("reference of ", "n = ").replace(" rows,", ","), figures["ratio"], figures["upper"]
        )
    for group, budget in enumerate(("200", "43200")):
        if figures.get(budget, {}).get("judgeable"):
            name = row["name"].replace(" the reference's rate", "")
            yield svg.Dot(name, figures[budget]["ratio"], figures[budget]["upper"], group)


def _evidence(results: Results) -> str:
    row = next((row for row in _rows(results, "real") if "evidence" in row["figures"]), None)
    if row is None:
        return ""
    known = KNOWN[row["name"]]
    drawn = [("evidence", row["figures"]["evidence"])]
    marks = ((known.change, f"the change at row {known.change:,}"),)
    labels = "row of Elec2", "log10 of the evidence over the threshold"
    return svg.lines("Evidence on Elec2, in the order of time", labels, drawn, level=(0.0, "alarm"), marks=marks)


def _rows(results: Results, name: str) -> list[Mapping[str, Any]]:
    return list(results.get(name, {}).get("rows", ()))


DELAYS = {"delay": "one feature", "delay-among": "1 of 100", "delay-tolerant": "with tolerance .0025"}
PICTURES: dict[str, Callable[[Results], str]] = {
    "delays.svg": _delays,
    "evidence.svg": _evidence,
    "false-alarms.svg": _false_alarms,
}
