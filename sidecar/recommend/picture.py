"""The use of containers over time beside request and recommendation, as a PNG by matplotlib (extra `plots`)."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UsageError
from ..podspec.amounts import KINDS, Kind
from .advice import Advice
from .compute import UseSample
from .figures import amount

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_POINTS = 1500
MOST_CONTAINERS = 8
USE, NOW, TARGET, LIMIT = "#57606a", "#b35c00", "#0b6e99", "#c9352b"
UNITS: Mapping[Kind, tuple[str, float]] = {"cpu": ("cores", 1.0), "memory": ("GiB", 2.0**30)}


def render(advices: Sequence[Advice], use: Mapping[tuple[str, str], Sequence[UseSample]]) -> bytes:
    """Return the picture of the containers in `use`, eight at most; raise UsageError without matplotlib or use."""
    shown = [one for one in advices if one.recommended and (one.workload.title, one.container.name) in use]
    if not shown:
        raise UsageError("--png: the status has no use over time; give --prometheus URL and --ignore-status")
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError(
            f"--png needs matplotlib ({error}); install pilotfish with the extra plots: pip install 'pilotfish[plots]'"
        ) from error
    shown = shown[:MOST_CONTAINERS]
    figure = Figure(figsize=(11.0, 3.0 * len(shown)), layout="constrained")
    places = figure.subplots(len(shown), 2, squeeze=False)
    for row, advice in zip(places, shown, strict=True):
        samples = use[advice.workload.title, advice.container.name]
        for axes, kind in zip(row, KINDS, strict=True):
            _draw(axes, advice, kind, samples)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110, metadata={"Software": "Pilotfish"})
    return out.getvalue()


def _draw(axes: Axes, advice: Advice, kind: Kind, samples: Sequence[UseSample]) -> None:
    unit, factor = UNITS[kind]
    thinned = list(thin(samples, kind))
    times = [datetime.fromtimestamp(at, UTC) for at, _ in thinned]
    values = [value / factor for _, value in thinned]
    axes.plot(np.array(times), values, color=USE, linewidth=0.9, label="use, the busiest pod")
    found = advice.recommended
    if found is not None and kind in found.target:
        lower, upper = found.lower.get(kind, found.target[kind]), found.upper.get(kind, found.target[kind])
        axes.axhspan(float(lower) / factor, float(upper) / factor, color=TARGET, alpha=0.12, linewidth=0, label="range")
        _level(axes, kind, found.target[kind], "recommended", TARGET, "-")
    _level(axes, kind, advice.now.amount("requests", kind), "request", NOW, "--")
    _level(axes, kind, advice.now.limits.get(kind), "limit", LIMIT, ":")
    axes.set_title(
        f"{advice.workload.title} {advice.container.name}: {kind}".replace("$", r"\$"), loc="left", fontsize=10
    )
    axes.set_ylabel(unit)
    axes.set_ylim(bottom=0)
    axes.margins(x=0)
    axes.grid(color="#d8e0e6", linewidth=0.6)
    axes.tick_params(labelsize=8)
    axes.tick_params(axis="x", rotation=20)
    axes.legend(fontsize=7, loc="best")


def _level(axes: Axes, kind: Kind, value: Fraction | None, name: str, colour: str, style: str) -> None:
    if value is not None:
        level = float(value) / UNITS[kind][1]
        axes.axhline(level, color=colour, linestyle=style, linewidth=1.2, label=f"{name} {amount(kind, value)}")


def thin(samples: Sequence[UseSample], kind: Kind) -> Sequence[tuple[float, float]]:
    """Return at most MOST_POINTS times with the use, the largest value of each stretch, so that no peak is lost."""
    known = [(one.at, one.cpu if kind == "cpu" else one.memory) for one in samples]
    values = [(at, value) for at, value in known if value is not None]
    width = -(-len(values) // MOST_POINTS) or 1
    stretches = [values[first : first + width] for first in range(0, len(values), width)]
    return [(stretch[0][0], max(value for _, value in stretch)) for stretch in stretches]
