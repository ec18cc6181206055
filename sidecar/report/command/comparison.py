"""The child process that makes Evidently's report on reference and recent rows, within its own memory and time.

    python -m pilotfish.sidecar.report.command.comparison JSON

The process is short-lived, because Evidently needs seconds and some 300 MB. It opens no connection and sends no usage
data. It prints its result (`ComparisonResult`) as one line on the standard output. Never pass the text of an unexpected
exception on: it may contain a value of a row.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ....detectors.batch import Column, ColumnData, as_column, missing_mask
from ....detectors.binning.categories import category_text
from ....detectors.binning.numeric import to_floats
from ....detectors.cells import MISSING_WORDS, with_missing_words
from ....detectors.columns.inference import infer_kind
from ...errors import PilotfishError, error_location, quote_value
from ...profiles.build import ColumnRoles, read_table
from ...profiles.csvtable import CsvOptions
from ...rows.jsonlines import from_lines
from ...rows.table import build_table
from ...system.files import open_file, require_replaceable, staged
from ...system.limits import limit_data, limit_processor

MAX_ROWS = 50_000  # per side; of more rows, evenly spaced ones are used
MAX_LINES = 1_000_000
NUMERIC, CATEGORICAL = ("integer", "numeric"), ("boolean", "categorical", "constant")
NETWORK_EVENTS = ("socket.connect", "socket.getaddrinfo", "socket.sendmsg", "socket.sendto")
ENVIRONMENT = {"DO_NOT_TRACK": "1", "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class ComparisonError(PilotfishError):
    """The rows cannot be compared."""


class ComparisonJob(msgspec.Struct, frozen=True, kw_only=True):
    """The files to read and to write, and the limits.

    The columns of `mask` are excluded from both sides. `memory` is in bytes; 0 means no limit.
    """

    reference: str
    rows: str
    out: str
    mask: tuple[str, ...] = ()
    memory: int = 0
    seconds: int = 0


UNMAPPED = ("failed to map segment", "allocate memory")  # the loader's errors for a library that does not fit


class ComparisonResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result. `problem` is empty if the report was written; `left_out` maps excluded columns to the reason."""

    columns: int = 0
    reference_rows: int = 0
    rows: int = 0
    left_out: dict[str, str] = {}
    problem: str = ""


def main(argv: Sequence[str]) -> int:
    """Run the job in `argv`, print the result, and return 0 even if the job failed."""
    job = msgspec.json.decode(argv[0], type=ComparisonJob)
    os.environ.update(ENVIRONMENT)
    sys.addaudithook(_deny_network)
    limit_data(job.memory)
    limit_processor(job.seconds)
    output, sys.stdout = sys.stdout, sys.stderr  # keeps what Evidently prints out of the result
    too_little = f"Evidently needs more than {job.memory >> 20} MiB of memory; give a larger --memory"
    try:
        result = compare(job)
    except MemoryError:
        result = ComparisonResult(problem=too_little)
    except PilotfishError as error:
        result = ComparisonResult(problem=str(error))
    except ImportError as error:
        absent = f"Evidently is not installed ({error}); pip install 'pilotfish[evidently]'"
        unmapped = any(text in str(error) for text in UNMAPPED)
        result = ComparisonResult(problem=too_little if unmapped else absent)
    except Exception as error:  # foreign code: the message may contain a value of a row
        problem = f"Evidently failed: {type(error).__name__} at {error_location(error)}; try a larger --memory"
        result = ComparisonResult(problem=problem)
    output.write(msgspec.json.encode(result).decode() + "\n")
    output.flush()
    return 0


