"""Run by another Python, which has Evidently: `with_evidently.py DATA.npz OPTIONS`; prints one line of JSON."""

from __future__ import annotations

import json
import sys
import time
import warnings
from typing import Any

import numpy as np

warnings.simplefilter("ignore")

import pandas as pd  # type: ignore[import-untyped,unused-ignore]  # noqa: E402  # after the filter: it warns
from evidently import Report  # type: ignore[import-not-found,unused-ignore]  # noqa: E402
from evidently.presets import DataDriftPreset  # type: ignore[import-not-found,unused-ignore]  # noqa: E402


def main() -> None:
    """Run the drift preset on every batch against the reference; count what it calls drift."""
    data, options = np.load(sys.argv[1], allow_pickle=True), json.loads(sys.argv[2])
    frames = {side: pd.DataFrame(_side(data, side)) for side in ("reference", "live")}
    rows, spent, columns, whole = options["rows"], 0.0, 0, 0
    for first in range(0, len(frames["live"]), rows):
        started = time.process_time()
        result = Report([DataDriftPreset()]).run(frames["live"].iloc[first : first + rows], frames["reference"])
        found = result.dict()
        spent += time.process_time() - started
        drifted = next(m["value"] for m in found["metrics"] if "DriftedColumnsCount" in m.get("metric_name", str(m)))
        columns += drifted["count"] > 0
        whole += drifted["share"] >= 0.5
    print(json.dumps({"cpu": spent, "any_column": int(columns), "data_set": int(whole)}))


def _side(data: Any, side: str) -> dict[str, Any]:
    prefix = f"{side}:"
    return {name.removeprefix(prefix): data[name] for name in data.files if name.startswith(prefix)}


if __name__ == "__main__":
    main()
