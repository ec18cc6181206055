"""Block of the Report about sharing GPUs: who uses each card, how long it was idle, and what packing would mean.

Everything here is advice. A value that is not known is None, never 0, and `text` says why.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Advice = Literal["keep", "mig", "mps", "time_slicing", "unknown"]


class CardUser(msgspec.Struct, frozen=True, kw_only=True):
    """A process with a context on the card. `own` says whether it belongs to the monitored model server.

    `busy_ratio` is the share of the measured time in which a kernel of it ran.
    """

    pid: int
    own: bool
    memory_bytes: int | None = None
    busy_ratio: float | None = None


class Packing(msgspec.Struct, frozen=True, kw_only=True):
    """An estimate of what a second load on the card would do to the latency of the requests.

    Attributes:
        partner: the second load: `the same load again`, or the UUID of the card whose load would move here.
        busy_ratio: share of time in which the card would have a kernel.
        slowdown: factor of the time in which the model's own kernels run.
        p95_seconds: the present 95 % quantile of the duration.
        p95_low, p95_high: that quantile with the second load: if as little of the duration as possible is GPU time,
            and if requests do nothing but wait for the GPU and use it.
        memory_fits: whether both fit into the memory of the card; None if its use is not known.
    """

    partner: str
    busy_ratio: float
    slowdown: float
    p95_seconds: float
    p95_low: float
    p95_high: float
    memory_fits: bool | None = None


class CardSharing(msgspec.Struct, frozen=True, kw_only=True):
    """One card. `idle_ratio` is the share of `measured_seconds` without a kernel; `text` explains the advice."""

    uuid: str
    name: str = ""
    measured_seconds: float = 0.0
    idle_ratio: float | None = None
    idle_cost_per_hour: float | None = None
    memory_bytes: int | None = None
    memory_used_bytes: int | None = None
    users: tuple[CardUser, ...] = ()
    packing: Packing | None = None
    advice: Advice = "unknown"
    text: str = ""
