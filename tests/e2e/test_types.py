"""Texts, times, embeddings and nested values over HTTP: drift in each is found live and named."""

from __future__ import annotations

import json
import struct
import time
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import Any

import numpy as np
import pytest

from pilotfish.detectors.reference.build import build_profile
from tests.e2e.stack import Stack
from tests.support.waiting import patient, wait_until

ROWS = 5  # per request; the upstream answers with as many predictions
WIDTH = 96
WORDS = np.array(["the", "data", "of", "every", "model", "flows", "by", "night", "unseen"])
Row = dict[str, Any]
QUIET = 200  # rows


def row(rng: np.random.Generator, now: float, *, drifted: bool) -> Row:
    """Return one row; with `drifted`, text, lag, embedding and city have drifted."""
    text = " ".join(rng.choice(WORDS, rng.integers(4, 15)))
    return {
        "comment": f"<b>{text}</b>" if drifted else text,
        "booked": datetime.fromtimestamp(now - rng.lognormal(5, 0.5) * (20 if drifted else 1), UTC).isoformat(),
        "emb": (rng.normal(size=WIDTH) + 3.0 * drifted * np.eye(WIDTH)[3]).astype(np.float32),
        "home": {"city": str(rng.choice(["Bern", "Basel"], p=[0.1, 0.9] if drifted else [0.5, 0.5]))},
    }


@pytest.fixture
def profile() -> bytes:
    rng = np.random.default_rng(1)
    times = time.time() - 3600.0 + np.arange(4000) / 2
    rows = [row(rng, now, drifted=False) for now in times.tolist()]
    columns: dict[str, Any] = {name: [made[name] for made in rows] for name in ("comment", "booked")}
    columns["emb"] = np.stack([made["emb"] for made in rows])
    columns["home.city"] = [made["home"]["city"] for made in rows]
    made = build_profile(columns, times=times, model="m", version="1", exchangeable=True, tick_seconds=0.2)
    assert made.excluded == ()
    return made.to_bytes()


def as_binary(rows: list[Row]) -> tuple[str, bytes, dict[str, str]]:
    """Return path, body and headers of an inference request with binary tensors."""
    parts = {
        "emb": ([ROWS, WIDTH], "FP32", np.stack([made["emb"] for made in rows]).tobytes()),
        "comment": ([ROWS], "BYTES", b"".join(map(length_prefixed, [made["comment"] for made in rows]))),
        "booked": ([ROWS], "BYTES", b"".join(map(length_prefixed, [made["booked"] for made in rows]))),
        "home.city": ([ROWS], "BYTES", b"".join(map(length_prefixed, [made["home"]["city"] for made in rows]))),
    }
    tensors = [
        {"name": name, "shape": shape, "datatype": datatype, "parameters": {"binary_data_size": len(raw)}}
        for name, (shape, datatype, raw) in parts.items()
    ]
    head = json.dumps({"inputs": tensors}).encode()
    body = head + b"".join(raw for _, _, raw in parts.values())
    return "/v2/models/m/infer", body, {"Inference-Header-Content-Length": str(len(head))}


def length_prefixed(text: str) -> bytes:
    return struct.pack("<I", len(text.encode())) + text.encode()


def as_nested(rows: list[Row]) -> tuple[str, bytes, dict[str, str]]:
    """Return path, body and headers of a request with nested objects."""
    instances = [{**made, "emb": made["emb"].tolist()} for made in rows]
    return "/v1/models/m:predict", json.dumps({"instances": instances}).encode(), {}


@pytest.mark.long
def test_drift_in_every_type_is_found_live_under_its_name(stack: Stack) -> None:
    stack.start()
    wait_until(stack.ready, 20, "the analyzer process")
    connection = HTTPConnection("127.0.0.1", stack.listen, timeout=patient(10))
    rng = np.random.default_rng(2)

    def send(number: int, *, drifted: bool) -> None:
        rows = [row(rng, time.time(), drifted=drifted) for _ in range(ROWS)]
        path, body, headers = (as_binary, as_nested)[number % 2](rows)
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        assert response.status == 200
        response.read()

    def counted_rows() -> int:
        for number in range(4):
            send(number, drifted=False)
        return sum(entry["rows"] for entry in stack.report()["rows"] if entry["side"] == "input")

    wait_until(lambda: counted_rows() >= QUIET, 20, "the quiet rows")
    assert stack.episodes() == []

    def named() -> set[str]:
        for number in range(4):
            send(number, drifted=True)
        return {feature["name"] for episode in stack.episodes() for feature in episode["features"]}

    columns = {"comment", "booked", "emb", "home.city"}
    wait_until(lambda: {name.partition(":")[0] for name in named()} >= columns, 30, "an episode that names all four")
    assert {"comment:punctuation", "booked:lag", "home.city"} <= named()
    assert stack.report()["type_mismatches"] == 0
    connection.close()
    assert stack.stop() == 0
