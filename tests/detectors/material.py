"""Reference rows and ticks for the tests: small, seeded, of every kind."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np

from pilotfish.detectors.batch import Batch, ColumnData
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.settings import DriftSettings
from pilotfish.detectors.summaries.counts import Counts, TickCounts

INPUTS = ("amount", "count", "flag", "city", "gaps", "fixed")
QUICK = DriftSettings(per_seconds=60 * 2000.0)


def columns(rows: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    cities = np.array([f"city {i}" for i in range(100)])
    return {
        "amount": rng.lognormal(sigma=1.0, size=rows),
        "count": rng.poisson(2.0, size=rows),
        "flag": rng.random(rows) < 0.3,
        "city": cities[np.minimum(rng.geometric(0.05, size=rows) - 1, 99)],
        "gaps": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows)),
        "fixed": np.full(rows, 7.0),
        "score": rng.beta(2, 5, size=rows),
    }


@cache
def mixed_profile(rows: int = 8000, seed: int = 0) -> Profile:
    data = columns(rows, np.random.default_rng(seed))
    return build_profile(data, model="m", version="1", sides={"score": "prediction"}, exchangeable=True)


def batches_of(data: Mapping[str, ColumnData], rows: int) -> list[Batch]:
    inputs = {name: values for name, values in data.items() if name != "score"}
    return [Batch(inputs, rows), Batch({"score": data["score"]}, rows, "prediction")]


def tick(profile: Profile, rng: np.random.Generator, rows: int = 50, **changed: np.ndarray) -> Counts:
    """A tick of reference-like rows, with some columns replaced."""
    return counted(profile, {**columns(rows, rng), **changed}, rows)


def counted(profile: Profile, data: Mapping[str, ColumnData], rows: int) -> Counts:
    counts = TickCounts(profile)
    for batch in batches_of(data, rows):
        counts.add(batch)
    return counts.take()


@cache
def normal_profile(features: int = 4, rows: int = 20_000) -> Profile:
    rng = np.random.default_rng(11)
    return build_profile({f"x{i}": rng.normal(size=rows) for i in range(features)}, exchangeable=True)


def normal_tick(profile: Profile, rng: np.random.Generator, rows: int = 50, **shifts: float) -> Counts:
    """A tick of normal columns, some shifted by the given number of standard deviations."""
    counts = TickCounts(profile)
    names = profile.names("input")
    counts.add(Batch({name: rng.normal(size=rows) + shifts.get(name, 0.0) for name in names}, rows))
    return counts.take()
