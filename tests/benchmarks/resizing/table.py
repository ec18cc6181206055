"""The tables of docs/resizing-measured.md, from the runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pilotfish.sidecar.settings.units import show_duration
from tests.benchmarks.resizing.contenders import (
    COMPILED,
    CONTENDERS,
    GRID,
    PILOTFISH,
    VPA,
    Choice,
    Run,
    means,
    relative_cost,
)
from tests.benchmarks.resizing.traces import KINDS, trace

SHIPPED = {f"{contender}, as shipped": contender for contender in CONTENDERS}


def markdown(runs: Sequence[Run], ratios: Sequence[float], shares: Mapping[str, Sequence[float]]) -> str:
    """Return all tables for the runs of the held-out traces."""
    parts = [_verdict(runs, ratios), _compiled(runs)]
    parts += [_means(runs, ratio) for ratio in ratios]
    parts += [f"## A grid of settings, held out, limits of {ratios[0]:g} times the requests", *fronts(runs)]
    parts += ["## Recommended only, held out", recommended(shares)]
    parts += [_kinds(runs, ratios[0]), _traces(runs, ratios[0])]
    return "\n\n".join([*parts, ""])


def _verdict(runs: Sequence[Run], ratios: Sequence[float]) -> str:
    """Return in words what Pilotfish costs and saves beside the VPA, both as shipped."""
    words = []
    for ratio in ratios:
        one, base = (_mean(_of(runs, contender, Choice(), ratio)) for contender in (PILOTFISH, VPA))
        words.append(
            f"with limits of {ratio:g} times the requests, {one[0] / base[0]:.2f} times the core-hours, "
            f"{_ratio(one[1], base[1])} times the throttled minutes, {one[2] / base[2]:.2f} times the GiB-hours and "
            f"{_ratio(one[3], base[3])} times the kills"
        )
    return f"Pilotfish beside the VPA, both as shipped, held out: {'; '.join(words)}."


def grid(runs: Sequence[Run], contender: str, ratio: float = 1.0) -> dict[Choice, tuple[float, float]]:
    """Return relative core-hours and the throttled share of each setting of the grid, the cheapest one first."""
    found = {choice: means(_of(runs, contender, choice, ratio)) for choice in GRID}
    return dict(sorted(found.items(), key=lambda one: one[1]))


def front(points: Mapping[Choice, tuple[float, float]]) -> dict[Choice, tuple[float, float]]:
    """Return the settings without a cheaper one that is throttled as little."""
    found: dict[Choice, tuple[float, float]] = {}
    for choice, (cost, throttled) in points.items():
        if all(throttled < other for _, other in found.values()):
            found[choice] = cost, throttled
    return found


def fronts(runs: Sequence[Run]) -> list[str]:
    """Return the settings of the grid that no other one beats, in words and as a table."""
    ours, theirs = (grid(runs, contender) for contender in (PILOTFISH, VPA))
    beaten = [one for one in theirs.values() if any(a <= one[0] and b <= one[1] for a, b in ours.values())]
    undone = [one for one in ours.values() if any(a <= one[0] and b <= one[1] for a, b in theirs.values())]
    words = (
        f"Of the {len(theirs)} settings of the VPA in the grid, {len(beaten)} have a setting of Pilotfish that costs "
        f"no more core-hours and is throttled in no more minutes. The reverse holds for {len(undone)} of the "
        f"{len(ours)} settings of Pilotfish."
    )
    lines = ["| recommender | percentile, margin, half-life | core-hours / used | throttled minutes |"]
    lines.append("| --- | --- | --- | --- |")
    for contender, points in ((VPA, theirs), (PILOTFISH, ours)):
        for one, (cost, throttled) in front(points).items():
            setting = f"{one.percentile}, {one.margin}, {show_duration(one.half_life)}"
            lines.append(f"| {contender} | {setting} | {cost:.2f} | {throttled:.2%} |")
    return [words, "\n".join(lines)]


def _compiled(runs: Sequence[Run]) -> str:
    """Return in words whether the compiled recommender did the same as ours without additions."""
    theirs = {(one.trace, one.ratio): one.played for one in runs if one.contender == COMPILED}
    if not theirs:
        return "The VerticalPodAutoscaler was not built, so the VPA is our recommender without its additions."
    ours = {(one.trace, one.ratio): one.played for one in runs if one.contender == VPA and one.choice == Choice()}
    same = sum(ours[key] == played for key, played in theirs.items())
    return (
        "The recommender of the VerticalPodAutoscaler, compiled from its module, played the held-out half, too: its "
        f"hours, minutes and resizes are those of `{VPA}, as shipped` in {same} of {len(theirs)} runs."
    )


def _means(runs: Sequence[Run], ratio: float) -> str:
    head = (
        f"## Held out, limits of {ratio:g} times the requests\n\n"
        "| recommender | core-hours / used | throttled minutes | GiB-hours / used | killed minutes | resizes a day | "
        "core-hours / VPA | throttled / VPA | GiB-hours / VPA |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    )
    base = _mean(_of(runs, VPA, Choice(), ratio))
    lines = []
    for name, contender in SHIPPED.items():
        one = _mean(_of(runs, contender, Choice(), ratio))
        lines.append(
            f"| {name} | {one[0]:.2f} | {one[1]:.2%} | {one[2]:.2f} | {one[3]:.3%} | {one[4]:.1f} "
            f"| {one[0] / base[0]:.2f} | {_ratio(one[1], base[1])} | {one[2] / base[2]:.2f} |"
        )
    return "\n".join([head, *lines])


def recommended(found: Mapping[str, Sequence[float]]) -> str:
    """Return in words what is recommended under a limit, by what is recommended without one, by contender."""
    words = [
        f"{contender}: {float(np.median(shares)):.2f} times this in the median, {min(shares):.2f} to {max(shares):.2f}"
        for contender, shares in found.items()
    ]
    count = len(next(iter(found.values())))
    return (
        f"If nobody resizes a pod whose limit is its median demand, and without the limit a recommendation would be 1, "
        f"the recommendations at the end of {count} traces are, for {'; for '.join(words)}."
    )


def _kinds(runs: Sequence[Run], ratio: float) -> str:
    heads = " | ".join(f"{name}: core-hours / used, throttled, kills" for name in SHIPPED)
    lines = [f"## Kinds of load, held out, limits of {ratio:g} times the requests\n", f"| kind | {heads} |"]
    lines.append("| --- |" + " --- |" * len(SHIPPED))
    for kind in KINDS:
        cells = []
        for contender in SHIPPED.values():
            own = [one for one in _of(runs, contender, Choice(), ratio) if trace(one.trace).kind == kind]
            if own:
                mean = _mean(own)
                cells.append(f"{mean[0]:.2f}, {mean[1]:.2%}, {sum(one.played.killed for one in own)}")
        if cells:
            lines.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _traces(runs: Sequence[Run], ratio: float) -> str:
    heads = " | ".join(f"{name}: core-hours, throttled, GiB-hours, kills, resizes" for name in SHIPPED)
    lines = [f"## Traces, held out, limits of {ratio:g} times the requests\n", f"| trace, minutes | {heads} |"]
    lines.append("| --- |" + " --- |" * len(SHIPPED))
    columns = {
        name: {one.trace: one.played for one in _of(runs, contender, Choice(), ratio)}
        for name, contender in SHIPPED.items()
    }
    first = next(iter(columns.values()))
    for name in sorted(first):
        cells = [
            f"{one.core_hours:,.1f}, {one.throttled}, {one.gib_hours:,.1f}, {one.killed}, {one.resizes}"
            for one in (column[name] for column in columns.values())
        ]
        lines.append(f"| {name}, {first[name].minutes:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _of(runs: Sequence[Run], contender: str, choice: Choice, ratio: float) -> list[Run]:
    return [one for one in runs if (one.contender, one.choice, one.ratio) == (contender, choice, ratio)]


def _mean(runs: Sequence[Run]) -> tuple[float, float, float, float, float]:
    """Return means over traces: relative core-hours, throttled share, relative GiB-hours, killed share, resizes."""
    columns = [
        (
            relative_cost(one),
            one.played.throttled / one.played.minutes,
            one.played.gib_hours / (float(trace(one.trace).memory.sum()) / 2**30 / 60),
            one.played.killed / one.played.minutes,
            one.played.resizes / one.played.minutes * 1440,
        )
        for one in runs
    ]
    first, second, third, fourth, fifth = (sum(column) / len(columns) for column in zip(*columns, strict=True))
    return first, second, third, fourth, fifth


def _ratio(value: float, base: float) -> str:
    return f"{value / base:.2f}" if base else "-"
