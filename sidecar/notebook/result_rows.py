"""The rows of the data frames of a replay. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime

from ...detectors.detection.replay import ClosedTick
from ...detectors.detection.results import Alarm
from ..profiles.replay_rows import ReplayRows
from ..report import convert, wording
from ..report.schema import EpisodeReport, FeatureReport, TickStatus

ALARMS = ("time", "row", "family", "columns", "change", "evidence_ratio", "onset", "onset_row", "episode", "part_of")
TIMES = ("time", "onset")  # of ALARMS, if ticks are times
EPISODES = ("episode", "family", "columns", "onset", "opened", "closed", "closed_by", "part_of")
FEATURES = (
    *("name", "side", "family", "kind", "drifted", "evidence_ratio", "change", "psi", "psi_low", "psi_high"),
    *("missing", "missing_reference", "unseen", "out_of_range"),
)


def moment(tick: int | None, ticks: TickStatus) -> datetime | int | None:
    """Return the start of a tick: a time, or the number of rows before it."""
    if tick is None:
        return None
    if ticks.rows_per_tick is not None:
        return round(tick * ticks.rows_per_tick)
    return datetime.fromtimestamp(tick * ticks.tick_seconds, UTC)


def alarm_row(alarm: Alarm, closed: ClosedTick, given: ReplayRows, tick_seconds: float) -> Mapping[str, object]:
    """Return one row of ALARMS; its time is the end of the tick that raised the alarm."""
    onset_row = next((span.start for span in given.spans if span.tick >= alarm.onset_tick), 0)
    features = [convert.alarm_feature(asdict(feature), alarm.family) for feature in alarm.features]
    folded = wording.fold(features)
    names = [item.feature.name for item in folded.columns] or [item.name for item in folded.relations]
    by_time = given.times is not None
    onset = datetime.fromtimestamp(alarm.onset_tick * tick_seconds, UTC) if by_time else None
    since = f"{onset:%Y-%m-%d %H:%M} UTC" if onset is not None else f"row {onset_row:,}"
    sentences = wording.headlines(features, since)
    return {
        "time": datetime.fromtimestamp((alarm.tick + 1) * tick_seconds, UTC) if by_time else None,
        "row": closed.row,
        "family": alarm.family,
        "columns": names,
        "change": sentences[0] if sentences else "",
        "evidence_ratio": alarm.evidence_ratio,
        "onset": onset,
        "onset_row": onset_row,
        "episode": alarm.episode_id,
        "part_of": alarm.part_of,
    }


def episode_row(item: EpisodeReport, at: Callable[[int | None], object]) -> Mapping[str, object]:
    """Return one row of EPISODES; `at` converts a tick."""
    return {
        "episode": item.id,
        "family": item.family,
        "columns": [member.name for member in item.features],
        "onset": at(item.onset_tick),
        "opened": at(item.opened_tick),
        "closed": at(item.closed_tick),
        "closed_by": item.closed_by,
        "part_of": item.part_of,
    }


def feature_row(item: FeatureReport) -> Mapping[str, object]:
    """Return one row of FEATURES; effect sizes are missing where they were not measured."""
    found = item.effects
    return {
        "name": item.name,
        "side": item.side,
        "family": item.family,
        "kind": item.kind,
        "drifted": bool(item.episode_id),
        "evidence_ratio": item.evidence_ratio,
        "change": wording.change(item) if item.episode_id else "",
        "psi": None if found is None else found.psi.value,
        "psi_low": None if found is None else found.psi.low,
        "psi_high": None if found is None else found.psi.high,
        "missing": None if found is None else found.missing_ratio,
        "missing_reference": None if found is None else found.missing_ratio_reference,
        "unseen": None if found is None else found.unseen_ratio,
        "out_of_range": None if found is None else found.out_of_range_ratio,
    }


def order_warnings(given: ReplayRows) -> Iterator[str]:
    """Yield a warning if the reference has times and the replay does not use any."""
    if given.times is None and given.profile.reference.order == "time":
        yield (
            "the profile was built by time, but the rows were replayed in their order, "
            "so hours of the day are not compared; give time='COLUMN' to replay by time"
        )
