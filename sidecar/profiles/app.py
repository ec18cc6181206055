"""The role `pilotfish profile` with its actions build, show and diff."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from rich.console import Console

from ...detectors.batch import ColumnType
from ...detectors.losses.task import Task
from ...detectors.profile.profile import Profile
from ...detectors.timezones import UTC as UNIVERSAL
from ..errors import UsageError, quote_value
from ..settings.units import UNITS, read_duration
from . import show
from .arguments import OPTIONS
from .build import BuildResult, ColumnRoles, ProfileIdentity, RowTiming, build, require_timing
from .data_options import add_csv_arguments, add_data_argument, csv_delimiter
from .diff import difference
from .files import read_profile, write_profile
from .progress import show_progress

KINDS: tuple[ColumnType, ...] = ("array", "boolean", "categorical", "integer", "numeric", "text", "timestamp")
WIDTH = 120  # columns of the output if it is not a terminal
MAX_CONFIG_MAP = 1_000_000  # bytes; the API server rejects objects of more than 1 MiB, metadata included


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pilotfish profile`."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    one = commands.add_parser("build", help="build a profile from reference rows", allow_abbrev=False)
    _add_build_arguments(one)
    one = commands.add_parser("show", help="show a profile as a table", allow_abbrev=False)
    one.add_argument("profile", type=Path, metavar="PROFILE", help="profile.json or profile.json.gz")
    one.add_argument("--all", action="store_true", help="also list derived features and relations between columns")
    one = commands.add_parser("diff", help="compare two profiles", allow_abbrev=False)
    one.add_argument("before", type=Path, metavar="A", help="the first profile")
    one.add_argument("after", type=Path, metavar="B", help="the second profile")
    one.add_argument("--all", action="store_true", help="also list relations between columns by name")


def run(args: argparse.Namespace) -> int:
    """Run one action and return the exit status."""
    console = _console(sys.stdout)
    if args.action == "build":
        _build(args, console)
    elif args.action == "show":
        _show(read_profile(args.profile), console, everything=args.all)
    else:
        _diff(read_profile(args.before), read_profile(args.after), console, everything=args.all)
    return 0


def _score(names: list[str]) -> str | None:
    """Return the score, or None; raise UsageError for several, because the others would silently become inputs."""
    if len(names) > 1:
        raise UsageError(f"--score {quote_value(names)}: only one score is used; give the others by --prediction")
    return names[0] if names else None


def _add_build_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add_data_argument(parser, "reference rows")
    add("--out", type=Path, required=True, metavar="FILE", help="profile.json, or profile.json.gz to compress it")
    add("--model", default="", metavar="NAME", help="name of the model")
    add("--version", default="", metavar="V", help="version of the model")
    roles = parser.add_argument_group(
        "columns", "repeat options as needed, except --time, --score and --task; other columns are inputs"
    )
    roles.add_argument("--time", metavar="COL", help="time of each row: ISO 8601, or s, ms, us, ns since 1970")
    roles.add_argument("--prediction", action="append", default=[], metavar="COL", help="a prediction of the model")
    roles.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="COL",
        help="the true value, where known; give rows that the model was not trained on",
    )
    roles.add_argument(
        "--score",
        action="append",
        default=[],
        metavar="COL",
        help="one prediction: the confidence of the model, or the score of a ranking",
    )
    roles.add_argument("--task", choices=sorted(get_args(Task)), help="selects the loss (default: inferred)")
    roles.add_argument("--exclude", action="append", default=[], metavar="COL", help="exclude a column")
    roles.add_argument(
        "--keep", action="append", default=[], metavar="COL", help="monitor a column that would be excluded"
    )
    roles.add_argument("--type", action="append", default=[], metavar="COL=KIND", help=f"one of {', '.join(KINDS)}")
    ticks = parser.add_argument_group("ticks of the live traffic")
    ticks.add_argument(
        "--tick", default="60s", metavar="DURATION", help="spec.drift.tick of the document (default 60s)"
    )
    ticks.add_argument("--rows-per-tick", type=float, metavar="N", help="without --time: expected rows per live tick")
    ticks.add_argument(
        "--timezone",
        default=UNIVERSAL,
        metavar="ZONE",
        help="zone of a daily cycle, with --time, such as Europe/Berlin (default %(default)s)",
    )
    ticks.add_argument("--exchangeable", action="store_true", help="the rows have no order, as after shuffling")
    cells = add_csv_arguments(parser)
    cells.add_argument(
        "--na",
        action="append",
        default=[],
        metavar="TEXT",
        help="another word that means missing, here and in live rows",
    )
    cells.add_argument(
        "--keep-word",
        action="append",
        default=[],
        metavar="TEXT",
        help="a word that is a category, although it means missing by default, such as NA",
    )


def _build(args: argparse.Namespace, console: Console) -> None:
    roles = ColumnRoles(
        args.time,
        args.prediction,
        args.label,
        args.exclude,
        _kinds(args.type),
        args.keep,
        _score(args.score),
        args.task,
    )
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with show_progress(_console(sys.stderr)) as progress:
        built = build(
            args.data,
            roles,
            _row_timing(args),
            ProfileIdentity(args.model, args.version, now),
            na=args.na,
            kept_words=args.keep_word,
            delimiter=csv_delimiter(args.delimiter),
            comment=args.comment,
            progress=progress,
        )
        size = write_profile(args.out, built.profile)
    show.print_lines(console, [*show.reference_lines(built.profile), *(("note", note) for note in built.notes)])
    show.print_left_out(console, built.left_out)
    show.print_warnings(console, built.profile.warnings)
    _print_next(console, args.out, size, built)


def _print_next(console: Console, path: Path, size: int, built: BuildResult) -> None:
    """Print the path of the profile and the next commands."""
    profile = built.profile
    name = _config_map(profile.model, profile.version)
    key = "profile.json.gz" if path.suffix == ".gz" else "profile.json"
    console.print(f"\n[bold]wrote[/bold] {show.escape_unprintable(str(path))} ({size:,} bytes)", soft_wrap=True)
    version = f"version: {_quoted(profile.version)}, " if profile.version else ""
    here = _quoted(str(path.absolute()))
    lines = [
        f"  look at it       pilotfish profile show {shlex.quote(str(path))}",
        f"  on this machine  in the document monitor.yaml: profiles: [{{{version}path: {here}}}]",
        "                   pilotfish run -f monitor.yaml --listen 127.0.0.1:8080 --upstream 127.0.0.1:8000",
    ]
    if size <= MAX_CONFIG_MAP:
        lines += [
            f"  in a cluster     kubectl create configmap {name} --from-file={key}={shlex.quote(str(path))}",
            f"                   in the document: profiles: [{{{version}configMap: {name}}}]",
        ]
    else:
        remedy = (
            "mount it, or serve it and give its url"
            if path.suffix == ".gz"
            else f"compress it with --out {shlex.quote(f'{path}.gz')}"
        )
        lines.append(f"  in a cluster     too large for a ConfigMap ({MAX_CONFIG_MAP:,} bytes); {remedy}")
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _show(profile: Profile, console: Console, *, everything: bool) -> None:
    show.print_lines(console, list(show.reference_lines(profile)))
    console.print()
    show.print_features(console, profile, everything=everything)
    show.print_left_out(console, {excluded.name: excluded.reason for excluded in profile.excluded})
    show.print_warnings(console, profile.warnings)


def _diff(before: Profile, after: Profile, console: Console, *, everything: bool) -> None:
    for title, profile in (("before", before), ("after", after)):
        named = " version ".join(filter(None, (profile.model, profile.version)))
        value = f"{named} sha256 {profile.hash} ({profile.reference.rows:,} rows)".strip()
        show.print_lines(console, [(f"{title:<6}", value)])
    if before.hash == after.hash:
        console.print("\nThe profiles are identical.")
        return
    console.print()
    show.print_difference(console, difference(before, after), everything=everything)


def _kinds(given: list[str]) -> dict[str, ColumnType]:
    found: dict[str, ColumnType] = {}
    for text in given:
        name, _, kind = text.rpartition("=")
        if not name or kind not in KINDS:
            raise UsageError(f"--type {quote_value(text)}: give COL=KIND, where KIND is one of {', '.join(KINDS)}")
        found[name] = kind
    return found


def _row_timing(args: argparse.Namespace) -> RowTiming:
    tick = read_duration(args.tick)
    if not tick:
        raise UsageError(f"--tick {quote_value(args.tick)}: give {UNITS['duration'].wants}")
    timing = RowTiming(tick, args.rows_per_tick, args.exchangeable, args.timezone)
    require_timing(timing, args.time, OPTIONS)
    return timing


def _config_map(model: str, version: str) -> str:
    parts = (re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in (model or "model", version))
    return "-".join(filter(None, [*parts, "profile"]))[:253].strip("-")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _console(stream: object) -> Console:
    width = None if stream.isatty() or os.environ.get("COLUMNS") else WIDTH  # type: ignore[attr-defined]
    return Console(file=stream, width=width, highlight=False)  # type: ignore[arg-type]
