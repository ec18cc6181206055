"""Learn a profile from stored rows, in a separate process with limits for memory and priority.

    python -m pilotfish.sidecar.rows.learn FOLDER NAME OUT JOB

It reads the rows themselves, not histograms. Therefore bin edges are exact quantiles, and column types depend on all
values. Relations between columns and block variances can be computed. The steps are those of `profile build`,
including the held-out trial on the last third. The cost: the rows stay on disk until the profile is ready.

JOB is a `LearnJob` in JSON. The process writes its progress to standard output, one JSON object per line, and
`LearnResult` last. The output must never contain values of a row.
"""

from __future__ import annotations

import gzip
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

from ...detectors.batch import ColumnData, Floats, as_column
from ...detectors.errors import DetectorError
from ...detectors.profile.profile import Profile
from ...detectors.profile.provenance import HeldOutTrial
from ...detectors.reference.build import build_profile
from ...detectors.reference.held_out import with_held_out
from ..errors import error_location, quote_value
from ..system.files import replace_file
from ..system.limits import limit_data, lower_priority
from ..system.parent_death import signal_on_parent_death
from .errors import RowsError
from .learn_messages import LearnJob, LearnProgress, LearnResult
from .log import read_blocks
from .table import RowTable, build_table

MIN_TICKS = 64  # least number for blocks of up to eight ticks; with fewer, the order of the rows replaces time
PROGRESS_SECONDS = 1.0
NICENESS = 19
OOM_SCORE = 900  # the kernel kills this process first, then the analyzer, then the proxy


def main(argv: Sequence[str]) -> int:
    """Learn a profile, write the result to standard output, and return 0, even if learning failed."""
    folder, name, out, raw = argv
    job = msgspec.json.decode(raw, type=LearnJob)
    _apply_limits(job.memory)
    try:
        _write_message(_learn_profile(Path(folder), name, Path(out), job))
    except MemoryError:
        _write_message(
            LearnResult(problem=f"the rows need more than {job.memory >> 20} MiB of memory; give fewer rows")
        )
    except (DetectorError, RowsError) as error:
        _write_message(LearnResult(problem=str(error)))
    except OSError as error:
        _write_message(LearnResult(problem=f"rows cannot be read, or the profile cannot be written: {error.strerror}"))
    except Exception as error:  # without its message, which could contain a value of a row
        _write_message(
            LearnResult(
                problem=f"{type(error).__name__} at {error_location(error)}; this is a defect, please report it"
            )
        )
    return 0


def learn(table: RowTable, job: LearnJob) -> Profile:
    """Return the profile of the rows in `table`; raise DetectorError if no column can be monitored."""
    reported_at = 0.0

    def progress(done: int, total: int, _: str) -> None:
        nonlocal reported_at
        if time.monotonic() - reported_at >= PROGRESS_SECONDS:
            reported_at = time.monotonic()
            _write_message(LearnProgress(done / max(1, total)))

    def build(columns: Mapping[str, ColumnData], times: Floats | None) -> Profile:
        return build_profile(
            columns,
            model=job.model,
            version=job.version,
            created=datetime.fromtimestamp(job.gathered, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            times=times,
            sides=table.sides,
            tick_seconds=job.tick_seconds,
            tolerance=job.tolerance,
            timezone=job.timezone,
            missing_words=job.missing_words,
            progress=progress,
        )

    columns, times = _ordered(table, job.tick_seconds)
    profile = with_held_out(
        build, columns, times, tolerance=job.tolerance, false_alarm_ticks=job.false_alarm_ticks, progress=progress
    )
    return _with_places(profile, job)


def _with_places(profile: Profile, job: LearnJob) -> Profile:
    """Return the profile with the input order of the profile in force, so that masked columns keep their places.

    Columns that this order lacks have names of their own, and their order applies.
    """
    known = set(job.inputs)
    if not known.issuperset(profile.input_columns) or not known.isdisjoint(profile.prediction_columns):
        return profile
    return replace(profile, input_columns=job.inputs, unsent_columns=job.unsent)


def instability(held_out: HeldOutTrial | None) -> str:
    """Return why the rows cannot serve as a reference, according to the held-out trial; empty if they can."""
    if held_out is None:
        return "too few rows for a trial on their last third"
    if not held_out.alarms:
        return ""
    names = list(dict.fromkeys(name for alarm in held_out.alarms for name in alarm.features))
    return f"the rows were not stable: their last third differs from the first two in {quote_value(names, 200)}"


def _learn_profile(folder: Path, name: str, out: Path, job: LearnJob) -> LearnResult:
    damages: list[str] = []
    table = build_table(read_blocks(folder, name, damages.append), job.rows)
    rows = len(table.times)
    if not rows:
        raise RowsError("; ".join(("no rows are stored any more", *damages)))
    profile = learn(table, job)
    problem = instability(profile.held_out)
    if not problem:
        replace_file(out, gzip.compress(profile.to_bytes(), mtime=0), mode=0o600)
    return LearnResult(rows=rows, problem=problem, damage="; ".join(damages))


def _ordered(table: RowTable, tick_seconds: float) -> tuple[dict[str, ColumnData], Floats | None]:
    """Return columns and times.

    If the rows cover fewer than `MIN_TICKS` ticks, return columns in time order, and None for the times.
    """
    order = np.argsort(table.times, kind="stable")
    times = table.times[order]
    if (times[-1] - times[0]) / tick_seconds >= MIN_TICKS:
        return table.columns, table.times
    if np.array_equal(order, np.arange(len(order))):
        return table.columns, None
    return {name: as_column(data).take(order) for name, data in table.columns.items()}, None


def _apply_limits(memory: int) -> None:
    """End with the parent process; give all other processes priority for CPU and memory."""
    signal_on_parent_death(signal.SIGKILL)
    lower_priority(niceness=NICENESS, oom_score=OOM_SCORE)
    limit_data(memory)


def _write_message(message: LearnProgress | LearnResult) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
