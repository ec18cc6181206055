"""Rows with times, texts, arrays and lists, for the tests of derived columns."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from pilotfish.detectors.batch import Floats

ROWS = 2400
T0 = 1_700_000_000.0
WORDS = np.array(
    [
        "the",
        "data",
        "of",
        "a",
        "model",
        "flows",
        "every",
        "night",
        "and",
        "nobody",
        "sees",
        "what",
        "town",
        "river",
        "house",
        "stone",
        "expects",
    ]
)
Rows = dict[str, Any]


def sentences(rows: int, rng: np.random.Generator) -> list[str]:
    return [" ".join(rng.choice(WORDS, rng.integers(4, 20))).capitalize() + "." for _ in range(rows)]


def embeddings(rows: int, rng: np.random.Generator) -> Floats:
    made: Floats = rng.normal(size=(rows, 60)).astype(np.float32) * np.r_[[6.0, 4.0], np.ones(58)].astype(np.float32)
    return made


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def rows_of(rows: int, rng: np.random.Generator, at: Floats) -> Rows:
    return {
        "booked": [iso(time - lag) for time, lag in zip(at, rng.lognormal(8, 1, rows), strict=True)],
        "comment": sentences(rows, rng),
        "emb": embeddings(rows, rng),
        "tags": [["t"] * int(count) for count in rng.poisson(2, rows)],
    }
