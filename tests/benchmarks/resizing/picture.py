"""The settings of both recommenders in the plane of core-hours and throttled minutes, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from tests.benchmarks.resizing.contenders import PILOTFISH, VPA, Choice, Run, means
from tests.benchmarks.resizing.table import SHIPPED, front, grid

COLOURS = {VPA: "#b35c00", PILOTFISH: "#0b6e99"}


def draw(runs: Sequence[Run], ratio: float, path: Path) -> None:
    """Write the picture of the runs with limits of `ratio` times the requests to `path`, as PNG."""
    figure = Figure(figsize=(8.0, 4.6), layout="constrained")
    axes = figure.subplots()
    for contender, colour in COLOURS.items():
        points = grid(runs, contender, ratio)
        best = list(front(points).values())
        axes.plot(*zip(*points.values(), strict=True), ".", color=colour, alpha=0.45)
        axes.plot(*zip(*best, strict=True), "-", color=colour, label=f"{contender}: no setting of it is better")
    played = {one.trace for one in runs if one.choice.memory is False}
    for name, contender in SHIPPED.items():
        own = [one for one in runs if (one.contender, one.choice, one.ratio) == (contender, Choice(), ratio)]
        shipped = means([one for one in own if one.trace in played])
        axes.plot(*shipped, "D", color=COLOURS[contender], markersize=8, label=name)
    axes.set_yscale("log")
    axes.set_xlabel("core-hours requested / used, mean over the held-out traces")
    axes.set_ylabel("throttled minutes, share")
    axes.grid(color="#d8e0e6", linewidth=0.6, which="both")
    axes.legend(fontsize=9)
    figure.savefig(path, format="png", dpi=110, metadata={"Software": "Pilotfish"})
