"""The role `pilotfish replay`: run stored rows through the detector, to choose settings before you deploy.

Counts, ticks and detector are those of live traffic (`detectors.detection.replay`). This module reads the rows and
prints the alarms.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from ...detectors.detection.replay import ClosedTick, Replay
from ...detectors.detection.results import Alarm
from ...detectors.profile.profile import Profile
from ...detectors.reference.build import TOLERANCE
from ...detectors.settings import LOSS_TOLERANCE, DriftSettings
from ..errors import UsageError, number, quote_value
from ..report import convert, wording
from ..report.pages.writing import write
from ..settings.units import UNITS, read_duration, show_duration
from ..terminal import show, show_json
from .arguments import OPTIONS
from .build import ColumnRoles, read_table
from .csvtable import CsvOptions
from .data_options import add_csv_arguments, add_data_argument, csv_delimiter
from .files import read_profile
from .progress import show_progress
from .replay_report import ReplayReport
from .replay_rows import BUDGET, ReplayRows, ReplayTicks, replay_rows, replay_settings
from .sources import shown_names
from .table import Progress, ReferenceTable

MAX_LISTED = 5  # columns that are printed per alarm


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pilotfish replay`."""
    add = parser.add_argument
    add_data_argument(parser, "rows to replay")
    add("--profile", type=Path, required=True, metavar="FILE", help="profile of the reference")
    add("--time", metavar="COL", help="time of each row; without it, the order of the rows counts as time")
    add(
        "--rows-per-tick",
        type=float,
        metavar="N",
        help="without --time: rows per tick (default: as the profile was built)",
    )
    drift = parser.add_argument_group("settings, as in spec.drift of the document")
    drift.add_argument("--tick", metavar="DURATION", help="length of a tick (default: as the profile was built)")
    drift.add_argument("--false-alarms", default=BUDGET, metavar="N/DURATION", help="the budget (default %(default)s)")
    drift.add_argument(
        "--tolerance",
        type=float,
        default=TOLERANCE,
        metavar="T",
        help="drift that counts as harmless (default %(default)s)",
    )
    drift.add_argument(
        "--loss-tolerance",
        type=float,
        default=LOSS_TOLERANCE,
        metavar="T",
        help="increase of the mean loss that counts as harmless (default %(default)s)",
    )
    add_csv_arguments(parser)
    add("--json", action="store_true", help="print JSON lines: one `alarm` per alarm, and a `summary`")
    add("--html", type=Path, metavar="OUT", help="also write one self-contained HTML page with charts")


def run(args: argparse.Namespace) -> int:
    """Replay the rows and return 0, with or without alarms."""
    profile = read_profile(args.profile)
    settings = _settings(args, profile)
    ticks = ReplayTicks(settings, args.time, args.rows_per_tick)
    with show_progress(Console(stderr=True)) as progress:
        table = _read(args, profile, progress)
        given = replay_rows(table, shown_names(args.data), profile, ticks)
        replayed = Replay(given.profile, settings)
        page = ReplayReport.over(given.profile, settings, given.spans, given.rows_per_tick)
        alarms = 0
        for closed in replayed.run(given.columns, given.spans, given.times):
            progress("replaying", closed.row / max(given.rows, 1))
            if args.html is not None:
                page.take(replayed, closed)
            for alarm in closed.alarms:
                alarms += alarm.part_of is None
                _print_event(args.json, alarm_event(alarm, closed, given, settings))
    _print_event(args.json, _summary(replayed, settings, given, alarms))
    if args.html is not None:
        write(args.html, page.document(replayed, args.data[0].name, time.time()))
    return 0


def _settings(args: argparse.Namespace, profile: Profile) -> DriftSettings:
    tick = read_duration(args.tick) if args.tick else profile.reference.live_tick_seconds
    if not tick:
        raise UsageError(f"--tick {quote_value(args.tick)}: give {UNITS['duration'].wants}")
    return replay_settings(tick, args.false_alarms, args.tolerance, args.loss_tolerance, OPTIONS)


def _read(args: argparse.Namespace, profile: Profile, progress: Progress) -> ReferenceTable:
    options = replace(cell_options(profile), delimiter=csv_delimiter(args.delimiter), comment=args.comment)
    return read_table(args.data, ColumnRoles(time=args.time), options, progress)


