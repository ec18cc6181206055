"""The result of a simulation as text for a terminal, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

from rich.table import Table

from ..settings.units import show_duration
from .outcome import Outcome
from .result import Simulation

COLUMNS = ("policy", "replicas", "pod-hours", "SLO minutes missed", "changes", "reversals", "given up")


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


def table(simulation: Simulation) -> Table:
    """Return one row for each policy."""
    drawn = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for place, title in enumerate(COLUMNS):
        drawn.add_column(title, justify="right" if place else "left", no_wrap=True)
    for policy in simulation.policies:
        drawn.add_row(policy.name, *cells(policy.outcome))
    return drawn


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
