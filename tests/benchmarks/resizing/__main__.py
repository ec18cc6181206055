"""Compare resizing with the algorithm of the VerticalPodAutoscaler, as shipped, tuned, and with a grid of settings.

The recommender of the VerticalPodAutoscaler also plays the held-out traces, if `.ci/vertical > build/vertical` built it.

    python -m tests.benchmarks.resizing --tune     # the tuning traces only
    python -m tests.benchmarks.resizing            # tune, then the held-out traces
    python -m tests.benchmarks.resizing --write    # also write docs/resizing-measured.md and its picture

Results are kept in build/resizing; remove it after a change of the algorithm.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.benchmarks.__main__ import machine
from tests.benchmarks.resizing import picture, table
from tests.benchmarks.resizing.contenders import COMPILED, CONTENDERS, GRID, Choice, chosen, run_all
from tests.benchmarks.resizing.traces import HELD_OUT, TUNING, check_frozen, names
from tests.support.vertical import SAID

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "resizing-measured.md"
PICTURE = ROOT / "docs" / "resizing-fronts.png"
BEGIN, END = "<!-- measured:begin -->", "<!-- measured:end -->"
RATIOS = (1.0, 2.0)  # limits by requests; the first one is tuned for


def main() -> int:
    """Run as the arguments say."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.resizing", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="put the tables and the picture into docs/")
    parser.add_argument("--tune", action="store_true", help="play the tuning traces, and print the choices")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default %(default)s)")
    arguments = parser.parse_args()
    check_frozen()
    started, store = time.monotonic(), ROOT / "build" / "resizing"
    grid = [(contender, choice) for choice in GRID for contender in CONTENDERS]
    tuning = run_all([(name, *one, RATIOS[0]) for one in grid for name in names(TUNING)], store, arguments.jobs)
    choices = {contender: chosen(tuning, contender) for contender in CONTENDERS}
    if arguments.tune:
        print(table.choices(choices), *table.fronts(tuning), sep="\n\n")
        return 0
    wanted = [*dict.fromkeys(table.rows(choices).values())]
    if SAID.exists():
        wanted.append((COMPILED, Choice()))
    last = [(name, *one, ratio) for name in names(HELD_OUT) for one in wanted for ratio in RATIOS]
    last += [(name, *one, RATIOS[0]) for one in grid for name in names(HELD_OUT)]
    runs = run_all(last, store, arguments.jobs)
    found = table.markdown(runs, choices, RATIOS)
    print(found)
    print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    if arguments.write:
        before, _, rest = DOCUMENT.read_text().partition(BEGIN)
        after = rest.partition(END)[2]
        DOCUMENT.write_text(f"{before}{BEGIN}\n{machine()}.\n\n{found}{END}{after}")
        picture.draw(runs, choices, RATIOS[0], PICTURE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
