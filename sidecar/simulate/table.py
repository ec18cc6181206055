"""The result of a simulation of scaling as table and charts, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

import numpy as np

from ..settings.units import show_duration
from .outcome import Outcome
from .plant import STEP
from .result import Simulation
from .view import SimulationChart, SimulationView, ViewRow

COLUMNS = ("policy", "replicas", "pod-hours", "SLO minutes missed", "changes", "reversals", "given up")
LATENCY_LIMIT = 6.0  # times the target, where the chart of the latency ends


def cells(outcome: Outcome) -> tuple[str, ...]:
    """Return the figures of a policy in the order of COLUMNS, without its name."""
    share = outcome.missed_minutes / outcome.judged_minutes if outcome.judged_minutes else 0.0
    return (
        f"{outcome.lowest} to {outcome.highest}",
        f"{outcome.pod_hours:,.1f}",
        f"{outcome.missed_minutes:,} of {outcome.judged_minutes:,} ({share:.2%})",
        f"{outcome.changes:,}",
        f"{outcome.reversals:,}",
        f"{outcome.given_up:,.0f}",
    )


def view_of(simulation: Simulation) -> SimulationView:
    """Return the table and the charts of a simulation."""
    played = [policy.played for policy in simulation.policies]
    target, quantile = simulation.service.target, simulation.service.quantile
    limit = target * LATENCY_LIMIT
    figures = [cells(policy.outcome) for policy in simulation.policies]
    names = [policy.name for policy in simulation.policies]
    return SimulationView(
        title=simulation.title,
        start=simulation.trace.start,
        step=STEP,
        columns=COLUMNS,
        rows=[ViewRow(place, (name, *row)) for place, (name, row) in enumerate(zip(names, figures, strict=True))],
        legends=[
            f"{name}: {row[1]} pod-hours, {row[2]} minutes missed" for name, row in zip(names, figures, strict=True)
        ],
        charts=[
            SimulationChart("Requests per second", "requests / s", "the load", [played[0].arrived / STEP], mean=True),
            SimulationChart(
                "Replicas",
                "replicas",
                "the number of replicas of each policy",
                [one.replicas for one in played],
                stairs=True,
            ),
            SimulationChart(
                f"Latency in seconds: quantile {quantile:g}, cut off at {limit:.3g} s",
                f"latency, quantile {quantile:g} (s)",
                "the latency under each policy, with the target",
                [np.minimum(one.latency, limit) for one in played],
                level=target,
            ),
        ],
        comparison=list(comparison(simulation)),
        assumptions=simulation.assumptions,
        notes=simulation.notes,
        gaps=simulation.trace.gaps,
    )


def comparison(simulation: Simulation) -> Iterator[str]:
    """Yield how the first policy differs from each other one."""
    first, *others = simulation.policies
    for other in others:
        mine, its = first.outcome, other.outcome
        hours = mine.pod_hours / its.pod_hours - 1.0 if its.pod_hours else 0.0
        minutes = mine.missed_minutes - its.missed_minutes
        words = "the same number of" if not minutes else f"{abs(minutes):,} {'more' if minutes > 0 else 'fewer'}"
        yield f"{first.name}: {hours:+.1%} pod-hours and {words} missed minutes, compared with {other.name}"


def as_json(simulation: Simulation) -> str:
    """Return the figures and the changes of all policies as JSON."""
    policies = [
        {
            "name": policy.name,
            **{name: round(value, 6) for name, value in asdict(policy.outcome).items()},
            "changes_made": [
                {"time": change.at, "before": change.before, "after": change.after, "reason": change.reason}
                for change in policy.played.changes
            ],
        }
        for policy in simulation.policies
    ]
    service = {**asdict(simulation.service), "capacity": simulation.service.capacity}
    found = {
        "start": simulation.trace.start,
        "seconds": simulation.trace.seconds,
        "gaps": [list(gap) for gap in simulation.trace.gaps],
        "service": service,
        "policies": policies,
        "assumptions": list(simulation.assumptions),
        "notes": list(simulation.notes),
    }
    return json.dumps(found, indent=1)


def changes_line(simulation: Simulation) -> Iterator[str]:
    """Yield the reasons of the changes of each policy, most frequent first."""
    for policy in simulation.policies:
        counts: dict[str, int] = {}
        for change in policy.played.changes:
            counts[change.reason] = counts.get(change.reason, 0) + 1
        reasons = ", ".join(
            f"{reason} {count:,}" for reason, count in sorted(counts.items(), key=lambda item: -item[1])
        )
        if reasons:
            yield f"changes of {policy.name}: {reasons}"


def interval_note(interval: float) -> str:
    """Return how often the policies decide."""
    return (
        f"each policy decides every {show_duration(interval)} by the means of the signals that the pods send every 5s"
    )
