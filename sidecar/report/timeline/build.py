"""Builds the timeline from the windows of a detector, on request. Pure: no clock, no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ....detectors.batch import Floats, Ints
from ....detectors.comparisons.trends import Trend as FeatureTrend
from ....detectors.comparisons.trends import trends
from ....detectors.detection.results import ratio
from ....detectors.profile.profile import Profile
from ....detectors.summaries.windows import Window, merged_window
from ..schema import Effects, EpisodeFeatureReport, EpisodeReport, Report
from ..wording import RELATIONS
from .histogram_layout import HistogramLayout
from .schema import DriftedFeature, FeatureHistogram, FeatureSeries, Series, Timeline, TimelineWindow, is_covered

RECENT_TICKS = 60
STEP_ROWS = 200  # with fewer rows, PSI is mostly noise: about 10 / rows without drift
DRIFTS = 40  # features in episodes, open ones first


def time_line(
    profile: Profile | None,
    windows: Sequence[Window],
    report: Report,
    measured: Mapping[tuple[str, str], Effects] | None = None,
) -> Timeline:
    """Return the timeline of `windows` (oldest first) of `profile`, with the episodes of `report`.

    `measured` maps (episode, feature) to effect sizes; it is used for episodes that have ended. Without a profile the
    timeline is empty.
    """
    if profile is None:
        return Timeline(tick_seconds=report.ticks.tick_seconds)
    steps = _joined(profile, windows)
    seconds = 0.0 if report.ticks.rows_per_tick else report.ticks.tick_seconds
    frames = [HistogramLayout.of(feature, seconds) for feature in profile.features]
    return Timeline(
        profile_hash=profile.hash,
        tick_seconds=report.ticks.tick_seconds,
        spans=tuple(map(_span, windows)),
        steps=tuple(map(_span, steps)),
        features=tuple(_trends(trends(profile, steps, seconds), profile, frames, _latest(windows))),
        drifts=tuple(_drifts(profile, windows, frames, report, measured or {})),
    )


def _span(window: Window) -> TimelineWindow:
    return TimelineWindow(
        first_tick=window.first,
        last_tick=window.last,
        ticks=window.ticks,
        rows={side: rows for side, rows in window.rows.items() if rows},
        evidence={family: ratio(peak) for family, peak in window.peaks.items()},
    )


def _joined(profile: Profile, windows: Sequence[Window]) -> list[Window]:
    """Join consecutive windows until each group has `STEP_ROWS` rows."""
    groups: list[list[Window]] = []
    rows = STEP_ROWS
    for window in windows:
        if rows >= STEP_ROWS:
            groups.append([])
            rows = 0
        groups[-1].append(window)
        rows += max(window.rows.values(), default=0)
    if rows < STEP_ROWS and len(groups) > 1:
        groups[-2:] = [[*groups[-2], *groups[-1]]]
    return [group[0] if len(group) == 1 else merged_window(profile, group) for group in groups]


def _trends(
    found: Iterator[FeatureTrend], profile: Profile, frames: Sequence[HistogramLayout], recent: Sequence[Window]
) -> Iterator[FeatureSeries]:
    for position, (trend, frame) in enumerate(zip(found, frames, strict=True)):
        feature = trend.feature
        yield FeatureSeries(
            name=feature.name,
            side=feature.side,
            family=feature.family,
            kind=feature.kind,
            rows=tuple(trend.rows.tolist()),
            psi=_series(trend.psi),
            psi_low=_series(trend.psi_low),
            psi_high=_series(trend.psi_high),
            missing_ratio=_series(trend.missing_ratio),
            unseen_ratio=_series(trend.unseen_ratio),
            out_of_range_ratio=_series(trend.out_of_range_ratio),
            mean=None if trend.mean is None else _series(trend.mean),
            histogram=_histogram(profile, position, frame, recent),
        )


def _drifts(
    profile: Profile,
    windows: Sequence[Window],
    frames: Sequence[HistogramLayout],
    report: Report,
    measured: Mapping[tuple[str, str], Effects],
) -> Iterator[DriftedFeature]:
    now = {feature.name: feature.effects for feature in report.features if feature.episode_id}
    members = [(episode, member) for episode in report.episodes if is_covered(episode) for member in episode.features]
    made = 0
    for episode, member in sorted(members, key=_rank):
        stretch = _stretch(windows, episode, member)
        if member.name not in profile.index or not stretch or made == DRIFTS:
            continue
        made += 1
        position, active = profile.index[member.name], episode.open and member.active
        yield DriftedFeature(
            episode=episode.id,
            name=member.name,
            open=active,
            confirmed=member.confirmed,
            onset_tick=member.onset_tick,
            first_tick=stretch[0].first,
            last_tick=stretch[-1].last,
            effects=now.get(member.name) if active else measured.get((episode.id, member.name)),
            histogram=_histogram(profile, position, frames[position], stretch),
        )


def _rank(member: tuple[EpisodeReport, EpisodeFeatureReport]) -> tuple[bool, bool]:
    """Sort open drifts first, and relations between columns after the columns."""
    episode, feature = member
    return not (episode.open and feature.active), episode.family == RELATIONS


def _stretch(windows: Sequence[Window], episode: EpisodeReport, member: EpisodeFeatureReport) -> list[Window]:
    """Return the windows whose middle is within the drift; if there is none, the window of the onset."""
    ends = [tick for tick in (member.closed_tick, episode.closed_tick) if tick is not None]
    last = min(ends) if ends else max((window.last for window in windows), default=-1)
    inside = [window for window in windows if 2 * member.onset_tick <= window.first + window.last <= 2 * last]
    return inside or [window for window in windows if window.first <= member.onset_tick <= window.last]


def _latest(windows: Sequence[Window]) -> Sequence[Window]:
    """Return the fewest newest windows that hold `RECENT_TICKS` ticks."""
    ticks = 0
    for place in range(len(windows) - 1, -1, -1):
        ticks += windows[place].ticks
        if ticks >= RECENT_TICKS:
            return windows[place:]
    return windows


def _counts(profile: Profile, position: int, windows: Sequence[Window]) -> Ints:
    first, last = profile.offsets[position], profile.offsets[position + 1]
    total = np.zeros(last - first, np.int64)
    for window in windows:
        total += window.bin_counts[first:last]
    return total


def _histogram(profile: Profile, position: int, frame: HistogramLayout, windows: Sequence[Window]) -> FeatureHistogram:
    stretch = (windows[0].first, windows[-1].last) if windows else None
    return frame.histogram(_counts(profile, position, windows), stretch)


def _series(values: Floats) -> Series:
    return tuple(None if value != value else value for value in np.round(values, 6).tolist())
