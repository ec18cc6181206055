"""Evidently's report of reference rows against recent ones: the process that makes it, with its own memory and time.

    python -m pilotfish.sidecar.report.command.comparison JSON

It is short-lived, since Evidently takes seconds and some 300 MB to load; it connects to nothing, tells nobody that it
runs, and says on its standard output what came of it (`ComparisonResult`).
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
from ....detectors.columns.inference import infer_kind
from ...errors import PilotfishError, error_location, quote_value
from ...profiles.build import ColumnRoles, read_table
from ...profiles.cells import NA
from ...profiles.csvtable import CsvOptions
from ...rows.jsonlines import from_lines
from ...rows.table import build_table
from ...system.files import staged
from ...system.limits import limit_data, limit_processor

MOST_ROWS = 50_000  # a side; more are thinned out evenly
MOST_LINES = 1_000_000
NUMERIC, NAMED = ("integer", "numeric"), ("boolean", "categorical", "constant")
NETWORK_EVENTS = ("socket.connect", "socket.getaddrinfo", "socket.sendmsg", "socket.sendto")
QUIET = {"DO_NOT_TRACK": "1", "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class ComparisonError(PilotfishError):
    """Rows that cannot be compared."""


class ComparisonJob(msgspec.Struct, frozen=True, kw_only=True):
    """Files to read and to write; columns of `mask` are in neither side; `memory` bytes of data, 0 for any."""

    reference: str
    rows: str
    out: str
    mask: tuple[str, ...] = ()
    memory: int = 0
    seconds: int = 0


class ComparisonResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: `problem` is empty when the report is written; `left_out` are columns with the reason."""

    columns: int = 0
    reference_rows: int = 0
    rows: int = 0
    left_out: dict[str, str] = {}
    problem: str = ""


def main(argv: Sequence[str]) -> int:
    """Compare, say what came of it, and return 0, whatever that is."""
    wanted = msgspec.json.decode(argv[0], type=ComparisonJob)
    os.environ.update(QUIET)
    sys.addaudithook(_deny_network)
    limit_data(wanted.memory)
    limit_processor(wanted.seconds)
    said, sys.stdout = sys.stdout, sys.stderr  # what Evidently prints is not our answer
    try:
        compared = compare(wanted)
    except MemoryError:
        compared = ComparisonResult(
            problem=f"it needs more than {wanted.memory >> 20} MiB of memory; give --memory more"
        )
    except PilotfishError as error:
        compared = ComparisonResult(problem=str(error))
    except ImportError as error:
        compared = ComparisonResult(
            problem=f"Evidently is not installed here ({error}); pip install 'pilotfish[evidently]'"
        )
    except Exception as error:  # foreign code, whose message could hold a value of a row
        problem = (
            f"Evidently failed: {type(error).__name__} at {error_location(error)}; too little --memory shows so, too"
        )
        compared = ComparisonResult(problem=problem)
    said.write(msgspec.json.encode(compared).decode() + "\n")
    said.flush()
    return 0


def compare(wanted: ComparisonJob) -> ComparisonResult:
    """Write Evidently's report; ComparisonError when the two sides have nothing in common."""
    reference, current = _read(Path(wanted.reference)), _read(Path(wanted.rows))
    masked = set(wanted.mask)
    common = [name for name in reference if name in current and name not in masked]
    if not common:
        raise ComparisonError(
            f"the reference ({quote_value(list(reference), 200)}) and the rows "
            f"({quote_value(list(current), 200)}) share no column"
        )
    kinds = {name: infer_kind(reference[name]) for name in common}
    left_out = dict.fromkeys((name for name in reference if name not in current), "not in the rows")
    left_out |= dict.fromkeys((name for name in current if name not in reference), "not in the reference")
    left_out |= dict.fromkeys(masked & (reference.keys() | current.keys()), "masked")
    left_out |= {name: f"a column of {kinds[name]}" for name in common if kinds[name] not in (*NUMERIC, *NAMED)}
    empty = [name for name in common for side in (reference, current) if missing_mask(side[name]).all()]
    left_out |= dict.fromkeys(empty, "no value on one side")
    watched = [name for name in common if name not in left_out]
    numeric = [name for name in watched if kinds[name] in NUMERIC]
    named = [name for name in watched if kinds[name] in NAMED]
    if not watched:
        raise ComparisonError(f"nothing can be compared: {quote_value(left_out, 400)}")
    sides = [_values(side, numeric, named) for side in (reference, current)]
    sizes = [len(next(iter(side.values()))) for side in sides]
    _write(sides[0], sides[1], numeric, named, Path(wanted.out))
    return ComparisonResult(
        columns=len(numeric) + len(named), reference_rows=sizes[0], rows=sizes[1], left_out=left_out
    )


def _write(
    reference: Mapping[str, Any], current: Mapping[str, Any], numeric: list[str], named: list[str], out: Path
) -> None:
    import evidently
    import pandas as pd  # pyright: ignore[reportMissingImports]  # in an environment of its own
    from evidently.presets import DataDriftPreset, DataSummaryPreset  # pyright: ignore[reportMissingImports]

    definition = evidently.DataDefinition(numerical_columns=numeric, categorical_columns=named)
    old, new = (
        evidently.Dataset.from_pandas(pd.DataFrame(side), data_definition=definition) for side in (reference, current)
    )
    snapshot = evidently.Report([DataDriftPreset(), DataSummaryPreset()]).run(new, old)
    with staged(out, mode=0o600) as fresh:
        snapshot.save_html(str(fresh))


def _values(side: Mapping[str, Column], numeric: list[str], named: list[str]) -> dict[str, Any]:
    """Return numbers as floats with NaN, names as text with None, of evenly spaced rows."""
    rows = len(next(iter(side.values())).values)
    picked = np.linspace(0, rows - 1, min(rows, MOST_ROWS)).astype(np.int64)
    found: dict[str, Any] = {name: to_floats(side[name].take(picked))[0] for name in numeric}
    for name in named:
        column = side[name].take(picked)
        pairs = zip(column.values.tolist(), missing_mask(column).tolist(), strict=True)  # noqa: PD011  # no pandas
        found[name] = [None if gap else category_text(value) for value, gap in pairs]
    return found


def _read(path: Path) -> dict[str, Column]:
    """Return the columns of CSV, Parquet, or of the JSON lines that GET /rows gives."""
    try:
        with path.open("rb") as file:
            if file.read(1) == b"{":
                file.seek(0)
                columns: Mapping[str, ColumnData] = build_table(
                    from_lines(islice(file, MOST_LINES)), MOST_LINES
                ).columns
            else:
                columns = read_table(path, ColumnRoles(), CsvOptions(NA), lambda _what, _share: None).columns
    except OSError as error:
        raise ComparisonError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    found = {name: as_column(data) for name, data in columns.items()}
    if not found or not len(next(iter(found.values())).values):
        raise ComparisonError(f"{path}: has no rows")
    return found


def _deny_network(event: str, _: tuple[Any, ...]) -> None:
    if event in NETWORK_EVENTS:
        raise PermissionError(f"a report connects to nothing ({event})")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