def cell_options(profile: Profile) -> CsvOptions:
    """Return how the cells of a CSV are read for a profile."""
    names = frozenset(feature.name for feature in profile.features if feature.kind == "categorical")
    return CsvOptions(frozenset(profile.missing_words), names, profile.text_columns, profile.array_columns)


def alarm_event(alarm: Alarm, closed: ClosedTick, given: ReplayRows, settings: DriftSettings) -> dict[str, Any]:
    """Return an alarm as JSON values; its time is None if a tick is a number of rows."""
    onset = next((span.start for span in given.spans if span.tick >= alarm.onset_tick), 0)
    return {
        "event": "alarm",
        "tick": alarm.tick,
        "row": closed.row,
        "time": None if given.times is None else _iso((alarm.tick + 1) * settings.tick_seconds),
        "family": alarm.family,
        "episode": alarm.episode_id,
        "evidence_ratio": alarm.evidence_ratio,
        "onset_tick": alarm.onset_tick,
        "onset_row": onset,
        "part_of": alarm.part_of,
        "features": [asdict(feature) for feature in alarm.features],
    }


def _summary(replayed: Replay, settings: DriftSettings, given: ReplayRows, alarms: int) -> dict[str, Any]:
    return {
        "event": "summary",
        "rows": given.rows,
        "ticks": len(given.spans),
        "rows_per_tick": given.rows_per_tick,
        "alarms": alarms,
        "false_alarms_expected_at_most": len(given.spans) / settings.ticks_per_false_alarm,
        "ticks_per_false_alarm": settings.ticks_per_false_alarm,
        "tick_seconds": settings.tick_seconds,
        "tolerance": settings.tolerance,
        "type_mismatches": replayed.mismatches,
        "columns_not_in_data": given.absent,
        "warnings": replayed.warnings,
        "episodes": [asdict(episode) for episode in replayed.status.episodes],
    }


def _print_event(as_json: bool, event: Mapping[str, Any]) -> None:
    if as_json:
        show_json(json.dumps(event))
        return
    show(*(_alarm_lines if event["event"] == "alarm" else _summary_lines)(event))


def _alarm_lines(event: Mapping[str, Any]) -> Iterator[str]:
    when = f"tick {event['tick']:,}" + (f", {event['time']}" if event["time"] else "")
    kind = "MORE " if event["part_of"] else "ALARM"
    yield f"{kind}  {event['family']}  at row {event['row']:,} ({when})"
    if event["part_of"]:
        yield f"       no new alarm: the cause is that of the episode {event['part_of']}"
    features = [convert.alarm_feature(feature, event["family"]) for feature in event["features"]]
    lines = wording.headlines(features, f"row {event['onset_row']:,}")
    yield from (f"       {line}" for line in lines[:MAX_LISTED])
    if len(lines) > MAX_LISTED:
        yield f"       and {number(len(lines) - MAX_LISTED, 'more column')}"
    folded = wording.fold(features)
    if folded.columns and folded.relations:
        yield f"       {folded.summary}"


def _summary_lines(event: Mapping[str, Any]) -> Iterator[str]:
    budget = f"one false alarm in {event['ticks_per_false_alarm']:,.0f} ticks of {show_duration(event['tick_seconds'])}"
    rows, ticks, alarms = (number(event[f"{word}s"], word) for word in ("row", "tick", "alarm"))
    each = f" of {event['rows_per_tick']:,.1f} rows".replace(".0 ", " ") if event["rows_per_tick"] else ""
    yield f"{rows} in {ticks}{each}: {alarms}"
    yield f"budget: {budget}; without drift, expect at most {event['false_alarms_expected_at_most']:.2g} in this replay"
    still = sum(episode["open"] for episode in event["episodes"])
    if event["episodes"]:
        parts = sum(episode["part_of"] is not None for episode in event["episodes"])
        also = f"; {parts} with a cause that another family reported" if parts else ""
        yield f"episodes: {len(event['episodes'])} in total, {still} open at the end{also}"
    for warning in event["warnings"]:
        yield f"warning: {warning}"
    if event["columns_not_in_data"]:
        yield f"not monitored, because the data lack them: {', '.join(event['columns_not_in_data'])}"
    if event["type_mismatches"]:
        yield f"values of another type than in the reference: {event['type_mismatches']:,}"


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
