"""How many cores the requests of a member need, from what its pods have used.

Cores in use are the request rate times the CPU seconds of a request. A throttled pod uses no more than it has, so its
use does not show what it needs. The CPU seconds of a request are therefore learned while cores are free, and the
arrivals are the completed requests and the growth of those in flight. Requests that wait have to be served once, too.

A share follows the load after two intervals. How far the load may rise in this time is learned from its largest rises.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import median

from .member import PoolLoad

WINDOW = 300.0  # seconds whose largest demand counts: a share follows a rise at once, and a fall after that
MAX_AGE = 180.0  # seconds after which a load is no longer known
FREE = 0.9  # of the cores in use, at most, while the CPU seconds of a request are learned
WEIGHT = 0.3  # of a new value of them
HALF_LIFE = 86_400.0  # seconds in which a peak and a rise are half forgotten
WAITING = 4.0  # requests in flight for each core, above which they wait
DRAIN = 120.0  # seconds within which requests that wait should be served
LEAST_IN_FLIGHT = 0.1  # below it, the cores of one request are not known


@dataclass(frozen=True, slots=True)
class DemandSample:
    """The demand at a time in epoch seconds, in cores, and the cores that one request used; 0 if unknown."""

    at: float
    cores: float
    each: float


@dataclass(frozen=True, slots=True)
class Demand:
    """The recent samples of a member, the CPU seconds of a request (0 before they are known), and the newest load.

    `peak` is the largest demand and `rise` its largest rise within WINDOW, in cores; both are forgotten slowly.
    """

    samples: tuple[DemandSample, ...] = ()
    seconds: float = 0.0
    load: PoolLoad | None = None
    peak: float = 0.0
    rise: float = 0.0

    def observed(self, load: PoolLoad | None, capacity: float) -> Demand:
        """Return the demand after a load; `capacity` is the number of cores that the pods had."""
        if load is None or (self.load is not None and load.at <= self.load.at):
            return self
        seconds = self.seconds
        if load.rate and (not seconds or load.cpu <= FREE * capacity):
            each = load.cpu / load.rate
            seconds = seconds + WEIGHT * (each - seconds) if seconds else each
        one = load.cpu / load.in_flight if load.in_flight and load.in_flight >= LEAST_IN_FLIGHT else 0.0
        sample = DemandSample(load.at, self._cores(load, seconds, capacity), one)
        kept = tuple(sample for sample in self.samples if load.at - WINDOW < sample.at)
        before = self.load.at if self.load is not None else load.at
        left = 0.5 ** ((load.at - before) / HALF_LIFE)
        rise = sample.cores - min((one.cores for one in kept), default=sample.cores)
        return replace(
            self,
            samples=(*kept, sample),
            seconds=seconds,
            load=load,
            peak=max(sample.cores, left * self.peak),
            rise=max(rise, left * self.rise),
        )

    def known(self, now: float) -> bool:
        """Return whether a load is recent enough at `now`, in epoch seconds."""
        return self.load is not None and now - self.load.at <= MAX_AGE

    @property
    def cores(self) -> float:
        """The largest recent demand of all pods together."""
        return max((sample.cores for sample in self.samples), default=0.0)

    @property
    def soon(self) -> float:
        """What all pods together may need before a share can follow: one rise more, up to the peak."""
        return min(max(self.cores, self.peak), self.cores + self.rise)

    @property
    def parallelism(self) -> float:
        """The cores that one request uses at once: one, or more if that was seen."""
        seen = [sample.each for sample in self.samples if sample.each]
        return max(1.0, median(seen)) if seen else 1.0

    def _cores(self, load: PoolLoad, seconds: float, capacity: float) -> float:
        if load.rate is None:
            return load.cpu
        if not load.rate and not load.in_flight:
            return 0.0  # what remains is the use of a process that waits
        grown, before = 0.0, self.load
        if before is not None and before.in_flight is not None and load.in_flight is not None:
            grown = max(0.0, load.in_flight - before.in_flight) / (load.at - before.at)
        waiting = max(0.0, (load.in_flight or 0.0) - WAITING * max(1.0, capacity))
        return max(load.cpu, (load.rate + grown) * seconds) + waiting * seconds / DRAIN