def compare(job: ComparisonJob) -> ComparisonResult:
    """Write Evidently's report; raise ComparisonError if the two sides share no usable column."""
    reference, current = _read(Path(job.reference)), _read(Path(job.rows))
    masked = set(job.mask)
    common = [name for name in reference if name in current and name not in masked]
    if not common:
        raise ComparisonError(
            f"the reference ({quote_value(list(reference), 200)}) and the rows "
            f"({quote_value(list(current), 200)}) share no column; check both files"
        )
    kinds = {name: infer_kind(reference[name]) for name in common}
    left_out = dict.fromkeys((name for name in reference if name not in current), "not in the rows")
    left_out |= dict.fromkeys((name for name in current if name not in reference), "not in the reference")
    left_out |= dict.fromkeys(masked & (reference.keys() | current.keys()), "masked")
    left_out |= {name: f"has the type {kinds[name]}" for name in common if kinds[name] not in (*NUMERIC, *CATEGORICAL)}
    empty = [name for name in common for side in (reference, current) if missing_mask(side[name]).all()]
    left_out |= dict.fromkeys(empty, "all values of one side are missing")
    usable = [name for name in common if name not in left_out]
    numeric = [name for name in usable if kinds[name] in NUMERIC]
    named = [name for name in usable if kinds[name] in CATEGORICAL]
    if not usable:
        raise ComparisonError(f"no column can be compared: {quote_value(left_out, 400)}; give other rows")
    sides = [_values(side, numeric, named) for side in (reference, current)]
    sizes = [len(next(iter(side.values()))) for side in sides]
    _write(sides[0], sides[1], numeric, named, Path(job.out))
    return ComparisonResult(
        columns=len(numeric) + len(named), reference_rows=sizes[0], rows=sizes[1], left_out=left_out
    )


def _write(
    reference: Mapping[str, Any], current: Mapping[str, Any], numeric: list[str], named: list[str], out: Path
) -> None:
    import evidently
    import pandas as pd  # pyright: ignore[reportMissingImports]  # an optional dependency
    from evidently.presets import DataDriftPreset, DataSummaryPreset  # pyright: ignore[reportMissingImports]

    definition = evidently.DataDefinition(numerical_columns=numeric, categorical_columns=named)
    old, new = (
        evidently.Dataset.from_pandas(pd.DataFrame(side), data_definition=definition) for side in (reference, current)
    )
    snapshot = evidently.Report([DataDriftPreset(), DataSummaryPreset()]).run(new, old)
    require_replaceable(out)
    with staged(out, mode=0o600) as fresh:
        snapshot.save_html(str(fresh))


def _values(side: Mapping[str, Column], numeric: list[str], named: list[str]) -> dict[str, Any]:
    """Return the columns of at most `MAX_ROWS` evenly spaced rows: floats with NaN, and texts with None."""
    rows = len(next(iter(side.values())).values)
    picked = np.linspace(0, rows - 1, min(rows, MAX_ROWS)).astype(np.int64)
    found: dict[str, Any] = {name: to_floats(side[name].take(picked))[0] for name in numeric}
    for name in named:
        column = side[name].take(picked)
        pairs = zip(column.values.tolist(), missing_mask(column).tolist(), strict=True)  # noqa: PD011  # no pandas
        found[name] = [None if gap else category_text(value) for value, gap in pairs]
    return found


def _read(path: Path) -> dict[str, Column]:
    """Return the columns of a file: CSV, Parquet, or the JSON lines of GET /rows."""
    try:
        with open_file(path, follow=True) as file:
            if file.read(1) == b"{":
                file.seek(0)
                columns: Mapping[str, ColumnData] = build_table(from_lines(islice(file, MAX_LINES)), MAX_LINES).columns
            else:
                columns = read_table(path, ColumnRoles(), CsvOptions(MISSING_WORDS), lambda _what, _share: None).columns
    except OSError as error:
        raise ComparisonError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    found = {name: with_missing_words(as_column(data), MISSING_WORDS) for name, data in columns.items()}
    if not found or not len(next(iter(found.values())).values):
        raise ComparisonError(f"{path}: has no rows; give another file")
    return found


def _deny_network(event: str, _: tuple[Any, ...]) -> None:
    if event in NETWORK_EVENTS:
        raise PermissionError(f"a report must not open a connection ({event})")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
