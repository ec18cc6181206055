"""Prints profiles for people: the reference, one line per feature with a small histogram, and differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby

import numpy as np
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from ...detectors.binning.numeric import NumericBins
from ...detectors.comparisons.score import Score
from ...detectors.losses.task import LOSS
from ...detectors.performance.realized import loss_moments
from ...detectors.profile.feature import Feature
from ...detectors.profile.performance import PerformanceSpec, ScoreCalibration
from ...detectors.profile.profile import Profile
from ...detectors.settings import LOSS_TOLERANCE
from ...detectors.transforms import SingleColumnTransform
from .. import errors
from ..settings.units import show_duration
from .diff import FeatureChange, ProfileDiff, missing_ratio
from .sparkline import cumulative, sparkline

NARROW, USUAL, WIDE = 84, 108, 130  # widths of a console, in characters
BARS = ((WIDE, 24), (USUAL, 16), (0, 10))
MIN_NAME = len("predictions")
MAX_LISTED = 20
SMALLEST = 1e-320  # smaller values are shown as 0: they are the borders around the value 0


def escape_unprintable(text: str) -> Text:
    """Return foreign text that is safe on a terminal: without markup and control characters."""
    return Text(errors.escape_unprintable(text))


def print_lines(console: Console, lines: Sequence[tuple[str, str]]) -> None:
    """Print (name, value) pairs in two columns."""
    width = max((len(name) for name, _ in lines), default=0)
    for name, value in lines:
        console.print(Text.assemble((f"{name:<{width}}  ", "bold"), escape_unprintable(value)), soft_wrap=True)


def reference_lines(profile: Profile) -> Iterator[tuple[str, str]]:
    """Yield (name, value) pairs about the profile and its reference."""
    reference = profile.reference
    named = " version ".join(filter(None, (profile.model, profile.version)))
    yield "profile", " ".join(filter(None, (named, f"sha256 {profile.hash[:16]}…", profile.created)))
    order = {"time": "by time", "rows": "the order of the rows counts as time", "exchangeable": "without an order"}
    ticks = errors.number(reference.ticks, "tick") + (
        f" of {reference.tick_seconds:g} s" if reference.tick_seconds else ""
    )
    yield "reference", f"{errors.number(reference.rows, 'row')} in {ticks}, {order[reference.order]}"
    if reference.first_time is not None and reference.last_time is not None:
        yield "", f"{_day(reference.first_time)} to {_day(reference.last_time)} UTC"
    if reference.rows_per_tick is not None:
        yield "", f"rows per tick: {reference.rows_per_tick:,.0f}; the evidence of fuller live ticks is scaled down"
    if reference.order != "time":
        each = f", {reference.live_rows_per_tick:,.0f} rows" if reference.live_rows_per_tick else ""
        yield "", f"live tick: {show_duration(reference.live_tick_seconds)}{each}"
    yield "split", f"by {reference.split}: 30 % training, 70 % calibration"
    sides = [errors.number(len(profile.names(side)), side) for side in ("input", "prediction")]
    yield "monitored", ", ".join(sides)
    yield from _relations_line(profile)
    yield from performance_lines(profile)


def performance_lines(profile: Profile) -> Iterator[tuple[str, str]]:
    """Yield (name, value) pairs about labels; nothing if the profile has none."""
    spec = profile.performance
    if spec is None:
        return
    feature = profile.feature(LOSS)
    rows, mean, _ = loss_moments(feature.bins, feature.reference_counts)
    yield "performance", f"{spec.task}: {_loss_text(spec)}; {mean:.4g} over {errors.number(rows, 'labelled row')}"
    delay = (
        "cannot be detected"
        if feature.delay_rows is None
        else f"is detected after about {feature.delay_rows:,.0f} labels"
    )
    yield "", f"a mean loss that is 0.05 higher {delay} (tolerance {LOSS_TOLERANCE:g})"
    if spec.score is None:
        yield "", "no score, so no estimate before labels arrive"
    else:
        yield "", f"before labels arrive, estimated from {spec.score}{_calibration_text(spec.calibration)}"


def _loss_text(spec: PerformanceSpec) -> str:
    if spec.task == "classification":
        return f"loss 1 if {spec.prediction} differs from {spec.label}, else 0"
    if spec.task == "regression":
        return f"|{spec.prediction} - {spec.label}| / {spec.scale:.4g}, at most 1"
    return f"1 - AUC of {spec.prediction} for {spec.label}"


def _calibration_text(found: ScoreCalibration | None) -> str:
    if found is None:
        return ""
    if found.calibrated:
        return f", which is calibrated as the probability of {found.of} (error {found.error:.3f})"
    return (
        f", which is not calibrated as the probability of {found.of} (error {found.error:.3f}): "
        "the estimate uses the loss of the reference at each score"
    )


def relation_lines(profile: Profile) -> Iterator[tuple[str, str]]:
    """Yield (name, value) pairs about each relation between columns: a column, and those that it is related to."""
    related = [(name.partition(":")[2], partners) for name, partners in profile.partners.items()]
    for column, partners in related:
        yield column, f"with {', '.join(partners)}" if partners else "with no single column"


def _relations_line(profile: Profile) -> Iterator[tuple[str, str]]:
    """Yield one (name, value) pair about relations between columns; nothing if none are monitored."""
    measures = sum(feature.family == "multivariate" for feature in profile.features)
    columns = {name for made in profile.transforms if made.family == "multivariate" for name in made.inputs}
    if measures:
        yield "relations", f"{errors.number(measures, 'measure')} of relations between {len(columns)} columns"


def print_left_out(console: Console, left_out: Mapping[str, str]) -> None:
    """Print the columns that are not monitored, with the reason."""
    if left_out:
        console.print(f"\n[bold]not monitored[/bold] ({len(left_out)})")
        print_lines(
            console,
            [(f"  {escape_unprintable(name).plain}", why) for name, why in list(left_out.items())[:MAX_LISTED]],
        )
        if len(left_out) > MAX_LISTED:
            console.print(f"  and {len(left_out) - MAX_LISTED} more")


def print_warnings(console: Console, warnings: Sequence[str]) -> None:
    """Print what limits the profile: what it cannot detect, and when to expect an alarm."""
    if warnings:
        console.print("\n[bold]warnings[/bold]")
        for warning in warnings:
            console.print(Text("  - ") + escape_unprintable(warning), soft_wrap=True)


def print_features(console: Console, profile: Profile, *, everything: bool = False) -> None:
    """Print one line per column, inputs first, in the order of the reference. A wider console shows more columns.

    `everything` also lists the features that are derived from a column, and the relations between columns.
    """
    features = [feature for feature in profile.by_column if feature.family != "multivariate"]
    groups = [(column, list(group)) for column, group in groupby(features, lambda item: _column_of(profile, item))]
    longest = max((len(column) for column, _ in groups), default=0)
    columns = _columns(console.width, min(max(longest, MIN_NAME), max(12, console.width // 4)))
    for side, title in (("input", "inputs"), ("prediction", "predictions")):
        chosen = [(column, group) for column, group in groups if group[0].side == side]
        if not chosen:
            continue
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for index, column in enumerate(columns):
            justify: JustifyMethod = "right" if column.right else "left"
            table.add_column(column.title if index else title, no_wrap=True, width=column.width, justify=justify)
        for name, group in chosen:
            for label, feature, whole in _rows(profile, name, group, everything=everything):
                cells = (column.cell(feature) for column in columns[1:])
                if whole is not None:
                    cells = (_cell_of_all(column, feature, whole) for column in columns[1:])
                table.add_row(escape_unprintable(label), *map(escape_unprintable, cells))
        console.print(table)
    console.print("[dim]detects: the smallest shift that can be detected, in standard deviations[/dim]")
    console.print("[dim]1 sd in: rows until a shift of 1 standard deviation raises an alarm[/dim]")
    _print_folded(console, profile, groups, everything=everything)


def _column_of(profile: Profile, feature: Feature) -> str:
    return profile.column(feature.name) or feature.name


def _rows(
    profile: Profile, column: str, group: Sequence[Feature], *, everything: bool
) -> Iterator[tuple[str, Feature, SingleColumnTransform | None]]:
    """Yield label and feature of the rows of a column, and the transform of a row that stands for all its features."""
    made = profile.column_transforms.get(group[0].name)
    if made is None:
        yield column, group[0], None
    elif not everything:
        yield column, group[0], made
    else:
        yield from ((feature.name, feature, None) for feature in group)


def _cell_of_all(column: _Column, feature: Feature, made: SingleColumnTransform) -> str:
    """Return a cell of a row that stands for all features of a column; `feature` is the first of them."""
    if column.cell is _kind:
        return made.kind
    cell = column.cell(feature)
    return f"{feature.name.removeprefix(made.column).lstrip(':')} {cell}" if column.cell is typical_values else cell


def _print_folded(
    console: Console, profile: Profile, groups: Sequence[tuple[str, Sequence[Feature]]], *, everything: bool
) -> None:
    """Print the relations, or one line that counts what is folded away."""
    if everything:
        lines = [(f"  {escape_unprintable(name).plain}", value) for name, value in relation_lines(profile)]
        if lines:
            console.print("\n[bold]relations[/bold]")
            print_lines(console, lines)
        return
    derived = [f"{len(group) - 1} more of {column}" for column, group in groups if len(group) > 1]
    relations = [value for _, value in _relations_line(profile)]
    if derived or relations:
        folded = ", ".join([*derived[:MAX_LISTED], *(["..."] if len(derived) > MAX_LISTED else []), *relations])
        console.print(
            Text(f"not shown: {escape_unprintable(folded).plain}; --all lists them", style="dim"), soft_wrap=True
        )


def print_difference(console: Console, found: ProfileDiff, *, everything: bool = False) -> None:
    """Print the features of both profiles by descending PSI, then the features of one profile only.

    `everything` also lists relations between columns by name.
    """
    print_moved(console, found.moved)
    if found.incomparable:
        names = [feature.name for feature in found.incomparable]
        shown = names if everything else names[:MAX_LISTED]
        more = f" and {len(names) - len(shown)} more (--all lists them)" if len(names) > len(shown) else ""
        words = (
            f"not compared, because each profile defines them by its own rows ({len(names)}): {', '.join(shown)}{more}"
        )
        console.print(escape_unprintable(f"\n{words}"[1:]), soft_wrap=True)
    for title, features in (("added", found.added), ("removed", found.removed)):
        own = [one for one in features if everything or one.family != "multivariate"]
        if features:
            console.print(f"\n[bold]{title}[/bold] ({len(features)})")
            print_lines(console, [(f"  {escape_unprintable(one.name).plain}", f"{one.kind} {one.side}") for one in own])
            if len(features) > len(own):
                relations = errors.number(len(features) - len(own), "measure")
                console.print(f"  {relations} of relations between columns (--all lists them)")


def print_moved(console: Console, moved: Sequence[FeatureChange]) -> None:
    """Print the features of both profiles, with PSI, missing rates and small histograms."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("feature", overflow="ellipsis", no_wrap=True, max_width=max(12, console.width // 4))
    table.add_column("PSI", justify="right", no_wrap=True)
    table.add_column("missing", justify="right", no_wrap=True)
    bars = next(bars for least, bars in BARS if console.width >= least)
    for name in ("before", "after"):
        table.add_column(name, no_wrap=True, style="cyan")
    for item in moved:
        missing = f"{item.missing[0]:.1%} → {item.missing[1]:.1%}" if item.missing[0] != item.missing[1] else ""
        table.add_row(
            escape_unprintable(item.before.name),
            _psi(item.psi),
            missing,
            sparkline(item.before, bars),
            sparkline(item.after, bars),
        )
    console.print(table)
    console.print("[dim]PSI with its 95 % interval; customary thresholds are 0.1 and 0.25[/dim]")


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the feature table; it is shown on consoles of at least `min_console` characters."""

    title: str
    width: int
    cell: Callable[[Feature], str]
    min_console: int = 0
    right: bool = False


def _columns(console: int, name: int) -> list[_Column]:
    bars = next(bars for least, bars in BARS if console >= least)
    wanted = [
        _Column("", name, lambda feature: feature.name),
        _Column("kind", 11, _kind, NARROW),
        _Column("reference", bars, lambda feature: sparkline(feature, bars)),
        _Column("1 % to 99 %, or top values", 0, typical_values, USUAL),
        _Column("missing", 7, lambda feature: f"{missing_ratio(feature):.1%}", right=True),
        _Column("independent rows", 16, lambda feature: f"{feature.n_eff:,.0f}", WIDE, right=True),
        _Column("detects", 8, lambda feature: f"{feature.smallest_shift:.2g} sd", right=True),
        _Column("1 sd in", 14, _delay, right=True),
    ]
    columns = [column for column in wanted if console >= column.min_console]
    rest = console - sum(column.width for column in columns) - 2 * len(columns)
    return [column if column.width else replace(column, width=max(12, rest)) for column in columns]


def _kind(feature: Feature) -> str:
    return feature.kind


def _delay(feature: Feature) -> str:
    return "never" if feature.delay_rows is None else f"{feature.delay_rows:,.0f} rows"


def typical_values(feature: Feature) -> str:
    """Return the range from the 1st to the 99th percentile, or the most frequent values."""
    if isinstance(feature.bins, NumericBins):
        borders, below = cumulative(feature, feature.bins)
        low, high = np.interp([0.01, 0.99], below, borders)
        return f"{_number(feature, low)} … {_number(feature, high)}"
    counts = feature.reference_counts
    total = max(1, int(counts.sum()))
    return ", ".join(f"{name} {counts[bin_] / total:.0%}" for bin_, name in enumerate(feature.bins.names[:3]))


def _number(feature: Feature, value: float) -> str:
    if feature.kind == "integer" and abs(value) < 1e15:
        return f"{value:.0f}" if round(value) else "0"
    return "0" if abs(value) < SMALLEST else f"{value:.4g}"


def _psi(score: Score | None) -> str:
    return "other type" if score is None else f"{score.value:.3f} ({score.low:.3f} … {score.high:.3f})"


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
