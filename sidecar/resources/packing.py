"""Estimates what two loads on one GPU do to each other. Pure.

Method: time slicing gives each of two processes with work half of the card. Kernels of a process that needs the card
for a share a of the time meet work of the other, which needs it for a share b, as often as the other is busy. So they
take longer by s = 1 + b t, and those of the other by t = 1 + a s. Hence s = (1 + b) / (1 - a b), at most 2.

The duration of a request grows by s as far as it is GPU time. If requests also wait for each other in a queue, it grows
by s (1 - a) / (1 - a s), as in a queue with Poisson arrivals.

Limits: kernels that leave processors unused interfere less (MPS). Contention for memory bandwidth is not in it. Loads
that rise together interfere more. docs/sharing.md has the error in a simulation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MOST_BUSY = 0.8  # beyond, queues grow faster than the method says
LONGEST = 2.0  # two processes with work have half of the card each


@dataclass(frozen=True, slots=True)
class ModelLoad:
    """The traffic of a model: mean requests in flight, and the 95 % quantile of their duration in seconds."""

    in_flight: float
    p95_seconds: float


def slowdowns(one: float, other: float) -> tuple[float, float]:
    """Return by which factors the kernels of two processes take longer, which need the card for these shares of time.

    Both are at least 0, and their sum is at most 1.
    """
    if not (one >= 0 and other >= 0 and one + other <= 1):
        raise ValueError(f"shares of a card: {one:g} and {other:g}; their sum is more than 1; estimate no packing")
    return _slowdown(one, other), _slowdown(other, one)


def _slowdown(own: float, other: float) -> float:
    """Return one factor: at most LONGEST, and never so much that the card is used for more than all of the time."""
    most = min(LONGEST, 1.0 / own) if own > 0 else LONGEST
    return max(1.0, min(most, (1.0 + other) / (1.0 - own * other)))


def gpu_share(busy: float, in_flight: float) -> float:
    """Return the least share of a request's duration that is GPU time.

    `busy` is the card's share of time with a kernel. Requests are in flight for at most a share min(1, in_flight) of
    the time, and each kernel runs while one is.
    """
    return min(1.0, busy / min(1.0, in_flight)) if in_flight > 0 else 0.0


def queueing(busy: float, slowdown: float) -> float:
    """Return the factor of the duration if requests wait in a queue for a card that kernels use for `busy`."""
    return slowdown * (1.0 - busy) / (1.0 - busy * slowdown)


def packed_p95(load: ModelLoad, busy: float, slowdown: float) -> tuple[float, float]:
    """Return the bounds of the 95 % quantile of the duration when kernels take `slowdown` times as long.

    The lower one is for the least share of GPU time and no queue, the upper one for GPU time and queue alone.
    """
    least = gpu_share(busy, load.in_flight)
    return load.p95_seconds * (1.0 + (slowdown - 1.0) * least), load.p95_seconds * queueing(busy, slowdown)


def quantile(share: float, bounds: Sequence[float], counts: Sequence[int]) -> float | None:
    """Return the upper bound of the bucket of a quantile, None without values; the last count has no bound."""
    rank, seen = share * sum(counts), 0
    for place, count in enumerate(counts):
        seen += count
        if count and seen >= rank:
            return bounds[min(place, len(bounds) - 1)]
    return None
