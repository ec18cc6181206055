"""What a policy cost and how it served: one row of the table of `pilotfish simulate`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .plant import STEP, Service
from .play import Played
from .trace import Floats

MINUTE_STEPS = round(60.0 / STEP)


@dataclass(frozen=True)
class Outcome:
    """Figures of one play.

    A minute misses the service level if more than the allowed share of its responses was slow. Minutes in gaps of the
    trace are not judged. `given_up` counts the requests that clients gave up.
    """

    missed_minutes: int
    judged_minutes: int
    pod_hours: float
    changes: int
    reversals: int
    lowest: int
    highest: int
    requests: float
    given_up: float

    @classmethod
    def of(cls, played: Played, service: Service) -> Outcome:
        """Return the figures of a play."""
        missed, judged = missed_minutes(played, service)
        directions = [change.after > change.before for change in played.changes]
        return cls(
            missed_minutes=int(missed.sum()),
            judged_minutes=int(judged.sum()),
            pod_hours=float(played.replicas.sum() * STEP / 3600.0),
            changes=len(directions),
            reversals=sum(one != other for one, other in pairwise(directions)),
            lowest=int(played.replicas.min()),
            highest=int(played.replicas.max()),
            requests=float(played.arrived.sum()),
            given_up=float(played.given_up.sum()),
        )


def missed_minutes(played: Played, service: Service) -> tuple[np.ndarray, np.ndarray]:
    """Return for each minute whether it missed the service level, and whether it is judged at all."""
    arrived, slow = minute_sums(played.arrived), minute_sums(played.arrived * played.slow)
    judged = minute_sums(played.known.astype(float)) == minute_sums(np.ones(len(played.known)))
    return judged & (slow > (1.0 - service.quantile) * arrived + 1e-9), judged


def minute_sums(values: Floats) -> Floats:
    """Return the sum of each minute; the last one may be shorter."""
    return np.add.reduceat(values, np.arange(0, len(values), MINUTE_STEPS))
