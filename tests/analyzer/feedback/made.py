"""Build a model with classes and scores, its profile, and a pipeline with exchanges that have ids."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np

from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.sidecar.analyzer.exchange_ledger import ExchangeLedger
from pilotfish.sidecar.analyzer.pipeline import Pipeline
from pilotfish.sidecar.channel.record import Record
from pilotfish.sidecar.labels.labels import Label, LabelBatch, request_key
from tests.analyzer.made import T0, record, setup, tensor


@cache
def labelled(seed: int = 0) -> Profile:
    """Return the profile of a model that is wrong in 10 % of its rows and gives calibrated scores."""
    random = np.random.default_rng(seed)
    truth = random.choice(["blue", "green"], 4000)
    wrong = random.random(4000) < 0.1
    answer = np.where(wrong, np.where(truth == "blue", "green", "blue"), truth)
    columns: dict[str, Any] = {
        "amount": random.normal(size=4000),
        "class": answer.tolist(),
        "sure": np.clip(np.where(wrong, 0.6, 0.93) + random.normal(size=4000) * 0.02, 0.5, 1),
        "truth": truth.tolist(),
    }
    sides: Any = {"class": "prediction", "sure": "prediction", "truth": "label"}
    return build_profile(columns, sides=sides, exchangeable=True, model="m")


def pipeline(made: Profile | None = None, saved: dict[str, Any] | None = None, **changes: Any) -> Pipeline:
    """Return a pipeline with the profile `made` in force."""
    out = Pipeline(setup(**changes), ExchangeLedger(1), saved)
    if made is not None:
        out.set_profile(made)
    return out


def exchange(
    sequence: int,
    request_id: str | None = None,
    *,
    answers: tuple[object, ...] = ("blue",),
    sure: float = 0.95,
    at_ns: int = T0,
    response_id: str | None = None,
) -> Record:
    """Return an exchange with one row per item of `answers`."""
    plain = record(sequence, at_ns=at_ns, amounts=[0.1] * len(answers))
    request = json.loads(plain.request_body)
    outputs = [tensor("class", answers, "BYTES"), tensor("sure", [sure] * len(answers))]
    response: dict[str, Any] = {"model_name": "m", "outputs": outputs}
    if request_id is not None:
        request["id"] = request_id
    if response_id is not None:
        response["id"] = response_id
    return plain._replace(
        request_body=json.dumps(request).encode(),
        response_body=json.dumps(response).encode(),
    )


def labels(*given: tuple[str, int, Any]) -> LabelBatch:
    """Return labels from tuples of id, row and label."""
    return LabelBatch(
        tuple(Label(index, request_key(id_), row, label) for index, (id_, row, label) in enumerate(given))
    )
