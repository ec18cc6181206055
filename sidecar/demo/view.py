"""The state as one picture for a terminal (rich): traffic, evidence, features, timeline."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ..errors import number
from ..report import wording
from ..report.schema import FeatureReport, Report
from .state import DemoState, TimelineEntry, date_of, height, progress

BARS = "▁▂▃▄▅▆▇█"
SPARK_DAYS = 24  # days in a row of small bars
EVIDENCE_WIDTH = 16
FEATURE_WIDTH = 8
LARGE_PSI = 0.1  # a full bar, unless a value is larger
TIMELINE = 8  # lines
PANEL_HEIGHT = 9  # lines of the panels at the top: two for each of three families, and one for the episode
MAX_RELATIONS = 3  # measures of relations that the table of features shows; they are there only while they drift
TONES = {"plain": "", "change": "yellow", "alarm": "bold red", "good": "green", "bad": "bold red"}
PHASES = {
    "preparing": ("starting the model server, the trainer and pilotfish run", "dim"),
    "stable": ("stable period: no alarm is expected", "green"),
    "changed": ("the feed has changed without notice", "yellow"),
    "alarmed": ("alarm: an episode is open", "bold red"),
    "retraining": ("collecting labelled rows, then retraining:", "yellow"),
    "settling": ("new model and profile: waiting for days without an alarm", "cyan"),
    "closed": ("the loop is closed", "bold green"),
    "failed": ("failed", "bold red"),
}


def render(state: DemoState, timeline: int = TIMELINE) -> RenderableType:
    """Return the picture of `state`: 24 lines plus the last `timeline` entries, for 80 columns or more."""
    pair = Table.grid(expand=True, padding=(0, 1))
    pair.add_column(ratio=1)
    pair.add_column(ratio=1)
    pair.add_row(_traffic(state), _evidence(state))
    return Group(_header(state), pair, _features(state), _timeline(state, timeline))


def spark(values: Sequence[float], top: float) -> str:
    """Return one bar character for each value, in proportion to `top`."""
    return "".join(BARS[max(0, min(len(BARS) - 1, round(len(BARS) * value / top) - 1))] for value in values)


def _header(state: DemoState) -> Panel:
    text, style = PHASES[state.phase]
    line = Text(date_of(state.today).strftime("%a %-d %b %Y") if state.today is not None else "…", style="bold")
    line.append("   ")
    line.append(text, style=style)
    if state.phase == "retraining" and state.gathering is not None:
        line.append(f" {state.gathering.days} of {state.gathering.wanted} days", style=style)
    return Panel(
        line, title="pilotfish demo: flights from New York, one second a day", title_align="left", padding=(0, 1)
    )


def _traffic(state: DemoState) -> Panel:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    if state.days:
        day = state.days[-1]
        table.add_row("requests/s", f"{day.requests:,}  ({day.rows:,} rows/s)")
        table.add_row("failed", str(sum(past.failures for past in state.days)))
        table.add_row("latency", f"{day.direct:.2f} ms, {day.added:+.2f} added")
        table.add_row("error", f"{day.error:.1f} min; {day.close:.0%} within 15")
        table.add_row("", Text(_errors(state), style="magenta"))
    return Panel(table, title="traffic", title_align="left", height=PANEL_HEIGHT)


def _errors(state: DemoState) -> str:
    top = max(1.0, *(day.error for day in state.days))
    return spark([day.error for day in state.days[-SPARK_DAYS:]], top)


def _evidence(state: DemoState) -> Panel:
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim", no_wrap=True, min_width=len("multivariate"))
    table.add_column(no_wrap=True)
    report = state.report
    for family in report.families if report else ():
        table.add_row(family.name, _bar(height(family, report)))  # type: ignore[arg-type]  # a report with families has one
        table.add_row("", Text(spark(state.evidence.get(family.name, ())[-SPARK_DAYS:], 1.0), style="magenta"))
    table.add_row("episode", _episode(state))
    return Panel(table, title="evidence, on a log scale", title_align="left", height=PANEL_HEIGHT)


def _bar(share: float) -> Text:
    filled = round(share * EVIDENCE_WIDTH)
    bar = Text("█" * filled, style="red" if share >= 1 else "yellow" if share > 2 / 3 else "green")
    bar.append("·" * (EVIDENCE_WIDTH - filled) + "|", style="dim")
    bar.append(" alarm" if share >= 1 else f" {share:.0%}", style="bold red" if share >= 1 else "")
    return bar


def _episode(state: DemoState) -> Text:
    opened = [episode for episode in state.report.episodes if episode.open] if state.report else []
    if opened and state.report:
        folded = wording.fold(wording.active(opened, state.report.features))
        words = [item.feature.name for item in folded.columns]
        words += [number(len(folded.relations), "relation")] if folded.relations else []
        return Text(f"open: {', '.join(words)}", style="bold red", overflow="ellipsis", no_wrap=True)
    return Text("none" if state.alarm is None else "closed", style="green")


def _features(state: DemoState) -> Panel:
    table = Table(box=None, expand=True, pad_edge=False, header_style="dim")
    table.add_column("feature", no_wrap=True)
    table.add_column("PSI", justify="right", no_wrap=True)
    table.add_column("PSI, day by day", no_wrap=True)
    table.add_column("evidence", no_wrap=True)
    table.add_column("", no_wrap=True)
    report = state.report
    if report is not None:
        thresholds = {family.name: family.threshold for family in report.families}
        top = max([LARGE_PSI, *(value for trail in state.psi.values() for value in trail)])
        for feature in _features_to_show(report):
            trail = spark(state.psi.get(feature.name, ())[-SPARK_DAYS:], top)
            table.add_row(*_feature(feature, trail, thresholds.get(feature.family, 0.0), _named(report)))
    return Panel(table, title="features", title_align="left")


def _features_to_show(report: Report) -> list[FeatureReport]:
    """Return the columns, then the first drifted measures of relations between them."""
    named = _named(report)
    columns = [feature for feature in report.features if feature.family != "multivariate"]
    relations = [feature for feature in report.features if feature.family == "multivariate" and feature.name in named]
    return [*columns, *relations[:MAX_RELATIONS]]


def _named(report: Report) -> set[str]:
    return {
        feature.name for episode in report.episodes if episode.open for feature in episode.features if feature.active
    }


def _feature(feature: FeatureReport, trail: str, threshold: float, named: set[str]) -> tuple[RenderableType, ...]:
    drifted = feature.name in named
    share = progress(feature.evidence_ratio or 0.0, threshold)
    filled = round(share * FEATURE_WIDTH)
    bar = Text("█" * filled, style="red" if drifted else "green")
    bar.append("·" * (FEATURE_WIDTH - filled), style="dim")
    name = feature.name if feature.side == "input" else f"{feature.name} (prediction)"
    return (
        Text(name, style="bold red" if drifted else ""),
        f"{feature.effects.psi.value:.3f}" if feature.effects else "",
        Text(trail, style="red" if drifted else "cyan"),
        bar,
        Text("◀ drifted", style="bold red") if drifted else "",
    )


def _timeline(state: DemoState, count: int) -> Panel:
    lines = [_happening(entry) for entry in state.entries[-count:]]
    return Panel(Group(*lines) if lines else Text(""), title="timeline", title_align="left")


def _happening(entry: TimelineEntry) -> Text:
    stamp = f"{date_of(entry.day):%d %b}" if entry.day is not None else " " * 6
    line = Text(overflow="ellipsis", no_wrap=True)
    line.append(f"{stamp}  ", style="dim")
    line.append(entry.text, style=TONES[entry.tone])
    return line
