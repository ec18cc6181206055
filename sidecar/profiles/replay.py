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

import msgspec
from rich.console import Console

from ...detectors.batch import SIDES, Column, Floats, Side
from ...detectors.binning.numeric import NumericBins
from ...detectors.detection.replay import ClosedTick, Replay, TickSpan, tick_spans_by_rows, tick_spans_by_time
from ...detectors.detection.results import Alarm
from ...detectors.errors import DetectorError
from ...detectors.profile.profile import Profile
from ...detectors.settings import LOSS_TOLERANCE, DriftSettings
from ..errors import UsageError, number, quote_value
from ..report import wording
from ..report.pages.writing import write
from ..report.schema import FeatureReport
from ..settings.units import UNITS, read_duration, show_duration
from ..terminal import show, show_json
from .build import ColumnRoles, read_table, row_times
from .cells import with_numbers
from .csvtable import CsvOptions
from .data_options import add_csv_arguments, add_data_argument, csv_delimiter
from .errors import ReferenceDataError
from .files import read_profile
from .progress import show_progress
from .replay_report import ReplayReport
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
    drift.add_argument("--false-alarms", default="1/30d", metavar="N/DURATION", help="the budget (default %(default)s)")
    drift.add_argument(
        "--tolerance",
        type=float,
        default=0.0025,
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
    with show_progress(Console(stderr=True)) as progress:
        columns, times = _read(args, profile, progress)
        rows = len(next(iter(columns.values())).values)
        spans = _spans(args, profile, settings, times, rows)
        profile = profile if times is not None else profile.without_slots()
        replayed = Replay(profile, settings)
        page = ReplayReport.over(profile, settings, spans, None if times is not None else _rows_per_tick(args, profile))
        alarms = 0
        for closed in replayed.run(columns, spans, times):
            progress("replaying", closed.row / max(rows, 1))
            if args.html is not None:
                page.take(replayed, closed)
            for alarm in closed.alarms:
                alarms += alarm.part_of is None
                _print_event(args.json, _alarm(alarm, closed, spans, settings if times is not None else None))
    served: tuple[Side, ...] = ("input", "prediction")
    absent = [name for side in served for name in profile.names(side) if name not in columns]
    per_tick = None if times is not None else _rows_per_tick(args, profile)
    _print_event(args.json, _summary(replayed, settings, spans, rows, alarms, absent) | {"rows_per_tick": per_tick})
    if args.html is not None:
        write(args.html, page.document(replayed, args.data[0].name, time.time()))
    return 0


def _settings(args: argparse.Namespace, profile: Profile) -> DriftSettings:
    tick = read_duration(args.tick) if args.tick else profile.reference.live_tick_seconds
    if not tick:
        raise UsageError(f"--tick {quote_value(args.tick)}: give {UNITS['duration'].wants}")
    count, _, period = args.false_alarms.partition("/")
    seconds = read_duration(period)
    number = _positive(count)
    if not seconds or number is None:
        raise UsageError(f"--false-alarms {quote_value(args.false_alarms)}: give N/DURATION, such as 1/30d")
    try:
        return DriftSettings(tick, number, seconds, args.tolerance, loss_tolerance=args.loss_tolerance)
    except DetectorError as error:
        raise UsageError(str(error)) from error


def _positive(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 < number < float("inf") else None


def _read(args: argparse.Namespace, profile: Profile, progress: Progress) -> tuple[dict[str, Column], Floats | None]:
    """Return the columns of the profile in the order of time, and the times of the rows (None without --time)."""
    options = replace(cell_options(profile), delimiter=csv_delimiter(args.delimiter), comment=args.comment)
    table = read_table(args.data, ColumnRoles(time=args.time), options, progress)
    times, _ = row_times(table, args.time)
    columns = columns_of(profile, table)
    if not columns or not table.rows:
        wanted = sorted({name for side in SIDES for name in profile.names(side)})
        what = (
            f"has none of the profile's columns {quote_value(wanted, 300)}; check --profile"
            if not columns
            else "has no rows to replay; give another file"
        )
        raise ReferenceDataError(f"{shown_names(args.data)}: {what}")
    return columns, times


def cell_options(profile: Profile) -> CsvOptions:
    """Return how the cells of a CSV are read for a profile."""
    names = frozenset(feature.name for feature in profile.features if feature.kind == "categorical")
    return CsvOptions(frozenset(profile.missing_words), names, profile.text_columns, profile.array_columns)


def columns_of(profile: Profile, table: ReferenceTable) -> dict[str, Column]:
    """Return the columns of a file that the profile uses. Text in a file has no type, so text numbers are numbers."""
    wanted = {name for side in SIDES for name in profile.names(side)}
    columns = {name: column for name, column in table.columns.items() if name in wanted}
    numeric = {feature.name for feature in profile.features if isinstance(feature.bins, NumericBins)}
    return columns | {name: with_numbers(columns[name]) for name in numeric & columns.keys()}


def _spans(
    args: argparse.Namespace, profile: Profile, settings: DriftSettings, times: Floats | None, rows: int
) -> list[TickSpan]:
    if times is not None:
        if args.rows_per_tick is not None:
            raise UsageError(
                "--time and --rows-per-tick contradict each other: the times determine the ticks; give one"
            )
        return tick_spans_by_time(times, settings.tick_seconds)
    rows_per_tick = _rows_per_tick(args, profile)
    if rows_per_tick < 1:
        raise UsageError(f"--rows-per-tick {rows_per_tick:g}: a tick needs a row; give 1 or more")
    return tick_spans_by_rows(rows, rows_per_tick)


def _rows_per_tick(args: argparse.Namespace, profile: Profile) -> float:
    """Return the rows per tick that the user gives, else those of the build, else those of the reference's ticks."""
    reference = profile.reference
    if args.rows_per_tick is not None:
        return float(args.rows_per_tick)
    return reference.live_rows_per_tick or reference.rows_per_tick or reference.rows / reference.ticks


def _alarm(alarm: Alarm, closed: ClosedTick, spans: list[TickSpan], clock: DriftSettings | None) -> dict[str, Any]:
    """Return an alarm as JSON values; `clock` is None if a tick is a number of rows."""
    onset = next((span.start for span in spans if span.tick >= alarm.onset_tick), 0)
    return {
        "event": "alarm",
        "tick": alarm.tick,
        "row": closed.row,
        "time": None if clock is None else _iso((alarm.tick + 1) * clock.tick_seconds),
        "family": alarm.family,
        "episode": alarm.episode_id,
        "evidence_ratio": alarm.evidence_ratio,
        "onset_tick": alarm.onset_tick,
        "onset_row": onset,
        "part_of": alarm.part_of,
        "features": [asdict(feature) for feature in alarm.features],
    }


def _summary(
    replayed: Replay, settings: DriftSettings, spans: list[TickSpan], rows: int, alarms: int, absent: list[str]
) -> dict[str, Any]:
    return {
        "event": "summary",
        "rows": rows,
        "ticks": len(spans),
        "alarms": alarms,
        "false_alarms_expected_at_most": len(spans) / settings.ticks_per_false_alarm,
        "ticks_per_false_alarm": settings.ticks_per_false_alarm,
        "tick_seconds": settings.tick_seconds,
        "tolerance": settings.tolerance,
        "type_mismatches": replayed.mismatches,
        "columns_not_in_data": absent,
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
    features = [_reported(feature, event["family"]) for feature in event["features"]]
    lines = wording.headlines(features, f"row {event['onset_row']:,}")
    yield from (f"       {line}" for line in lines[:MAX_LISTED])
    if len(lines) > MAX_LISTED:
        yield f"       and {number(len(lines) - MAX_LISTED, 'more column')}"
    folded = wording.fold(features)
    if folded.columns and folded.relations:
        yield f"       {folded.summary}"


def _reported(feature: Mapping[str, Any], family: str) -> FeatureReport:
    return msgspec.convert({"side": "input", "family": family, **feature}, FeatureReport)


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
