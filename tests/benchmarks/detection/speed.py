"""What counting and deciding cost: throughput, memory, a leader of a thousand pods; and River and Evidently beside."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial, reduce
from operator import add
from pathlib import Path
from statistics import median
from typing import Any, cast

import numpy as np

from pilotfish.detectors.batch import Batch
from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.settings import DriftSettings
from pilotfish.detectors.summaries.counts import Counts, TickCounts
from tests.benchmarks.detection.datasets import columns, rows_of, taken
from tests.benchmarks.detection.relations import pairs
from tests.benchmarks.detection.results import Judged
from tests.benchmarks.detection.runner import Case, NotMeasuredError
from tests.benchmarks.detection.traffic import columns_only, settings

ROOT = Path(__file__).parents[3]
BATCH, FEATURES, ROUNDS = 1000, 20, 7
MILLION = 1e6
PODS, POD_FEATURES = 1000, 100
OTHERS_TIMEOUT = 400


def numeric(rows: int, rng: np.random.Generator) -> dict[str, Any]:
    return dict(pairs(rows, rng, broken=False, columns=FEATURES))


def mixed(rows: int, rng: np.random.Generator) -> dict[str, Any]:
    """Half of the columns are numbers (one in twenty missing), a quarter counts, a quarter names."""
    out: dict[str, Any] = {}
    for i in range(FEATURES):
        if i % 4 < 2:
            out[f"x{i}"] = np.where(rng.random(rows) < 0.05, np.nan, rng.normal(size=rows))
        elif i % 4 == 2:
            out[f"x{i}"] = rng.poisson(3.0, rows)
        else:
            out[f"x{i}"] = np.array(["red", "green", "blue", "grey", "white"], dtype=object)[rng.integers(5, size=rows)]
    return out


MADE: dict[str, Callable[[int, np.random.Generator], dict[str, Any]]] = {"mixed": mixed, "numeric": numeric}


def throughput(seeds: Sequence[int], *, kind: str, whole: bool, batches: int) -> list[float]:
    """Values a second of CPU, in batches of 1000 rows, a tick closed after each tenth batch."""
    profile = build_profile(MADE[kind](50_000, np.random.default_rng(1)), exchangeable=True)
    profile = profile if whole else columns_only(profile)
    data = MADE[kind](batches * BATCH, np.random.default_rng(2))
    pieces = [
        Batch({name: values[i * BATCH : (i + 1) * BATCH] for name, values in data.items()}, BATCH)
        for i in range(batches)
    ]
    out = []
    for _ in seeds:
        counts, started = TickCounts(profile), time.process_time()
        for piece in pieces:
            counts.add(piece)
        counts.take()
        out.append(batches * BATCH * FEATURES / (time.process_time() - started))
    return out


def leader(seeds: Sequence[int], *, features: int, pods: int) -> list[dict[str, float]]:
    """Seconds that a tick takes: fold the cumulative counts of all pods, then detect."""
    rng = np.random.default_rng(3)
    profile = columns_only(
        build_profile({f"x{i}": rng.normal(size=10_000) for i in range(features)}, exchangeable=True)
    )
    monitor, counts = DriftMonitor(profile, DriftSettings()), TickCounts(profile)
    out = []
    for tick in seeds:
        counts.add(Batch({f"x{i}": rng.normal(size=2000) for i in range(features)}, 2000))
        each = counts.take()
        sent = [each] * pods
        started = time.perf_counter()
        folded = reduce(add, [one.maximum(each) for one in sent])
        between = time.perf_counter()
        monitor.close_tick(tick, folded)
        out.append({"fold": between - started, "detect": time.perf_counter() - between})
    return out


def memory(_: Sequence[int], *, rows: int) -> list[dict[str, float]]:
    """Bytes of what a pod and a leader keep, and how the resident set grows while rows come."""
    rng = np.random.default_rng(4)
    profile = columns_only(build_profile(numeric(20_000, rng), exchangeable=True))
    monitor, counts = DriftMonitor(profile, DriftSettings()), TickCounts(profile)
    pool = [Batch(numeric(BATCH, rng), BATCH) for _ in range(20)]
    early = 0.0
    for number in range(rows // BATCH):
        counts.add(pool[number % len(pool)])
        if number % 5 == 4:
            monitor.close_tick(number // 5, counts.take())
        if number == rows // BATCH // 10:
            early = _resident()
    late, state = _resident(), monitor.state()
    history = _bytes({key: value for key, value in state.items() if key in {"history", "windows"}})
    open_ticks = 2 * _bytes(Counts.empty(profile).state())
    return [
        {
            "pod": open_ticks / FEATURES,
            "history": history / FEATURES,
            "leader": (_bytes(state) - history) / FEATURES,
            "functions": monitor._families[0].evidence.log_r.nbytes / FEATURES,
            "early": early,
            "late": late,
        }
    ]


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _bytes(value: Any) -> int:
    """What a state holds, in bytes, without Python's own overhead."""
    if isinstance(value, dict):
        return sum(len(str(key)) + _bytes(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return sum(map(_bytes, value))
    return len(value) if isinstance(value, (bytes, str)) else 8


def outside(script: str, arrays: dict[str, np.ndarray], **options: Any) -> dict[str, Any]:
    """What a script of this folder finds under the Python that has River and Evidently."""
    found = subprocess.run(
        [str(ROOT / ".ci" / "environment"), "extras"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    if found.returncode:
        raise NotMeasuredError(f"River and Evidently are not installed: {found.stderr[-200:]!r}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.npz"
        np.savez(path, **cast(Any, arrays))
        command = [
            found.stdout.strip(),
            str(Path(__file__).parent / "outside" / script),
            str(path),
            json.dumps(options),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=OTHERS_TIMEOUT, cwd=folder)
    if done.returncode:
        raise NotMeasuredError(f"{script} failed: {done.stderr[-200:]!r}")
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def river_speed(_: Sequence[int], *, detector: str, values: int) -> list[float]:
    """Values a second of CPU."""
    arrays = {"stream": np.random.default_rng(5).normal(size=values)}
    return [float(outside("with_river.py", arrays, detector=detector, task="speed")["per_second"])]


def evidently(_: Sequence[int], *, source: str, batches: int) -> list[dict[str, float]]:
    """Both over the same shuffled rows without drift, batch by batch: CPU seconds and alarms."""
    data = columns(source)
    picked = np.random.default_rng(6).permutation(rows_of(data))
    border = len(picked) - batches * BATCH
    reference, live = taken(data, picked[:border]), taken(data, picked[border:])
    profile = build_profile(reference, exchangeable=True)
    counts = TickCounts(profile)
    counts.add(Batch(taken(reference, slice(0, BATCH)), BATCH))
    started = time.process_time()
    monitor = DriftMonitor(profile, settings(20.0 * batches, 0.0025))
    monitor.close_tick(0, counts.take())  # now the functions of all features are made
    prepared, alarms = time.process_time(), 0
    for number in range(batches):
        rows = slice(number * BATCH, (number + 1) * BATCH)
        counts.add(Batch(taken(live, rows), BATCH))
        alarms += len(monitor.close_tick(number + 1, counts.take()).alarms)
    ours = time.process_time() - prepared
    arrays = {f"reference:{name}": column.values for name, column in reference.items()}
    arrays |= {f"live:{name}": column.values for name, column in live.items()}
    theirs = outside("with_evidently.py", arrays, rows=BATCH)
    return [
        {
            "ours": ours,
            "once": prepared - started,
            "alarms": alarms,
            "batches": batches,
            "features": len(profile.features),
            **theirs,
        }
    ]


def _values(outcomes: Sequence[float], least: float | None) -> Judged:
    middle = median(outcomes) / MILLION
    text = f"{middle:.3g} million values/s"
    spread = f"{min(outcomes) / MILLION:.3g} - {max(outcomes) / MILLION:.3g}" if len(outcomes) > 1 else ""
    return Judged(text, spread, None if least is None else middle >= least, {"million": middle})


def _judge_leader(outcomes: Sequence[dict[str, float]]) -> Judged:
    fold, detect = (median(found[key] for found in outcomes) * 1000 for key in ("fold", "detect"))
    worst = max(found["fold"] + found["detect"] for found in outcomes) * 1000
    return Judged(f"{fold:.0f} ms to fold + {detect:.1f} ms to detect", f"slowest {worst:.0f} ms", fold + detect <= 100)


def _judge_memory(outcomes: Sequence[dict[str, float]]) -> Judged:
    (found,) = outcomes
    kb = {key: found[key] / 1024 for key in ("pod", "history", "leader", "functions")}
    grown = found["late"] - found["early"]
    text = (
        f"{kb['pod']:.1f} KB of open ticks and {kb['history']:.1f} KB of history a feature; "
        f"{kb['leader']:.1f} KB a feature at the leader; resident {found['early']:.0f} MB after a tenth of the rows, "
        f"{found['late']:.0f} MB after all"
    )
    met = kb["pod"] <= 8 and kb["history"] <= 20 and kb["leader"] <= 2.5 + kb["functions"] and grown <= 2
    return Judged(text, "", met, {**kb, "grown_mb": grown})


def _judge_evidently(outcomes: Sequence[dict[str, float]]) -> Judged:
    (found,) = outcomes
    ratio = found["cpu"] / found["ours"]
    text = (
        f"{ratio:.0f} x less CPU ({found['ours'] / found['batches'] * 1000:.1f} ms a batch after "
        f"{found['once'] * 1000:.0f} ms once; Evidently "
        f"{found['cpu'] / found['batches'] * 1000:.0f}); alarms without drift: {found['alarms']:.0f}; Evidently: "
        f"some column in {found['any_column']:.0f} of {found['batches']:.0f} batches, "
        f"the data set in {found['data_set']:.0f}"
    )
    return Judged(text, "", ratio >= 50 and found["alarms"] <= 1, dict(found))


def cases(quick: bool) -> list[Case]:
    rounds, batches = (2, 20) if quick else (ROUNDS, 200)
    lines = (("numeric", False, 15.0), ("mixed", False, 8.0), ("numeric", True, None), ("mixed", True, None))
    found = [
        Case(
            name=f"{kind} values, 20 columns, batches of 1000 rows" + (", with relations" * whole),
            target="-" if least is None else f">= {least:g} million/s",
            measure=throughput,
            judge=partial(_values, least=least),
            runs=rounds,
            chunk=rounds,
            options={"kind": kind, "whole": whole, "batches": batches},
        )
        for kind, whole, least in lines
    ]
    for detector, values in (("ADWIN", 200_000), ("PageHinkley", 100_000), ("KSWIN", 2000)):
        options = {"detector": detector, "values": values // (10 if quick else 1)}
        found.append(Case(f"River's {detector}", "-", river_speed, partial(_values, least=None), options=options))
    return found


def cases_leader(quick: bool) -> list[Case]:
    return [
        Case(
            name="1000 pods x 100 features, a tick",
            target="<= 100 ms",
            measure=leader,
            judge=_judge_leader,
            runs=3 if quick else 30,
            chunk=30,
            options={"features": POD_FEATURES, "pods": PODS},
        )
    ]


def cases_memory(quick: bool) -> list[Case]:
    rows = 200_000 if quick else 10_000_000
    return [
        Case(
            name=f"20 numeric features, {rows:,} rows",
            target="pod <= 8 KB a feature, 20 KB of history; leader <= 2.5 KB and 8 B an alternative and bound; flat",
            measure=memory,
            judge=_judge_memory,
            options={"rows": rows},
        )
    ]


def cases_evidently(quick: bool) -> list[Case]:
    return [
        Case(
            name=f"{source}, shuffled, batches of 1000 rows",
            target=">= 50 x less CPU; no alarm",
            measure=evidently,
            judge=_judge_evidently,
            options={"source": source, "batches": 3 if quick else batches},
        )
        for source, batches in (("weather", 6), ("Elec2", 15))
    ]
