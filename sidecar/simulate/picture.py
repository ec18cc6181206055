"""The result of a simulation as a PNG picture, by matplotlib (extra `plots`), without a browser."""

from __future__ import annotations

import io
from datetime import UTC, datetime

from ..errors import UsageError
from .view import SimulationView

MOST_POINTS = 2000
COLOURS = ("#0b6e99", "#b35c00", "#6a4fb3")
ALONE = "#57606a"  # the line of a chart that does not compare policies
HEIGHT = 2.7  # inches of a chart


def render(view: SimulationView) -> bytes:
    """Return the picture as PNG; raise UsageError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError(
            f"--png needs matplotlib ({error}); install pilotfish with the extra plots: pip install 'pilotfish[plots]'"
        ) from error
    width = view.width(MOST_POINTS)
    at = [datetime.fromtimestamp(moment, UTC) for moment in view.times(width).tolist()]
    figure = Figure(figsize=(11.0, HEIGHT * len(view.charts)), layout="constrained")
    panels = figure.subplots(len(view.charts), 1, sharex=True, squeeze=False)[:, 0]
    panels[0].set_title(view.title.replace("$", r"\$"), loc="left", fontsize=12)
    legend = next((chart for chart in view.charts if len(chart.series) > 1), None)
    for axes, chart in zip(panels, view.charts, strict=True):
        alone = len(chart.series) == 1
        for place, values in enumerate(chart.points(width)):
            colour = ALONE if alone else COLOURS[place % len(COLOURS)]
            label = view.legends[place] if chart is legend else None
            style = "steps-post" if chart.stairs else "default"
            axes.plot(at, values, color=colour, linewidth=1.1, zorder=3 - place, drawstyle=style, label=label)
        axes.set_ylabel(chart.axis)
        axes.grid(color="#d8e0e6", linewidth=0.6)
        if chart is legend:
            axes.set_ylim(0, 1.35 * max(float(values.max()) for values in chart.series))  # room for the legend
            axes.legend(fontsize=8, loc="upper left")
        if chart.level is not None:
            axes.axhline(chart.level, color="#c9352b", linestyle="--", linewidth=1.0)
        for start, end in view.gaps:
            axes.axvspan(
                datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC), color="#c9352b", alpha=0.1
            )
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110, metadata={"Software": "Pilotfish"})
    return out.getvalue()
