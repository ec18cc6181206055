"""When the next request goes out. Pure: randomness is an argument, times are seconds.

Pods spread their requests at random, so that a thousand of them neither meet after a rollout nor after an outage.
"""

from __future__ import annotations

from random import Random

INTERVAL_SECONDS = 30.0  # the longest time between two requests
SHORTEST_SECONDS = 1.0
FIRST_SECONDS = 5.0  # within which a new pod asks for its document
NO_MONITOR_SECONDS = 60.0  # the longest time between two requests of a pod that no monitor targets
BACKOFF_SECONDS = 2.0  # after the first failure; it doubles up to INTERVAL_SECONDS


def first_delay(random: Random, interval: float = INTERVAL_SECONDS) -> float:
    """Return the seconds until the first request."""
    return random.uniform(0.0, min(FIRST_SECONDS, interval))


def interval_of(tick_seconds: float, *, no_monitor: bool = False) -> float:
    """Return the longest time between two requests: about a tick, at most INTERVAL_SECONDS.

    A pod that no monitor targets has no counts to send, and asks less often.
    """
    return NO_MONITOR_SECONDS if no_monitor else min(INTERVAL_SECONDS, max(SHORTEST_SECONDS, tick_seconds))


def next_delay(random: Random, interval: float, failures: int, retry_after: float = 0.0) -> float:
    """Return the seconds until the next request, after `failures` in a row.

    `retry_after` is what the controller asked for; the backoff is added to it, so that the pods do not meet again.
    """
    if not failures:
        return interval * random.uniform(0.7, 1.0)
    backoff = min(interval, BACKOFF_SECONDS * 2.0 ** min(failures - 1, 10))
    return retry_after + backoff * random.uniform(0.5, 1.0)
