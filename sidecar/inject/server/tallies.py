"""What the injector counts: reviews by outcome, injections by mode and reason, and the time of reviews."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

# seconds; the target is 0.05, and the API server waits for 3
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


@dataclass
class InjectorTallies:
    """The counters of one process.

    Attributes:
        reviews: by outcome: answered, failed, invalid.
        injections: by mode and reason; a dry run is not counted.
        sized: pods with a monitor that resizes them, by outcome (sized, kept) and reason.
        times: reviews by bucket of BUCKETS, the last one for longer times.
        seconds: the sum of their times.
        repairs: writes of the bundle after others had changed it, by object.
    """

    monotonic: Callable[[], float]
    reviews: Counter[str] = field(default_factory=Counter)
    injections: Counter[tuple[str, str]] = field(default_factory=Counter)
    sized: Counter[tuple[str, str]] = field(default_factory=Counter)
    times: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    seconds: float = 0.0
    repairs: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Add the time of the block."""
        begun = self.monotonic()
        try:
            yield
        finally:
            elapsed = self.monotonic() - begun
            self.seconds += elapsed
            self.times[bisect_left(BUCKETS, elapsed)] += 1
