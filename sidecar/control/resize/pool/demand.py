"""How many cores the requests of a member need, from what its pods have used.

Cores in use are the request rate times the CPU seconds of a request. A throttled pod uses no more than it has, so its
use does not show what it needs. The CPU seconds of a request are therefore learned while cores are free, and the
arrivals are the completed requests and the growth of those in flight. Requests that wait have to be served once, too.

Clients that send a request when the one before is answered (a closed loop) never let requests grow in number: the rate
follows the cores, and so does the need. A member that uses all of its cores is therefore saturated, and its need is
unknown. Each request in flight could use a core.

A share follows the load after two intervals. How far the load may rise in this time is learned from its largest rises.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from statistics import median

from .allocation import HEADROOM
from .member import PoolLoad

WINDOW = 300.0  # seconds whose largest demand counts: a share follows a rise at once, and a fall after that
MAX_AGE = 180.0  # seconds after which a load is no longer known
FREE = 0.9  # of the cores in use, at most, while the CPU seconds of a request are learned
WEIGHT = 0.3  # of a new value of them
HALF_LIFE = 86_400.0  # seconds in which a peak and a rise are half forgotten
WAITING = 4.0  # requests in flight for each core, above which they wait
DRAIN = 120.0  # seconds within which requests that wait should be served
FULL = 0.95  # of the cores in use, from which on a member may be saturated; HEADROOM leaves more free
NOISE = 1.5  # times a demand, up to which recent larger ones may come again
STEADY = 0.05  # of the completed requests, by which those in flight change at most
REMEMBERED = 4  # samples, of which one that hides the demand is enough
LEAST_IN_FLIGHT = 0.1  # below it, the cores of one request are not known


@dataclass(frozen=True, slots=True)
class DemandSample:
    """The demand at a time in epoch seconds, in cores, and the cores that one request used; 0 if unknown.

    `full` says whether no core was free. `hidden` says whether the demand was not to be seen besides: as many requests
    were completed as arrived, and they needed the cores in use.
    """

    at: float
    cores: float
    each: float
    full: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Demand:
    """The recent samples of a member, the CPU seconds of a request (0 before they are known), and the newest load.

    `peak` is the largest demand and `rise` its largest rise within WINDOW, in cores; both are forgotten slowly.
    `saturated` begins and ends with two samples in a row, since a use may be older than the newest resize.
    For the same reason, `had` is the capacity at the newest load.
    """

    samples: tuple[DemandSample, ...] = ()
    seconds: float = 0.0
    load: PoolLoad | None = None
    peak: float = 0.0
    rise: float = 0.0
    saturated: bool = False
    had: float = inf

    def observed(self, load: PoolLoad | None, capacity: float) -> Demand:
        """Return the demand after a load; `capacity` is the number of cores that the pods had without limits.

        An earlier load than before shows that the clock was set back. The samples then begin anew.
        """
        if load is None or (self.load is not None and load.at == self.load.at):
            return self
        if self.load is not None and load.at < self.load.at:
            return replace(self, samples=(), load=None).observed(load, capacity)
        capacity = capacity if load.limit is None else load.limit
        seconds = self.seconds
        if load.rate and (not seconds or load.cpu <= FREE * capacity):
            each = load.cpu / load.rate
            seconds = seconds + WEIGHT * (each - seconds) if seconds else each
        one = load.cpu / load.in_flight if load.in_flight and load.in_flight >= LEAST_IN_FLIGHT else 0.0
        grown = self._grown(load)
        steady = abs(grown) <= STEADY * load.rate if load.rate else True
        cores = _cores(load, grown, seconds, capacity)
        hidden = self.load is not None and steady and cores <= HEADROOM * load.cpu
        sample = DemandSample(load.at, cores, one, _full(load, min(capacity, self.had)), hidden)
        kept = tuple(sample for sample in self.samples if load.at - WINDOW < sample.at)
        before = self.load.at if self.load is not None else load.at
        left = 0.5 ** ((load.at - before) / HALF_LIFE)
        rise = sample.cores - min((one.cores for one in kept), default=sample.cores)
        return replace(
            self,
            samples=(*kept, sample),
            seconds=seconds,
            load=load,
            had=capacity,
            peak=max(sample.cores, left * self.peak),
            rise=max(rise, left * self.rise),
            saturated=sample.full if kept and kept[-1].full == sample.full else self.saturated,
        )

    def known(self, now: float) -> bool:
        """Return whether a load is recent enough at `now`, in epoch seconds."""
        return self.load is not None and now - self.load.at <= MAX_AGE

    @property
    def cores(self) -> float:
        """The largest recent demand of all pods together."""
        return max((sample.cores for sample in self.samples), default=0.0)

    @property
    def now(self) -> float:
        """The demand now: that of two samples with room for NOISE, up to the largest recent one."""
        if self.want:
            return self.samples[-1].cores
        return min(self.cores, NOISE * max((sample.cores for sample in self.samples[-2:]), default=0.0))

    @property
    def want(self) -> float:
        """The cores that the requests in flight could use while the demand is hidden; 0 while it is known.

        It is known while the requests in flight grow or fall, as clients then do not wait for answers, and while the
        requests need more cores than are used. One sample in REMEMBERED says so by chance: use and rate are measured
        over different times, and a few requests are no constant number.
        """
        if not self.saturated or self.load is None or not any(one.hidden for one in self.samples[-REMEMBERED:]):
            return 0.0
        return inf if self.load.in_flight is None else self.load.in_flight * self.parallelism

    @property
    def soon(self) -> float:
        """What all pods together may need before a share can follow: one rise more, up to the peak."""
        return min(max(self.cores, self.peak), self.cores + self.rise)

    @property
    def parallelism(self) -> float:
        """The cores that one request uses at once: one, or more if that was seen."""
        seen = [sample.each for sample in self.samples if sample.each]
        return max(1.0, median(seen)) if seen else 1.0

    def _grown(self, load: PoolLoad) -> float:
        """Return how many requests a second arrived and were not completed; below 0 if more were completed."""
        before = self.load
        if before is None or before.in_flight is None or load.in_flight is None:
            return 0.0
        return (load.in_flight - before.in_flight) / (load.at - before.at)


def _cores(load: PoolLoad, grown: float, seconds: float, capacity: float) -> float:
    if load.rate is None:
        return load.cpu
    if not load.rate and not load.in_flight:
        return 0.0  # what remains is the use of a process that waits
    waiting = max(0.0, (load.in_flight or 0.0) - WAITING * max(1.0, capacity))
    return max(load.cpu, (load.rate + max(0.0, grown)) * seconds) + waiting * seconds / DRAIN


def _full(load: PoolLoad, capacity: float) -> bool:
    """Return whether no core was free. Without a limit, pods may use more than they have, and requests have to wait."""
    if load.limit is not None:
        return 0.0 < FULL * capacity <= load.cpu
    return load.in_flight is not None and load.in_flight > capacity and FULL * capacity <= load.cpu <= capacity / FULL
