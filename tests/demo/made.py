"""Small made-up flights and reports for the demo's tests."""

from __future__ import annotations

import numpy as np

from pilotfish.sidecar.demo.flights import Flights
from pilotfish.sidecar.demo.messages import DayReplayed
from pilotfish.sidecar.demo.state import DemoPlan
from pilotfish.sidecar.report.schema import (
    Effects,
    EpisodeFeatureReport,
    EpisodeReport,
    Family,
    FeatureReport,
    ProfileInfo,
    Report,
    ScoreReport,
    TickStatus,
)

PLAN = DemoPlan(first_day=92, change_day=95, change_origin="JFK", wanted_days=2, settled_days=2)
TICK = 1_000_000  # of day 0


def flights(days: int, rows: int = 200, seed: int = 1) -> Flights:
    """Return `rows` flights on each of `days` days whose time in the air follows from the distance."""
    random = np.random.default_rng(seed)
    count = days * rows
    distance = np.round(random.uniform(100, 2500, count))
    columns = {
        "carrier": random.choice(["AA", "B6", "DL"], count),
        "origin": random.choice(["EWR", "JFK", "LGA"], count),
        "distance": distance,
        "departure": np.round(random.uniform(5, 23, count), 2),
        "seats": np.where(random.random(count) < 0.1, np.nan, random.choice([55.0, 150.0, 220.0], count)),
        "built": np.round(random.uniform(1985, 2013, count)),
    }
    return Flights(columns, 20 + distance / 8 + random.normal(0, 5, count), np.repeat(np.arange(days), rows))


def day(number: int, *, error: float = 7.0, failures: int = 0) -> DayReplayed:
    """Return the message about a day of 900 rows."""
    return DayReplayed(
        number=number,
        tick=TICK + number,
        rows=900,
        requests=180,
        failures=failures,
        changed=number >= PLAN.change_day,
        error=error,
        close=0.9,
        direct=1.0,
        added=0.2,
    )


def effects(psi: float) -> Effects:
    """Return effect sizes with that PSI."""
    score = ScoreReport(psi, psi, psi)
    return Effects(
        first_tick=TICK,
        last_tick=TICK + 1,
        rows=900,
        psi=score,
        jensen_shannon_distance=score,
        chi_square=score,
        wasserstein=None,
        ks=None,
        missing_ratio=0.0,
        missing_ratio_reference=0.0,
        unseen_ratio=0.0,
        out_of_range_ratio=0.0,
        mismatches=0,
    )


def episode(opened: int, *, open: bool = True) -> EpisodeReport:  # noqa: A002  # the report's own word
    """Return an episode of the feature distance that was opened on day `opened`."""
    listed = EpisodeFeatureReport(
        name="distance",
        confirmed=True,
        active=open,
        onset_tick=TICK + opened,
        joined_tick=TICK + opened,
        closed_tick=None if open else TICK + opened + 5,
    )
    return EpisodeReport(
        id="episode-1",
        family="features",
        opened_tick=TICK + opened,
        onset_tick=TICK + opened,
        closed_tick=None if open else TICK + opened + 5,
        closed_by=None if open else "profile",
        open=open,
        features=(listed,),
    )


def report(number: int, *episodes: EpisodeReport, profile: str = "old", ratio: float = 1e-6) -> Report:
    """Return the analyzer's report after day `number`."""
    info = ProfileInfo(
        hash=profile, model="air-time", version="1", created="", rows=1, features=2, excluded=(), warnings=()
    )
    psi = 0.8 if any(known.open for known in episodes) else 0.001
    return Report(
        made_at=0.0,
        started_at=0.0,
        state="watching",
        profile=info,
        ticks=TickStatus(tick_seconds=1.0, last_closed=TICK + number),
        families=(Family(name="features", evidence_ratio=ratio, threshold=1e6, share=0.7, alarms_total=0),),
        features=(
            FeatureReport(name="distance", side="input", family="features", evidence_ratio=ratio, effects=effects(psi)),
            FeatureReport(name="air_time", side="prediction", family="predictions", evidence_ratio=0.0, effects=None),
        ),
        episodes=tuple(episodes),
    )
