"""Compare scaling with the algorithm of the HPA, both with a target that was tuned on half of the traces.

The HorizontalController of Kubernetes also plays the held-out half, if `.ci/autoscaler > build/autoscaler` built it.

    python -m tests.benchmarks.scaling            # tune, then the held-out half
    python -m tests.benchmarks.scaling --quick    # without the traces of 17 days
    python -m tests.benchmarks.scaling --write    # also write docs/scaling-measured.md

Results are kept in build/scaling; remove it after a change of the algorithm.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.benchmarks.__main__ import machine
from tests.benchmarks.scaling import choice, table
from tests.benchmarks.scaling.contenders import COMPILED, CONTENDERS, HPA, TARGETS
from tests.benchmarks.scaling.runner import run_all
from tests.benchmarks.scaling.traces import HALVES, HELD_OUT, TUNING, check_frozen, names
from tests.support.horizontal import SAID

ROOT = Path(__file__).parents[3]
DOCUMENT, PICTURES = ROOT / "docs" / "scaling-measured.md", ROOT / "docs" / "scaling"
BEGIN, END = "<!-- measured:begin -->", "<!-- measured:end -->"
LONG_KINDS = ("recorded", "weekly")


def main() -> int:
    """Run as the arguments say; return 1 when the goal is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.scaling", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="without the traces of 17 days")
    parser.add_argument("--write", action="store_true", help="put tables and pictures into docs/")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default %(default)s)")
    arguments = parser.parse_args()
    check_frozen()
    started = time.monotonic()
    kept = {
        half: [name for name in names(half) if not (arguments.quick and name.startswith(LONG_KINDS))] for half in HALVES
    }
    store = ROOT / "build" / "scaling"
    tuning = [(name, contender, target) for name in kept[TUNING] for contender in CONTENDERS for target in TARGETS]
    runs = run_all(tuning, store, arguments.jobs)
    targets = choice.chosen(runs)
    last = [(name, contender, targets[contender]) for name in kept[HELD_OUT] for contender in CONTENDERS]
    if SAID.exists():
        last += [(name, COMPILED, targets[HPA]) for name in kept[HELD_OUT]]
    runs += run_all(last, store, arguments.jobs)
    print(table.markdown(runs, targets))
    print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    if arguments.write:
        before, _, rest = DOCUMENT.read_text().partition(BEGIN)
        after = rest.partition(END)[2]
        form = "without the traces of 17 days" if arguments.quick else "all traces"
        DOCUMENT.write_text(f"{before}{BEGIN}\n{machine()}; {form}.\n\n{table.markdown(runs, targets)}{END}{after}")
        PICTURES.mkdir(exist_ok=True)
        for name, picture in table.pictures(runs, targets).items():
            (PICTURES / name).write_text(picture)
    return 0 if table.reached(runs, targets) else 1


if __name__ == "__main__":
    sys.exit(main())
