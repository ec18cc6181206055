"""What a policy cost and how it served in a replay: one row of the table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np

from ..outcome import minute_sums
from ..plant import STEP
from ..trace import Floats
from .play import PlayedUsage

GIB = 2.0**30
THROTTLED = 0.25  # of a minute, from which on it counts; that of the alert CPUThrottlingHigh
TAIL = 0.95


@dataclass(frozen=True)
class UsageOutcome:
    """Figures of one replay.

    `core_hours` and `gib_hours` are requested. A minute is throttled if the pods wanted more cores than they had for a
    quarter of it, and an OOM minute if a kill for memory stopped a pod in it. `mean` and `tail` (95 %) are latencies
    over all requests, in seconds, by the mean of each step. Minutes in gaps of the trace are not judged.
    """

    core_hours: float
    gib_hours: float
    throttled_minutes: int
    oom_minutes: int
    kills: int
    judged_minutes: int
    mean: float
    tail: float
    resizes: int
    requests: float
    given_up: float

    @classmethod
    def of(cls, found: Iterable[PlayedUsage]) -> Self:
        """Return the figures of several monitors together."""
        played = list(found)
        known = [one.known for one in played]
        judged = [minute_sums(one.astype(float)) == minute_sums(np.ones(len(one))) for one in known]
        share = [minute_sums(one.throttled) / minute_sums(np.ones(len(one.known))) for one in played]
        weights = np.concatenate([one.arrived * one.known for one in played])
        latencies = np.concatenate([one.latency for one in played])
        return cls(
            core_hours=sum(float(one.cores.sum()) for one in played) * STEP / 3600.0,
            gib_hours=sum(float(one.memory.sum()) for one in played) * STEP / 3600.0 / GIB,
            throttled_minutes=sum(
                int((good & (values >= THROTTLED)).sum()) for good, values in zip(judged, share, strict=True)
            ),
            oom_minutes=sum(
                int((good & (minute_sums(one.down) > 0)).sum()) for good, one in zip(judged, played, strict=True)
            ),
            kills=sum(one.kills for one in played),
            judged_minutes=sum(int(good.sum()) for good in judged),
            mean=float((latencies * weights).sum() / weights.sum()) if weights.sum() else 0.0,
            tail=_quantile(latencies, weights),
            resizes=sum(one.resizes for one in played),
            requests=float(weights.sum()),
            given_up=sum(float((one.given_up * one.known).sum()) for one in played),
        )


def _quantile(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    sums = np.cumsum(weights[order])
    if not len(sums) or not sums[-1]:
        return 0.0
    return float(values[order][np.searchsorted(sums, TAIL * sums[-1])])
