"""The status of `GET /readyz`: whether the traffic is measured at this moment.

Processes are read anew for each request, without the grace of the log, so that 200 means that the next exchange can be
measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...report.schema import BlindSpot
from .history import History
from .readings import Reading, View
from .watch import IMMEDIATE, blind_spots

READY, DRAINING, BLIND, PARTLY_BLIND = "ready", "draining", "blind", "partly_blind"


@dataclass(frozen=True)
class Readiness:
    """`status` is a key of `IMMEDIATE` or one of the constants of this module; `spots` include the immediate ones."""

    status: str
    ready: bool
    spots: tuple[BlindSpot, ...]


def readiness(reading: Reading, spots: Sequence[BlindSpot]) -> Readiness:
    """Return the readiness at the time of `reading`, with the blind spots of the last second."""
    present = blind_spots(IMMEDIATE, View(reading, History()), {spot.reason: spot.since for spot in spots})
    found = tuple(
        sorted((*present, *(spot for spot in spots if spot.reason not in IMMEDIATE)), key=lambda spot: not spot.total)
    )
    total = [spot.reason for spot in found if spot.total]
    proxy = reading.proxy
    if proxy is not None and proxy.draining_ns:
        status = DRAINING
    elif total:
        status = next((reason for reason in total if reason in IMMEDIATE), BLIND)
    else:
        status = PARTLY_BLIND if found else READY
    return Readiness(status, status in (READY, PARTLY_BLIND), found)
