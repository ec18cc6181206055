"""The story as one picture for a terminal (rich): traffic, evidence, features, timeline."""

from __future__ import annotations

import math

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pilotfish.sidecar.demo.story import Happening, Story, date_of
from pilotfish.sidecar.report import Feature, Report

BARS = " ▁▂▃▄▅▆▇█"
SPARK_DAYS = 36
EVIDENCE_WIDTH = 24
FEATURE_WIDTH = 12
LARGE_PSI = 0.1  # a bar of this height is full as long as no value is larger
TIMELINE = 9  # lines
TONES = {"plain": "", "change": "yellow", "alarm": "bold red", "good": "green", "bad": "bold red"}
PHASES = {
    "preparing": ("starting the model's server, the trainer and pilotfish run", "dim"),
    "stable": ("stable stretch: no alarm is expected", "green"),
    "changed": ("the feed has changed; nobody was told", "yellow"),
    "alarmed": ("alarm: an episode is open", "bold red"),
    "retraining": ("the trainer gathers labelled rows since the onset, then retrains", "yellow"),
    "settling": ("new model, new profile: is it quiet?", "cyan"),
    "closed": ("the loop has closed", "bold green"),
    "failed": ("failed", "bold red"),
}


def render(story: Story) -> RenderableType:
    """Return the picture of `story`."""
    pair = Table.grid(expand=True, padding=(0, 1))
    pair.add_column(ratio=1)
    pair.add_column(ratio=1)
    pair.add_row(_traffic(story), _evidence(story))
    return Group(_header(story), pair, _features(story), _timeline(story))


def spark(values: list[float], top: float | None = None) -> str:
    """Return one character a value, as high as its share of `top` (the largest value unless given)."""
    highest = top if top is not None else max(values, default=0.0)
    if highest <= 0:
        return BARS[0] * len(values)
    return "".join(BARS[max(0, min(8, math.ceil(8 * value / highest - 1e-9)))] for value in values)


def progress(ratio: float, threshold: float) -> float:
    """Return how far evidence has come on the way from nothing (0) to the threshold (1), on a logarithmic scale.

    `ratio` is evidence over the threshold, as the report gives it.
    """
    if ratio <= 0 or threshold <= 1:
        return 0.0
    return max(0.0, min(1.0, 1 + math.log(ratio) / math.log(threshold)))


def _header(story: Story) -> Panel:
    text, style = PHASES[story.phase]
    line = Text(date_of(story.today).strftime("%a %-d %b %Y") if story.today is not None else "…", style="bold")
    line.append("   ")
    line.append(text, style=style)
    if story.phase == "retraining" and story.gathering is not None:
        line.append(f"  {story.gathering.days} of {story.gathering.wanted} days", style=style)
    return Panel(
        line, title="pilotfish demo: flights from New York, one second a day", title_align="left", padding=(0, 1)
    )


def _traffic(story: Story) -> Panel:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    if story.days:
        day = story.days[-1]
        table.add_row("requests/s", f"{day.requests:,}  ({day.rows:,} rows/s)")
        table.add_row("failed", str(sum(past.failures for past in story.days)))
        table.add_row("latency", f"{day.direct:.2f} ms direct, {day.through - day.direct:+.2f} ms through pilotfish")
        table.add_row("error", f"{day.error:.1f} min; {day.close:.0%} within 15 min")
        table.add_row("", Text(spark([past.error for past in story.days[-SPARK_DAYS:]]), style="magenta"))
    return Panel(table, title="traffic", title_align="left", height=7)


def _evidence(story: Story) -> Panel:
    table = Table.grid(padding=(0, 1))
    for family in story.report.families if story.report else ():
        share = progress(family.evidence_ratio, family.threshold)
        filled = round(share * EVIDENCE_WIDTH)
        style = "red" if share >= 1 else "yellow" if share > 2 / 3 else "green"
        bar = Text("█" * filled, style=style)
        bar.append("·" * (EVIDENCE_WIDTH - filled) + "|", style="dim")
        table.add_row(family.name, bar, f"{share:.0%}")
    opened = [episode for episode in story.report.episodes if episode.open] if story.report else []
    for episode in opened[:2]:
        names = ", ".join(feature.name for feature in episode.features)
        table.add_row("episode", Text(f"open: {names}", style="bold red", overflow="ellipsis", no_wrap=True), "")
    if not opened and story.alarm is not None:
        table.add_row("episode", Text("closed", style="green"), "")
    return Panel(table, title="evidence, log scale; | is the threshold", title_align="left", height=7)


def _features(story: Story) -> Panel:
    table = Table(box=None, expand=True, pad_edge=False, header_style="dim")
    table.add_column("feature", no_wrap=True)
    table.add_column("PSI", justify="right", no_wrap=True)
    table.add_column("PSI over the days", no_wrap=True)
    table.add_column("own evidence", no_wrap=True)
    table.add_column("", no_wrap=True)
    report = story.report
    if report is not None:
        thresholds = {family.name: family.threshold for family in report.families}
        top = max([LARGE_PSI, *(value for trail in story.trails.values() for value in trail)])
        for feature in report.features:
            trail = spark(list(story.trails.get(feature.name, ())[-SPARK_DAYS:]), top)
            table.add_row(*_feature(feature, trail, thresholds.get(feature.family, 0.0), _named(report)))
    return Panel(table, title="features", title_align="left")


def _named(report: Report) -> set[str]:
    return {
        feature.name for episode in report.episodes if episode.open for feature in episode.features if feature.active
    }


def _feature(feature: Feature, trail: str, threshold: float, named: set[str]) -> tuple[RenderableType, ...]:
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


def _timeline(story: Story) -> Panel:
    lines = [_happening(happening) for happening in story.happenings[-TIMELINE:]]
    return Panel(Group(*lines) if lines else Text(""), title="timeline", title_align="left")


def _happening(happening: Happening) -> Text:
    stamp = f"{date_of(happening.day):%d %b}" if happening.day is not None else "      "
    line = Text(f"{stamp}  ", style="dim", overflow="ellipsis", no_wrap=True)
    line.append(happening.text, style=TONES[happening.tone] or "default")
    return line
