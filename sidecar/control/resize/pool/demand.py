"""How many cores the requests of a member need, from what its pods have used.

Cores in use are the request rate times the CPU seconds of a request. A throttled pod uses no more than it has, so its
use does not show what it needs. The CPU seconds of a request are therefore learned while cores are free, and the
arrivals are the completed requests and the growth of those in flight.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from .member import PoolLoad

WINDOW = 300.0  # seconds whose largest demand counts: a share follows a rise at once, and a fall after that
MAX_AGE = 180.0  # seconds after which a load is no longer known
FREE = 0.9  # of the cores in use, at most, while the CPU seconds of a request are learned
WEIGHT = 0.3  # of a new value of them
LEAST_IN_FLIGHT = 0.1  # below it, the cores of one request are not known


@dataclass(frozen=True, slots=True)
class DemandSample:
    """The demand at a time in epoch seconds, in cores, and the cores that one request used; 0 if unknown."""

    at: float
    cores: float
    each: float


@dataclass(frozen=True, slots=True)
class Demand:
    """The recent samples of a member, the CPU seconds of a request (0 before they are known), and the newest load."""

    samples: tuple[DemandSample, ...] = ()
    seconds: float = 0.0
    load: PoolLoad | None = None

    def observed(self, load: PoolLoad | None, capacity: float) -> Demand:
        """Return the demand after a load; `capacity` is the number of cores that the pods had."""
        if load is None or (self.load is not None and load.at <= self.load.at):
            return self
        seconds = self.seconds
        if load.rate and (not seconds or load.cpu <= FREE * capacity):
            each = load.cpu / load.rate
            seconds = seconds + WEIGHT * (each - seconds) if seconds else each
        one = load.cpu / load.in_flight if load.in_flight and load.in_flight >= LEAST_IN_FLIGHT else 0.0
        sample = DemandSample(load.at, self._cores(load, seconds), one)
        kept = tuple(sample for sample in self.samples if load.at - WINDOW < sample.at)
        return Demand((*kept, sample), seconds, load)

    def known(self, now: float) -> bool:
        """Return whether a load is recent enough at `now`, in epoch seconds."""
        return self.load is not None and now - self.load.at <= MAX_AGE

    @property
    def cores(self) -> float:
        """The largest recent demand of all pods together."""
        return max((sample.cores for sample in self.samples), default=0.0)

    @property
    def parallelism(self) -> float:
        """The cores that one request uses at once: one, or more if that was seen."""
        seen = [sample.each for sample in self.samples if sample.each]
        return max(1.0, median(seen)) if seen else 1.0

    def _cores(self, load: PoolLoad, seconds: float) -> float:
        if load.rate is None:
            return load.cpu
        if not load.rate and not load.in_flight:
            return 0.0  # what remains is the use of a process that waits
        grown, before = 0.0, self.load
        if before is not None and before.in_flight is not None and load.in_flight is not None:
            grown = max(0.0, load.in_flight - before.in_flight) / (load.at - before.at)
        return max(load.cpu, (load.rate + grown) * seconds)
