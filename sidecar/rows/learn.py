"""A profile out of stored rows, in a process of its own, with its own memory, time and priority.

    python -m pilotfish.sidecar.rows.learn FOLDER NAME OUT WANTED

The rows as they came, not histograms of fixed logarithmic buckets, are what is learnt from: edges are exact quantiles,
kinds are inferred from all the values, relations between columns and block variances exist at all, and the path is the
one of `profile build`, trial on the last third included. The price is the rows on disk until it is done.

It writes its progress to standard output, one JSON object a line, and the result (`LearnResult`) last. The output never
contains values of a row.
"""

from __future__ import annotations

import gzip
import signal
import sys
import time
from collections.abc import Mapping, Sequence
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

FEWEST_TICKS = 64  # of a stretch whose ticks say something: blocks of up to eight ticks; else the order of rows is time
TELL_SECONDS = 1.0
NICENESS = 19
EXPENDABLE = 900  # before the analyzer, which goes before the proxy


def main(argv: Sequence[str]) -> int:
    """Learn, say what came of it, and return 0, whatever that is."""
    folder, name, out, raw = argv
    wanted = msgspec.json.decode(raw, type=LearnJob)
    _apply_limits(wanted.memory)
    try:
        _write_message(_learn_profile(Path(folder), name, Path(out), wanted))
    except MemoryError:
        _write_message(
            LearnResult(problem=f"the rows need more than {wanted.memory >> 20} MiB of memory; give fewer rows")
        )
    except (DetectorError, RowsError) as error:
        _write_message(LearnResult(problem=str(error)))
    except OSError as error:
        _write_message(LearnResult(problem=f"rows cannot be read, or the profile not be written: {error.strerror}"))
    except Exception as error:  # its message could hold a value of a row
        _write_message(
            LearnResult(
                problem=f"{type(error).__name__} at {error_location(error)}; this is a defect, please report it"
            )
        )
    return 0


def learn(table: RowTable, wanted: LearnJob) -> Profile:
    """Return the profile of the rows of `table`; DetectorError when there is nothing to watch."""
    told = 0.0

    def progress(done: int, total: int, _: str) -> None:
        nonlocal told
        if time.monotonic() - told >= TELL_SECONDS:
            told = time.monotonic()
            _write_message(LearnProgress(done / max(1, total)))

    def made(columns: Mapping[str, ColumnData], times: Floats | None) -> Profile:
        return build_profile(
            columns,
            model=wanted.model,
            version=wanted.version,
            created=datetime.fromtimestamp(wanted.gathered, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            times=times,
            sides=table.sides,
            tick_seconds=wanted.tick_seconds,
            progress=progress,
        )

    columns, times = _ordered(table, wanted.tick_seconds)
    return with_held_out(
        made, columns, times, tolerance=wanted.tolerance, false_alarm_ticks=wanted.false_alarm_ticks, progress=progress
    )


def instability(held_out: HeldOutTrial | None) -> str:
    """Return why rows are not to be learnt from, as the trial on their last third says; empty when they are."""
    if held_out is None:
        return "too few rows for a trial on their last third"
    if not held_out.alarms:
        return ""
    names = list(dict.fromkeys(name for alarm in held_out.alarms for name in alarm.features))
    return f"the rows were not stable: their last third differs from the first two in {quote_value(names, 200)}"


def _learn_profile(folder: Path, name: str, out: Path, wanted: LearnJob) -> LearnResult:
    table = build_table(read_blocks(folder, name), wanted.rows)
    rows = len(table.times)
    if not rows:
        raise RowsError("no rows are stored any more")
    profile = learn(table, wanted)
    problem = instability(profile.held_out)
    if not problem:
        replace_file(out, gzip.compress(profile.to_bytes(), mtime=0), mode=0o600)
    return LearnResult(rows=rows, problem=problem)


def _ordered(table: RowTable, tick_seconds: float) -> tuple[dict[str, ColumnData], Floats | None]:
    """Return columns and times; no times, but the rows in their order, where the stretch is short of ticks."""
    order = np.argsort(table.times, kind="stable")
    times = table.times[order]
    if (times[-1] - times[0]) / tick_seconds >= FEWEST_TICKS:
        return table.columns, table.times
    if np.array_equal(order, np.arange(len(order))):
        return table.columns, None
    return {name: as_column(data).take(order) for name, data in table.columns.items()}, None


def _apply_limits(memory: int) -> None:
    """End with the parent; let everything else go first, on the processors and when memory is short."""
    signal_on_parent_death(signal.SIGKILL)
    lower_priority(niceness=NICENESS, oom_score=EXPENDABLE)
    limit_data(memory)


def _write_message(message: LearnProgress | LearnResult) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
