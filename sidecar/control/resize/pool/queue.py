"""What cores are worth to a pod: its requests in flight as a function of its cores.

A request uses at most `parallelism` cores at once. Below that, the pod is one server whose speed its requests share:
M/G/1 with processor sharing, `load / (cores - load)` requests in flight. Above it, it is `cores / parallelism` servers,
M/M/m by the approximation of Sakasegawa (1977), which is equal at one server. By Little's law, requests in flight are
the request rate times the mean latency. So a smaller sum over all pods of a pool is a smaller mean latency over all
requests, and the time that a request takes does not have to be known.

In flight requests fall and are convex in the cores, so the core with the largest benefit comes first.
"""

from __future__ import annotations

from math import log, sqrt

NEAR = 1.05  # of the latency with unlimited cores: more cores than for this are of no use
HALVINGS = 24


def in_flight(cores: float, load: float, parallelism: float) -> float:
    """Return the mean requests in a pod with `cores` > `load`, where `load` is the mean of the cores in use."""
    if cores <= parallelism:
        return load / (cores - load)
    use = load / cores
    waiting: float = use ** _power(cores, parallelism) / (1.0 - use)
    return load / parallelism + waiting


def benefit(cores: float, load: float, parallelism: float) -> float:
    """Return by how many requests in flight one more core lowers their number, at `cores` > `load`."""
    if load <= 0.0:
        return 0.0
    if cores <= parallelism:
        return load / (cores - load) ** 2
    use, power = load / cores, _power(cores, parallelism)
    waiting: float = use**power / (1.0 - use)
    return waiting * (-log(use) / (power * parallelism) + power / cores + use / (cores * (1.0 - use)))


def useful(load: float, parallelism: float, least: float, most: float) -> float:
    """Return the cores between `least` > `load` and `most` beyond which the latency falls by less than 5 %."""
    if load <= 0.0:
        return least
    enough = NEAR * load / parallelism
    low, high = least, most
    if in_flight(high, load, parallelism) > enough:
        return high
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if in_flight(middle, load, parallelism) > enough else (low, middle)
    return high


def _power(cores: float, parallelism: float) -> float:
    return sqrt(2.0 * (cores / parallelism + 1.0))
