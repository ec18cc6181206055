"""Frames and profiles for the tests of the notebook API."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

import pilotfish

ROWS = 400


def frame(rows: int = ROWS, seed: int = 1, shift: float = 0.0) -> pd.DataFrame:
    """Return rows of a model: a time, a number with missing values, a category, a score and a label."""
    random = np.random.default_rng(seed)
    income = random.normal(1000 + shift, 100, rows)
    income[random.random(rows) < 0.05] = np.nan
    return pd.DataFrame(
        {
            "ts": pd.Timestamp("2026-01-05") + pd.to_timedelta(np.arange(rows) * 30, unit="s"),
            "income": income,
            "city": random.choice(["Basel", "Bern", "Chur"], rows),
            "score": random.random(rows).round(4),
            "repaid": random.integers(0, 2, rows),
        }
    )


@cache
def profile() -> pilotfish.Profile:
    """Return the profile of 3,000 rows; built once in a process."""
    rows = frame(3000)
    return pilotfish.Profile.from_pandas(rows, time="ts", predictions=["score"], labels=["repaid"], model="loans")
