"""The chart of evidence over time: one line per family, the threshold, alarms, and episodes as bands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, log10

from ..response import ReportResponse
from ..schema import EpisodeReport
from ..timeline.schema import Timeline, TimelineWindow, is_covered
from ..wording import RELATIONS, causes
from . import svg
from .axis import Axis
from .markup import Clock, text

WIDTH, HEIGHT = 1080, 270
LEFT, RIGHT, TOP, BOTTOM = 62, 1068, 26, 240
LOWEST, HIGHEST = -4, 6  # powers of ten
COLOURS = 6  # classes c0 to c5 in charts.css
LABELS = 8


def families(timeline: Timeline) -> list[str]:
    """Return the families of the timeline in alphabetical order, which determines their colours."""
    return sorted({family for span in timeline.spans for family in span.evidence})


def chart(answer: ReportResponse, timeline: Timeline) -> str:
    """Return the chart; an empty string without evidence."""
    names = families(timeline)
    if not names:
        return ""
    axis, clock = Axis(timeline.spans, LEFT, RIGHT), Clock.of(answer.ticks)
    top, episodes = _top(timeline.spans), _causes(answer)
    parts = [
        *(_band(axis, clock, episode) for episode in episodes),
        *_grid(top),
        *axis.scale(clock, BOTTOM, LABELS),
        *(piece for place, name in enumerate(names) for piece in _line(axis, top, name, place)),
        svg.line("threshold", LEFT, _height(1.0, top), RIGHT, _height(1.0, top)),
        svg.label("alarm", RIGHT, _height(1.0, top) - 5, "alarm", "end"),
        *(_alarm(axis, clock, episode) for episode in episodes if _shown(timeline.spans, episode)),
    ]
    return svg.picture("chart", WIDTH, HEIGHT, "evidence over time on a logarithmic scale; 1 is an alarm", parts)


def legend(timeline: Timeline) -> str:
    """Return the legend: the colour of each family, and the marks for alarms and episodes."""
    colours = [
        _key(26, f'<path class="line c{place % COLOURS}" d="M0,6 26,6"/>', text(name))
        for place, name in enumerate(families(timeline))
    ]
    mark = _key(14, '<path class="mark" d="M7,11 1,1 13,1Z"/>', "alarm")
    band = _key(26, '<rect class="band" width="26" height="12"/>', "episode, from its onset")
    return f'<p class="legend">{"".join(colours)}{mark}{band}</p>'


def _key(width: int, shape: str, words: str) -> str:
    return f'<span class="key"><svg class="chart" width="{width}" height="12">{shape}</svg>{words}</span>'


def _top(spans: Sequence[TimelineWindow]) -> int:
    largest = max((value for span in spans for value in span.evidence.values()), default=1.0)
    return min(HIGHEST, max(1, ceil(log10(max(largest, 1e-9)))))


def _height(ratio: float, top: int) -> float:
    power = min(top, max(LOWEST, log10(ratio))) if ratio > 0 else LOWEST
    return BOTTOM - (power - LOWEST) / (top - LOWEST) * (BOTTOM - TOP)


def _grid(top: int) -> Iterator[str]:
    for power in range(LOWEST, top + 1):
        y = _height(10.0**power, top)
        yield svg.line("grid", LEFT, y, RIGHT, y)
        if power % 2 == 0 or power == top:
            beyond = {LOWEST: "≤ ", HIGHEST: "≥ "}.get(power, "")
            words = f"{10.0**power:g}" if power < 4 else f"1e{power}"
            yield svg.label("scale", LEFT - 6, y + 4, beyond + words, "end")


def _line(axis: Axis, top: int, name: str, place: int) -> Iterator[str]:
    values = [span.evidence.get(name) for span in axis.spans]
    for run in svg.runs(values, axis.middles):
        points = [(x, _height(value, top)) for x, value in run]
        if len(points) == 1:
            (x, y), half = points[0], min(axis.step, 40) / 2
            points = [(x - half, y), (x + half, y)]
        yield svg.path(f"line c{place % COLOURS}", points)


def _shown(spans: Sequence[TimelineWindow], episode: EpisodeReport) -> bool:
    return bool(spans) and spans[0].first_tick <= episode.opened_tick <= spans[-1].last_tick


def _band(axis: Axis, clock: Clock, episode: EpisodeReport) -> str:
    title = f"{text(episode.family)}: {_names(episode)}, since {clock.start(episode.onset_tick)}"
    return axis.band("band", episode.onset_tick, episode.closed_tick, TOP, BOTTOM, title)


def _alarm(axis: Axis, clock: Clock, episode: EpisodeReport) -> str:
    title = f"alarm of {text(episode.family)} at {clock.start(episode.opened_tick)}: {_names(episode)}"
    return svg.marker("mark", axis.at(episode.opened_tick) + axis.step / 2 * (axis.step < 40), TOP - 2, title)


def _causes(answer: ReportResponse) -> list[EpisodeReport]:
    """Return the episode that reported each cause."""
    return [cause[0] for cause in causes([episode for episode in answer.episodes if is_covered(episode)])]


def _names(episode: EpisodeReport) -> str:
    if episode.family == RELATIONS:
        return "relations between columns"
    names = [text(feature.name[:60]) for feature in episode.features[:5]]
    return ", ".join(names) + (" and others" if len(episode.features) > len(names) else "")
