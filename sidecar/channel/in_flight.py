"""In-flight times of a window: by how much the exchanges in flight, integrated over time, grew between two pages.

The in-flight time of a route over a window, divided by the length of the window, is the mean number of its exchanges in
flight (Little's law). Both ends are exact at any moment, because a page includes exchanges that have not ended yet.
"""

from __future__ import annotations

from collections.abc import Callable

from . import layout as at
from .page import PageSnapshot, RouteCounters


def in_flight_growth(before: PageSnapshot, after: PageSnapshot) -> dict[str, int]:
    """Return the in-flight time by route between two copies of a page, in ns. Probes are a route of their own.

    A slot that was given to another route adds its total to `other`. That total is not growth of the window. Exchanges
    that a killed proxy had in flight end with its last heartbeat.
    """
    return _growth(before, after, RouteCounters.in_flight_time, lambda route: route.in_flight_ns)


def exchange_growth(before: PageSnapshot, after: PageSnapshot) -> dict[str, int]:
    """Return the number of exchanges by route that ended between two copies of a page."""
    return _growth(before, after, lambda route, _: _ended(route), _ended)


def answered_growth(before: PageSnapshot, after: PageSnapshot) -> dict[str, int]:
    """Return the number of exchanges by route that ended with a status of 2xx between two copies of a page."""
    return _growth(before, after, lambda route, _: route.codes["2xx"], lambda route: route.codes["2xx"])


def mean_in_flight(before: PageSnapshot, after: PageSnapshot) -> float | None:
    """Return the mean number of exchanges in flight between two copies of a page, without probes.

    None if no time has passed between the copies, or the machine started again.
    """
    elapsed = after.read_ns - before.read_ns
    if elapsed <= 0:
        return None
    growth = in_flight_growth(before, after)
    return sum(amount for route, amount in growth.items() if route != at.PROBES_ROUTE) / elapsed


def _growth(
    before: PageSnapshot,
    after: PageSnapshot,
    total: Callable[[RouteCounters, int], int],
    stored: Callable[[RouteCounters], int],
) -> dict[str, int]:
    """Return the growth of a counter by route: `total` at the time of a copy, and `stored` on the page."""
    earlier = {route.route: route for route in before.routes}
    present = {route.route for route in after.routes}
    same_proxy = before.epoch == after.epoch
    moved = sum(stored(route) for name, route in earlier.items() if name not in present)
    growth: dict[str, int] = {}
    for route in after.routes:
        old, now = earlier.get(route.route), total(route, after.read_ns)
        then = total(old, before.read_ns) if old else 0
        if old and now < then and route.route != at.OTHER_ROUTE:
            began_again = now < stored(old)
            moved += stored(old) if began_again and same_proxy else 0
            then = 0 if began_again else now
        growth[route.route] = now - then
    if not same_proxy and growth.get(at.OTHER_ROUTE, 0) < 0:  # a new page starts from zero
        growth[at.OTHER_ROUTE] += total(earlier[at.OTHER_ROUTE], before.read_ns)
    elif at.OTHER_ROUTE in growth:
        growth[at.OTHER_ROUTE] -= moved
    return {route: max(0, amount) for route, amount in growth.items()}


def _ended(route: RouteCounters) -> int:
    return sum(route.codes.values())
