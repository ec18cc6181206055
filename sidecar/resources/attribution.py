"""Shares measured use out to routes. Pure, in whole units, so that shares and idle add up to what was measured.

Rule, equal in-flight time: a route gets the part of the use of a window that its in-flight time is of all in-flight
times. A window without an exchange in flight is idle. Such windows show the rate of an idle server. In others, the rate
applies to the time in which surely nothing was in flight.

Within a group of routes, `divide_by_weight` then replaces equal in-flight time by another rule, see `rates.py`.

With overlapping exchanges of different cost this is an estimate; docs/cost.md has its error in simulations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SMOOTHING = 0.2  # weight of the newest idle window in the idle rate


@dataclass(frozen=True, slots=True)
class Split:
    """The shares of one window by route, and what no route used. They add up to what was measured."""

    shares: Mapping[str, int]
    idle: int

    @property
    def measured(self) -> int:
        """The sum of all."""
        return sum(self.shares.values()) + self.idle


def share(amount: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Return `amount` divided in proportion to `weights`, in whole units that add up to it; {} without weights.

    The largest remainders get the units that are left; with equal remainders, the first names.
    """
    total = sum(weights.values())
    if total <= 0:
        return {}
    parts = {name: divmod(amount * weight, total) for name, weight in weights.items() if weight > 0}
    left = amount - sum(whole for whole, _ in parts.values())
    raised = set(sorted(parts, key=lambda name: (-parts[name][1], name))[:left])
    return {name: whole + (name in raised) for name, (whole, _) in parts.items()}


def divide_by_weight(shares: Mapping[str, int], weights: Mapping[str, int]) -> dict[str, int]:
    """Return `shares` with what the routes in `weights` have together divided in proportion to the weights.

    The sum does not change. Without a positive weight, nothing changes.
    """
    divided = share(sum(shares.get(name, 0) for name in weights), weights)
    return {**shares, **dict.fromkeys(weights, 0), **divided} if divided else dict(shares)


class Attribution:
    """Splits the windows of one resource. Keeps the rate of use of an idle server, in units per ns."""

    def __init__(self) -> None:
        self._idle_rate: float | None = None

    @property
    def idle_rate(self) -> float | None:
        """Use per ns without an exchange in flight; None before the first such window."""
        return self._idle_rate

    def split(self, measured: int, elapsed_ns: int, in_flight: Mapping[str, int] | None) -> Split:
        """Return the shares of `measured` units in a window of `elapsed_ns`.

        `in_flight` are the in-flight times by route, in ns; None if they are unknown.
        """
        measured = max(0, measured)
        if in_flight is None:
            return Split({}, measured)
        busy = sum(in_flight.values())
        if busy <= 0:
            if elapsed_ns > 0:
                rate, before = measured / elapsed_ns, self._idle_rate
                self._idle_rate = rate if before is None else before + SMOOTHING * (rate - before)
            return Split({}, measured)
        idle = min(measured, int((self._idle_rate or 0.0) * max(0, elapsed_ns - busy)))
        return Split(share(measured - idle, in_flight), idle)
