"""Run by another Python, which has River: `with_river.py DATA.npz OPTIONS`; prints one line of JSON."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
from river import drift  # type: ignore[import-not-found,unused-ignore]  # in an environment of its own


def main() -> None:
    """Feed a stream to a detector with its default settings; alarms are as its documentation counts them."""
    data, options = np.load(sys.argv[1]), json.loads(sys.argv[2])
    stream = data["stream"].tolist()
    kind = getattr(drift, options["detector"])
    print(json.dumps(speed(kind, stream) if options["task"] == "speed" else alarms(kind, stream, options["change"])))


def detector(kind: Any) -> Any:
    """A detector as it comes; the one that draws at random is given a seed."""
    return kind(seed=1) if kind is drift.KSWIN else kind()


def speed(kind: Any, stream: list[float]) -> dict[str, float]:
    """Values a second of CPU."""
    one = detector(kind)
    started = time.process_time()
    for value in stream:
        one.update(value)
    return {"per_second": len(stream) / (time.process_time() - started)}


def alarms(kind: Any, stream: list[float], change: int) -> dict[str, Any]:
    """Rows of alarms before a change, and rows from it to the first one after it."""
    one, before, after = detector(kind), 0, None
    for row, value in enumerate(stream):
        one.update(value)
        if one.drift_detected:
            if row < change:
                before += 1
            elif after is None:
                after = row - change + 1
    return {"before": before, "after": after}


if __name__ == "__main__":
    main()
