"""When the next request goes out. Pure: randomness is an argument, times are seconds.

Pods spread their requests at random, so that a thousand of them neither meet after a rollout nor after an outage.
"""

from __future__ import annotations

from random import Random

INTERVAL_SECONDS = 30.0  # the longest time between two requests
SHORTEST_SECONDS = 1.0
FIRST_SECONDS = 5.0  # within which a new pod asks for its document
BACKOFF_SECONDS = 2.0  # after the first failure; it doubles up to INTERVAL_SECONDS


def first_delay(random: Random, interval: float = INTERVAL_SECONDS) -> float:
    """Return the seconds until the first request."""
    return random.uniform(0.0, min(FIRST_SECONDS, interval))


def interval_of(tick_seconds: float) -> float:
    """Return the longest time between two requests: about a tick, at most INTERVAL_SECONDS."""
    return min(INTERVAL_SECONDS, max(SHORTEST_SECONDS, tick_seconds))


def next_delay(random: Random, interval: float, failures: int, retry_after: float = 0.0) -> float:
    """Return the seconds until the next request, after `failures` in a row.

    `retry_after` is what the controller asked for; the backoff is added to it, so that the pods do not meet again.
    """
    if not failures:
        return interval * random.uniform(0.7, 1.0)
    backoff = min(interval, BACKOFF_SECONDS * 2.0 ** min(failures - 1, 10))
    return retry_after + backoff * random.uniform(0.5, 1.0)
