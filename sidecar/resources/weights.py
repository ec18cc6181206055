"""Estimates what a completion token costs, in prompt tokens, from durations and concurrency. Pure.

A server with continuous batching works in steps. A completion token takes a whole step, which all running requests
share; a prompt is read in few steps. So the durations of exchanges follow

    duration = waiting + a * prompt tokens + b * completion tokens

Least squares over the recent exchanges of a model version give a and b. A step serves n running requests at once, so a
completion token costs b / n, and a prompt token costs about a. n is the mean number of requests in flight while there
is one, without the share of the durations that is waiting. docs/cost.md has the error of this estimate in simulations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt

LEAST_EXCHANGES = 30
LEAST_CERTAINTY = 4.0  # a and b over their standard errors; below it, the estimate is not used
LONGEST_WAITING = 0.95  # share of the durations
SMALLEST, LARGEST = 0.1, 1000.0
_SINGULAR = 1e-9
MOMENTS = 10


def moments(prompt: int, completion: int, seconds: float) -> tuple[float, ...]:
    """Return the sums that least squares needs, of one exchange; sums of several exchanges are added."""
    p, c, d = float(prompt), float(completion), seconds
    return (1.0, p, c, d, p * p, p * c, c * c, p * d, c * d, d * d)


@dataclass(slots=True)
class TokenWeight:
    """Decayed sums over the exchanges and the windows of one model version."""

    sums: list[float] = field(default_factory=lambda: [0.0] * MOMENTS)
    in_flight_ns: float = 0.0
    busy_ns: float = 0.0

    def fade(self, factor: float) -> None:
        """Reduce the weight of what was added before."""
        self.sums = [amount * factor for amount in self.sums]
        self.in_flight_ns, self.busy_ns = self.in_flight_ns * factor, self.busy_ns * factor

    def add_window(self, in_flight_ns: int, elapsed_ns: int) -> None:
        """Add the in-flight time of all routes in a window."""
        self.in_flight_ns += in_flight_ns
        self.busy_ns += min(in_flight_ns, elapsed_ns)

    def add_exchanges(self, sums: Sequence[float]) -> None:
        """Add the moments of exchanges."""
        self.sums = [before + new for before, new in zip(self.sums, sums, strict=True)]

    @property
    def completion_weight(self) -> float | None:
        """The cost of a completion token in prompt tokens; None while it cannot be told from the durations."""
        n, p, c, d, pp, pc, cc, pd, cd, dd = self.sums
        if n < LEAST_EXCHANGES or self.busy_ns <= 0 or d <= 0:
            return None
        pp, pc, cc = pp - p * p / n, pc - p * c / n, cc - c * c / n
        pd, cd, dd = pd - p * d / n, cd - c * d / n, dd - d * d / n
        determinant = pp * cc - pc * pc
        if not determinant > _SINGULAR * pp * cc:
            return None
        a, b = (pd * cc - cd * pc) / determinant, (cd * pp - pd * pc) / determinant
        variance = max(0.0, dd - a * pd - b * cd) / (n - 3)
        if not (
            a > LEAST_CERTAINTY * sqrt(variance * cc / determinant)
            and b > LEAST_CERTAINTY * sqrt(variance * pp / determinant)
        ):
            return None
        waiting = min(LONGEST_WAITING, max(0.0, (d - a * p - b * c) / d))
        running = max(1.0, self.in_flight_ns / self.busy_ns * (1 - waiting))
        return min(LARGEST, max(SMALLEST, b / a / running))
