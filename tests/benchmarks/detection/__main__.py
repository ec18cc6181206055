"""Measure drift detection: every promise of the documentation, on this machine.

    python -m tests.benchmarks.detection                       # everything
    python -m tests.benchmarks.detection serial delay --quick  # some groups, in a short form
    python -m tests.benchmarks.detection --missing --write     # what has no result yet, and write docs/

Results are kept by group in build/detection, or build/detection-quick, as soon as a group is done; `--write` takes
whatever is there, and what is there in the short form only is marked below its heading.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.__main__ import machine
from tests.benchmarks.detection import plots, table
from tests.benchmarks.detection.groups import GROUPS
from tests.benchmarks.detection.runner import run

ROOT = Path(__file__).parents[3]
DOCUMENT, PICTURES = ROOT / "docs" / "detection-measured.md", ROOT / "docs" / "detection"
BEGIN, END = "<!-- measured:begin -->", "<!-- measured:end -->"


def write(results: dict[str, Any], form: str) -> None:
    """Put the tables between the markers of docs/detection-measured.md, pictures and figures beside it."""
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{machine()}; {form}.\n\n{table.markdown(results)}{END}{after}")
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / "measured.json").write_text(json.dumps(table.figures(results), indent=1, sort_keys=True) + "\n")
    for name, picture in plots.pictures(results).items():
        (PICTURES / name).write_text(picture)


def main() -> int:
    """Run as the arguments say; return 1 when a promise is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.detection", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("group", nargs="*", help=f"of {', '.join(GROUPS)}; all when none is given")
    parser.add_argument("--quick", action="store_true", help="short runs: whether it works, bounds are wide")
    parser.add_argument("--missing", action="store_true", help="only groups without a result")
    parser.add_argument("--write", action="store_true", help="put tables and pictures into docs/")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default %(default)s)")
    arguments = parser.parse_args()
    if unknown := set(arguments.group) - set(GROUPS):
        parser.error(f"unknown group {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    store = ROOT / "build" / ("detection-quick" if arguments.quick else "detection")
    names = arguments.group or list(GROUPS)
    if arguments.missing:
        names = [name for name in names if not (store / f"{name}.json").exists()]
    started = time.monotonic()
    run({name: GROUPS[name] for name in GROUPS if name in names}, store, quick=arguments.quick, jobs=arguments.jobs)
    results = table.stored(store, GROUPS)
    if not arguments.quick:
        results = table.filled(results, table.stored(store.with_name("detection-quick"), GROUPS), GROUPS)
    print(table.markdown({name: results[name] for name in results if name in names}))
    print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    if arguments.write:
        write(results, "the short form: bounds are wide" if arguments.quick else "the full form")
    return 1 if table.missed(results) else 0


if __name__ == "__main__":
    sys.exit(main())
