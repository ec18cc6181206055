"""The result of a simulation as a PNG picture, by matplotlib (extra `plots`), without a browser."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import numpy as np

from ..errors import UsageError
from .plant import STEP
from .result import Simulation, largest, mean, times, width_of
from .table import cells

MOST_POINTS = 2000
COLOURS = ("#0b6e99", "#b35c00", "#6a4fb3")
LATENCY_LIMIT = 6.0  # times the target, where the axis of the latency ends


def render(simulation: Simulation) -> bytes:
    """Return the picture as PNG; raise UsageError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError(
            f"--png needs matplotlib ({error}); install pilotfish with the extra plots: pip install 'pilotfish[plots]'"
        ) from error
    played = [policy.played for policy in simulation.policies]
    width = width_of(len(played[0].arrived), MOST_POINTS)
    at = [datetime.fromtimestamp(moment, UTC) for moment in times(played[0], width).tolist()]
    figure = Figure(figsize=(11.0, 8.0), layout="constrained")
    load, replicas, latency = figure.subplots(3, 1, sharex=True)
    load.plot(at, mean(played[0].arrived / STEP, width), color="#57606a", linewidth=1.0)
    load.set_title(simulation.title.replace("$", r"\$"), loc="left", fontsize=12)
    load.set_ylabel("requests / s")
    limit = simulation.service.target * LATENCY_LIMIT
    for place, policy in enumerate(simulation.policies):
        look = {"color": COLOURS[place % len(COLOURS)], "linewidth": 1.1, "zorder": 3 - place}
        hours, missed = cells(policy.outcome)[1:3]
        label = f"{policy.name}: {hours} pod-hours, {missed} minutes missed"
        replicas.plot(at, largest(policy.played.replicas, width), drawstyle="steps-post", label=label, **look)
        latency.plot(at, np.minimum(largest(policy.played.latency, width), limit), **look)
    replicas.set_ylabel("replicas")
    replicas.set_ylim(0, 1.35 * max(float(one.replicas.max()) for one in played))  # room for the legend
    replicas.legend(fontsize=8, loc="upper left")
    latency.axhline(simulation.service.target, color="#c9352b", linestyle="--", linewidth=1.0)
    latency.set_ylabel(f"latency, quantile {simulation.service.quantile:g} (s)")
    for axes in (load, replicas, latency):
        axes.grid(color="#d8e0e6", linewidth=0.6)
        for start, end in simulation.trace.gaps:
            axes.axvspan(
                datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC), color="#c9352b", alpha=0.1
            )
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110, metadata={"Software": "Pilotfish"})
    return out.getvalue()
