"""Tables and pictures of docs/scaling-measured.md, from the runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from pilotfish.sidecar.simulate.plant import STEP
from tests.benchmarks.detection import svg
from tests.benchmarks.scaling.choice import Mean, mean, select
from tests.benchmarks.scaling.contenders import COMPILED, CONTENDERS, HPA, TARGETS, Run, played
from tests.benchmarks.scaling.traces import DAY, HALVES, HELD_OUT, KINDS, TUNING, names, trace

DRAWN = ("burst-1", "slow-1")  # of the held-out half
DRAWN_DAYS = 2.0  # at the end of a trace
POINT = round(300.0 / STEP)  # steps in one point of a picture

Targets = Mapping[str, float]


def reached(runs: Sequence[Run], targets: Targets) -> bool:
    """Return whether Pilotfish, on the held-out half, costs no more than the HPA and misses at most half as much."""
    hpa, pilotfish = (mean(select(runs, HELD_OUT, name, targets[name])) for name in CONTENDERS)
    return pilotfish.cost <= hpa.cost and pilotfish.missed <= hpa.missed / 2.0


def markdown(runs: Sequence[Run], targets: Targets) -> str:
    """Return all tables."""
    parts = [_verdict(runs, targets), _compiled(runs, targets), _means(runs, targets), _kinds(runs, targets)]
    return "\n\n".join([*filter(None, parts), _traces(runs, targets), _frontier(runs), ""])


def _verdict(runs: Sequence[Run], targets: Targets) -> str:
    hpa, pilotfish = (mean(select(runs, HELD_OUT, name, targets[name])) for name in CONTENDERS)
    word = "reached" if reached(runs, targets) else "missed"
    cost = pilotfish.cost / hpa.cost - 1.0
    share = (
        f"{pilotfish.missed / hpa.missed:.2f} times the missed minutes" if hpa.missed else "no missed minutes to halve"
    )
    return (
        "Goal: on the held-out half, no more pod-hours than the tuned HPA, and at most half of its missed minutes. "
        f"**Result: {word}**: {cost:+.1%} pod-hours and {share}."
    )


def _compiled(runs: Sequence[Run], targets: Targets) -> str:
    """Return in words whether the compiled controller did the same as the recommender without extensions."""
    pairs = list(zip(*(select(runs, HELD_OUT, name, targets[HPA]) for name in (HPA, COMPILED)), strict=False))
    if not pairs:
        return "The HorizontalController was not built, so the HPA is the recommender without its extensions."
    same = sum(
        (one.missed, one.pod_hours, one.changes) == (other.missed, other.pod_hours, other.changes)
        for one, other in pairs
    )
    return (
        "The HorizontalController of Kubernetes, compiled from its module, played the held-out half, too: its "
        f"pod-hours, missed minutes and changes are those of the column HPA in {same} of {len(pairs)} traces."
    )


def _row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _table(heads: Sequence[str], rows: Iterator[Sequence[object]] | Sequence[Sequence[object]]) -> str:
    return "\n".join([_row(heads), _row(["---"] * len(heads)), *map(_row, rows)])


def _shown(found: Mean) -> tuple[str, str]:
    return f"{found.cost:.3f}", f"{found.missed:.2%}"


def _means(runs: Sequence[Run], targets: Targets) -> str:
    rows = [
        (
            name,
            f"{targets[name]:g}",
            *(cell for half in HALVES for cell in _shown(mean(select(runs, half, name, targets[name])))),
        )
        for name in CONTENDERS
    ]
    heads = ("algorithm", "target", "cost, tuning", "missed, tuning", "cost, held out", "missed, held out")
    return f"## Means\n\n{_table(heads, rows)}"


def _kinds(runs: Sequence[Run], targets: Targets) -> str:
    rows = []
    for kind in KINDS:
        found = [
            [run for run in select(runs, HELD_OUT, name, targets[name]) if run.kind == kind] for name in CONTENDERS
        ]
        if all(found):
            rows.append((kind, *(cell for one in found for cell in _shown(mean(one)))))
    heads = ("kind", "cost, HPA", "missed, HPA", "cost, Pilotfish", "missed, Pilotfish")
    return f"## Kinds of load, held out\n\n{_table(heads, rows)}"


def _traces(runs: Sequence[Run], targets: Targets) -> str:
    pairs = zip(*(select(runs, HELD_OUT, name, targets[name]) for name in CONTENDERS), strict=True)
    rows = [
        (
            hpa.trace,
            *(cell for run in (hpa, mine) for cell in (f"{run.pod_hours:,.0f}", f"{run.missed:,}", f"{run.changes:,}")),
        )
        for hpa, mine in pairs
    ]
    heads = [
        "trace",
        *(f"{figure}, {name}" for name in CONTENDERS for figure in ("pod-hours", "missed minutes", "changes")),
    ]
    return f"## Traces, held out\n\n{_table(heads, rows)}"


def _frontier(runs: Sequence[Run]) -> str:
    rows = [
        (f"{target:g}", *(cell for name in CONTENDERS for cell in _shown(mean(select(runs, TUNING, name, target)))))
        for target in TARGETS
    ]
    heads = ("target", "cost, HPA", "missed, HPA", "cost, Pilotfish", "missed, Pilotfish")
    return f"## All targets, tuning half\n\n{_table(heads, rows)}"


def pictures(runs: Sequence[Run], targets: Targets) -> dict[str, str]:
    """Return SVG by the name of its file."""
    lines = []
    for name in CONTENDERS:
        found = [mean(select(runs, TUNING, name, target)) for target in TARGETS]
        lines.append((name, [(100.0 * one.missed, one.cost) for one in found]))
    labels = ("missed minutes, %", "pod-hours / ideal")
    drawn = {"frontier.svg": svg.lines("Cost and missed minutes of all targets, tuning half", labels, lines)}
    for one in map(trace, names(HELD_OUT)):
        if one.name in DRAWN:
            series = []
            for name in CONTENDERS:
                done, _ = played(one, name, targets[name])
                steps = int(DRAWN_DAYS * DAY / STEP)
                values = done.replicas[-steps:]
                starts = np.arange(0, len(values), POINT)
                points = np.maximum.reduceat(values, starts)
                series.append((name, list(zip((starts * STEP / 3600.0).tolist(), points.tolist(), strict=True))))
            title = f"Replicas under {one.name}: start-up time {one.service.startup:g} s"
            drawn[f"{one.name}.svg"] = svg.lines(title, ("hours", "replicas"), series)
    return drawn
