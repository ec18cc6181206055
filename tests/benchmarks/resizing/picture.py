"""The settings of both recommenders in the plane of core-hours and throttled minutes, as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from tests.benchmarks.resizing.contenders import PILOTFISH, VPA, Choice, Run, means
from tests.benchmarks.resizing.table import front, grid, rows

COLOURS = {VPA: "#b35c00", PILOTFISH: "#0b6e99"}
SHIPPED = ", as shipped"


def draw(runs: Sequence[Run], choices: Mapping[str, Choice], ratio: float, path: Path) -> None:
    """Write the picture of the runs with limits of `ratio` times the requests to `path`, as PNG."""
    figure = Figure(figsize=(8.0, 4.6), layout="constrained")
    axes = figure.subplots()
    for contender, colour in COLOURS.items():
        points = grid(runs, contender, ratio)
        best = list(front(points).values())
        axes.plot(*zip(*points.values(), strict=True), ".", color=colour, alpha=0.45)
        axes.plot(*zip(*best, strict=True), "-", color=colour, label=f"{contender}: no setting of it is better")
    for name, (contender, choice) in rows(choices).items():
        if name.endswith(SHIPPED):
            own = [one for one in runs if (one.contender, one.choice, one.ratio) == (contender, choice, ratio)]
            axes.plot(*means(own), "D", color=COLOURS[contender], markersize=8, label=name)
    axes.set_yscale("log")
    axes.set_xlabel("core-hours requested / used, mean over the held-out traces")
    axes.set_ylabel("throttled minutes, share")
    axes.grid(color="#d8e0e6", linewidth=0.6, which="both")
    axes.legend(fontsize=9)
    figure.savefig(path, format="png", dpi=110, metadata={"Software": "Pilotfish"})
