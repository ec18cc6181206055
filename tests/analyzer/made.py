"""Factories of records, profiles and pipelines for the analyzer tests."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.settings import DriftSettings
from pilotfish.sidecar.analyzer.exchange_ledger import ExchangeLedger
from pilotfish.sidecar.analyzer.pipeline import Pipeline
from pilotfish.sidecar.analyzer.settings import AnalyzerSettings
from pilotfish.sidecar.channel.record import Record
from tests.support.records import make_record

SECOND = 1_000_000_000
T0 = 1_700_000_000 * SECOND  # a whole number of 10 s ticks
TICK = 10.0


@cache
def profile(seed: int = 0, model: str = "m", version: str = "") -> Profile:
    random = np.random.default_rng(seed)
    columns: dict[str, Any] = {
        "amount": random.normal(size=3000),
        "color": random.choice(["blue", "green", "red"], 3000).tolist(),
        "score": random.normal(size=3000),
    }
    return build_profile(columns, sides={"score": "prediction"}, exchangeable=True, model=model, version=version)


def monitor(made: Profile, drift: DriftSettings, state: dict[str, Any] | None) -> DriftMonitor:
    return DriftMonitor.from_state(made, drift, state) if state else DriftMonitor(made, drift)


def setup(**changes: Any) -> AnalyzerSettings:
    given = {"model": "m", "drift": DriftSettings(tick_seconds=TICK), "engine_factory": monitor}
    return AnalyzerSettings(**{**given, **changes})


def pipeline(
    made: Profile | None = None, ledger: ExchangeLedger | None = None, saved: dict[str, Any] | None = None
) -> Pipeline:
    out = Pipeline(setup(), ledger or ExchangeLedger(1), saved)
    if made is not None:
        out.set_profile(made)
    return out


def tensor(name: str, values: Sequence[object], datatype: str = "FP64") -> dict[str, Any]:
    return {"name": name, "shape": [len(values)], "datatype": datatype, "data": list(values)}


def record(
    sequence: int,
    *,
    at_ns: int = T0,
    amounts: Sequence[object] = (0.5,),
    colors: Sequence[str] = ("red",),
    scores: Sequence[float] = (),
    body: bytes | None = None,
    status: int = 200,
) -> Record:
    inputs = [tensor("amount", amounts), tensor("color", (list(colors) * len(amounts))[: len(amounts)], "BYTES")]
    request = json.dumps({"inputs": inputs}).encode() if body is None else body
    response = json.dumps({"model_name": "m", "outputs": [tensor("score", scores or [0.1] * len(amounts))]}).encode()
    return make_record(sequence, request, response, at_ns=at_ns, status=status)


def drifting(start: int, count: int, at_ns: int, shift: float, rows: int = 50) -> Iterator[Record]:
    """Yield records of `rows` rows, whose amounts are shifted by `shift` standard deviations."""
    random = np.random.default_rng(start)
    for sequence in range(start, start + count):
        colors = random.choice(["blue", "green", "red"], rows).tolist()
        amounts = (random.normal(size=rows) + shift).tolist()
        yield record(sequence, at_ns=at_ns, amounts=amounts, colors=colors, scores=random.normal(size=rows).tolist())
