"""Compare resizing with the algorithm of the VerticalPodAutoscaler, as shipped, and with a grid of settings.

    python -m tests.benchmarks.resizing            # the held-out traces
    python -m tests.benchmarks.resizing --write    # also write docs/resizing-measured.md and its picture
    python -m tests.benchmarks.resizing --tuning   # the grid with the tuning traces

The VerticalPodAutoscaler itself plays the held-out traces, too, if `.ci/vertical > build/vertical` built it. Results
are kept in build/resizing; remove it after a change of the algorithm.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.benchmarks.__main__ import machine
from tests.benchmarks.resizing import picture, table
from tests.benchmarks.resizing.contenders import COMPILED, CONTENDERS, GRID, Choice, run_all, watched
from tests.benchmarks.resizing.traces import HELD_OUT, TUNING, check_frozen, names, sample
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
    parser.add_argument("--tuning", action="store_true", help="print what the grid does with the tuning traces")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default %(default)s)")
    arguments = parser.parse_args()
    check_frozen()
    started, store = time.monotonic(), ROOT / "build" / "resizing"
    part = TUNING if arguments.tuning else HELD_OUT
    grid = [(name, one, choice, RATIOS[0]) for choice in GRID for one in CONTENDERS for name in sample(part)]
    if arguments.tuning:
        print(*table.fronts(run_all(grid, store, arguments.jobs)), sep="\n\n")
        return 0
    wanted = [(name, one, Choice(), ratio) for ratio in RATIOS for one in CONTENDERS for name in names(part)] + grid
    if SAID.exists():
        wanted += [(name, COMPILED, Choice(), RATIOS[0]) for name in names(part)]
    runs = run_all(wanted, store, arguments.jobs)
    shares = {one: [watched(name, one) for name in sample(part)] for one in CONTENDERS}
    found = table.markdown(runs, RATIOS, shares)
    print(found)
    print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    if arguments.write:
        before, _, rest = DOCUMENT.read_text().partition(BEGIN)
        after = rest.partition(END)[2]
        DOCUMENT.write_text(f"{before}{BEGIN}\n{machine()}.\n\n{found}{END}{after}")
        picture.draw(runs, RATIOS[0], PICTURE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
