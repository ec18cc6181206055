"""The work of the exchanges of a route: tokens and rows. The analyzer's worker adds it, attribution takes it.

Tokens and rows are known only when an exchange ends, but use is shared out once a second. So attribution needs the work
per in-flight time of each route; `Work` has both for the same exchanges.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from operator import add

from .weights import MOMENTS, moments

PROMPT, COMPLETION, CACHED = KINDS = ("prompt", "completion", "cached")
COUNTED = "counted"  # outcome of an exchange whose tokens are all known; the others are values of `TokenReason`


@dataclass(slots=True)
class Work:
    """Sums over the recorded exchanges of one route that were answered with 2xx.

    Attributes:
        outcomes: exchanges of a language model by outcome.
        tokens: tokens by kind, of the exchanges that tell the kind.
        told: the number of these exchanges by kind.
        squares: their sum of squared tokens by kind.
        weighed: tokens by kind of the exchanges with all counts; `weighed_ns` are their durations, and `moments` what
            `weights.py` needs of them.
        rows: decoded input rows, and `rows_ns` the durations of their exchanges.
    """

    outcomes: dict[str, int] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)
    squares: dict[str, int] = field(default_factory=dict)
    weighed: dict[str, int] = field(default_factory=dict)
    weighed_ns: int = 0
    moments: tuple[float, ...] = (0.0,) * MOMENTS
    rows: int = 0
    rows_ns: int = 0

    def add_tokens(self, outcome: str, tokens: dict[str, int], duration_ns: int) -> None:
        """Add one exchange of a language model; `tokens` has the kinds that are known."""
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        for kind, amount in tokens.items():
            self.tokens[kind] = self.tokens.get(kind, 0) + amount
            self.told[kind] = self.told.get(kind, 0) + 1
            self.squares[kind] = self.squares.get(kind, 0) + amount * amount
        if outcome == COUNTED:
            self.weighed_ns += duration_ns
            computed = tokens.get(PROMPT, 0) - tokens.get(CACHED, 0)
            self.moments = _sums(self.moments, moments(computed, tokens.get(COMPLETION, 0), duration_ns / 1e9))
            for kind, amount in tokens.items():
                self.weighed[kind] = self.weighed.get(kind, 0) + amount

    def plus(self, other: Work) -> Work:
        """Return the sums of both."""
        return Work(
            _added(self.outcomes, other.outcomes),
            _added(self.tokens, other.tokens),
            _added(self.told, other.told),
            _added(self.squares, other.squares),
            _added(self.weighed, other.weighed),
            self.weighed_ns + other.weighed_ns,
            _sums(self.moments, other.moments),
            self.rows + other.rows,
            self.rows_ns + other.rows_ns,
        )

    def add_rows(self, rows: int, duration_ns: int) -> None:
        """Add the rows of one exchange."""
        self.rows += rows
        self.rows_ns += duration_ns


def _added(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in one.keys() | other.keys()}


def _sums(one: tuple[float, ...], other: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(map(add, one, other))


class WorkMeter:
    """Collects work by route between two calls of `take`. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._work: dict[str, Work] = {}

    def add_tokens(self, route: str, outcome: str, tokens: dict[str, int], duration_ns: int) -> None:
        """Add one exchange of a language model, see `Work`."""
        with self._lock:
            self._work.setdefault(route, Work()).add_tokens(outcome, tokens, duration_ns)

    def add_rows(self, route: str, rows: int, duration_ns: int) -> None:
        """Add the rows of one exchange."""
        with self._lock:
            self._work.setdefault(route, Work()).add_rows(rows, duration_ns)

    def take(self) -> dict[str, Work]:
        """Return the work since the last call, by route."""
        with self._lock:
            work, self._work = self._work, {}
        return work
